"""What `net probe` answers: a row for each client, HSM and port, the verdict on all, and how both are written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hsmctl.cli.net_explain import LEVELS
from hsmctl.cli.net_matrix import worst
from hsmctl.cli.table import Column, table, wrapped
from hsmctl.cli.view import Case, Check, Level, Page, View
from hsmctl.domain.net_acl import union, words
from hsmctl.domain.net_finding import summary
from hsmctl.domain.probe_verdict import Agreement, Reach
from hsmctl.errors import ExitCode
from hsmctl.mark import REACHES, Mark

_EXITS = {Reach.BLOCKED: ExitCode.NO, Reach.DEGRADED: ExitCode.PARTIAL, Reach.UNKNOWN: ExitCode.UNKNOWN}
_NAMED = 3
"""Pairs, or clients that were not spoken to, that a monitoring line names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRow:
    """One client at one port of one HSM."""

    client: str
    hsm: str
    address: str
    port: int
    family: int
    method: str
    answer: str | None
    """What was met, or null where the client could not be spoken to."""
    detail: str | None
    p50: float | None
    """Seconds a connection took to open, the median."""
    p95: float | None
    handshake: float | None
    """Seconds of the TLS handshake, with the way to the client host."""
    losses: int
    fingerprint: str | None
    """SHA-256 of the certificate that was shown; which cluster it is, only cloudhsm-cli on the client can prove."""
    static: str | None
    """The verdict of net explain, or null where there is none."""
    codes: tuple[str, ...]
    """The codes that decided it."""
    agreement: str
    verdict: str
    says: str
    error: str | None
    hint: str | None
    denied: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NetProbed:
    """Every client with every HSM and port that was tried."""

    verdict: str
    says: str
    exit: int
    pairs: tuple[ProbeRow, ...]


def probed(rows: tuple[ProbeRow, ...]) -> NetProbed:
    """The rows with their verdict."""
    verdicts = [row.verdict for row in rows]
    compared = [row for row in rows if row.agreement in (Agreement.AGREES, Agreement.CONTRADICTS)]
    agreeing = sum(row.agreement == Agreement.AGREES for row in compared)
    told = f"; static and probed agree: {agreeing} of {len(compared)}" if compared else ""
    return NetProbed(verdict=worst(verdicts), says=summary(verdicts) + told, exit=_exit(rows), pairs=rows)


def _exit(rows: Sequence[ProbeRow]) -> ExitCode:
    """As of net explain; where nothing was probed, or nothing else is amiss, because it was denied, that is said."""
    code = _EXITS.get(Reach(worst([row.verdict for row in rows])), ExitCode.OK)
    doubtful = rows if code is not ExitCode.UNKNOWN else [row for row in rows if row.verdict == Reach.UNKNOWN]
    return ExitCode.DENIED if all(row.denied for row in doubtful) else code


def _lines(document: NetProbed, page: Page) -> Iterator[str]:
    rows = sorted(document.pairs, key=lambda row: list(LEVELS).index(Reach(row.verdict)))
    yield f"{REACHES[document.verdict].glyph if document.exit else Mark.PROVED.glyph} {document.says}"
    yield ""
    yield from _table(rows, page)
    told = [row for row in rows if _is_news(row)]
    errors = dict.fromkeys((row.error, row.hint) for row in rows if row.error)
    if told or errors:
        yield ""
    for line in _news(told):
        yield from wrapped("", line.split(" "), page.width, indent=2)
    if any(row.codes for row in told):
        yield "hsmctl net explain draws these ways, with what mends them"
    for error, hint in errors:
        yield f"{Mark.UNREADABLE.glyph} {error}"
        yield from (f"  {line}" for line in (hint or "").splitlines())


def _news(rows: Sequence[ProbeRow]) -> Iterator[str]:
    """What is to be said, once for all the ways it is said of."""
    said: dict[tuple[str, str, str], dict[str, list[int]]] = {}
    for row in rows:
        said.setdefault((row.client, row.says, row.agreement), {}).setdefault(row.hsm, []).append(row.port)
    for (client, sentence, agreement), hsms in said.items():
        against = f"{Mark.ATTENTION.glyph} contradiction, " if agreement == Agreement.CONTRADICTS else ""
        ways = [f"{hsm} tcp/{words(union((port, port) for port in ports))}" for hsm, ports in hsms.items()]
        yield f"{against}{client} to {', '.join(ways)}: {sentence}"


