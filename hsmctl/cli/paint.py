"""How a mark at the beginning of a line looks: in colour, and where there is only ASCII."""

from __future__ import annotations

from hsmctl.mark import Mark, Tone

_SGR = {Tone.GOOD: 32, Tone.WARN: 33, Tone.BAD: 31, Tone.LOUD: 7, Tone.BUSY: 36, Tone.MUTED: 2}
_TONES = {mark.glyph: mark.tone for mark in Mark}
_OTHER = {"…": ".", "–": "-", "·": "-", "→": ">", "•": "*", "─": "-", "×": "x"}
_ASCII = str.maketrans({mark.glyph: mark.plain for mark in Mark} | _OTHER)


def painted(line: str) -> str:
    """The line with the mark it begins with in its tone's colour."""
    text = line.lstrip()
    tone = _TONES.get(text[:1])
    if tone is None or text[1:2] not in ("", " "):
        return line
    return f"{line[: len(line) - len(text)]}\x1b[{_SGR[tone]}m{text[0]}\x1b[0m{text[1:]}"


def ascii_only(line: str) -> str:
    """The line with our own signs in ASCII; names keep their characters, which the stream escapes if it must."""
    return line.translate(_ASCII)
