"""What the fleet says where it has no cluster to show: why, and the next step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from hsmctl.errors import HsmctlError, Unreachable
from hsmctl.mark import Mark

from .command import CREATE
from .detail import noted
from .glyph import Role, Spans, sign
from .survey import Survey

ASKING: Sequence[Spans] = (((f"{Mark.PENDING.glyph} asking AWS which clusters there are", Role.ACCENT),),)
UNKNOWN: Sequence[Spans] = ((("Which clusters there are is not known.", Role.STRONG),),)
_LAB = ("hsmctl lab up", "makes a cluster on this machine, without AWS; then hsmctl ui --lab")


def none(survey: Survey) -> Sequence[Spans]:
    """AWS was asked, and there is none."""
    estate = survey.estate
    steps = [
        (f":{CREATE.name}" if survey.arming.armed else f":arm, :{CREATE.name}", "makes one here; :ceremony claims it"),
        (":region NAME", "looks in another region"),
        (":context NAME", "looks in another account"),
    ]
    return (
        ((f"No cluster in account {estate.account or '–'}, {estate.region or '–'}.", Role.STRONG),),
        (("A cluster is a group of HSMs that hold the same keys; AWS lists none.", Role.MUTED),),
        (),
        *_steps([*steps, *([] if survey.lab else [_LAB])]),
    )


def failed(error: HsmctlError, survey: Survey, width: int) -> Iterator[Spans]:
    """AWS could not be asked: why, whole, and what to do."""
    yield from noted(sign(Mark.UNREADABLE), f"{error.what}: {error.why}", width)
    yield ()
    yield from noted(("▸", Role.ACCENT), error.hint or "r asks again", width)
    yield ()
    steps = [("r", "asks again now"), ("hsmctl config show", "says which account, region and profile this is")]
    if not survey.hsmctl.context.name:
        steps += [("hsmctl config init", "writes a first configuration"), _LAB]
    elif survey.lab and isinstance(error, Unreachable):
        steps.append(("hsmctl lab up", "brings the lab up, or mends it"))
    yield from (((" ", Role.PLAIN), *line) for line in _steps(steps))


def _steps(steps: Sequence[tuple[str, str]]) -> Iterable[Spans]:
    """Commands and what each is good for."""
    margin = max(len(command) for command, _ in steps) + 2
    return [((command.ljust(margin), Role.ACCENT), (says, Role.MUTED)) for command, says in steps]
