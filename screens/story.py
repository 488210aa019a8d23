"""What happened to a cluster in the last day, and which operations were cut off, for places about other things."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from textual.geometry import Size

from hsmctl.bootstrap import Hsmctl
from hsmctl.domain.operation import Operation, OperationState
from hsmctl.domain.timeline import Happening, Source, Timeline, Weight
from hsmctl.errors import HsmctlError
from hsmctl.mark import Mark
from hsmctl.words import shortened

from .detail import noted
from .glyph import Role, Spans, sign
from .running import Run

BACK = timedelta(days=1)
SECONDS = 20.0
"""How long the sources may take to answer."""
SHOWN = 5
"""Events that are shown; the timeline has them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What was found."""

    cut_off: tuple[Operation, ...]
    lately: Timeline | HsmctlError


def read(facade: Hsmctl, cluster_id: str, runs: Sequence[Run]) -> Story:
    """The story of a cluster; it asks AWS, so it takes a thread.

    Raises:
        HsmctlError: the journal cannot be read.
    """
    now = facade.clock.now()
    unfinished = cut_off(facade, cluster_id, runs)
    try:
        lately = facade.timeline.collect(cluster_id, now - BACK, now, SECONDS)
    except HsmctlError as error:
        return Story(cut_off=unfinished, lately=error)
    return Story(cut_off=unfinished, lately=lately)


def cut_off(facade: Hsmctl, cluster_id: str, runs: Sequence[Run]) -> tuple[Operation, ...]:
    """The operations of a cluster that have not ended and do not run here."""
    running = {run.operation_id for run in runs if run.running}
    return tuple(
        each
        for each in facade.operations.all()
        if each.plan.cluster_id == cluster_id and each.state is OperationState.OPEN and each.operation_id not in running
    )


def unfinished(operations: Sequence[Operation], width: int) -> Iterator[Spans]:
    """What was cut off, with the way on."""
    for operation in operations:
        says = f"{operation.plan.title} was cut off: x shows it, :resume goes on with it"
        yield from noted(sign(Mark.ATTENTION), says, width)


def events(lately: Timeline | HsmctlError, cluster_id: str, room: Size) -> Iterator[Spans]:
    """The newest events, and each source whose silence means nothing."""
    if isinstance(lately, HsmctlError):
        yield from noted(sign(Mark.UNREADABLE), f"what happened lately is UNKNOWN: {lately}", room.width)
        return
    kept = [each for each in lately.happenings if _matters(each)]
    shown = list(reversed(kept[-max(SHOWN, room.height // 3) :]))
    if shown:
        yield (" EVENTS of the last day", Role.STRONG), ("   t shows all", Role.MUTED)
    who = max((len(_who(each)) for each in shown), default=0)
    for each in shown:
        mark = Mark.BAD if each.failed else Mark.ATTENTION if each.weight is Weight.ALARM else Mark.REPORTED
        about = [name for name in each.on if name != cluster_id and name not in each.says]
        yield (
            (" ", Role.PLAIN),
            sign(mark),
            (f" {each.at:%m-%d %H:%M}  {_who(each):<{who}}  ", Role.MUTED),
            (each.says.replace(cluster_id, "this cluster"), Role.PLAIN),
            ("".join(f"  {shortened(name, 20)}" for name in about[:2]), Role.MUTED),
        )
    for place in lately.unread:
        why = place.error or place.remark
        yield from noted(sign(Mark.UNREADABLE), f"events UNKNOWN: {place.source} ({place.name}): {why}", room.width)


def _who(event: Happening) -> str:
    return event.who.rpartition("/")[2]


def _matters(event: Happening) -> bool:
    """Whether it is worth a line here: changes of AWS, the network and ours, and of the audit logs the alarming."""
    return event.weight is Weight.ALARM or (event.weight is Weight.CHANGE and event.source is not Source.AUDIT)
