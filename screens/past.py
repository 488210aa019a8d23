"""How the checks before went: in a sentence, and replica by replica with a column for each check."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from textual.geometry import Size

from hsmctl.domain.sync_history import sparks, summary
from hsmctl.words import age, counted

from .attention import replica_mark
from .detail import tiles
from .estate import Check
from .glyph import Role, Spans, role, sign
from .verdict import held, replica_tiles
from .words import zone_names

_NAMED = 30
"""Cells that number, zone, name and count of a replica need beside its sparkline."""


def history(check: Check, now: datetime) -> Sequence[Spans]:
    """How often all was well, and since when it is not; nothing of one check alone."""
    if len(check.past) < 2:
        return ()
    found, first = summary(check.past), check.past[0].at
    said = f"well in {found.well} of {counted(found.checks, 'check')} since {first:%H:%M} UTC"
    if found.open_since is not None:
        return (((f"   {said} · ", Role.MUTED), (f"not well for {age(now, found.open_since)}", Role.WARN)),)
    healed = f" · trouble lasted {age(now, now - found.healed[-1])} at most" if found.healed else ""
    return (((f"   {said}{healed}", Role.MUTED),),)


def replicas(check: Check, room: Size) -> Sequence[Spans]:
    """Every replica with what it showed in each check; tiles where there are too many or nothing was before."""
    found = {each.replica: each.marks for each in sparks(check.past)} if len(check.past) > 1 else {}
    if not found or len(check.replicas) + 1 > room.height:
        return tiles(replica_tiles(check), room)
    names = zone_names(replica.group for replica in check.replicas)
    width = max(len(replica.name) for replica in check.replicas)
    columns = max(8, room.width - _NAMED - width)
    head = f"    {'REPLICA':<{width}}  ZONE        KEYS  CHECKS, NEWEST LAST"
    lines: list[Spans] = [((head, Role.MUTED),)]
    for number, replica in enumerate(check.replicas, 1):
        mark, marks = replica_mark(replica.name, check), found.get(replica.name, "")[-columns:]
        lines.append(
            (
                (f" {number:02} ", Role.MUTED),
                sign(mark),
                (f" {replica.name:<{width - 2}}", role(mark)),
                (f"  {names[replica.group]:<6}", Role.MUTED),
                (f"{held(check, replica.name):>10}  ", Role.PLAIN),
                (marks, Role.ACCENT if marks.strip("▁ ") == "" else Role.WARN),
            )
        )
    return lines
