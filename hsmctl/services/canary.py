"""A canary: a key that is made, looked for on every replica and destroyed again, to see that copying works.

What it makes it journals before, and it destroys nothing but that: exactly one object of the journaled label and id,
read again just before. A run that was cut off, even killed, is cleared away by the next one.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hsmctl.domain.evidence import Failed, Ok
from hsmctl.domain.key import Identity, Key, KeyKind, KeySpec, ObjectClass
from hsmctl.domain.sync import Inventory, Replica
from hsmctl.errors import Conflict, Denied, HsmctlError
from hsmctl.ports import Clock, Journal, Locks, Login, Tokens
from hsmctl.services.sync import SyncService
from hsmctl.words import counted

MOST = 3
"""Canaries of one run."""
LABEL = "hsmctl-canary-"
"""How the label of each begins."""
_LOOK_SECONDS = 0.2
_MADE, _GONE = "canary-intended", "canary-gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """One key that was made and destroyed."""

    label: str
    made_on: str
    seconds: float | None
    """Until it was seen on every replica; None where that did not happen in time."""
    missing_on: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """What one run found."""

    canaries: tuple[Canary, ...]
    cleared: tuple[str, ...]
    """Labels of canaries that an earlier run had left behind, destroyed now."""
    left: tuple[str, ...]
    """Labels of canaries that could not be destroyed: the next run tries again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryService:
    """Flies canaries."""

    clock: Clock
    journal: Journal
    tokens: Tokens
    login: Callable[[Replica], Login]
    sync: SyncService
    locks: Locks
    """One run at a time on this machine: what another run has in the air is not left behind."""
    any_user: bool = False
    """Whether any user may make canaries here, as in the lab; else it must be one without other keys."""

    def fly(self, replicas: Sequence[Replica], *, count: int, seconds: float) -> Flight:
        """Make `count` canaries, one after the other, each on another replica; every one is destroyed in the end.

        Raises:
            Conflict: there is no replica that could be asked, or another run has canaries in the air.
            Denied: the user has other keys: a canary needs a crypto user of its own.
        """
        with self.locks.hold("canary"):
            return self._fly(replicas, count, seconds)

    def _fly(self, replicas: Sequence[Replica], count: int, seconds: float) -> Flight:
        ready = [replica for replica in replicas if not replica.absent]
        if not ready:
            raise Conflict("no replica to make a canary on", "none can be asked", "hsmctl hsm list")
        self._check_user(ready[0])
        cleared = tuple(self._cleared(ready))
        makers = [ready[number % len(ready)] for number in range(min(count, MOST))]
        flown = tuple([self._flown(maker, ready, seconds) for maker in makers])
        return Flight(canaries=flown, cleared=cleared, left=tuple(name.label.decode() for name in self._owed()))

    def _check_user(self, replica: Replica) -> None:
        """Refuse a user whose other keys a mistake could cost."""
        if self.any_user:
            return
        with self.tokens.open(replica, self.login(replica), self.clock.monotonic() + 30) as token:
            inventory = token.inventory()
        others = sum(not key.identity.label.startswith(LABEL.encode()) for key in inventory.keys)
        if others:
            raise Denied(
                f"no canary as {inventory.user}",
                f"{counted(others, 'other object')} can be seen",
                "give the context a crypto user that is for canaries alone",
            )

    def _flown(self, maker: Replica, replicas: Sequence[Replica], seconds: float) -> Canary:
        """One canary, made, watched and destroyed."""
        name = Identity(ObjectClass.SECRET, secrets.token_bytes(8), f"{LABEL}{secrets.token_hex(8)}".encode())
        spec = KeySpec(kind=KeyKind.AES, size="256", label=name.label, key_id=name.key_id)
        login, began = self.login(maker), self.clock.monotonic()
        self.journal.append(_MADE, {"label": name.label.hex(), "id": name.key_id.hex(), "on": maker.name})
        try:
            with self.tokens.open(maker, login, began + seconds) as token:
                token.generate(spec)
            missing = self._missing(name, replicas, began + seconds)
            took = None if missing else self.clock.monotonic() - began
        finally:
            self._destroy(name, replicas)
        return Canary(label=name.label.decode(), made_on=maker.name, seconds=took, missing_on=missing)

    def _missing(self, name: Identity, replicas: Sequence[Replica], deadline: float) -> tuple[str, ...]:
        """Look until every replica lists it or the deadline has passed; those that did not."""
        while True:
            left = max(0.5, deadline - self.clock.monotonic())
            seen = {
                reading.replica.name
                for reading in self.sync.readings(replicas, seconds=left)
                if isinstance(reading.outcome, Ok) and _held(reading.outcome.value, name)
            }
            missing = tuple(replica.name for replica in replicas if replica.name not in seen)
            if not missing or self.clock.monotonic() >= deadline:
                return missing
            self.clock.sleep(_LOOK_SECONDS)

    def _cleared(self, replicas: Sequence[Replica]) -> Iterator[str]:
        """Destroy what earlier runs left behind."""
        for name in self._owed():
            if self._destroy(name, replicas):
                yield name.label.decode()

    def _owed(self) -> list[Identity]:
        """The canaries that were intended and are not known to be gone, oldest first."""
        owed: dict[Identity, None] = {}
        for record in self.journal.records():
            if record.get("kind") in (_MADE, _GONE):
                name = _named(record)
                if record["kind"] == _MADE:
                    owed[name] = None
                else:
                    owed.pop(name, None)
        return list(owed)

    def _destroy(self, name: Identity, replicas: Sequence[Replica]) -> bool:
        """Destroy the one object of this name wherever it is still listed; whether there was one and it is gone."""
        gone, found = True, False
        for replica in replicas:
            try:
                with self.tokens.open(replica, self.login(replica), self.clock.monotonic() + 30) as token:
                    for key in _held(token.inventory(), name):
                        found = True
                        token.objects.destroy(key)
            except HsmctlError:
                gone = False
        gone = gone and not any(
            isinstance(reading.outcome, Failed) or _held(reading.outcome.value, name)
            for reading in self.sync.readings(replicas, seconds=30)
        )
        if gone:
            self.journal.append(_GONE, {"label": name.label.hex(), "id": name.key_id.hex()})
        return gone and found


def _held(inventory: Inventory, name: Identity) -> list[Key]:
    """The object of this name, if there is exactly one."""
    found = [key for key in inventory.keys if key.identity == name]
    return found if len(found) == 1 else []


def _named(record: Mapping[str, object]) -> Identity:
    return Identity(ObjectClass.SECRET, bytes.fromhex(str(record["id"])), bytes.fromhex(str(record["label"])))
