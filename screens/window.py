"""A window over a place whose text scrolls, while what is to be typed and pressed below it stays in sight."""

from __future__ import annotations

from typing import Any

from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen

_SHARE = 0.9
"""How much of the screen's height a window takes at most."""
_LEAST = 3
"""Lines of the text that are shown in any case."""


def fit(window: ModalScreen[Any]) -> bool:
    """Give the text the lines that all else leaves, once that is laid out; whether some of it is out of sight."""
    frame, text = window.query_one(Vertical), window.query_one(VerticalScroll)
    others = [each for each in frame.children if each is not text]
    taken = sum(each.outer_size.height + each.styles.margin.height for each in others) + frame.gutter.height
    room = max(_LEAST, int(window.app.size.height * _SHARE) - taken)
    text.styles.max_height = room
    return sum(each.outer_size.height for each in text.children) > room
