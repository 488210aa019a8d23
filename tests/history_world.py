"""ports_sync.History in memory."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from hsmctl.domain.key import Identity
from hsmctl.domain.sync_history import Past
from hsmctl.errors import HsmctlError


class MemoryHistory:
    """Remembers what it is told, or fails."""

    def __init__(self) -> None:
        self.written: list[Past] = []
        self.born: dict[tuple[str, Identity], datetime | None] = {}
        self.error: HsmctlError | None = None
        """Raised instead of every answer."""

    def record(self, check: Past, keys: frozenset[Identity]) -> None:
        self._fail()
        first = all(past.scope != check.scope for past in self.written)
        self.written.append(check)
        for name in keys:
            self.born.setdefault((check.scope, name), None if first else check.at)
        if all(replica.keys is not None for replica in check.replicas):
            gone = [place for place in self.born if place[0] == check.scope and place[1] not in keys]
            for place in gone:
                del self.born[place]

    def checks(self, scope: str | None, since: datetime) -> tuple[Past, ...]:
        self._fail()
        return tuple(past for past in self.written if scope in (None, past.scope) and past.at >= since)

    def appeared(self, scope: str) -> Mapping[Identity, datetime]:
        self._fail()
        return {name: at for (where, name), at in self.born.items() if where == scope and at is not None}

    def sighted(self, scope: str) -> Mapping[Identity, datetime]:
        self._fail()
        first = {past.scope: past.at for past in reversed(self.written)}
        return {name: at or first[where] for (where, name), at in self.born.items() if where == scope}

    def _fail(self) -> None:
        if self.error:
            raise self.error
