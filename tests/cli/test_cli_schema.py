"""Proves that every JSON document fits the schema derived from its type, and that no schema changes unnoticed.

After a change that is meant: python tests/cli/test_cli_schema.py writes the files anew (with tests/ on the path).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import jsonschema
import pytest
from approval_files import write_bundle, write_key
from operation_world import BEGUN, with_operation
from transcript import hsmctl
from world import HSMS, NOW, World

from hsmctl import cli
from hsmctl.adapters.hold import FileHolds
from hsmctl.cli.root import NOUNS
from hsmctl.cli.schema import of_view
from hsmctl.cli.view import View
from hsmctl.domain.key import Proof, ProofKind
from hsmctl.errors import Unreachable
from hsmctl.ports_hold import Hold

FOLDER = Path(__file__).parents[1] / "data" / "schemas"

COMMANDS = {
    "cluster.list@1": ["cluster", "list"],
    "cluster.show@1": ["cluster", "show"],
    "hsm.list@1": ["hsm", "list"],
    "cluster.init.csr@1": ["cluster", "init", "csr"],
    "cluster.init.status@1": ["cluster", "init", "status"],
    "backup.list@1": ["backup", "list"],
    "backup.show@1": ["backup", "show", "backup-q2w3e4r5t6y"],
    "backup.inspect@1": ["backup", "inspect", "backup-q2w3e4r5t6y"],
    "backup.check@1": ["backup", "check"],
    "iam.policy@1": ["iam", "policy", "provisioner"],
    "operation.plan@1": ["hsm", "add", "--dry-run"],
    "operation.change@1": ["hsm", "add"],
    "operation.list@1": ["operation", "list"],
    "operation.show@1": ["operation", "show", BEGUN],
    "timeline@1": ["timeline"],
    "status@1": ["status"],
    "metrics.write@1": ["metrics", "write", "{folder}/hsmctl.prom"],
    "metrics.unit@1": ["metrics", "unit"],
    "key.list@1": ["key", "list"],
    "key.generate@1": ["key", "generate", "EC", "--label", "tls"],
    "key.find@1": ["key", "find", "db-*"],
    "token.list@1": ["token", "list"],
    "token.show@1": ["token", "show"],
    "token.doctor@1": ["token", "doctor"],
    "key.lint@1": ["key", "lint"],
    "key.bench@1": ["key", "bench", "ec-p256"],
    "key.inventory@1": ["key", "inventory"],
    "key.show@1": ["key", "show", "db-kek-000"],
    "sync.check@1": ["sync", "check", "--deep"],
    "sync.watch@1": ["sync", "watch", "--count", "1", "-o", "json"],
    "sync.diff@1": ["sync", "diff", HSMS[0], HSMS[1]],
    "sync.history@1": ["sync", "history"],
    "sync.report@1": ["sync", "report"],
    "sync.evidence@1": ["sync", "evidence", "--file", "{folder}/evidence.json"],
    "sync.canary@1": ["sync", "canary"],
    "sync.hold.list@1": ["sync", "hold", "list"],
    "sync.hold.set@1": ["sync", "hold", "set", "cluster-a2b3c4d5e6f", "--reason", "sole copy"],
    "sync.hold.release@1": ["sync", "hold", "release", "cluster-held0000000", "--reason", "healed"],
    "net.explain@1": ["net", "explain", "--client", "10.0.0.9"],
    "net.exposure@1": ["net", "exposure"],
    "net.collect@1": ["net", "collect", "--client", "10.0.0.9", "-o", "{folder}/net.json"],
    "net.probe@1": ["net", "probe", "--local", "--deadline", "1s"],
    "lab.up@1": ["lab", "up"],
    "lab.status@1": ["lab", "status"],
    "lab.env@1": ["lab", "env"],
    "lab.logs@1": ["lab", "logs"],
    "lab.clone-for@1": ["lab", "clone-for", "nginx"],
    "lab.fault.list@1": ["lab", "fault", "list"],
    "lab.fault.inject@1": ["lab", "fault", "inject", "node-frozen", "--hsm", HSMS[0], "--heal", "5m"],
    "lab.fault.clear@1": ["lab", "fault", "clear", "--all"],
    "lab.scenario.list@1": ["lab", "scenario", "list"],
    "lab.scenario.play@1": ["lab", "scenario", "play", "lost-key"],
    "login.status@1": ["login", "status"],
    "login.reset@1": ["login", "reset"],
    "config.path@1": ["config", "path"],
    "config.init@1": ["config", "init"],
    "config.show@1": ["config", "show"],
    "config.check@1": ["config", "check"],
    "user.list@1": ["user", "list"],
    "sync.coverage@1": ["sync", "check", "--via", "login"],
    "client.list@1": ["client", "list"],
    "client.check@1": ["client", "check"],
    "mtls.status@1": ["mtls", "status"],
    "quorum.status@1": ["quorum", "status"],
    "quorum.token@1": ["quorum", "token"],
    "quorum.sign@1": ["quorum", "sign", "{folder}/approve.json", "--user", "alice", "--key", "{folder}/alice.pem"],
    "explain@1": ["explain", "CKR_PIN_LOCKED"],
    "doctor.check@1": ["doctor"],
}

ON_A_TOKEN = {
    *("key.sign@1", "key.verify@1", "key.encrypt@1", "key.decrypt@1", "key.derive@1", "key.import@1", "key.export@1"),
    *("key.wrap@1", "key.unwrap@1", "key.csr@1", "key.selfsign@1", "key.cert.list@1", "key.cert.import@1"),
    "key.cert.export@1",
}
"""Documents that only a real token makes; tests/key_token.py holds each against its schema."""


def views() -> Iterator[View[Any]]:
    """Every view of a noun's module, and of the modules of the nouns below it."""
    for noun in NOUNS:
        names = [name for _, name, _ in iter_modules(cli.__path__) if name == noun or name.startswith(f"{noun}_")]
        parts = [import_module(f"hsmctl.cli.{name}") for name in names]
        found = {id(each): each for part in parts for each in vars(part).values() if isinstance(each, View)}
        yield from found.values()


