"""Finding things out: every question to the services is asked here, on threads, and its answer becomes an Estate.

It runs on the event loop and touches no widget; whoever it publishes to redraws. Answers never blank what was there:
they replace it when they come.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from hsmctl.bootstrap import Hsmctl
from hsmctl.errors import Conflict, HsmctlError
from hsmctl.settings import ContextKind

from .arming import Arming
from .estate import Estate
from .offload import call, stream

if TYPE_CHECKING:
    from hsmctl.domain.cluster import Backup, Cluster
    from hsmctl.domain.event import Event
    from hsmctl.domain.operation import Operation
    from hsmctl.domain.plan import Plan
    from hsmctl.domain.status import Standing
    from hsmctl.domain.sync import Replica
    from hsmctl.services.key import Listing

    from .check import Check
    from .running import Run

LISTING_SECONDS = 20.0
"""How long a replica may take to list its keys."""
KEYS_SECONDS = 180.0
"""How long a listing may take, with the time an operator needs to type a password."""
STAND_SECONDS = 20.0
"""How long the sources of a cluster's standing may take; what is silent then is unknown."""
STAND_EVERY = timedelta(minutes=5)
"""How old a standing may become before it is asked anew by itself."""
CHECK_EVERY = timedelta(seconds=60)
"""How old a lab's check may become before it is made again by itself."""


