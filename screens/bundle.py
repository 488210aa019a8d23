"""The evidence about a cluster's replicas as a file for AWS Support."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hsmctl.domain.cluster import Cluster
from hsmctl.domain.sync import Report
from hsmctl.errors import HsmctlError
from hsmctl.words import counted

from .argument import candidates
from .command import Takes
from .offload import call

if TYPE_CHECKING:
    from hsmctl.bootstrap import Hsmctl
    from hsmctl.services.bundle import Written

    from .place import Place


async def bundle(place: Place, name: str) -> None:
    """Write the last check of the place's cluster down; without a file's name, ask for one and offer one."""
    cluster = place.cluster
    check = place.survey.estate.check(cluster) if cluster else None
    if cluster is None or check is None or check.report is None or check.running:
        place.complain("no check to write down: c compares the keys on every replica")
    elif not name:
        await place.ask_line(f"evidence {candidates(place, Takes.BUNDLE)[0]}")
    else:
        try:
            found = await call(partial(_write, place.survey.hsmctl, name.strip(), cluster, check.report))
        except HsmctlError as error:
            place.complain(f"{error}: {error.hint}")
        else:
            said = f"{counted(found.keys, 'key')}, no label, id or user; SHA-256 {found.sha256[:16]}…"
            place.notify(f"wrote {name.strip()}: {said}", markup=False)


def _write(facade: Hsmctl, name: str, cluster: Cluster, report: Report) -> Written:
    """Write it; work for a thread."""
    from hsmctl.services.bundle import HISTORY, Made, write

    now, context = facade.clock.now(), facade.context
    made = Made(
        at=now,
        environment=context.kind,
        region=cluster.region,
        clusters=(cluster,),
        history=facade.history.checks(None, now - HISTORY),
    )
    return write(Path(name).expanduser().absolute(), report, made, names=False)
