"""Our themes: the only place with literal colours. Everything else names what a colour is for."""

from __future__ import annotations

from collections.abc import Mapping

from textual.color import Color
from textual.theme import BUILTIN_THEMES, Theme

from hsmctl.errors import UsageError

DARK = Theme(
    name="hsmctl",
    primary="#5b9bd5",
    secondary="#8ea6bf",
    accent="#6fc3df",
    success="#7bc275",
    warning="#e8b04a",
    error="#ff6b6b",
    foreground="#d3dae3",
    background="#10151b",
    surface="#161c24",
    panel="#222b36",
    dark=True,
    variables={"block-cursor-background": "#2b3a4d", "footer-background": "#161c24"},
)
CONTRAST = Theme(
    name="hsmctl-contrast",
    primary="#66b3ff",
    secondary="#ffffff",
    accent="#00e5ff",
    success="#35ff6b",
    warning="#ffd500",
    error="#ff5c5c",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#3a3a3a",
    dark=True,
    variables={"block-cursor-background": "#003f8a", "footer-background": "#000000"},
)
_MILD = 0.25
"""How much of a theme's first colour the row under the cursor takes."""
THEMES = (DARK, CONTRAST)


def fitting(colours: str | None) -> str:
    """The theme for a terminal's colour system: its own sixteen colours where it has no more; nothing where it has."""
    return "ansi-dark" if colours in (None, "standard", "windows") else ""


def row_cursor(theme: Theme, variables: Mapping[str, str]) -> str:
    """The background of the row under the cursor: mild, because signs keep their colours on it."""
    own = theme.variables.get("block-cursor-background")
    primary, background = variables["primary"], variables["background"]
    if own or not (primary.startswith("#") and background.startswith("#")):
        return own or variables["block-cursor-background"]
    return Color.parse(background).blend(Color.parse(primary), _MILD).hex


def checked(wanted: str) -> str:
    """The name, if there is a theme of it, or nothing.

    Raises:
        UsageError: there is none.
    """
    known = [theme.name for theme in THEMES] + sorted(BUILTIN_THEMES)
    if wanted and wanted not in known:
        raise UsageError(f"no theme {wanted}", f"there are {', '.join(known)}", DARK.name)
    return wanted
