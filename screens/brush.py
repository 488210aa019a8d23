"""Lines of spans in the colours that a widget's screen has for their roles."""

from __future__ import annotations

from collections.abc import Iterable

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from .column import joined
from .glyph import Role, Span


class Brush:
    """The styles of a widget's roles; kept here because Textual forgets component styles at every refresh."""

    def __init__(self, widget: Widget) -> None:
        self._widget = widget
        self._styles: dict[tuple[Role, str], Style] = {}

    def forget(self) -> None:
        """Take other colours from now on."""
        self._styles.clear()

    def style(self, role: Role, over: str = "") -> Style:
        """The role's style; `over` is a component of the widget that is laid over it."""
        style = self._styles.get((role, over))
        if style is None:
            style = self._widget.screen.get_component_rich_style(role)
            if over:
                style += self._widget.get_component_rich_style(over, partial=True)
            self._styles[role, over] = style
        return style

    def strip(self, spans: Iterable[Span], width: int, over: str = "") -> Strip:
        """The spans as a line of this width."""
        segments = [Segment(text, self.style(role, over)) for text, role in joined(spans)]
        return Strip(segments).adjust_cell_length(width, self.style(Role.PLAIN, over))

    def blank(self, width: int) -> Strip:
        """A line of nothing."""
        return Strip.blank(width, self.style(Role.PLAIN))
