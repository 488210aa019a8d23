"""HSMs of a cluster: adding, removing, replacing them, and bringing their number to what it should be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from hsmctl.domain.cluster import Cluster, Hsm, check_may_create_hsm
from hsmctl.domain.hsm import adding, check_may_add, comparing, creating, named, removing, waiting
from hsmctl.domain.interlock import Interlock, Leaving, has_keys, there
from hsmctl.domain.plan import Action, Effect, Plan, Precondition, Step
from hsmctl.domain.scale import balanced, filled_zones, gap
from hsmctl.errors import Conflict, UsageError
from hsmctl.services.draft import Drafts
from hsmctl.services.interlock import Interlocks, Waivers

DOCUMENTED_MOST = 28
"""HSMs of a cluster (user guide, limits); what the service allows counts, so more are never refused here."""

KEEP_IP_LEAVES = 3
"""ACTIVE HSMs that must remain where an HSM is deleted before its successor exists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HsmService:
    """Plans about the HSMs of clusters; their playbook is the clusters'."""

    drafts: Drafts
    interlocks: Interlocks
    price: Decimal | None = None
    """USD per HSM and hour."""

    def plan_add(self, cluster: Cluster, zones: Sequence[str], waivers: Waivers) -> Plan:
        """New HSMs, one in each of `zones`, which may repeat, one after the other.

        Raises:
            Conflict: an HSM may not be created there now.
        """
        check_may_add(cluster, zones)
        steps = adding(cluster, zones, self._healthy(cluster, waivers))
        number = len(zones)
        title = f"add {number} {'HSM' if number == 1 else 'HSMs'} to {cluster.cluster_id}"
        return self._plan(title, cluster, steps, joining=number)

    def plan_remove(self, cluster: Cluster, names: Sequence[str], waivers: Waivers) -> Plan:
        """Delete these HSMs, named by id or address, one after the other.

        Raises:
            Conflict: the cluster has no such HSM.
        """
        hsms = [named(cluster, name) for name in dict.fromkeys(names)]
        keep = Counter(filled_zones(cluster))
        keep.subtract(hsm.zone for hsm in hsms)
        steps = self._removing(cluster, hsms, keep, {}, waivers)
        number = len(hsms)
        title = f"remove {number} {'HSM' if number == 1 else 'HSMs'} from {cluster.cluster_id}"
        return self._plan(title, cluster, steps, leaving=hsms)

    def plan_scale(self, cluster: Cluster, wanted: Mapping[str, int], waivers: Waivers) -> Plan:
        """Converge on these counts by zone: first what is missing is added, then what is too much removed.

        Raises:
            Conflict: the cluster is in a state in which HSMs neither come nor go, or it is there already.
        """
        between = gap(cluster, wanted, self.interlocks.last_counts(cluster) if has_keys(cluster) else {})
        if not between.add and not between.remove:
            where = " ".join(f"{zone[-1:]}:{count}" for zone, count in sorted(wanted.items()))
            raise Conflict(f"{cluster.cluster_id} is there already", where, f"hsmctl hsm list {cluster.cluster_id}")
        steps: tuple[Step, ...] = ()
        if between.add:
            check_may_add(cluster, between.add)
            steps = adding(cluster, between.add, self._healthy(cluster, waivers))
        if between.add and between.remove:
            steps = (*steps, comparing(cluster))
        joining = Counter(between.add)
        steps = (*steps, *self._removing(cluster, between.remove, wanted, joining, waivers))
        title = f"scale {cluster.cluster_id} from {len(there(cluster))} to {sum(wanted.values())} HSMs"
        return self._plan(title, cluster, steps, joining=len(between.add), leaving=between.remove)

    def plan_scale_to(self, cluster: Cluster, total: int, waivers: Waivers) -> Plan:
        """Converge on this many HSMs, in the zones as equally as can be; see `plan_scale`."""
        return self.plan_scale(cluster, balanced(cluster, total), waivers)

    def plan_replace(self, cluster: Cluster, name: str, waivers: Waivers, *, keep_ip: bool) -> Plan:
        """Put a new HSM in the place of another: add, wait, compare, delete; with `keep_ip` delete, then add there.

        Raises:
            Conflict: the cluster has no such HSM, or too few would remain while the address is free.
        """
        hsm = named(cluster, name)
        check_may_create_hsm(cluster, hsm.zone)
        steps = self._in_place(cluster, hsm, waivers) if keep_ip else self._beside(cluster, hsm, waivers)
        at = f" at {hsm.address}" if keep_ip else ""
        return self._plan(f"replace {hsm.hsm_id} of {cluster.cluster_id}{at}", cluster, steps, leaving=[hsm], joining=1)

    def _beside(self, cluster: Cluster, hsm: Hsm, waivers: Waivers) -> tuple[Step, ...]:
        zone, joining = hsm.zone, {hsm.zone: 1}
        # The sick HSM is why it is replaced: only others that are sick stand in the way of its successor.
        healthy = self._healthy(cluster, waivers, frozenset({hsm.hsm_id}))
        return (
            *adding(cluster, [zone], healthy),
            comparing(cluster),
            *self._removing(cluster, [hsm], filled_zones(cluster), joining, waivers),
        )

    def _in_place(self, cluster: Cluster, hsm: Hsm, waivers: Waivers) -> tuple[Step, ...]:
        remaining = [each for each in cluster.active_hsms if each.hsm_id != hsm.hsm_id]
        if len(remaining) < KEEP_IP_LEAVES:
            raise Conflict(
                f"{hsm.hsm_id} cannot keep its address",
                f"it is deleted first, and {len(remaining)} ACTIVE HSMs would remain of {KEEP_IP_LEAVES} needed",
                "replace it without --keep-ip, or add an HSM first",
            )
        if not hsm.address:
            raise Conflict(f"{hsm.hsm_id} has no IPv4 address", "there is nothing to keep", "leave out --keep-ip")
        keep = Counter(filled_zones(cluster))
        keep[hsm.zone] -= 1
        wanted = keep[hsm.zone] + 1
        return (
            *self._removing(cluster, [hsm], keep, {}, waivers),
            creating(cluster, hsm.zone, wanted, "hsm_0", (), hsm.address),
            waiting(hsm.zone, wanted, "hsm_0"),
        )

    def _removing(
        self,
        cluster: Cluster,
        hsms: Sequence[Hsm],
        keep: Mapping[str, int],
        joining: Mapping[str, int],
        waivers: Waivers,
    ) -> tuple[Step, ...]:
        """Steps that delete these, each behind its interlocks, and after the last HSM of all its backup."""
        if not hsms:
            return ()
        leaving = Leaving(hsm_ids=frozenset(hsm.hsm_id for hsm in hsms), keep=dict(keep), joining=dict(joining))
        before = self.interlocks.before_removal(cluster, leaving, waivers)
        to_nothing = not sum(keep.values()) and has_keys(cluster)
        steps = removing(cluster, hsms, before, joining, to_nothing=to_nothing)
        return (*steps, backing_up(cluster)) if to_nothing else steps

    def _healthy(
        self, cluster: Cluster, waivers: Waivers, leaving: frozenset[str] = frozenset()
    ) -> tuple[Precondition, ...]:
        return self.interlocks.before_all(cluster, Interlock.HEALTHY, waivers=waivers, leaving=leaving)

    def _plan(
        self, title: str, cluster: Cluster, steps: tuple[Step, ...], *, joining: int = 0, leaving: Sequence[Hsm] = ()
    ) -> Plan:
        about = self.interlocks.before_all(cluster, Interlock.HOLD, waivers={}) if leaving else ()
        total = len(there(cluster)) + joining
        warnings = []
        if joining and total > DOCUMENTED_MOST:
            warnings.append(f"AWS documents {DOCUMENTED_MOST} HSMs at most for a cluster; the service decides")
        if leaving and not total - len(leaving) and has_keys(cluster):
            warnings.append("without HSMs nothing can use the keys; cluster scale brings them back from the backup")
        return self.drafts.plan(
            title, cluster, steps, about, warnings=tuple(warnings), cost=self._cost(joining - len(leaving))
        )

    def _cost(self, more: int) -> str:
        """What a change in the number of HSMs costs."""
        if self.price is None or not more:
            return ""
        return f"{more * self.price:+.2f} USD per hour"


def wanted_counts(cluster: Cluster, total: int | None, each: int | None) -> Mapping[str, int]:
    """The counts by zone that `--to` or `--per-az` ask for.

    Raises:
        UsageError: neither is given, or both.
    """
    if (total is None) == (each is None):
        raise UsageError("cluster scale", "either --to or --per-az says how many", "--to 4")
    if each is not None:
        return dict.fromkeys(cluster.subnets, each)
    return balanced(cluster, total or 0)


def backing_up(cluster: Cluster) -> Step:
    """Wait for the backup that CloudHSM takes when an HSM leaves, and record which it is."""
    return Step(
        action=Action.WAIT_BACKUP,
        says="wait until the new backup is READY, and record it",
        effect=Effect.WAIT,
        inputs={"cluster": cluster.cluster_id},
        permissions=("cloudhsm:DescribeBackups",),
    )
