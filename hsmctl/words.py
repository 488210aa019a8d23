"""How times, counts and names are said: short in tables, whole in details."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

_AGES = ((86_400, "d"), (3_600, "h"), (60, "min"))
_LABEL = 64
_WORD = 480
"""No URI of a label that CloudHSM takes, 127 bytes, is longer."""


def age(now: datetime, then: datetime | None) -> str:
    """How long ago: `12 s`, `5 min`, `4 h`, `3 d`; a dash where it never was."""
    if then is None:
        return "–"
    seconds = max(0, int((now - then).total_seconds()))
    return next((f"{seconds // size} {unit}" for size, unit in _AGES if seconds >= size), f"{seconds} s")


def instant(moment: datetime | None) -> str:
    """A point in time in UTC, to the second."""
    return "–" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def counted(number: int, noun: str) -> str:
    """The number and its noun: `1 key`, `1,204 keys`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def shortened(name: str, width: int) -> str:
    """The name in at most `width` characters, cut in the middle: both ends tell ids apart."""
    if len(name) <= width:
        return name
    head = (width - 1) // 2
    return f"{name[:head]}…{name[len(name) - (width - 1 - head) :]}"


def brief(label: str) -> str:
    """A label as a table or a sentence has it: one may have thousands of characters."""
    return shortened(label, _LABEL)


def clipped(line: str) -> str:
    """The line with words that nobody reads to the end, such as a URI with such a label, cut in the middle."""
    if len(line) <= _WORD:
        return line
    return " ".join(shortened(word, _WORD) for word in line.split(" "))


def whoever(users: Sequence[str]) -> str:
    """The users who looked, in words; a token of its own has one user without a name."""
    return " and ".join(user or "the token's user" for user in users) or "nobody"


def printable(text: str) -> str:
    """The text with its control characters and lone surrogates escaped, so that it is one line of anything."""
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(char: str) -> str:
    if char.isprintable():
        return char
    return f"\\x{ord(char):02x}" if ord(char) < 256 else f"\\u{ord(char):04x}"


def lasting(time: timedelta) -> str:
    """A length of time: `0.4 s`, `12 s`, `5 min`, `1 h 20 min`."""
    seconds = time.total_seconds()
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 1 or not seconds else f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    hours, left = divmod(minutes, 60)
    return " ".join(part for part in (f"{hours} h" if hours else "", f"{left} min" if left else "") if part)
