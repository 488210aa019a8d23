"""The keys of a cluster as one of its replicas lists them, and everything about the one under the cursor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.geometry import Size

from hsmctl.domain.cluster import Cluster
from hsmctl.domain.form import Filled, Form
from hsmctl.domain.key import Identity, Key
from hsmctl.domain.key_lint import lint
from hsmctl.domain.key_rule import Finding, Severity
from hsmctl.domain.uri import Uri, uri_of
from hsmctl.errors import HsmctlError
from hsmctl.mark import Mark
from hsmctl.services.key import Listing
from hsmctl.words import age

from .column import Column
from .command import COPY, DESCRIBE, FILTER, HELP, LINE, SYNC, Command, Takes, bindings
from .detail import Detail, cut, facts, noted
from .facts import Fact, failure, of_error
from .glyph import Role, Spans, role, sign
from .key_command import KEYS, MARK
from .key_facts import of_finding, of_key
from .lines import Lines
from .offload import call
from .place import Description, Place
from .survey import Survey
from .words import cluster_name

_READING = (((f"{Mark.PENDING.glyph} asking an HSM for its keys", Role.ACCENT),),)
_NO_KEY = (
    (("This user sees no key.", Role.STRONG),),
    (("A crypto user sees its own keys, those shared with it, and public keys.", Role.MUTED),),
    (("hsmctl key generate aes --label NAME", Role.ACCENT), ("  makes one", Role.MUTED)),
)
_USES = ("extractable", "encrypt", "decrypt", "sign", "verify", "wrap", "unwrap", "derive")
"""Attributes worth a column: whether a key may leave, and what it may do."""


_TOLD = 6
"""Keys that a form names; the others are counted."""
SEVERE = tuple(Severity)
SEVERITIES = {Severity.HIGH: Mark.BAD, Severity.MEDIUM: Mark.ATTENTION, Severity.LOW: Mark.ATTRIBUTES}
"""The sign of a finding."""


class KeyScreen(Place):
    """The key browser."""

    commands: ClassVar[tuple[Command, ...]] = (*Place.commands, *KEYS)
    BINDINGS = bindings(KEYS)
    offered: ClassVar[tuple[Command, ...]] = (DESCRIBE, MARK, COPY, SYNC, FILTER, LINE, HELP)

    def __init__(self, survey: Survey, cluster: Cluster) -> None:
        self._cluster = cluster
        self._listing: Listing | None = None
        self._error: HsmctlError | None = None
        self._asking = False
        self._findings: Mapping[Identity, tuple[Finding, ...]] = {}
        self.keys_table: Lines[Key] = Lines(self._columns(), lambda key: key.identity, id="keys", empty=_READING)
        self.verdict = Detail(id="verdict")
        super().__init__(survey, ("fleet", cluster_name(cluster), "keys"), self.keys_table)

    @property
    def cluster(self) -> Cluster:
        """The cluster."""
        return self.survey.estate.cluster(self._cluster.cluster_id) or self._cluster

    @property
    def aged(self) -> datetime | None:
        """When the listing was taken."""
        return self._listing.inventory.taken_at if self._listing else None

    @property
    def subject(self) -> str | None:
        """The label of the key under the cursor."""
        key = self.keys_table.current
        return str(key.identity) if key else None

    def body(self) -> ComposeResult:
        """Who showed the keys, the keys, the one under the cursor."""
        yield self.verdict
        yield self.keys_table
        yield self.detail

    def on_mount(self) -> None:
        """Ask for the keys."""
        super().on_mount()
        self.verdict.draw(lambda _: [((" ", Role.PLAIN), *self._source())])
        self.ask_keys()

    def describe(self, width: int) -> Description | None:
        """The key under the cursor, or why there is none."""
        key = self.keys_table.current
        if key:
            return str(key.identity), facts(self._facts(key), width)
        return of_error(self._error) if self._error else None

    def action_refresh(self) -> None:
        """Ask again."""
        self.ask_keys()

    def after_change(self) -> None:
        """Ask for the keys again."""
        self.ask_keys()

    def action_mark(self) -> None:
        """Mark the key under the cursor, or no longer, and go on to the next."""
        if self.keys_table.current:
            self.keys_table.mark([self.keys_table.current])
            self.keys_table.action_move(1)
            self.verdict.refresh()

    def action_mark_all(self) -> None:
        """Mark every key that the filter keeps; again, none of them."""
        self.keys_table.mark(self.keys_table.rows.shown)
        self.verdict.refresh()

    @property
    def chosen(self) -> tuple[Key, ...]:
        """The marked keys, or else the one under the cursor."""
        current = self.keys_table.current
        return self.keys_table.picked or ((current,) if current else ())

    def preset(self, form: Form) -> Filled | None:
        """The cluster, and the keys that are meant."""
        known, field = dict(super().preset(form) or {}), form.field("keys") or form.field("key")
        if field is None:
            return known
        if not self.chosen or (len(self.chosen) > 1 and not field.several):
            self.complain(f"{form.path[-1]} takes one key" if self.chosen else "there is no key under the cursor")
            return None
        known[field.name] = tuple(_name(key, exact=form.changes) for key in self.chosen)
        return known | ({"terms": ()} if form.field("terms") else {})

    def arguments(self, takes: Takes) -> Sequence[str]:
        """The keys that are listed here, too."""
        if takes is Takes.KEY and self._listing:
            return sorted({str(key.identity) for key in self._listing.inventory.keys})
        if takes is Takes.KEY_ID and self._listing:
            return sorted({key.identity.key_id.hex() for key in self._listing.inventory.keys if key.identity.key_id})
        return super().arguments(takes)

    def told(self, form: Form) -> Sequence[Spans]:
        """The keys that are meant, by name."""
        if not (form.field("keys") or form.field("key")):
            return ()
        more = len(self.chosen) - _TOLD
        lines = [
            ((f"  {key.identity.object_class}  ", Role.MUTED), (str(key.identity), Role.STRONG))
            for key in self.chosen[:_TOLD]
        ]
        return [*lines, *(((("  ", Role.PLAIN), (f"and {more:,} more", Role.STRONG)),) if more > 0 else ())]

    @work(group="keys", exclusive=True)
    async def ask_keys(self) -> None:
        """Fetch the listing in the background; what was there stays until it comes."""
        self._asking = True
        self._redraw()
        try:
            self._listing, self._error = await self.survey.keys(self._cluster), None
            self._findings, ordered = await call(partial(_judged, self._listing.inventory.keys))
            self.keys_table.teach(_NO_KEY)
            self.keys_table.show(ordered)
        except HsmctlError as error:
            self._error = error
            self.keys_table.teach(failure(error, self.size.width))
        finally:
            self._asking = False
            self._redraw()

    @on(Lines.Moved)
    def _moved(self) -> None:
        self.detail.draw(self._detail)

    def _redraw(self) -> None:
        self.verdict.refresh()
        self.tick()

    def _source(self) -> Spans:
        """Which replica showed these keys, to whom, when."""
        pending: Spans = (sign(Mark.PENDING), (" asking", Role.ACCENT)) if self._asking else ()
        if self._listing is None:
            unread: Spans = (sign(Mark.UNREADABLE), (" keys not read", Role.BAD)) if self._error else ()
            return pending or unread
        failed: Spans = (sign(Mark.UNREADABLE), (f" not read anew, d tells why: {self._error}", Role.BAD))
        inventory = self._listing.inventory
        total = f" of {inventory.total:,}" if inventory.total is not None else ""
        when = age(self.survey.hsmctl.clock.now(), inventory.taken_at)
        seen = f"{len(inventory.keys):,}{total} objects as {inventory.user}"
        words = f"{seen} on {self._listing.replica.name}, {when} old"
        picked = len(self.keys_table.picked)
        marked: Spans = ((f"   • {picked:,} marked", Role.ACCENT),) if picked else ()
        read: Spans = (sign(Mark.REPORTED), (f" {words}", Role.PLAIN), *self._lint())
        return *(failed if self._error else read), *marked, ("  ", Role.PLAIN), *pending

    def _lint(self) -> Spans:
        """How many keys something speaks against, by the worst of it."""
        worst = Counter(found[0].rule.severity for found in self._findings.values())
        counts = ((SEVERITIES[each], worst[each]) for each in SEVERE if worst[each])
        told = [(f" {mark.glyph} {count:,}", role(mark)) for mark, count in counts]
        return (("   lint", Role.MUTED), *told) if told else ()

    def _detail(self, room: Size) -> list[Spans]:
        key = self.keys_table.current
        if key is None:
            return []
        lines: list[Spans] = []
        for each in self._findings.get(key.identity, ()):
            rule, says = of_finding(each)
            lines += noted(sign(SEVERITIES[each.rule.severity]), f"{rule}  {says}", room.width)
        told = facts(of_key(key), room.width)
        gap: list[Spans] = [()] if lines and len(lines) + len(told) < room.height else []
        return cut([*lines, *gap, *told], room.height, elsewhere="d tells all")

    def _facts(self, key: Key) -> Iterable[Fact]:
        """What is listed about a key, and before it what speaks against that."""
        yield from map(of_finding, self._findings.get(key.identity, ()))
        yield from of_key(key)

    def _columns(self) -> tuple[Column[Key], ...]:
        """The columns, which ask for the newest findings."""

        def found(key: Key) -> tuple[Finding, ...]:
            return self._findings.get(key.identity, ())

        def drawn(key: Key) -> Spans:
            worst = next(iter(found(key)), None)
            return (sign(SEVERITIES[worst.rule.severity]), (f" {_rules(found(key))}", Role.PLAIN)) if worst else ()

        lint = Column(
            heads=("LINT",),
            text=lambda key: _rules(found(key)),
            draw=drawn,
            order=lambda key: [SEVERE.index(each.rule.severity) for each in found(key)] or [len(SEVERE)],
            width=7,
            grows=True,
        )
        return (*_COLUMNS[:3], lint, *_COLUMNS[3:])


def _order(key: Key) -> tuple[bytes, str, bytes]:
    return key.identity.label, key.identity.object_class, key.identity.key_id


def _judged(keys: Sequence[Key]) -> tuple[Mapping[Identity, tuple[Finding, ...]], Sequence[Key]]:
    """What speaks against each key by its attributes, the worst first; the keys, the worst first, then by name."""
    found: dict[Identity, tuple[Finding, ...]] = {}
    for finding in lint(keys):
        found[finding.key.identity] = (*found.get(finding.key.identity, ()), finding)
    return found, sorted(keys, key=lambda key: (_severity(found.get(key.identity, ())), *_order(key)))


def _severity(found: Sequence[Finding]) -> int:
    """The place of the worst one among the severities; beyond the last where there is none."""
    return min((SEVERE.index(each.rule.severity) for each in found), default=len(SEVERE))


def _rules(found: Sequence[Finding]) -> str:
    """The rules that are broken: the worst, and how many more."""
    rules = list(dict.fromkeys(finding.rule.rule_id for finding in found))
    return "".join(rules[:1]) + (f" +{len(rules) - 1}" if len(rules) > 1 else "")


def _name(key: Key, *, exact: bool) -> str:
    """How a command is told which key: by its URI; with its class only where that one object is meant."""
    identity = key.identity
    return uri_of(identity) if exact else str(Uri(label=identity.label or None, key_id=identity.key_id or None))


def _uses(key: Key) -> str:
    return " ".join(name for name in _USES if name in key.attributes)


def _fingerprint(key: Key) -> str:
    return key.material.digest[:4].hex() if key.material else "–"


_COLUMNS: tuple[Column[Key], ...] = (
    Column(heads=("KEY",), text=lambda key: str(key.identity), role=Role.STRONG, width=20, grows=True),
    Column(heads=("CLASS",), text=lambda key: str(key.identity.object_class), width=10, grows=True, room=70),
    Column(heads=("TYPE",), text=lambda key: key.algorithm, width=9, grows=True),
    Column(heads=("ID",), text=lambda key: key.identity.key_id.hex(), role=Role.MUTED, width=8, grows=True, room=100),
    Column(heads=("USES",), text=_uses, role=Role.MUTED, width=16, grows=True),
    Column(heads=("PRINT",), text=_fingerprint, role=Role.MUTED, width=8, room=100),
)
