"""`explain`: what a pasted return value, message of cloudhsm-cli or line of an SDK log means, and the next step."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from hsmctl.cli.session import Session
from hsmctl.cli.verb import verb
from hsmctl.cli.view import Page, View
from hsmctl.domain.explain import Explanation
from hsmctl.domain.explain import explain as explained
from hsmctl.errors import ExitCode, UsageError

_LONGEST = 1024 * 1024


@verb(
    "explain",
    "hsmctl explain CKR_FUNCTION_FAILED",
    "hsmctl explain 0xA4",
    'hsmctl explain "Received error response code from Server. Response Code: 187"',
    "hsmctl explain - < /opt/cloudhsm/run/cloudhsm-pkcs11.log",
)
@click.argument("text", nargs=-1, required=True)
def noun(session: Session, text: tuple[str, ...]) -> int:
    """Say what an error means and what to do next: a PKCS#11 name or number, a message, or a log; `-` reads it.

    Exit 1 where nothing in the text is known.
    """
    found = explained(_read() if text == ("-",) else " ".join(text))
    return session.show_local(VIEW, found, code=ExitCode.OK if found else ExitCode.NO)


def _read() -> str:
    """Standard input.

    Raises:
        UsageError: it is a terminal, where nothing waits to be read.
    """
    if sys.stdin.isatty():
        raise UsageError("explain -", "standard input is a terminal", "hsmctl explain - < FILE")
    return sys.stdin.buffer.read(_LONGEST).decode(errors="replace")


def _lines(found: tuple[Explanation, ...], _: Page) -> Iterator[str]:
    for each in found:
        yield f"{each.found}  ({each.source}; {each.page})"
        yield f"  {each.means}"
        yield f"  next: {each.next}"


VIEW: View[tuple[Explanation, ...]] = View(
    schema="explain@1",
    document=tuple[Explanation, ...],
    lines=_lines,
    names=lambda found: [each.found for each in found],
    items=lambda found: found,
    nothing="nothing in it is known: its log on that host may say more (/opt/cloudhsm/run)",
)
