"""The only writer: the answer and nothing else on standard output, narration and errors on standard error.

Tables are for people, `name` for shells, JSON for programs, `nagios`, `prometheus` and `junit` for monitoring and CI.
Every line that is text has its control characters escaped, whoever wrote them; colour and the terminal's width count
only on a terminal.
"""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, BinaryIO, TextIO, TypeVar, assert_never

from hsmctl.encoding import encoded, indented
from hsmctl.errors import DeviceError, ExitCode, HsmctlError, Unreachable, UsageError
from hsmctl.words import clipped, printable

if TYPE_CHECKING:
    from hsmctl.cli.view import Check, Level, Origin, View

T = TypeVar("T")


class Format(StrEnum):
    """What `-o` takes."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    JSONL = "jsonl"
    NAME = "name"
    NAGIOS = "nagios"
    PROMETHEUS = "prometheus"
    JUNIT = "junit"
    CSV = "csv"
    CYCLONEDX = "cyclonedx"


USUAL = tuple(each for each in Format if each not in (Format.CSV, Format.CYCLONEDX))
"""The formats every command has."""

_VERDICTS = (Format.NAGIOS, Format.PROMETHEUS, Format.JUNIT)
"""The formats that tell a verdict and nothing else."""


@dataclass(kw_only=True)
class Output:
    """One run's answer and narration."""

    stdout: TextIO
    stderr: TextIO
    environ: Mapping[str, str]
    format: Format = Format.TABLE
    query: str | None = None
    service: str = "HSMCTL"
    """What a monitoring line is about."""
    colour: bool = True

    def check(self, *, may_check: bool) -> None:
        """Refuse, before anything is done, what could not be written afterwards.

        Raises:
            UsageError: the format does not fit the command or the query, or the query is not JMESPath.
        """
        if self.format in _VERDICTS and not may_check:
            raise UsageError(f"-o {self.format}", "this command checks nothing", "use it with sync check")
        if self.query is not None and self.format not in (Format.JSON, Format.JSONL):
            raise UsageError("--query", f"it does not work with -o {self.format}", "-o json or -o jsonl")
        if self.query is not None:
            _compiled(self.query)

    def answer(
        self, view: View[T], document: T, origin: Origin, now: datetime, warnings: tuple[str, ...], code: int
    ) -> int:
        """Write the document in the wanted format; the exit code, which monitoring has its own convention for."""
        match self.format:
            case Format.NAGIOS:
                return self._nagios(_verdict(view, document), lab=origin.environment == "lab")
            case Format.PROMETHEUS:
                from hsmctl.cli.prometheus import exposition

                self.text(exposition(view.name, _verdict(view, document), origin, now))
            case Format.JUNIT:
                from hsmctl.cli.junit import report

                self._write(report(view.name, _verdict(view, document), origin, now))
            case Format.JSON | Format.JSONL if self.query is not None:
                self._found(_compiled(self.query)(encoded(document)))
            case Format.JSON:
                self._write(indented(envelope(view, document, origin, now, warnings)))
            case Format.JSONL:
                for item in view.items(document):
                    self._write(json.dumps(encoded(item)))
            case Format.NAME:
                self.text(view.names(document))
                self._warn(warnings)
            case Format.TABLE | Format.WIDE:
                self._table(view, document, now)
                self._warn(warnings)
            case Format.CSV | Format.CYCLONEDX:
                self._write(view.exports[self.format](document).removesuffix("\n"))
                self._warn(warnings)
            case _:
                assert_never(self.format)
        return code

    @contextmanager
    def diverted(self, stream: BinaryIO) -> Iterator[None]:
        """Write answers to this stream instead of standard output."""
        usual, self.stdout = self.stdout, io.TextIOWrapper(stream, "utf-8", newline="\n")
        try:
            yield
            self.stdout.flush()
        finally:
            self.stdout.detach()
            self.stdout = usual

    def text(self, lines: Iterable[str]) -> None:
        """Write lines of text that are the answer."""
        draw = self._drawing(self.stdout)
        for line in lines:
            self._write(draw(line))

    def text_on_stderr(self, text: str) -> None:
        """Write several lines of narration."""
        for line in text.splitlines():
            self.say(line)

    def flush(self) -> None:
        """See the answer off.

        Raises:
            Unreachable: it could not be written; what is left of it is dropped.
            BrokenPipeError: its reader has left.
        """
        try:
            self.stdout.flush()
        except OSError as error:
            raise self._unwritten(error) from error

    def say(self, line: str) -> None:
        """Write one line of narration."""
        self.stderr.write(self._drawn(line, self.stderr) + "\n")
        self.stderr.flush()

    def error(self, error: HsmctlError, code: int, *, lab: bool = False) -> int:
        """Say what went wrong in the form the reader expects; the exit code that goes with it."""
        if self.format is Format.NAGIOS:
            from hsmctl.cli.view import Level

            self._status(Level.UNKNOWN, f"{error} ({error.hint})" if error.hint else str(error), {}, lab=lab)
            return Level.UNKNOWN
        if self.format in (Format.JSON, Format.JSONL):
            told = {"code": _code(error, code), "message": str(error), "hint": error.hint or None, "exit": int(code)}
            self.stderr.write(json.dumps({"error": told}) + "\n")
            return code
        self.say(clipped(f"hsmctl: {error}"))
        if error.hint:
            self.say(f"hint: {error.hint}")
        return code

    @property
    def interactive(self) -> bool:
        """Whether somebody watches standard error."""
        return self.stderr.isatty()

    @property
    def _width(self) -> int | None:
        return shutil.get_terminal_size().columns if self.stdout.isatty() else None

    def _found(self, found: object) -> None:
        """Write what a query found: one document, or an element a line."""
        if self.format is Format.JSONL and isinstance(found, list):
            for item in found:
                self._write(json.dumps(item))
        else:
            self._write(indented(found))

    def _table(self, view: View[T], document: T, now: datetime) -> None:
        """Write text for people; where there is nothing to tabulate, say so."""
        from hsmctl.cli.view import Page

        if view.nothing and not view.items(document):
            self.say(view.nothing)
        else:
            self.text(view.lines(document, Page(now=now, wide=self.format is Format.WIDE, width=self._width)))

    def _nagios(self, check: Check, *, lab: bool) -> int:
        self._status(check.level, check.says, check.figures, lab=lab)
        return check.level

    def _status(self, level: Level, says: str, figures: Mapping[str, int], *, lab: bool) -> None:
        """Write the one line a monitoring system reads; a bar would begin the performance data."""
        line = f"{'LAB ' if lab else ''}{self.service} {level.name} - {says}".replace("|", "/")
        data = " ".join(f"{name}={value}" for name, value in figures.items())
        self._write(self._drawn(f"{line} | {data}" if data else line, self.stdout))

    def _warn(self, warnings: Iterable[str]) -> None:
        for warning in warnings:
            self.say(f"warning: {warning}")

    def _write(self, line: str) -> None:
        try:
            self.stdout.write(line + "\n")
        except OSError as error:
            raise self._unwritten(error) from error

    def _unwritten(self, error: OSError) -> Exception:
        """What it means that standard output took no more; what is left of the answer is dropped."""
        if isinstance(error, BrokenPipeError):
            return error
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.stdout.fileno())
        return Unreachable("standard output", error.strerror or str(error))

    def _drawn(self, line: str, stream: TextIO) -> str:
        """The line as this stream can show it."""
        return self._drawing(stream)(line)

    def _drawing(self, stream: TextIO) -> Callable[[str], str]:
        """Makes a line what this stream can show; what that is is found out once for all lines."""
        coloured = self.colour and stream.isatty() and not self.environ.get("NO_COLOR")
        plain = _plain(stream, self.environ)
        if not plain and not coloured:
            return _safe
        from hsmctl.cli.paint import ascii_only, painted

        def draw(line: str) -> str:
            safe = painted(_safe(line)) if coloured else _safe(line)
            return ascii_only(safe) if plain else safe

        return draw