class Survey:
    """Asks the services of one context and keeps what they said."""

    def __init__(self, hsmctl: Hsmctl, publish: Callable[[Estate], None]) -> None:
        self.hsmctl = hsmctl
        self.arming = Arming(hsmctl)
        context = hsmctl.context
        self.estate = Estate(account=context.account_id or "", region=context.region or "")
        self._publish = publish
        self._standing = False

    @property
    def lab(self) -> bool:
        """Whether everything seen is emulated."""
        return self.hsmctl.context.kind is ContextKind.LAB

    async def look(self) -> None:
        """Ask AWS who we are and what clusters there are, and this machine which of them are held."""
        if self.estate.reading:
            return
        self._know(self.estate._replace(reading=True))
        try:
            await self._read_clusters()
            await self.read_holds()
        finally:
            self._know(self.estate._replace(reading=False))

    async def stand(self, *, afresh: bool = False) -> None:
        """Ask every other source how the clusters stand, now and then: CloudWatch's answers cost money."""
        now, then = self.hsmctl.clock.now(), self.estate.stood_at
        old = then is None or now - then >= STAND_EVERY or self.estate.standings.keys() != self._known()
        if self._standing or not (old or afresh) or not self.estate.clusters:
            return
        self._standing = True
        try:
            found = await call(partial(_stand, self.hsmctl), seconds=STAND_SECONDS + 10.0)
            standings = {each.cluster.cluster_id: each for each in found}
            self._know(self.estate._replace(standings=standings, unstanding=None))
        except HsmctlError as error:
            self._know(self.estate._replace(unstanding=error))
        finally:
            self._standing = False
            self._know(self.estate._replace(stood_at=now))

    def _known(self) -> set[str]:
        return {cluster.cluster_id for cluster in self.estate.clusters or ()}

    async def _read_clusters(self) -> None:
        try:
            account, region, clusters = await call(self._describe)
            known = self.estate._replace(account=account, region=region, clusters=clusters, error=None)
            self._know(known._replace(read_at=self.hsmctl.clock.now()))
        except HsmctlError as error:
            self._know(self.estate._replace(error=error))

    async def read_holds(self) -> None:
        """Read on which clusters nothing may be removed, from this machine."""
        try:
            found = await call(self.hsmctl.hold.all)
            self._know(self.estate._replace(holds={hold.cluster_id: hold for hold in found}, unheld=None))
        except HsmctlError as error:
            self._know(self.estate._replace(unheld=error))

    @property
    def by_coverage(self) -> bool:
        """Whether clusters are asked about themselves: a real one is one replica to its clients.

        The rule of `sync check`: not where the context has tokens, each of which can be asked by itself.
        """
        context = self.hsmctl.context
        return not self.lab and not context.tokens and bool(context.clients or context.clusters)

    async def check(self, cluster: Cluster) -> None:
        """Compare the cluster's replicas, or have it tell about itself; readings show as they come."""
        check = self.estate.check(cluster)
        if check.running:
            return
        check = replace(check, running=True)
        self._keep(cluster, check)
        try:
            async for grown in self._checked(cluster, check):
                check = grown
                self._keep(cluster, check)
            check = replace(check, error=None)
        except HsmctlError as error:
            check = replace(check, error=error)
        finally:
            self._keep(cluster, replace(check, awaited=frozenset(), running=False, ended=self.hsmctl.clock.now()))

    async def _checked(self, cluster: Cluster, check: Check) -> AsyncIterator[Check]:
        if self.by_coverage:
            from .covering import covered

            yield await covered(self.hsmctl, cluster, check)
            return
        from .checking import checked

        async for grown in checked(self.hsmctl, self._replicas(cluster), check):
            yield grown

    @property
    def ended(self) -> int:
        """How many changes of this session have ended."""
        return sum(not run.running for run in self.estate.runs)

    async def apply(self, plan: Plan) -> Run:
        """Carry out a plan; what happens shows as it comes. How it ended."""
        facade = self.hsmctl
        return await self._run(plan, lambda: facade.operations.apply(plan, facade.playbook(plan.noun)))

    async def resume(self, operation: Operation) -> Run:
        """Go on with an operation that was cut off, and that was confirmed anew. How it ended."""
        facade, plan = self.hsmctl, operation.plan
        from hsmctl.domain.operation import StepState

        done = sum(each.state is StepState.DONE for each in operation.steps)
        return await self._run(
            plan,
            lambda: facade.operations.resume(operation.operation_id, facade.playbook(plan.noun), confirmed=True),
            done,
        )

    async def _run(self, plan: Plan, events: Callable[[], Iterator[Event]], done: int = 0) -> Run:
        from .running import Run, after, failed

        clock = self.hsmctl.clock
        run = Run(plan=plan, began=clock.now(), done=done)
        place = len(self.estate.runs)
        self._know(self.estate._replace(runs=(*self.estate.runs, run)))
        try:
            async for batch in stream(events):
                for event in batch:
                    run = after(run, event, clock.now())
                self._know(self.estate._replace(runs=_put(self.estate.runs, place, run)))
        except HsmctlError as error:
            run = failed(run, error, clock.now())
            self._know(self.estate._replace(runs=_put(self.estate.runs, place, run)))
        finally:
            if not any(each.running for each in self.estate.runs):
                self.hsmctl.answers.forget()
        return run

    def due(self) -> tuple[Cluster, ...]:
        """The clusters whose check should be made by itself now: in the lab, where reading attributes uses no key."""
        return tuple(cluster for cluster in self.estate.clusters or () if self.lab and self._is_due(cluster))

    async def backups(self, cluster: Cluster) -> tuple[Backup, ...]:
        """The cluster's backups, newest first.

        Raises:
            HsmctlError: AWS did not say.
        """
        return await call(lambda: self.hsmctl.cluster.backups(cluster.cluster_id))

    async def keys(self, cluster: Cluster) -> Listing:
        """The keys one replica of the cluster shows.

        Raises:
            HsmctlError: none answered.
        """
        replicas = self._replicas(cluster)
        return await call(lambda: self.hsmctl.key.list(replicas, seconds=LISTING_SECONDS), seconds=KEYS_SECONDS)

    def _describe(self) -> tuple[str, str, tuple[Cluster, ...]]:
        """Everything one look asks; the caller comes first, because a wrong account must not be shown as ours."""
        service = self.hsmctl.cluster
        account = service.identity.caller().account
        return account, service.plane.region, service.list(self.hsmctl.context.clusters)

    def _replicas(self, cluster: Cluster) -> tuple[Replica, ...]:
        """Where the cluster's keys can be asked.

        Raises:
            Conflict: nowhere.
            UsageError: the context does not say where.
        """
        replicas = self.hsmctl.replicas(cluster)
        if not replicas:
            raise Conflict("no HSM to ask", "the cluster has none that is active", "hsmctl hsm list")
        return replicas

    def _is_due(self, cluster: Cluster) -> bool:
        from hsmctl.domain.status_cluster import RUNNING

        check = self.estate.check(cluster)
        if cluster.state not in RUNNING or check.running or check.denied:
            return False
        old = check.ended is None or self.hsmctl.clock.now() - check.ended >= CHECK_EVERY
        return old or check.replicas != self.hsmctl.replicas(cluster)

    def _know(self, estate: Estate) -> None:
        self.estate = estate
        self._publish(estate)

    def _keep(self, cluster: Cluster, check: Check) -> None:
        self._know(self.estate._replace(checks={**self.estate.checks, cluster.cluster_id: check}))


def _stand(hsmctl: Hsmctl) -> tuple[Standing, ...]:
    """How every cluster stands; work for a thread."""
    from hsmctl.services.status import StatusWish

    return hsmctl.status.look(StatusWish(seconds=STAND_SECONDS))


def _put(runs: tuple[Run, ...], place: int, run: Run) -> tuple[Run, ...]:
    return (*runs[:place], run, *runs[place + 1 :])
