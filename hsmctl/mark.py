"""The signs hsmctl shows, one meaning each, with an ASCII fallback, a word and a tone; no sign relies on its colour.

Both faces take them from here; what a tone looks like is theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, StrEnum


class Tone(StrEnum):
    """What a sign says before it is read."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    LOUD = "loud"
    BUSY = "busy"
    MUTED = "muted"


class Mark(Enum):
    """A sign, worst first: lists sort by this order."""

    BAD = ("✖", "x", "missing or broken", Tone.BAD)
    DIFFERENT = ("≠", "#", "other key material", Tone.BAD)
    UNREADABLE = ("▒", "@", "unreadable", Tone.LOUD)
    ATTRIBUTES = ("~", "~", "attributes differ", Tone.WARN)
    ATTENTION = ("!", "!", "needs attention", Tone.WARN)
    PARTIAL = ("◐", "%", "degraded, partial or healing", Tone.WARN)
    PENDING = ("◌", "o", "in progress", Tone.BUSY)
    UNPROVEN = ("?", "?", "unproven", Tone.MUTED)
    INFERRED = ("◔", "=", "inferred from counts", Tone.GOOD)
    REPORTED = ("◍", "+", "reported, not proved", Tone.GOOD)
    PROVED = ("●", "*", "proved on that very replica", Tone.GOOD)

    def __init__(self, glyph: str, plain: str, word: str, tone: Tone) -> None:
        self.glyph = glyph
        self.plain = plain
        self.word = word
        self.tone = tone


CELLS: Mapping[str, Mark] = {
    "missing": Mark.BAD,
    "different": Mark.DIFFERENT,
    "attributes": Mark.ATTRIBUTES,
    "changing": Mark.PENDING,
    "healing": Mark.PARTIAL,
    "unreadable": Mark.UNREADABLE,
    "unproven": Mark.UNPROVEN,
    "reported": Mark.REPORTED,
    "proved": Mark.PROVED,
}
"""The sign of one key on one replica, by the words of `domain.sync.Cell`: a listing of clusters need not load it."""

GRADES: Mapping[str, Mark] = {"proved": Mark.PROVED, "reported": Mark.REPORTED, "inferred": Mark.INFERRED}
"""The sign of something that is as it should be, by the words of `domain.evidence.Grade`."""

VERDICTS: Mapping[str, Mark] = {
    "not in sync": Mark.BAD,
    "attributes differ": Mark.ATTRIBUTES,
    "incomplete": Mark.UNREADABLE,
    "unknown": Mark.UNREADABLE,
    "no difference seen": Mark.REPORTED,
    "in sync": Mark.PROVED,
}
"""The sign of a check's verdict, by the words of `domain.sync.Verdict`."""

REACHES: Mapping[str, Mark] = {
    "reachable": Mark.REPORTED,
    "degraded": Mark.PARTIAL,
    "unknown": Mark.UNREADABLE,
    "blocked": Mark.BAD,
}
"""The sign of a way from a client to an HSM by the words of `domain.net_finding.Verdict`: AWS's word, until probed."""

OPERATIONS: Mapping[str, Mark] = {
    "open": Mark.ATTENTION,
    "finished": Mark.REPORTED,
    "refused": Mark.BAD,
    "abandoned": Mark.UNPROVEN,
}
"""The sign of an operation by the words of `domain.operation.OperationState`; what was given up, nobody knows of."""

STEPS: Mapping[str, Mark | None] = {
    "planned": None,
    "uncertain": Mark.ATTENTION,
    "failed": Mark.BAD,
    "done": Mark.REPORTED,
}
"""The sign of a step by the words of `domain.operation.StepState`; what is to come has none."""
