"""`hsmctl net ...` over a connectivity scenario: as a file, and as an account that answers what a collector asks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from network_world import SnapshotNetwork, cluster_of
from transcript import Ran, hsmctl
from world import ACCOUNT, FakePlane, World

from hsmctl.settings import Context
from hsmctl.settings_entry import ClientEntry


def written(folder: Path, document: Mapping[str, Any]) -> str:
    """The path of a file with the document."""
    path = folder / "snapshot.json"
    path.write_text(json.dumps(document))
    return str(path)


def world_of(document: Mapping[str, Any]) -> World:
    """A world whose AWS account is the scenario."""
    world = World(plane=FakePlane(cluster_of(document)))
    world.network = SnapshotNetwork(document["snapshot"])
    return world


def net(world: World, folder: Path, *arguments: str, clients: tuple[ClientEntry, ...] = (), **more: Any) -> Ran:  # noqa: ANN401
    """Run `hsmctl net ARGUMENTS` in a context that registers these clients."""
    context = Context(name="prod", account_id=ACCOUNT, region="us-east-1", clients=clients)
    return hsmctl(world, "net", *arguments, context=context, folder=folder, **more)
