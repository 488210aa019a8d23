"""`sync diff`: what only one of two replicas or clusters has, for recovery in another Region and for migrations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import click

from hsmctl.cli.session import Session
from hsmctl.cli.sync_run import checked
from hsmctl.cli.table import Column, table
from hsmctl.cli.verb import Seconds, verb
from hsmctl.cli.view import Page, View
from hsmctl.domain.evidence import Failed
from hsmctl.domain.key import text
from hsmctl.domain.sync import Cell, Reading, Row
from hsmctl.domain.sync_diff import Difference, difference, grade
from hsmctl.domain.sync_parity import Fact
from hsmctl.errors import ExitCode
from hsmctl.mark import Mark
from hsmctl.services.sync_parity import compared
from hsmctl.words import brief, counted


@dataclass(frozen=True, slots=True, kw_only=True)
class SideRow:
    """One side."""

    name: str
    replicas: tuple[str, ...]
    keys: int | None
    """Null where none of its replicas could be read."""
    torn: bool
    """Whether its own replicas do not agree: ask sync check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """One key that the sides do not have alike."""

    object_class: str
    label: str
    label_bytes: bytes
    key_id: bytes
    algorithm: str
    found: str
    """only first, only second, different, or attributes."""
    drift: tuple[str, ...]
    """The attributes in which they differ."""
    renamed: str | None
    """What the other side calls a key of the same material."""
    grade: str
    """proved or reported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactRow:
    """Something else that is compared."""

    kind: str
    """cluster, cluster CA, user, quorum, trust anchor or mTLS."""
    what: str
    first: str | None
    """Null where it was not seen; a dash where there is no such thing."""
    second: str | None
    same: bool | None
    """Null where that is unknown."""
    grade: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncDiff:
    """What two sides do not have in common."""

    says: str
    exit: int
    first: SideRow
    second: SideRow
    common: int
    """Keys that both have alike, as far as that is known."""
    keys: tuple[KeyRow, ...]
    facts: tuple[FactRow, ...]
    """Of clusters; empty where a side is a single replica."""


@verb(
    "diff",
    "hsmctl --lab sync diff hsm-a2b3c4d5e6f hsm-b2b3c4d5e6f",
    "hsmctl -c prod sync diff frankfurt dublin -o json",
)
@click.argument("first")
@click.argument("second")
@click.option("--deadline", type=Seconds(), default="10s", show_default=True, help="Give up on who has not answered.")
def diff_sync(session: Session, first: str, second: str, deadline: float) -> int:
    """Say what only one of two sides has: replicas, tokens or clusters, as sync check names them.

    Clusters are compared in more than keys: type, mode, backups and CA as AWS tells them, users, quorum values and
    trust anchors as a client host does. What nobody told is unknown, and makes the answer incomplete.
    """
    names = (session.place(first), session.place(second))
    report = checked(session, None, names, deadline, spent=session.lived())
    sides = tuple([each for each in report.readings if _of_side(each, name)] for name in names)
    found = difference(names, (sides[0], sides[1]))
    known, warnings = _facts(session, sides, deadline)
    answer = _document(found, sides, known)
    return session.show(DIFF, answer, warnings=tuple(warnings), code=answer.exit)


def _of_side(reading: Reading, name: str) -> bool:
    replica = reading.replica
    return name in (replica.name, replica.realm) or ("=" in name and replica.name == name.partition("=")[0])


def _cluster(side: Sequence[Reading]) -> str:
    """The cluster that a side is, as a whole; empty where it is one HSM or no cluster."""
    realms = {each.replica.realm for each in side}
    alone = len(side) == 1 and side[0].replica.name.startswith("hsm-")
    return realms.pop() if len(realms) == 1 and not alone else ""


def _facts(
    session: Session, sides: Sequence[Sequence[Reading]], seconds: float
) -> tuple[Sequence[Fact], Sequence[str]]:
    """What is known of two clusters beside their keys, and why something is not."""
    first, second = map(_cluster, sides)
    if not (first and second):
        return (), ()
    facade = session.hsmctl
    ask = facade.cluster.show, facade.evidence.policies
    return compared((first, second), *ask, clock=facade.clock, seconds=seconds)


def _document(found: Difference, sides: Sequence[Sequence[Reading]], known: Sequence[Fact]) -> SyncDiff:
    first, second = (_side(reading, side, found) for reading, side in zip(found.report.readings, sides, strict=True))
    keys = tuple(map(_key, found.report.differences))
    unlike, unknown = (sum(fact.same is word for fact in known) for word in (False, None))
    return SyncDiff(
        says=_says(found, unlike, unknown),
        exit=_exit(found.report.exit_code, unlike, unknown),
        first=first,
        second=second,
        common=len(found.report.rows) - len(keys),
        keys=keys,
        facts=tuple(
            FactRow(
                kind=each.kind,
                what=each.name,
                first=each.first,
                second=each.second,
                same=each.same,
                grade=each.grade,
            )
            for each in known
        ),
    )


def _exit(keys: ExitCode, unlike: int, unknown: int) -> ExitCode:
    """What the keys say, unless something else is worse."""
    if unlike and keys in (ExitCode.OK, ExitCode.PARTIAL):
        return ExitCode.NO
    return ExitCode.PARTIAL if unknown and keys is ExitCode.OK else keys


def _says(found: Difference, unlike: int, unknown: int) -> str:
    """The figures as a sentence."""
    if found.report.unreadable:
        return found.report.words
    first, second = (reading.replica.name for reading in found.report.readings)
    counts = {
        f"only on {first}": len(found.only_first),
        f"only on {second}": len(found.only_second),
        "unlike": len(found.unlike),
    }
    says = [f"{counted(count, 'key')} {words}" for words, count in counts.items() if count]
    for count, words in ((unlike, "unlike"), (unknown, "unknown")):
        says += [f"{count} other {'thing' if count == 1 else 'things'} {words}"] if count else []
    alike = len(found.report.rows) - len(found.report.differences)
    return "; ".join([*says, f"{counted(alike, 'key')} alike"])


def _side(reading: Reading, side: Sequence[Reading], found: Difference) -> SideRow:
    name, outcome = reading.replica.name, reading.outcome
    keys = None if isinstance(outcome, Failed) else len(outcome.value.keys)
    return SideRow(name=name, replicas=tuple(each.replica.name for each in side), keys=keys, torn=name in found.torn)


def _key(row: Row) -> KeyRow:
    identity, places = row.identity, ("only second", "only first")
    missing = row.cells.index(Cell.MISSING) if Cell.MISSING in row.cells else None
    return KeyRow(
        object_class=identity.object_class,
        label=text(identity.label),
        label_bytes=identity.label,
        key_id=identity.key_id,
        algorithm=row.algorithm,
        found=row.worst if missing is None else places[missing],
        drift=row.drift,
        renamed=str(row.renamed) if row.renamed else None,
        grade=grade(row),
    )


def _lines(found: SyncDiff, page: Page) -> Iterator[str]:
    mark = (
        Mark.UNREADABLE if None in (found.first.keys, found.second.keys) else Mark.BAD if found.exit else Mark.REPORTED
    )
    yield f"{mark.glyph} {found.says}"
    for side in (found.first, found.second):
        if side.torn:
            yield f"{Mark.ATTENTION.glyph} {side.name} does not agree with itself: hsmctl sync check {side.name}"
    if found.keys:
        yield ""
        yield from _key_table(found, page)
    if unlike := [fact for fact in found.facts if page.wide or not fact.same]:
        yield ""
        yield from _fact_table(found, unlike, page)


def _key_table(found: SyncDiff, page: Page) -> list[str]:
    sides = {"only first": f"only on {found.first.name}", "only second": f"only on {found.second.name}"}
    columns: tuple[Column[KeyRow], ...] = (
        Column(title="KEY", cell=lambda row: brief(row.label) or f"id:{row.key_id.hex()}", shrinks=True),
        Column(title="TYPE", cell=lambda row: row.algorithm or "–"),
        Column(title="CLASS", cell=lambda row: row.object_class),
        Column(title="ID", cell=lambda row: row.key_id.hex() or "–", wide=True),
        Column(title="FOUND", cell=lambda row: _found(row, sides), shrinks=True),
        Column(title="GRADE", cell=lambda row: row.grade),
    )
    return table(columns, found.keys, wide=page.wide, width=page.width)


def _found(row: KeyRow, sides: Mapping[str, str]) -> str:
    where = sides.get(row.found, row.found)
    other = f", the other calls it {brief(row.renamed)}" if row.renamed else ""
    return f"other {' '.join(row.drift)}" if row.found == Cell.ATTRIBUTES else f"{where}{other}"


def _fact_table(found: SyncDiff, rows: Sequence[FactRow], page: Page) -> list[str]:
    columns: tuple[Column[FactRow], ...] = (
        Column(title="", cell=lambda row: _MARKS[row.same].glyph),
        Column(title="WHAT", cell=lambda row: f"{row.kind} {row.what}"),
        Column(title=found.first.name.upper(), cell=lambda row: row.first or "unknown", shrinks=True),
        Column(title=found.second.name.upper(), cell=lambda row: row.second or "unknown", shrinks=True),
        Column(title="GRADE", cell=lambda row: "unknown" if row.same is None else row.grade),
    )
    return table(columns, rows, wide=page.wide, width=page.width)


_MARKS = {True: Mark.REPORTED, False: Mark.DIFFERENT, None: Mark.UNREADABLE}


DIFF: View[SyncDiff] = View(
    schema="sync.diff@1",
    document=SyncDiff,
    lines=_lines,
    names=lambda found: [row.label for row in found.keys],
    items=lambda found: found.keys,
)
