"""`lab scenario`: scripted bad days, shipped or one's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from hsmctl.cli.lab_fault import FaultRow, fault_lines, shown
from hsmctl.cli.session import Session
from hsmctl.cli.table import Column, table
from hsmctl.cli.verb import Noun, verb
from hsmctl.cli.view import Page, View
from hsmctl.errors import UsageError
from hsmctl.settings import ContextKind


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioRow:
    """One scenario that comes with hsmctl."""

    name: str
    title: str
    says: str
    steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What a scenario left behind."""

    title: str
    faults: tuple[FaultRow, ...]
    """The faults in force now."""


@verb("list", "hsmctl lab scenario list")
def list_scenarios(session: Session) -> int:
    """Show the scenarios that come with hsmctl."""
    from hsmctl.services.scenario import parse

    found = []
    for name, text in session.unbound.lab.faults.scenarios().items():
        scenario = parse(text)
        found.append(ScenarioRow(name=name, title=scenario.title, says=scenario.says, steps=len(scenario.steps)))
    return session.show_local(LIST, tuple(found), ContextKind.LAB)


@verb("play", "hsmctl lab scenario play half-synced", "hsmctl lab scenario play ./friday.toml")
@click.argument("scenario", metavar="NAME|FILE")
def play_scenario(session: Session, scenario: str) -> int:
    """Play a scenario on the lab that runs; it says on standard error what happens."""
    from hsmctl.services.scenario import parse

    lab = session.unbound.lab
    script = parse(_text(lab.faults.scenarios().get(scenario), Path(scenario)))
    session.out.say(script.title)
    for line in lab.scenarios().play(script):
        session.out.text_on_stderr(line)
    left = Played(title=script.title, faults=tuple(map(shown, lab.faults.faults())))
    return session.show_local(PLAY, left, ContextKind.LAB)


noun = Noun("scenario", "Bad days as a script.", list_scenarios, play_scenario)


def _text(shipped: str | None, path: Path) -> str:
    """The script: one that is shipped, or a file's.

    Raises:
        UsageError: there is neither.
    """
    if shipped is not None:
        return shipped
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"no scenario {path}", f"none of that name, and no file: {error}", _HINT) from error


_HINT = "hsmctl lab scenario list"


def _list_lines(rows: Sequence[ScenarioRow], page: Page) -> list[str]:
    columns: tuple[Column[ScenarioRow], ...] = (
        Column(title="SCENARIO", cell=lambda row: row.name),
        Column(title="STEPS", cell=lambda row: str(row.steps), right=True),
        Column(title="WHAT HAPPENS", cell=lambda row: row.title),
    )
    return table(columns, rows, wide=page.wide, width=page.width)


def _play_lines(played: Played, page: Page) -> Iterator[str]:
    if played.faults:
        yield from fault_lines(played.faults, page)
    else:
        yield "nothing is wrong any more"


LIST: View[tuple[ScenarioRow, ...]] = View(
    schema="lab.scenario.list@1",
    document=tuple[ScenarioRow, ...],
    lines=_list_lines,
    names=lambda rows: [row.name for row in rows],
    items=lambda rows: rows,
)
PLAY: View[Played] = View(
    schema="lab.scenario.play@1",
    document=Played,
    lines=_play_lines,
    names=lambda played: [fault.fault_id for fault in played.faults],
)