def _safe(line: str) -> str:
    """The line with nothing that moves a cursor."""
    return line if line.isprintable() else printable(line.expandtabs())


def envelope(view: View[T], document: T, origin: Origin, now: datetime, warnings: tuple[str, ...]) -> dict[str, object]:
    """The document as every JSON answer carries it."""
    return {
        "schema": f"hsmctl/{view.schema}",
        "generated_at": encoded(now),
        "environment": origin.environment,
        "account": origin.account,
        "region": origin.region,
        "data": encoded(document),
        "warnings": list(warnings),
    }


def _compiled(query: str) -> Callable[[object], object]:
    """The JMESPath query, ready to search; imported only when there is one."""
    import jmespath
    from jmespath.exceptions import JMESPathError

    def search(value: object) -> object:
        try:
            found: object = expression.search(value)
            json.dumps(found)
        except (JMESPathError, TypeError) as error:
            # A query may name an expression itself (`&name`), which is no data.
            raise _bad_query(error) from error
        return found

    try:
        expression = jmespath.compile(query)
    except JMESPathError as error:
        raise _bad_query(error) from error
    return search


def _bad_query(error: ValueError | TypeError) -> UsageError:
    return UsageError("--query", " ".join(str(error).split()), "see jmespath.org")


def _code(error: HsmctlError, code: int) -> str:
    """The error's kind in one word: the CKR name where an HSM gave one."""
    return error.ckr if isinstance(error, DeviceError) and error.ckr else ExitCode(code).name.lower()


def _verdict(view: View[T], document: T) -> Check:
    """What the document says to monitoring; `check` has seen to it that it says something."""
    if view.check is None:
        raise UsageError(view.schema, "it is no check", "-o json")
    return view.check(document)


def _plain(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether only ASCII may be shown: the encoding has nothing else, or the locale asks for it."""
    locale = environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG") or ""
    return locale in ("C", "POSIX") or not (stream.encoding or "ascii").lower().replace("-", "").startswith("utf")
