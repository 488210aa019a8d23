"""How the checks before went: in a sentence, and replica by replica with a column for each check."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from textual.geometry import Size

from hsmctl.domain.sync_history import sparks, summary
from hsmctl.mark import Mark
from hsmctl.words import age, counted

from .attention import replica_mark
from .check import Check
from .detail import tiles
from .glyph import Role, Spans, rank, role, sign
from .verdict import held, replica_tiles
from .words import zone_names

_NAMED = 28
"""Cells that number, zone and count of a replica need beside its name, its sparkline and what is the matter."""
_LEAST = 8
"""Checks that are shown of a replica however narrow it is."""
_CHECKS = "CHECKS"


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
    """Every replica with what it showed in each check and what is the matter; tiles where there are too many."""
    found = {each.replica: each.marks for each in sparks(check.past)} if len(check.past) > 1 else {}
    if not found or len(check.replicas) + 1 > room.height:
        return tiles(replica_tiles(check), room)
    names = zone_names(replica.group for replica in check.replicas)
    width = max(len(replica.name) for replica in check.replicas)
    reasons = check.judgement.reasons if check.judgement else {}
    left = room.width - _NAMED - width
    columns = max(_LEAST, left - max(map(len, reasons.values())) - 2 if reasons else left)
    past = min(columns, max(len(_CHECKS), *map(len, found.values())))
    lines: list[Spans] = [((f"    {'REPLICA':<{width}}    ZONE        KEYS  {_CHECKS}", Role.MUTED),)]
    for number, replica in enumerate(check.replicas, 1):
        mark, marks = replica_mark(replica.name, check), found.get(replica.name, "")[-columns:]
        well = marks.strip("▁ ") == ""
        lines.append(
            (
                (f" {number:02} ", Role.MUTED),
                sign(mark),
                (f" {replica.name:<{width}}", role(mark) if rank(mark) <= rank(Mark.PENDING) else Role.PLAIN),
                (f"  {names[replica.group]:<4}", Role.MUTED),
                (f"  {held(check, replica.name):>10}  ", Role.PLAIN),
                (f"{marks:<{past}}", Role.MUTED if well else Role.WARN),
                (f"  {reasons.get(replica.name, '')}", Role.PLAIN),
            )
        )
    return lines
