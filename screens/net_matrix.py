"""Clients against HSMs in signs: a column for each zone, as wide as there is room for; the worst client on top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from hsmctl.domain.net_finding import Pair
from hsmctl.words import shortened

from .column import Column
from .glyph import Role, Spans, role, sign
from .reach import Known, Ways
from .words import zone_names

_PITCHES = (17, 11, 3, 2)
"""How wide an HSM may be if there is room; else 1."""
_NAMED = 11
"""From this width on an HSM is headed by its id and not its number alone."""
_PORT = 9
_WHY = 28
"""Cells of the columns beside the HSMs."""


def columns(known: Known, zones: Mapping[str, str], chosen: str, width: int) -> tuple[Column[Ways], ...]:
    """The columns for a table of this width.

    `zones` are the HSMs'. The way that is drawn below is marked: to the chosen HSM, else to each client's worst. Where
    nothing is known yet there are none.
    """
    if not known.pairs:
        return ()
    client = min(28, max(len("CLIENT"), *(len(ways.name) for ways in known.ways)) + 3)
    hsms = list(enumerate(known.hsms, 1))
    groups = [list(members) for _, members in groupby(hsms, key=lambda each: zones.get(each[1], ""))]
    names = zone_names(filter(None, (zones.get(hsm) for _, hsm in hsms)))
    room = (width - client - _PORT - _WHY - 4 - len(groups)) // len(hsms)
    pitch = next((pitch for pitch in _PITCHES if pitch <= room), 1)
    return (
        Column(heads=("CLIENT",), text=lambda ways: ways.name, draw=lambda ways: _client(known, ways), width=client),
        Column(
            heads=("PORT",), text=lambda ways: f"{ways.port} IPv{ways.family}", role=Role.MUTED, width=_PORT, room=70
        ),
        *(_zone(known, members, names.get(zones.get(members[0][1], ""), ""), chosen, pitch) for members in groups),
        Column(
            heads=("WHY",),
            text=lambda ways: _why(known, ways),
            draw=lambda ways: ((_why(known, ways), role(known.mark(known.worst(ways)))),),
            width=16,
            grows=True,
        ),
    )


def _zone(known: Known, members: Sequence[tuple[int, str]], zone: str, chosen: str, pitch: int) -> Column[Ways]:
    """The column of one zone's HSMs."""
    width = pitch * len(members)
    title = f"az {zone}" if zone and len(zone) + 3 <= width else zone
    return Column(
        heads=(f"{' ' * (pitch > 1)}{title}", *_heads(members, pitch)),
        text=lambda _: "",  # filters look for clients and reasons
        draw=lambda ways: _cells(known, ways, [hsm for _, hsm in members], known.drawn(ways, chosen), pitch),
        width=width,
        sorts=False,
        told=lambda ways: {hsm: str(ways.pairs[hsm].verdict) for _, hsm in members if hsm in ways.pairs},
    )


def _heads(members: Sequence[tuple[int, str]], pitch: int) -> Sequence[str]:
    """The HSMs' numbers, and their ids where there is room."""
    if pitch < 3:
        lead = " " * (pitch - 1)
        tens = "".join(f"{lead}{number // 10 or ' '}" for number, _ in members)
        ones = "".join(f"{lead}{number % 10}" for number, _ in members)
        return (tens, ones) if tens.strip() else (ones,)
    numbers = "".join(f"{number:>2}".ljust(pitch) for number, _ in members)
    if pitch < _NAMED:
        return (numbers,)
    return (numbers, "".join(f" {shortened(hsm, pitch - 2)}".ljust(pitch) for _, hsm in members))


def _cells(known: Known, ways: Ways, hsms: Sequence[str], drawn: Pair, pitch: int) -> Spans:
    """The signs of one client's ways to a zone, that which is drawn below between arrows."""
    return tuple(span for hsm in hsms for span in _cell(known, ways.pairs.get(hsm), drawn, pitch))


def _cell(known: Known, pair: Pair | None, drawn: Pair, pitch: int) -> Spans:
    mark, chosen = sign(known.mark(pair)) if pair else (" ", Role.PLAIN), pair is drawn
    if pitch < 3:
        return (("›" if chosen else " ") * (pitch - 1), Role.ACCENT), mark
    left, right = ("‹", "›") if chosen else ("", "")
    return (left.ljust(1), Role.ACCENT), mark, (right.ljust(pitch - 2), Role.ACCENT)


def _port(ways: Ways) -> str:
    return f"{ways.port} IPv{ways.family}"


def _client(known: Known, ways: Ways) -> Spans:
    return sign(known.mark(known.worst(ways))), (f" {ways.name}", Role.STRONG)


def _why(known: Known, ways: Ways) -> str:
    """How many HSMs it does not reach and what is to be named first, or nothing where it reaches all."""
    worst, amiss = known.worst(ways), known.amiss(ways)
    reason = worst.primary.code.value if worst.primary else "the probe says otherwise"
    return f"{amiss} of {len(ways.pairs)}: {reason}" if amiss else ""
