"""What must hold before something is taken from a cluster, each with how it is known and the way out.

An interlock is judged over what was seen, when a change is planned and again at the moment of each removal. What
could not be read is unknown, and unknown refuses. Sources: user guide (custom key stores, backups, HSM metrics),
KMS developer guide (a store needs two ACTIVE HSMs in two zones).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from hsmctl.domain.cluster import Backup, BackupState, Cluster, ClusterState, Hsm, HsmState
from hsmctl.domain.evidence import Failed, Grade, Outcome
from hsmctl.domain.hold import Hold
from hsmctl.domain.plan import Precondition

MOST_FRESH = timedelta(hours=26)
"""How old the newest backup may be: they are taken at least every 24 hours (user guide, backups)."""

MIGRATION_LIMIT = 27
"""HSMs a cluster may have when its type is changed (user guide, hsm1-to-hsm2-migration)."""


class Interlock(StrEnum):
    """Each of them; the word is the key of its precondition."""

    SETTLED = "settled"
    HOLD = "hold"
    KEY_STORE = "key-store"
    COUNTS = "counts"
    RICHEST = "richest"
    SIZE = "size"
    ZONES = "zones"
    BACKUP = "backup"
    CUSTOMER_CA = "customer-ca"
    HEALTHY = "healthy"
    RESTORABLE = "restorable"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyStore:
    """A KMS custom key store that is linked to a cluster."""

    store_id: str
    name: str
    cluster_id: str
    state: str
    """Its connection, in lower case: connected, disconnected, failed, ..."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of a metric."""

    at: datetime
    value: float


