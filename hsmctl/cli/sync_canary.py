"""`sync canary`: whether a new key reaches every HSM, and how fast."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import click

from hsmctl.cli.session import Session
from hsmctl.cli.table import Column, table
from hsmctl.cli.verb import Seconds, verb
from hsmctl.cli.view import Case, Check, Level, Page, View
from hsmctl.errors import Denied, ExitCode
from hsmctl.mark import Mark
from hsmctl.services.canary import MOST, Canary, Flight
from hsmctl.settings import ContextKind
from hsmctl.words import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryRow:
    """One key that was made and destroyed."""

    label: str
    made_on: str
    seconds: float | None
    """Until every replica listed it; null where that did not happen in time."""
    missing_on: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncCanary:
    """What a run of canaries found."""

    says: str
    exit: int
    canaries: tuple[CanaryRow, ...]
    cleared: tuple[str, ...]
    """Canaries of earlier runs that were left behind and are gone now."""
    left: tuple[str, ...]
    """Canaries that could not be destroyed; the next run tries again."""


@verb("canary", "hsmctl --lab sync canary", "hsmctl --lab sync canary --count 3 -o nagios", checks=True)
@click.argument("cluster", required=False)
@click.option("--count", type=click.IntRange(1, MOST), default=1, show_default=True, help="Keys, one after the other.")
@click.option("--deadline", type=Seconds(), default="30s", show_default=True, help="For each to be everywhere.")
@click.option("--break-glass", metavar="REASON", default="", help="Change a protected context; the reason is kept.")
def canary_sync(session: Session, cluster: str | None, count: int, deadline: float, break_glass: str) -> int:
    """Make a key, look for it on every HSM, destroy it.

    Outside the lab only where the context says `canary = true`, with a crypto user that has no other keys. A run that
    was cut off is cleared away by the next one.
    """
    facade = session.hsmctl
    facade.break_glass = break_glass
    facade.check_may_write()
    if facade.context.kind is not ContextKind.LAB and not facade.context.canary:
        raise Denied("no canary here", "the context does not say canary = true", "hsmctl --lab sync canary")
    session.check_account(cluster)
    found = facade.canary.fly(session.replicas(cluster), count=count, seconds=deadline)
    answer = _document(found)
    return session.show(CANARY, answer, code=answer.exit)


def _document(found: Flight) -> SyncCanary:
    slow = [canary for canary in found.canaries if canary.missing_on]
    code = ExitCode.NO if slow else ExitCode.PARTIAL if found.left else ExitCode.OK
    says = [f"{counted(len(found.canaries), 'canary').replace('canarys', 'canaries')} flown"]
    says += [f"{len(slow)} not everywhere in time"] if slow else [f"everywhere after {_slowest(found):.1f} s at most"]
    says += [f"{len(found.left)} left behind"] if found.left else []
    return SyncCanary(
        says="; ".join(says),
        exit=code,
        canaries=tuple(map(_row, found.canaries)),
        cleared=found.cleared,
        left=found.left,
    )


def _slowest(found: Flight) -> float:
    return max((canary.seconds or 0.0 for canary in found.canaries), default=0.0)


def _row(canary: Canary) -> CanaryRow:
    return CanaryRow(label=canary.label, made_on=canary.made_on, seconds=canary.seconds, missing_on=canary.missing_on)


def _lines(found: SyncCanary, page: Page) -> Iterator[str]:
    yield f"{(Mark.BAD if found.exit else Mark.PROVED).glyph} {found.says}"
    yield from (f"  {label} of an earlier run was still there and is gone now" for label in found.cleared)
    yield from (f"{Mark.ATTENTION.glyph} {label} is left behind: the next run tries again" for label in found.left)
    columns: tuple[Column[CanaryRow], ...] = (
        Column(title="CANARY", cell=lambda row: row.label),
        Column(title="MADE ON", cell=lambda row: row.made_on),
        Column(
            title="EVERYWHERE AFTER",
            cell=lambda row: "–" if row.seconds is None else f"{row.seconds:.1f} s",
            right=True,
        ),
        Column(title="NOT SEEN ON", cell=lambda row: ", ".join(row.missing_on), shrinks=True),
    )
    yield ""
    yield from table(columns, found.canaries, wide=page.wide, width=page.width)


def _check(found: SyncCanary) -> Check:
    level = {ExitCode.OK: Level.OK, ExitCode.NO: Level.CRITICAL}.get(ExitCode(found.exit), Level.WARNING)
    figures = {"canaries": len(found.canaries), "left": len(found.left)}
    cases = [
        Case(
            labels={"canary": str(number), "made_on": row.made_on},
            level=Level.CRITICAL if row.missing_on else Level.OK,
            says=", ".join(row.missing_on),
            seconds={} if row.seconds is None else {"everywhere": row.seconds},
        )
        for number, row in enumerate(found.canaries, 1)
    ]
    return Check(level=level, says=found.says, figures=figures, cases=cases)


CANARY: View[SyncCanary] = View(
    schema="sync.canary@1",
    document=SyncCanary,
    lines=_lines,
    names=lambda found: [row.label for row in found.canaries],
    items=lambda found: found.canaries,
    check=_check,
)
