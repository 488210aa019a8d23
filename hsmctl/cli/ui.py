"""`ui`: opens the terminal UI on the same façade, or has it draw one of its screens into a file."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from hsmctl.cli.session import Session, names_in
from hsmctl.cli.verb import verb
from hsmctl.errors import Conflict, Denied, ExitCode, UsageError
from hsmctl.private import private_folder, write_whole

if TYPE_CHECKING:
    from hsmctl.bootstrap import Hsmctl
    from hsmctl.domain.form import Answer, Filled, Form

_SMALLEST, _LARGEST = 20, 500
"""Columns and lines a screenshot may have."""


class Size(click.ParamType[tuple[int, int]]):
    """Columns and lines, such as 120x40."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """The two numbers."""
        match = re.fullmatch(r"([0-9]{1,4})x([0-9]{1,4})", str(value))
        if match is None or not all(_SMALLEST <= int(side) <= _LARGEST for side in match.groups()):
            self.fail(f"{value} is no size such as 120x40", param, ctx)
        return int(match[1]), int(match[2])


@verb(
    "ui",
    "hsmctl ui --lab",
    "hsmctl -c prod ui",
    "hsmctl ui --contexts prod,staging --regions all",
    "hsmctl ui --lab --screenshot 'sync lab' -o sync.svg --size 120x40",
)
@click.option("--screenshot", "line", metavar="SCREEN", help="Draw this screen into a file, as `:` would open it.")
@click.option("-o", "--output", "file", type=click.Path(path_type=Path), metavar="FILE.svg", help="The file.")
@click.option("--size", type=Size(), default="120x40", show_default=True, help="Its columns and lines.")
@click.option("--press", "keys", metavar="KEYS", default="", help="Keys to press first, comma-separated.")
@click.option("--theme", metavar="NAME", default="", help="The theme, such as hsmctl-contrast.")
@click.option("--regions", metavar="R1,R2|all", default="", help="Look at these regions together, or at all there are.")
@click.option("--contexts", metavar="C1,C2", default="", help="Look at these contexts together.")
def noun(
    session: Session,
    line: str | None,
    file: Path | None,
    size: tuple[int, int],
    keys: str,
    theme: str,
    regions: str,
    contexts: str,
) -> int:
    """Open the terminal UI."""
    from hsmctl.settings_loader import config_path, read_ui

    found = read_ui(config_path(session.environ))
    ui = replace(found, theme=theme or found.theme)
    if (line is None) != (file is None):
        raise UsageError("ui", "--screenshot and -o go together", "--screenshot fleet -o fleet.svg")
    forms, elsewhere = _Forms(), _Elsewhere(session)
    places = {"contexts": names_in(contexts), "regions": names_in(regions)}
    # By name only: the packaging seam is what keeps commands free of Textual.
    screens: Any = import_module("hsmctl.screens")
    if line is not None and file is not None:
        picture = partial(screens.screenshot, session.hsmctl, ui, line, size=size, keys=names_in(keys))
        return _draw(session, file, partial(picture, forms=forms, elsewhere=elsewhere, **places))
    if not all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout)):
        raise UsageError("ui", "it needs a terminal", "hsmctl sync check does the same check without one")
    facade = session.hsmctl
    with _log(facade.settings.state_folder) as stream:
        session.log_to(stream)
        if callable(signal.getsignal(signal.SIGINT)):
            signal.signal(signal.SIGINT, signal.default_int_handler)  # the one that asyncio replaces by its own
        return int(screens.run(facade, ui, elsewhere, forms, **places))


def _draw(session: Session, file: Path, picture: Callable[[], str]) -> int:
    """Write a picture into a new file.

    Raises:
        Conflict: the file exists.
        UsageError: its folder does not, or it cannot be written.
    """
    if file.exists():
        raise Conflict(str(file), "it exists", "name another file")
    if not file.parent.is_dir():
        raise UsageError(str(file), "its folder does not exist", f"mkdir -p {file.parent}")
    with _log(session.hsmctl.settings.state_folder) as stream:
        session.log_to(stream)
        drawn = picture()
    try:
        write_whole(file, drawn.encode(), 0o600)
    except OSError as error:
        raise UsageError(str(file), error.strerror or str(error), "name another file") from error
    return ExitCode.OK


class _Elsewhere:
    """The contexts of the configuration, and the lab where there is one."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def contexts(self) -> Sequence[str]:
        """Their names."""
        from hsmctl.settings_loader import LAB, config_path, folders, read

        lab = (folders(self.session.environ).lab_home / "context.toml").exists()
        return sorted([*read(config_path(self.session.environ)), *([LAB] if lab else [])])

    def regions(self) -> Sequence[str]:
        """The regions they name."""
        from hsmctl.settings_loader import config_path, read

        known = read(config_path(self.session.environ)).values()
        return sorted({context.region for context in known if context.region})

    def open(self, context: str | None, region: str | None) -> Hsmctl:
        """The façade over another context or region; None is the one that was chosen."""
        from hsmctl.settings_loader import load

        flags = self.session.flags
        bent = flags if context is None else replace(flags, context=context, lab=False)
        bent = replace(bent, region=region) if region else bent
        return self.session.connected(load(bent, self.session.environ))


class _Forms:
    """The commands as forms, read when the first one is opened: the first frame does not wait for them."""

    def form(self, path: Sequence[str]) -> Form:
        """The form of a command."""
        from hsmctl.cli.form import form

        return form(path)

    def fill(self, facade: Hsmctl, form: Form, filled: Filled) -> Answer:
        """What the command answers."""
        from hsmctl.cli.form import fill

        return fill(facade, form, filled)


def _log(folder: Path) -> TextIO:
    """The file that takes what would otherwise be written across the screen."""
    try:
        path = private_folder(folder) / "ui.log"
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600), "a")
    except OSError as error:
        raise Denied(str(folder), error.strerror or str(error), "name another in HSMCTL_STATE_HOME") from error
