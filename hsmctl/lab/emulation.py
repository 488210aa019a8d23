"""The lab's AWS put together: our CloudHSM, the operations answered by hand, moto for the rest, one router over all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from hsmctl.lab.audit import AuditTrail
from hsmctl.lab.cloudhsm import CloudHsm
from hsmctl.lab.cloudhsm_scene import Site
from hsmctl.lab.folder import LabFolder
from hsmctl.lab.gap import caller_arn, gaps
from hsmctl.lab.gap_cloudtrail import CallTrail
from hsmctl.lab.gap_cloudwatch import Counts, MetricMirror
from hsmctl.lab.gap_ec2 import NetworkMirror
from hsmctl.lab.gap_logs import AuditMirror
from hsmctl.lab.motojournal import MotoJournal
from hsmctl.lab.motoservice import MotoService
from hsmctl.lab.routing import Before, Gap, Router, fair_weather
from hsmctl.lab.wire import Service

_QUIET_SECONDS = 3.0
"""How long nobody must have asked for anything before moto is imported for whoever may ask next."""
_PATIENCE = 10
"""How often to look for such a time before moto is imported in the middle of the bustle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What moto's services are told of the lab."""

    site: Site
    cloudhsm: CloudHsm
    counts: Counts
    audit: AuditTrail


def moto(folder: LabFolder, access_key_id: str, sources: Sources, clock: Callable[[], float]) -> MotoService:
    """Everything that is not our own; `clock` gives seconds since the epoch."""
    site, clusters = sources.site, sources.cloudhsm.clusters
    return MotoService(
        site.account_id,
        access_key_id,
        MotoJournal(folder.aws / "moto.jsonl"),
        {
            "ec2": NetworkMirror(site, clusters),
            "logs": AuditMirror(site, sources.audit),
            "monitoring": MetricMirror(site, clusters, sources.counts, clock),
        },
    )


def router(
    cloudhsm: Service,
    rest: MotoService,
    account_id: str,
    access_key_id: str,
    before: Before = fair_weather,
    described: Mapping[tuple[str, str], Gap] = MappingProxyType({}),
    trail: CallTrail | None = None,
) -> Router:
    """The whole of it; `described` are the operations that the lab's network answers (`gap_network`)."""
    handled = {**gaps(account_id, access_key_id, rest), **described}
    if trail is None:
        return Router(services={"cloudhsm": cloudhsm}, gaps=handled, rest=rest, before=before)
    handled["cloudtrail", "LookupEvents"] = trail.lookup
    return Router(services={"cloudhsm": cloudhsm}, gaps=handled, rest=rest, before=before, after=trail.note)


def call_trail(
    folder: LabFolder, account_id: str, access_key_id: str, rest: MotoService, clock: Callable[[], float]
) -> CallTrail:
    """What CloudTrail knows of this lab."""
    who = partial(caller_arn, account_id, access_key_id, rest)
    return CallTrail(folder.aws / "cloudtrail.jsonl", account_id, who, clock)


def warm_when_quiet(rest: MotoService, last_call: Callable[[], float], stopping: threading.Event) -> None:
    """Import moto on a thread of its own once nobody has asked for anything (monotonic time) for a while."""

    def run() -> None:
        for _ in range(_PATIENCE):
            if stopping.wait(_QUIET_SECONDS):
                return
            if time.monotonic() - last_call() >= _QUIET_SECONDS:
                break
        rest.warm()

    threading.Thread(target=run, name="warm-up", daemon=True).start()