Samples = Mapping[str, Sequence[Sample]]
"""The values of a metric by HSM; an HSM without any is missing or empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """What a plan takes from a cluster."""

    hsm_ids: frozenset[str]
    keep: Mapping[str, int]
    """By zone, how many HSMs are to be left there. An HSM that is replaced meanwhile has another id, so ids alone
    would not do."""
    joining: Mapping[str, int] = field(default_factory=dict)
    """By zone, how many join before the first leaves; it counts when the change is planned."""

    @property
    def inputs(self) -> dict[str, str]:
        """What the interlocks of a step keep of it: by then, those that join have joined."""
        keep = " ".join(f"{zone}={count}" for zone, count in sorted(self.keep.items()))
        return {"leaving": " ".join(sorted(self.hsm_ids)), "keep": keep}

    def left(self, cluster: Cluster) -> Mapping[str, int]:
        """By zone, how many ACTIVE HSMs remain."""
        left = {}
        for zone, hsms in cluster.hsms_by_zone().items():
            staying = [hsm for hsm in hsms if hsm.state is HsmState.ACTIVE and hsm.hsm_id not in self.hsm_ids]
            count = len(staying) + self.joining.get(zone, 0)
            left[zone] = min(count, self.keep.get(zone, count))
        return left


def leaving_of(inputs: Mapping[str, str]) -> Leaving:
    """What a step takes, from the inputs of its interlocks."""
    pairs = (pair.rpartition("=") for pair in inputs.get("keep", "").split())
    keep = {zone: int(count) for zone, _, count in pairs}
    return Leaving(hsm_ids=frozenset(inputs.get("leaving", "").split()), keep=keep)


def settled(cluster: Cluster) -> Precondition:
    """Nobody joins or leaves."""
    moving = [hsm for hsm in cluster.hsms if hsm.state in (HsmState.CREATE_IN_PROGRESS, HsmState.DELETE_IN_PROGRESS)]
    return Precondition(
        key=Interlock.SETTLED,
        what="nobody joins or leaves",
        holds=not moving,
        why=", ".join(f"{hsm.hsm_id} is {hsm.state}" for hsm in moving),
        way_out=f"hsmctl hsm wait {cluster.cluster_id}",
    )


def no_hold(cluster_id: str, hold: Outcome[Hold | None]) -> Precondition:
    """No hold lies on the cluster."""
    base = Precondition(
        key=Interlock.HOLD,
        what="no hold lies on the cluster",
        holds=False,
        way_out=f"hsmctl sync hold release {cluster_id} --reason TEXT",
    )
    if isinstance(hold, Failed):
        return _unknown(base, hold)
    if hold.value is None:
        return replace(base, holds=True, why="none on this machine")
    return replace(base, why=f"{hold.value.set_by} since {hold.value.set_at:%Y-%m-%d %H:%M}: {hold.value.reason}")


def no_key_store(cluster: Cluster, leaving: Leaving, stores: Outcome[Sequence[KeyStore]]) -> Precondition:
    """No KMS key store is linked, or two ACTIVE HSMs in two zones remain for it."""
    left = {zone: count for zone, count in leaving.left(cluster).items() if count}
    base = Precondition(
        key=Interlock.KEY_STORE,
        what="no KMS key store needs what leaves",
        holds=False,
        inputs=leaving.inputs,
        way_out="keep two ACTIVE HSMs in two zones, or delete the key store",
    )
    if isinstance(stores, Failed):
        unread = _unknown(base, stores)
        return replace(unread, way_out="have kms:DescribeCustomKeyStores allowed: hsmctl iam policy scaler")
    linked = [store for store in stores.value if store.cluster_id == cluster.cluster_id]
    named = ", ".join(f"{store.name} is linked and {store.state}" for store in linked)
    if not linked or (sum(left.values()) >= 2 and len(left) >= 2):
        return replace(base, holds=True, why=named or "none is linked")
    return replace(base, why=f"{named}; {sum(left.values())} ACTIVE in {len(left)} zones would remain")


def equal_counts(active: Collection[str], samples: Outcome[Samples], span: timedelta) -> Precondition:
    """All ACTIVE HSMs have reported the same number of token keys for a while."""
    base = Precondition(
        key=Interlock.COUNTS,
        what="all ACTIVE HSMs hold equally many token keys",
        holds=False,
        grade=Grade.INFERRED,
        way_out="hsmctl sync check, wait for the service to replicate, or --allow-unequal REASON",
        waiver="--allow-unequal",
    )
    if len(active) < 2:
        return replace(base, holds=True, why="there is nothing to compare")
    if isinstance(samples, Failed):
        return _unknown(base, samples)
    return _compared(base, active, samples.value, span)


def not_richest(cluster: Cluster, leaving: Leaving, samples: Outcome[Samples]) -> Precondition:
    """What leaves does not hold more token keys than anything that stays: it would be the last copy of some.

    Only where nobody could count may it be waived: what is seen to be the last copy is not removed for any reason.
    """
    base = Precondition(
        key=Interlock.RICHEST,
        what="no HSM leaves that holds more token keys than any that stays",
        holds=False,
        grade=Grade.INFERRED,
        inputs=leaving.inputs,
        way_out="remove another one first: hsmctl hsm list",
    )
    stays = staying(cluster, leaving.hsm_ids)
    if not stays:
        return replace(base, holds=True, why="none stays")
    uncounted = replace(base, waiver="--allow-unequal")
    if isinstance(samples, Failed):
        return _unknown(uncounted, samples)
    last = {name: values[-1].value for name, values in samples.value.items() if values}
    goes = sorted(hsm.hsm_id for hsm in there(cluster) if hsm.hsm_id in leaving.hsm_ids)
    unseen = [name for name in (*goes, *stays) if name not in last]
    if unseen:
        return replace(uncounted, unknown=True, why=f"unknown: CloudWatch has no count of {', '.join(unseen)}")
    most = max(last[name] for name in stays)
    richer = [f"{name} holds {last[name]:.0f}" for name in goes if last[name] > most]
    return replace(base, holds=not richer, why=f"{', '.join(richer)}, the others {most:.0f}" if richer else "")


def enough_left(cluster: Cluster, leaving: Leaving) -> Precondition:
    """Two ACTIVE HSMs remain."""
    count = sum(leaving.left(cluster).values())
    return Precondition(
        key=Interlock.SIZE,
        what="two ACTIVE HSMs remain",
        holds=count >= 2,
        inputs=leaving.inputs,
        why=f"{count} would" if count < 2 else f"{count} do",
        way_out="--allow-outage REASON",
        waiver="--allow-outage",
    )


def zones_left(cluster: Cluster, leaving: Leaving) -> Precondition:
    """What remains stands in two zones; where it stands in one already, that is no reason."""
    before = len({hsm.zone for hsm in cluster.active_hsms})
    after = sum(1 for count in leaving.left(cluster).values() if count)
    return Precondition(
        key=Interlock.ZONES,
        what="they stand in two zones",
        holds=after >= min(2, before) or after == 0,
        inputs=leaving.inputs,
        why=f"{after} of {before} would remain" if after < before else f"in {after}",
        way_out="--allow-single-az REASON",
        waiver="--allow-single-az",
    )


def recent_backup(cluster: Cluster, backups: Outcome[Sequence[Backup]], now: datetime) -> Precondition:
    """A READY backup of the cluster is fresh: without HSMs it is all there is."""
    base = Precondition(
        key=Interlock.BACKUP,
        what=f"a READY backup is younger than {MOST_FRESH.total_seconds() / 3600:.0f} h",
        holds=False,
        way_out=f"hsmctl backup list {cluster.cluster_id}: one is taken every 24 h; or --allow-old-backup REASON",
        waiver="--allow-old-backup",
    )
    if isinstance(backups, Failed):
        return _unknown(base, backups)
    newest = newest_ready(backups.value, cluster.cluster_id)
    if newest is None or newest.created is None:
        return replace(base, why="there is none")
    fresh = now - newest.created <= MOST_FRESH
    return replace(base, holds=fresh, why=f"{newest.backup_id} of {newest.created:%Y-%m-%d %H:%M} UTC")


def restorable(cluster: Cluster, backups: Outcome[Sequence[Backup]]) -> Precondition:
    """A READY backup of the cluster exists, however old: with the cluster its keys are not all gone."""
    base = Precondition(
        key=Interlock.RESTORABLE,
        what="a READY backup of the cluster exists",
        holds=False,
        way_out="--allow-no-backup REASON, if its keys are to be gone for good",
        waiver="--allow-no-backup",
    )
    if isinstance(backups, Failed):
        return _unknown(base, backups)
    newest = newest_ready(backups.value, cluster.cluster_id)
    if newest is None:
        return replace(base, why="there is none")
    return replace(base, holds=True, why=f"{newest.backup_id} of {newest.created:%Y-%m-%d %H:%M} UTC")


def ca_located(found: Outcome[str]) -> Precondition:
    """The customer CA is where the context says: clients of a restored cluster need the same."""
    base = Precondition(
        key=Interlock.CUSTOMER_CA,
        what="the customer CA's certificate is at hand",
        holds=False,
        grade=Grade.PROVED,
        way_out="name its file as customer_ca in the context: clients of a restored cluster need it",
    )
    return _unknown(base, found) if isinstance(found, Failed) else replace(base, holds=True, why=found.value)


def healthy(cluster: Cluster, leaving: Leaving, unhealthy: Outcome[frozenset[str]]) -> Precondition:
    """No HSM that stays is DEGRADED or unhealthy: CloudHSM replaces such a one itself, which would be one too many."""
    stays = [hsm for hsm in cluster.hsms if hsm.hsm_id not in leaving.hsm_ids]
    sick = [f"{hsm.hsm_id} is degraded" for hsm in stays if hsm.state is HsmState.DEGRADED]
    base = Precondition(
        key=Interlock.HEALTHY,
        what="no HSM is degraded or unhealthy",
        holds=not sick,
        inputs=leaving.inputs,
        way_out="wait for CloudHSM to replace it, or --allow-degraded REASON",
        waiver="--allow-degraded",
    )
    if isinstance(unhealthy, Failed):
        # A sick HSM shows in its state too; that CloudWatch could not be read is said and stops nobody.
        return replace(base, why="; ".join((*sick, f"CloudWatch was not read: {unhealthy.error.why}")))
    names = unhealthy.value & {hsm.hsm_id for hsm in stays}
    sick += [f"CloudWatch calls {name} unhealthy" for name in sorted(names)]
    return replace(base, holds=not sick, why=", ".join(sick))


def newest_ready(backups: Sequence[Backup], cluster_id: str) -> Backup | None:
    """The cluster's newest READY backup."""
    ready = [each for each in backups if each.cluster_id == cluster_id and each.state is BackupState.READY]
    return max(ready, key=lambda backup: str(backup.created), default=None)


