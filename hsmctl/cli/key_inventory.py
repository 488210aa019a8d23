"""`key inventory`: every object one user sees, counted by kind, and as files for other programs."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from hsmctl.cli.key_place import Place, at_token, written
from hsmctl.cli.key_row import KeyRow, row
from hsmctl.cli.output import Format
from hsmctl.cli.session import Session
from hsmctl.cli.table import Column, table
from hsmctl.cli.verb import verb
from hsmctl.cli.view import Page, View
from hsmctl.mark import Mark
from hsmctl.services.key import Listing
from hsmctl.words import whoever

_CSV = ("label", "object_class", "algorithm", "key_id", "attributes", "fingerprint", "uri")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyInventory:
    """Every object one user sees on one replica."""

    replica: str
    user: str
    total: int | None
    """Objects the token holds, where it tells."""
    keys: tuple[KeyRow, ...]


@verb(
    "inventory",
    "hsmctl key inventory",
    "hsmctl key inventory -o csv --out keys.csv",
    "hsmctl key inventory -o cyclonedx --out cbom.json",
    formats=(Format.CSV, Format.CYCLONEDX),
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file, which is new.")
@at_token
def inventory(session: Session, place: Place, out: Path | None) -> int:
    """Count what a token holds by kind; with -o csv or cyclonedx (a bill of cryptographic materials) every object."""
    listing = session.hsmctl.key.list(place.replicas(), seconds=place.seconds)
    label, seen = place.label(listing.replica), listing.inventory
    found = KeyInventory(
        replica=listing.replica.name,
        user=seen.user,
        total=seen.total,
        keys=tuple(row(key, label) for key in sorted(seen.keys, key=lambda key: key.identity)),
    )
    view = replace(INVENTORY, exports={Format.CSV: _csv, Format.CYCLONEDX: lambda _: _bill(session, listing)})
    if out is None:
        return session.show(view, found)
    with written(out) as stream, session.out.diverted(stream):
        code = session.show(view, found)
    session.out.say(f"{Mark.REPORTED.glyph} {out}: {_seen(found)}")
    return code


@dataclass(frozen=True, slots=True)
class _Kind:
    """Objects of one class and algorithm."""

    shown: KeyRow
    count: int
    leaving: int


def _kinds(keys: Sequence[KeyRow]) -> list[_Kind]:
    """The kinds there are, the most frequent first."""
    first = {(key.object_class, key.algorithm): key for key in reversed(keys)}
    counts = Counter((key.object_class, key.algorithm) for key in keys)
    leaving = Counter((key.object_class, key.algorithm) for key in keys if "extractable" in key.attributes)
    return [_Kind(first[kind], count, leaving[kind]) for kind, count in counts.most_common()]


def _lines(found: KeyInventory, page: Page) -> Iterator[str]:
    columns: tuple[Column[_Kind], ...] = (
        Column(title="TYPE", cell=lambda kind: kind.shown.algorithm),
        Column(title="CLASS", cell=lambda kind: kind.shown.object_class),
        Column(title="OBJECTS", cell=lambda kind: f"{kind.count:,}", right=True),
        Column(title="EXTRACTABLE", cell=lambda kind: f"{kind.leaving:,}" if kind.leaving else "", right=True),
    )
    yield from table(columns, _kinds(found.keys), wide=page.wide, width=page.width)
    yield ""
    yield _seen(found)


def _seen(found: KeyInventory) -> str:
    of = f" of {found.total:,}" if found.total is not None else ""
    return f"{len(found.keys):,}{of} objects seen as {whoever([found.user])} on {found.replica}"


def _csv(found: KeyInventory) -> str:
    """The rows as RFC 4180 has them; a cell that a spreadsheet would run as a formula is quoted as text."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_CSV)
    for shown in found.keys:
        print_ = shown.fingerprint.hex() if shown.fingerprint else ""
        cells = shown.label, shown.object_class, shown.algorithm, shown.key_id.hex(), " ".join(shown.attributes), print_
        writer.writerow([_tame(cell) for cell in (*cells, shown.uri)])
    return out.getvalue()


def _bill(session: Session, listing: Listing) -> str:
    return session.hsmctl.keys.bill(listing.replica.name, listing.inventory.keys).decode()


def _tame(cell: str) -> str:
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@") else cell


INVENTORY: View[KeyInventory] = View(
    schema="key.inventory@1",
    document=KeyInventory,
    lines=_lines,
    names=lambda found: [key.uri for key in found.keys],
    items=lambda found: found.keys,
    nothing="nothing there",
)

verbs = (inventory,)
