"""Keys of a cluster or token: listing them, making them, and seeing that they arrived everywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hsmctl.domain.ckr import LOST
from hsmctl.domain.evidence import Failed, Ok, Outcome
from hsmctl.domain.key import Key, KeySpec, check_spec, text
from hsmctl.domain.key_offer import GENERATES, MAKES
from hsmctl.domain.sync import Inventory, Replica
from hsmctl.errors import Conflict, Denied, DeviceError, HsmctlError, Unreachable
from hsmctl.ports import Clock, Journal, Login, Tokens
from hsmctl.services.key_door import gone, offered, say_lost, share
from hsmctl.services.sync import SyncService


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The keys one replica showed, and which replica that was."""

    replica: Replica
    inventory: Inventory


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """New objects, and on which of the replicas they were seen afterwards."""

    keys: tuple[Key, ...]
    made_on: str
    seen_on: tuple[str, ...]
    missing_on: tuple[str, ...]
    """Replicas that were read and did not have them, or could not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyService:
    """Key operations on the replicas of one cluster or token."""

    clock: Clock
    tokens: Tokens
    login: Callable[[Replica], Login]
    sync: SyncService
    journal: Journal
    guard: Callable[[], str | None]
    """Raises Denied where the context refuses changes; returns why a protected one may be changed, for the journal."""

    def list(self, replicas: Sequence[Replica], *, seconds: float) -> Listing:
        """What the first replica that answers shows; to PKCS#11 a cluster is one token.

        A replica gets half of the time that is left, so that a frozen one does not use it up.

        Raises:
            Denied: one refused the login; the PIN is not tried on another.
            HsmctlError: none answered; the error is the last one's.
        """
        error: Exception = Conflict("no HSM to ask", "the cluster has none that is ACTIVE", "hsmctl hsm list")
        deadline = self.clock.monotonic() + seconds
        for place, replica in enumerate(replicas):
            until = self.clock.monotonic() + share(deadline, self.clock, len(replicas) - place - 1)
            outcome = self._read(replica, until)
            if isinstance(outcome, Ok):
                return Listing(replica=replica, inventory=outcome.value)
            error = outcome.error
            if isinstance(error, Denied):
                break
        raise error

    def _read(self, replica: Replica, deadline: float) -> Outcome[Inventory]:
        """What a replica shows; a lost session is opened once more, and said."""
        outcome = self._once(replica, deadline)
        error = _lost(outcome)
        if error is None:
            return outcome
        say_lost(replica, error)
        outcome = self._once(replica, deadline)
        error = _lost(outcome)
        return outcome if error is None else Failed(gone(replica, error))

    def _once(self, replica: Replica, deadline: float) -> Outcome[Inventory]:
        (reading,) = self.sync.readings([replica], seconds=max(0.0, deadline - self.clock.monotonic()))
        return reading.outcome

    def generate(
        self, replicas: Sequence[Replica], spec: KeySpec, *, seconds: float, allow_duplicate: bool = False
    ) -> Made:
        """Make a key on the first replica and look for it on all of them until `seconds` have passed.

        Raises:
            UsageError: CloudHSM makes no such key.
            Denied: the context refuses changes, or the token the login.
            Conflict: an object with this label exists already, or there is no replica.
        """
        check_spec(spec)
        break_glass = self.guard()
        if not replicas:
            raise Conflict("no HSM to make a key on", "the cluster has none that is ACTIVE", "hsmctl hsm list")
        login = self.login(replicas[0])
        deadline = self.clock.monotonic() + seconds
        for reading in self.sync.readings(replicas, seconds=seconds):
            if isinstance(reading.outcome, Ok) and not allow_duplicate:
                _check_new(spec, reading.outcome.value, reading.replica)
        place = {"on": replicas[0].name, "cluster_id": replicas[0].realm or None}
        self.journal.append("key-generate", {"spec": spec, **place, "break_glass": break_glass})
        keys = self._make(replicas[0], login, spec, deadline)
        made = self.seen(keys, replicas, seconds=deadline - self.clock.monotonic())
        self.journal.append("key-generated", {"label": spec.label, "seen_on": made.seen_on})
        return made

    def _make(self, replica: Replica, login: Login, spec: KeySpec, deadline: float) -> tuple[Key, ...]:
        """The new objects; the journal says whether there are any, or that nobody knows."""
        asked = False
        try:
            with self.tokens.open(replica, login, deadline) as token:
                asked = True
                with offered(token, f"{replica.name} makes no {spec.kind} key", MAKES[spec.kind], GENERATES):
                    return token.generate(spec)
        except HsmctlError as error:
            unknown = asked and isinstance(error, Unreachable)
            kind = "key-generate-unknown" if unknown else "key-not-generated"
            self.journal.append(kind, {"label": spec.label, "error": str(error)})
            if unknown:
                raise Unreachable(error.what, f"{error.why}; the key may have been made", "hsmctl key list") from error
            raise

    def seen(self, keys: tuple[Key, ...], replicas: Sequence[Replica], *, seconds: float) -> Made:
        """Look until every replica lists the new objects, the same material too, or so many seconds have passed.

        The objects are the first replica's, however they came there.
        """
        deadline = self.clock.monotonic() + seconds
        wanted = {(key.identity, key.material) for key in keys}
        while True:
            left = max(0.5, deadline - self.clock.monotonic())
            readings = list(self.sync.readings(replicas, seconds=left))
            seen = {
                reading.replica.name
                for reading in readings
                if isinstance(reading.outcome, Ok)
                and wanted <= {(key.identity, key.material) for key in reading.outcome.value.keys}
            }
            if len(seen) == len(replicas) or self.clock.monotonic() >= deadline:
                names = [replica.name for replica in replicas]
                return Made(
                    keys=keys,
                    made_on=replicas[0].name,
                    seen_on=tuple(name for name in names if name in seen),
                    missing_on=tuple(name for name in names if name not in seen),
                )
            self.clock.sleep(0.2)


def _lost(outcome: Outcome[Inventory]) -> DeviceError | None:
    """Why there is nothing, where the session was lost."""
    error = outcome.error if isinstance(outcome, Failed) else None
    return error if isinstance(error, DeviceError) and error.ckr in LOST else None


def _check_new(spec: KeySpec, inventory: Inventory, replica: Replica) -> None:
    """Refuse a label or id that is taken: PKCS#11 would make a second key nobody can tell from the first."""
    for key in inventory.keys:
        if key.identity.label == spec.label or key.identity.key_id == spec.key_id:
            taken = f"label {text(spec.label)!r}" if key.identity.label == spec.label else f"id {spec.key_id.hex()}"
            raise Conflict(f"{taken} is taken", f"{replica.name} has {key.algorithm} {key.identity}", "choose another")