def test_every_document_has_a_pinned_schema() -> None:
    pinned = {*COMMANDS, *ON_A_TOKEN}
    assert {view.schema for view in views()} == pinned
    assert {path.stem for path in FOLDER.iterdir()} == pinned


@pytest.mark.parametrize("view", tuple(views()), ids=lambda view: view.schema)
def test_a_schema_is_what_it_was(view: View[Any]) -> None:
    assert of_view(view) == json.loads((FOLDER / f"{view.schema}.json").read_text())


def odd() -> World:
    """A world in which something is missing, unreadable and different, so that optional parts are there too."""
    world = World()
    world.tokens.held[HSMS[1]].pop()
    world.tokens.errors[HSMS[2]] = Unreachable(HSMS[2], "no answer")
    world.tokens.answers["", "db-kek-000"] = Proof(ProofKind.NONE, reason="it can only unwrap")
    return world


@pytest.mark.parametrize("schema", COMMANDS)
@pytest.mark.parametrize("world", [World, odd])
def test_what_a_command_writes_fits_its_schema(schema: str, world: Callable[[], World], tmp_path: Path) -> None:
    write_bundle(tmp_path / "approve.json")
    write_key(tmp_path / "alice.pem")
    held = Hold(cluster_id="cluster-held0000000", reason="sole copy", set_at=NOW, set_by="ops")
    FileHolds(tmp_path / "holds").put(held)
    here = with_operation(world())
    if schema in ("sync.history@1", "sync.report@1"):
        hsmctl(here, "sync", "check")
    words = [word.format(folder=tmp_path) for word in COMMANDS[schema]]
    document = hsmctl(here, "-o", "json", *words, folder=tmp_path).document
    assert document["schema"] == f"hsmctl/{schema}"
    jsonschema.validate(document, json.loads((FOLDER / f"{schema}.json").read_text()))


def test_a_document_that_does_not_fit_is_noticed(tmp_path: Path) -> None:
    document = hsmctl(World(), "hsm", "list", "-o", "json", folder=tmp_path).document
    del document["data"][0]["zone"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, json.loads((FOLDER / "hsm.list@1.json").read_text()))


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for each in views():
        (FOLDER / f"{each.schema}.json").write_text(json.dumps(of_view(each), indent=2) + "\n")