def _is_news(row: ProbeRow) -> bool:
    """Whether a sentence says more than the table does."""
    return row.error is None and (row.verdict != Reach.REACHABLE or row.agreement == Agreement.CONTRADICTS)


def _table(rows: Sequence[ProbeRow], page: Page) -> list[str]:
    columns: tuple[Column[ProbeRow], ...] = (
        Column(title="", cell=lambda row: mark(row).glyph),
        Column(title="CLIENT", cell=lambda row: row.client),
        Column(title="HSM", cell=lambda row: row.hsm, shrinks=True),
        Column(title="PORT", cell=lambda row: str(row.port)),
        Column(title="ADDRESS", cell=lambda row: row.address, wide=True),
        Column(title="PROBE", cell=met),
        Column(title="P50", cell=lambda row: _time(row.p50), right=True),
        Column(title="P95", cell=lambda row: _time(row.p95), right=True),
        Column(title="TLS", cell=lambda row: _time(row.handshake), right=True, wide=True),
        Column(title="LOST", cell=lambda row: str(row.losses), right=True, wide=True),
        Column(title="STATIC", cell=_believed),
        Column(title="TOGETHER", cell=lambda row: row.verdict, wide=True),
        Column(title="CERTIFICATE", cell=lambda row: row.fingerprint or "", wide=True),
    )
    return table(columns, rows, wide=page.wide, width=page.width)


def mark(row: ProbeRow) -> Mark:
    """The sign of a pair; what a probe met is proved."""
    return Mark.PROVED if row.verdict == Reach.REACHABLE else REACHES[row.verdict]


def met(row: ProbeRow) -> str:
    """What was met, in words."""
    return (row.answer or "not probed").replace("_", " ").replace("tls", "TLS")


def _believed(row: ProbeRow) -> str:
    """The static verdict, marked where the probe contradicts it."""
    sign = f" {Mark.ATTENTION.glyph}" if row.agreement == Agreement.CONTRADICTS else ""
    return f"{row.static or '–'}{sign}"


def _time(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1000:.1f} ms"


def _check(document: NetProbed) -> Check:
    wrong = [row for row in document.pairs if row.verdict != Reach.REACHABLE]
    told = list(dict.fromkeys(row.error or _named(row) for row in wrong))
    named, more = told[:_NAMED], [f"{len(told) - _NAMED} more"] if len(told) > _NAMED else []
    contradicting = sum(row.agreement == Agreement.CONTRADICTS for row in document.pairs)
    return Check(
        level=LEVELS[document.verdict],
        says=": ".join([document.says, ", ".join([*named, *more])]).rstrip(": "),
        figures={"pairs": len(document.pairs), "wrong": len(wrong), "contradictions": contradicting},
        cases=[_case(row) for row in document.pairs],
    )


def _named(row: ProbeRow) -> str:
    return " ".join([f"{row.client} to {row.hsm} tcp/{row.port} {met(row)}", *row.codes])


def _case(row: ProbeRow) -> Case:
    level: Level = LEVELS[row.verdict]
    labels = {"client": row.client, "hsm": row.hsm, "port": str(row.port), "family": f"ipv{row.family}"}
    measured = {"open_p50": row.p50, "open_p95": row.p95, "handshake": row.handshake}
    seconds = {name: value for name, value in measured.items() if value is not None}
    says = row.error or f"{met(row)}: {row.says}"
    return Case(labels=labels, level=level, says="" if level is Level.OK else says, seconds=seconds)


PROBE: View[NetProbed] = View(
    schema="net.probe@1",
    document=NetProbed,
    lines=_lines,
    names=lambda document: [
        f"{row.client} {row.hsm} {row.port}" for row in document.pairs if row.verdict != Reach.REACHABLE
    ],
    items=lambda document: document.pairs,
    check=_check,
)
