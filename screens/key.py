"""The keys of a cluster as one of its replicas lists them, and everything about the one under the cursor."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.geometry import Size

from hsmctl.domain.cluster import Cluster
from hsmctl.domain.key import Key
from hsmctl.errors import HsmctlError
from hsmctl.mark import Mark
from hsmctl.services.key import Listing
from hsmctl.words import age

from .column import Column
from .command import COPY, DESCRIBE, FILTER, HELP, LINE, REFRESH, SYNC, Command
from .detail import Detail, facts
from .facts import of_error
from .glyph import Role, Spans, sign
from .key_facts import of_key
from .lines import Lines
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


class KeyScreen(Place):
    """The key browser."""

    commands: ClassVar[tuple[Command, ...]] = Place.commands
    offered: ClassVar[tuple[Command, ...]] = (DESCRIBE, COPY, SYNC, REFRESH, FILTER, LINE, HELP)

    def __init__(self, survey: Survey, cluster: Cluster) -> None:
        self._cluster = cluster
        self._listing: Listing | None = None
        self._error: HsmctlError | None = None
        self._asking = False
        self.keys_table: Lines[Key] = Lines(_COLUMNS, lambda key: key.identity, id="keys", empty=_READING)
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
            return str(key.identity), facts(of_key(key), width)
        return of_error(self._error) if self._error else None

    def action_refresh(self) -> None:
        """Ask again."""
        self.ask_keys()

    @work(group="keys", exclusive=True)
    async def ask_keys(self) -> None:
        """Fetch the listing in the background; what was there stays until it comes."""
        self._asking = True
        self._redraw()
        try:
            self._listing, self._error = await self.survey.keys(self._cluster), None
            self.keys_table.teach(_NO_KEY)
            self.keys_table.show(sorted(self._listing.inventory.keys, key=_order))
        except HsmctlError as error:
            self._error = error
            self.keys_table.teach(_failure(error))
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
        failed: Spans = (sign(Mark.UNREADABLE), (f" {self._error} · d tells more", Role.BAD)) if self._error else ()
        if self._listing is None:
            return pending or failed
        inventory = self._listing.inventory
        total = f" of {inventory.total:,}" if inventory.total is not None else ""
        when = age(self.survey.hsmctl.clock.now(), inventory.taken_at)
        seen = f"{len(inventory.keys):,}{total} objects as {inventory.user}"
        words = f"{seen} on {self._listing.replica.name}, {when} old"
        return *(failed or (sign(Mark.REPORTED), (f" {words}", Role.PLAIN))), ("  ", Role.PLAIN), *pending

    def _detail(self, room: Size) -> list[Spans]:
        key = self.keys_table.current
        return facts(of_key(key), room.width)[: room.height] if key else []


def _failure(error: HsmctlError) -> tuple[Spans, ...]:
    return (sign(Mark.UNREADABLE), (f" {error}", Role.PLAIN)), ((error.hint, Role.ACCENT),)


def _order(key: Key) -> tuple[bytes, str, bytes]:
    return key.identity.label, key.identity.object_class, key.identity.key_id


def _uses(key: Key) -> str:
    return " ".join(name for name in _USES if name in key.attributes)


def _fingerprint(key: Key) -> str:
    return key.material.digest[:4].hex() if key.material else "–"


_COLUMNS: tuple[Column[Key], ...] = (
    Column(heads=("KEY",), text=lambda key: str(key.identity), role=Role.STRONG, width=22, grows=True),
    Column(heads=("CLASS",), text=lambda key: str(key.identity.object_class), width=11),
    Column(heads=("TYPE",), text=lambda key: key.algorithm, width=12),
    Column(heads=("ID",), text=lambda key: key.identity.key_id.hex(), role=Role.MUTED, width=10),
    Column(heads=("USES",), text=_uses, role=Role.MUTED, width=18, grows=True),
    Column(heads=("PRINT",), text=_fingerprint, role=Role.MUTED, width=8, room=100),
)