def has_keys(cluster: Cluster) -> bool:
    """Whether keys may be in it: before activation nobody can make any."""
    before = (ClusterState.CREATE_IN_PROGRESS, ClusterState.UNINITIALIZED, ClusterState.INITIALIZE_IN_PROGRESS)
    return cluster.state not in (*before, ClusterState.INITIALIZED)


def staying(cluster: Cluster, leaving: Collection[str]) -> tuple[str, ...]:
    """The HSMs that are ACTIVE and do not leave."""
    return tuple(hsm.hsm_id for hsm in cluster.active_hsms if hsm.hsm_id not in leaving)


def there(cluster: Cluster, zone: str | None = None) -> tuple[Hsm, ...]:
    """The HSMs that are there or on their way, in the zone if one is named."""
    leaving = (HsmState.DELETED, HsmState.DELETE_IN_PROGRESS)
    return tuple(hsm for hsm in cluster.hsms if hsm.state not in leaving and zone in (None, hsm.zone))


def _compared(base: Precondition, active: Collection[str], samples: Samples, span: timedelta) -> Precondition:
    unseen = sorted(name for name in active if not samples.get(name))
    if unseen:
        return replace(base, unknown=True, why=f"unknown: CloudWatch has no count of {', '.join(unseen)}")
    moments: dict[datetime, set[float]] = {}
    for name in active:
        for sample in samples[name]:
            moments.setdefault(sample.at, set()).add(sample.value)
    apart = max((at for at, values in moments.items() if len(values) > 1), default=None)
    last = {name: samples[name][-1].value for name in sorted(active)}
    if apart is None and len(set(last.values())) == 1:
        return replace(base, holds=True, why=f"{next(iter(last.values())):.0f} each, for {_minutes(span)}")
    counts = ", ".join(f"{name} {count:.0f}" for name, count in last.items())
    return replace(base, why=f"they differed within {_minutes(span)}: {counts}")


def _minutes(span: timedelta) -> str:
    return f"{span.total_seconds() / 60:.0f} min"


def _unknown(base: Precondition, failed: Failed) -> Precondition:
    return replace(base, holds=False, unknown=True, why=f"unknown: {failed.error}")
