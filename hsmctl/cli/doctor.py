"""`doctor`: whether hsmctl has what it needs on this machine, each line with the next step where there is one."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from hsmctl.cli.session import Session
from hsmctl.cli.table import Column, table
from hsmctl.cli.verb import verb
from hsmctl.cli.view import Page, View
from hsmctl.errors import ExitCode, HsmctlError
from hsmctl.mark import Mark
from hsmctl.settings_loader import config_path, read

SOFTHSM_FOLDERS = (
    "/usr/lib",
    "/usr/lib64",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/local/lib",
)
"""Where distributions put SoftHSM; the lab looks in the same places."""


class Level(StrEnum):
    """How well a thing is."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


_MARKS = {Level.OK: Mark.PROVED, Level.WARN: Mark.ATTENTION, Level.BAD: Mark.BAD}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    what: str
    says: str
    next_step: str | None = None


@verb("doctor", "hsmctl doctor", "hsmctl -c prod doctor -o json")
def noun(session: Session) -> int:
    """Look at everything hsmctl needs here; exit 1 if something is bad."""
    findings = tuple(_looked_at(session))
    bad = any(finding.level is Level.BAD for finding in findings)
    return session.show_local(VIEW, findings, code=ExitCode.NO if bad else ExitCode.OK)


def _looked_at(session: Session) -> Iterator[Finding]:
    yield _python()
    yield _softhsm(session.environ)
    yield _lab_extra()
    yield _guarded("configuration", lambda: _configuration(config_path(session.environ)))
    yield _folder("state folder", session.unbound.settings.state_folder)
    yield _guarded("context", lambda: _context(session))
    yield _guarded("lab", lambda: _lab(session))


def _guarded(what: str, look: Callable[[], Finding]) -> Finding:
    """What was found, or the error that stood in the way."""
    try:
        return look()
    except HsmctlError as error:
        return Finding(level=Level.BAD, what=what, says=str(error), next_step=error.hint or None)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding(level=Level.OK, what="python", says=f"{version} in {sys.prefix}")


def _softhsm(environ: Mapping[str, str]) -> Finding:
    named = environ.get("HSMCTL_SOFTHSM")
    places = [Path(named)] if named else [Path(folder, "softhsm", "libsofthsm2.so") for folder in SOFTHSM_FOLDERS]
    found = next((path for path in places if path.is_file()), None)
    if found:
        return Finding(level=Level.OK, what="softhsm", says=str(found))
    says = f"no file {named} (HSMCTL_SOFTHSM)" if named else "not installed; the lab needs it, AWS does not"
    return Finding(level=Level.WARN, what="softhsm", says=says, next_step="apt install softhsm2")


def _lab_extra() -> Finding:
    """Whether the packages of the extra `lab` are there, as our own metadata names them."""
    from importlib import metadata

    wanted = [line for line in metadata.requires("hsmctl") or [] if re.search(r"extra == .lab.", line)]
    missing = [name for name in (re.split(r"[^\w.-]", line)[0] for line in wanted) if not _installed(name)]
    if missing:
        says = f"{', '.join(missing)} not installed; the lab needs it, AWS does not"
        return Finding(level=Level.WARN, what="extra lab", says=says, next_step="pip install 'hsmctl[lab]'")
    return Finding(level=Level.OK, what="extra lab", says="installed")


def _installed(name: str) -> bool:
    from importlib import metadata

    try:
        return bool(metadata.version(name))
    except metadata.PackageNotFoundError:
        return False


def _configuration(path: Path) -> Finding:
    if not path.exists():
        step = "hsmctl config init"
        return Finding(level=Level.OK, what="configuration", says=f"none at {path}", next_step=step)
    if path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        # It may name commands to run.
        says, step = f"others may write {path}", f"chmod go-w {path}"
        return Finding(level=Level.BAD, what="configuration", says=says, next_step=step)
    return Finding(level=Level.OK, what="configuration", says=f"{path}: {', '.join(read(path)) or 'no context'}")


def _folder(what: str, path: Path) -> Finding:
    if not path.exists():
        return Finding(level=Level.OK, what=what, says=f"{path} is made when it is needed")
    status = path.stat()
    if status.st_uid != os.geteuid():
        says, step = f"{path} belongs to user id {status.st_uid}", f"chown -R {os.geteuid()} {path}"
        return Finding(level=Level.BAD, what=what, says=says, next_step=step)
    if stat.S_IMODE(status.st_mode) & 0o077:
        return Finding(level=Level.BAD, what=what, says=f"others may enter {path}", next_step=f"chmod 700 {path}")
    return Finding(level=Level.OK, what=what, says=str(path))


def _context(session: Session) -> Finding:
    """The context in force, and who AWS says we are in it."""
    context = session.hsmctl.context
    if not context.name:
        step = "--context NAME or --lab"
        return Finding(level=Level.OK, what="context", says="none chosen; AWS was not asked", next_step=step)
    caller = session.hsmctl.aws.identity(context.account_id).caller()
    return Finding(level=Level.OK, what="context", says=f"{context.name}: {caller.arn}")


def _lab(session: Session) -> Finding:
    status = session.unbound.lab.status()
    if status.healthy:
        says = f"running in {status.folder} with {len(status.nodes)} HSMs"
        return Finding(level=Level.OK, what="lab", says=says)
    if status.running:
        says = f"something is broken in {status.folder}"
        return Finding(level=Level.BAD, what="lab", says=says, next_step="hsmctl lab up")
    return Finding(level=Level.OK, what="lab", says="not running", next_step="hsmctl lab up")


def _lines(findings: tuple[Finding, ...], page: Page) -> list[str]:
    columns: tuple[Column[Finding], ...] = (
        Column(title="", cell=lambda row: _MARKS[row.level].glyph),
        Column(title="", cell=lambda row: row.level),
        Column(title="WHAT", cell=lambda row: row.what),
        Column(title="FOUND", cell=lambda row: row.says),
        Column(title="NEXT STEP", cell=lambda row: row.next_step or ""),
    )
    return table(columns, findings, wide=page.wide, width=page.width)


VIEW: View[tuple[Finding, ...]] = View(
    schema="doctor.check@1",
    document=tuple[Finding, ...],
    lines=_lines,
    names=lambda findings: [finding.what for finding in findings if finding.level is not Level.OK],
    items=lambda findings: findings,
)
