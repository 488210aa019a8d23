"""What must hold on a client host before a user, a quorum or a policy is written.

A host speaks only of the HSMs it is connected to, and what it writes reaches only those. So it must be connected to
every ACTIVE HSM, its configuration must name exactly the HSMs AWS knows, and none may be joining or leaving: a joining
HSM gets the users of a snapshot and would lose the change (measured, and never healed).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from hsmctl.domain.cluster import Cluster, HsmState
from hsmctl.domain.operation import Found
from hsmctl.domain.plan import Precondition
from hsmctl.domain.quorum import check_enough_left, largest
from hsmctl.domain.user import ADMIN_NAME, KMS_USER, check_may_touch
from hsmctl.errors import Conflict, Denied, HsmctlError, Unreachable
from hsmctl.ports_cli import Console
from hsmctl.ports_interlock import KeyStores
from hsmctl.services.console import ConsoleService
from hsmctl.services.operation import Reader
from hsmctl.words import counted

CONNECTED = "every-hsm-connected"
CONFIGURED = "addresses-configured"
SETTLED = "nobody-moves"
TOUCHABLE = "user-touchable"
APPROVERS = "approvers-left"
APPROVED = "approvals-asked"
_MOVING = (HsmState.CREATE_IN_PROGRESS, HsmState.DELETE_IN_PROGRESS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a change gets to a cluster."""

    cluster_id: str
    host: str = ""
    """The client host; empty takes the first that answers."""
    admin: str = ADMIN_NAME
    """Who logs in."""
    admin_key: str = ""
    """The private key of their second factor, where they have one."""
    bundle: str = ""
    """Where approval is asked for, if it is needed."""

    @property
    def inputs(self) -> dict[str, str]:
        """The same for a step of a plan."""
        return {
            "cluster_id": self.cluster_id,
            "host": self.host,
            "admin": self.admin,
            "admin_key": self.admin_key,
            "bundle": self.bundle,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Asks:
    """What a change touches, for what must hold before it."""

    user: str = ""
    """The user it changes."""
    loses: str = ""
    """The user who may be no approver afterwards."""
    service: str = ""
    """The quorum service that guards it."""

    @property
    def inputs(self) -> dict[str, str]:
        """The same for a precondition."""
        return {"user": self.user, "loses": self.loses, "service": self.service}


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Looks at a client host and its cluster before a write, and again before each step."""

    console: ConsoleService
    cluster: Callable[[str], Cluster]

    key_stores: Callable[[], KeyStores]
    """KMS key stores, whose user is nobody else's business; asked only where a user might be theirs."""

    def preconditions(self, way: Way, asks: Asks) -> tuple[Precondition, ...]:
        """What must hold before a write, as it is now; each can be read again."""
        inputs = {"cluster_id": way.cluster_id, "host": way.host, "bundle": way.bundle, **asks.inputs}
        with self.console.open(way.cluster_id, way.host or None) as console:
            inputs["host"] = console.host
            base = Precondition(what="", holds=False, inputs=inputs)
            return tuple(self._read(replace(base, key=key), console) for key in self._wanted(asks))

    @property
    def readers(self) -> Mapping[str, Reader]:
        """How each precondition is looked at again, by itself."""

        def alone(precondition: Precondition, found: Found) -> Precondition:
            with self.looking() as readers:
                return readers[precondition.key](precondition, found)

        return dict.fromkeys((*_READERS, TOUCHABLE), alone)

    @contextmanager
    def looking(self) -> Iterator[Mapping[str, Reader]]:
        """How they are all looked at again at one moment, in one conversation with each client host."""
        opened: dict[tuple[str, str], Console] = {}
        with ExitStack() as stack:

            def look(precondition: Precondition, _: Found) -> Precondition:
                place = precondition.inputs["cluster_id"], precondition.inputs["host"]
                if place not in opened:
                    opened[place] = stack.enter_context(self.console.open(*place))
                return self._read(precondition, opened[place])

            yield dict.fromkeys((*_READERS, TOUCHABLE), look)

    def _wanted(self, asks: Asks) -> Iterator[str]:
        """The preconditions of a change."""
        yield from (CONNECTED, CONFIGURED, SETTLED)
        if asks.user:
            yield TOUCHABLE
        if asks.loses:
            yield APPROVERS
        if asks.service:
            yield APPROVED

    def _read(self, precondition: Precondition, console: Console) -> Precondition:
        if precondition.key == TOUCHABLE:
            return self._touchable(precondition)
        return _READERS[precondition.key](precondition, self.cluster(precondition.inputs["cluster_id"]), console)

    def _touchable(self, precondition: Precondition) -> Precondition:
        """Whether the user is nobody else's."""
        name = precondition.inputs["user"]
        found = replace(precondition, what=f"{name} is nobody else's user", holds=True)
        try:
            check_may_touch(name, key_store=self._key_store(precondition.inputs["cluster_id"], name))
        except Denied as error:
            return replace(found, holds=False, why=error.why, way_out=error.hint)
        return found

    def _key_store(self, cluster_id: str, name: str) -> str | None:
        """The KMS key store, where the user might be its; None where there is none, empty where nobody can tell."""
        if name != KMS_USER:
            return None
        try:
            return next((store.name for store in self.key_stores().all() if store.cluster_id == cluster_id), None)
        except (Denied, Unreachable):
            return ""


def _approvers(precondition: Precondition, _: Cluster, console: Console) -> Precondition:
    """Whether enough approvers are left."""
    name, values = precondition.inputs["loses"], console.quorum()[0]
    what = f"{largest(values) + 1} approvers are left without {name}" if largest(values) else "no quorum is asked for"
    try:
        check_enough_left(console.users(), values, name, doing="this")
    except Conflict as error:
        return replace(precondition, what=what, holds=False, why=f"{error.what}: {error.why}", way_out=error.hint)
    return replace(precondition, what=what, holds=True)


def _approved(precondition: Precondition, _: Cluster, console: Console) -> Precondition:
    """Whether approvals can be asked for, where they are needed."""
    needed, bundle = console.quorum()[0].get(precondition.inputs["service"]) or 0, precondition.inputs["bundle"]
    return replace(
        precondition,
        what=f"{counted(needed, 'approval')} can be asked for" if needed else "no approval is needed",
        holds=not needed or bool(bundle),
        why=f"in {bundle}" if needed and bundle else "" if not needed else "nobody said where the bundle goes",
        way_out="--bundle FILE, and have FILE signed: hsmctl quorum sign FILE",
    )


def _connected(precondition: Precondition, cluster: Cluster, console: Console) -> Precondition:
    """Whether the host is connected to every ACTIVE HSM."""
    try:
        seen, why = len(console.hsms()), ""
    except HsmctlError as error:
        seen, why = -1, str(error)
    return replace(
        precondition,
        what=f"{console.host} is connected to all {len(cluster.active_hsms)} ACTIVE HSMs",
        holds=seen == len(cluster.active_hsms),
        why=why or f"hsm-info counts {seen}",
        way_out=f"hsmctl net probe --client {console.host}; hsmctl client check {console.host}",
    )


def _configured(precondition: Precondition, cluster: Cluster, console: Console) -> Precondition:
    """Whether the host's configuration names exactly the HSMs there are."""
    entry = console.configuration().of(cluster.cluster_id)
    have = set(entry.addresses) if entry else set()
    want = {address for hsm in cluster.hsms for address in (hsm.address, hsm.address6) if address}
    named = {hsm.hsm_id for hsm in cluster.hsms if {hsm.address, hsm.address6} & have}
    stale, lacking = sorted(have - want), [hsm.hsm_id for hsm in cluster.hsms if hsm.hsm_id not in named]
    said = [f"{', '.join(stale)} no longer exist" if stale else "", f"{', '.join(lacking)} missing" if lacking else ""]
    return replace(
        precondition,
        what=f"the configuration on {console.host} names the cluster's HSMs and no others",
        holds=not stale and not lacking,
        why="; ".join(filter(None, said)) or f"{len(have)} addresses",
        way_out=f"hsmctl client configure {console.host}",
    )


def _settled(precondition: Precondition, cluster: Cluster, _: Console) -> Precondition:
    """Whether no HSM is joining or leaving."""
    moving = [f"{hsm.hsm_id} is {hsm.state}" for hsm in cluster.hsms if hsm.state in _MOVING]
    return replace(
        precondition,
        what="no HSM is joining or leaving",
        holds=not moving,
        why=", ".join(moving) or "by DescribeClusters",
        way_out=f"wait: hsmctl hsm list {cluster.cluster_id}",
    )


_READERS: dict[str, Callable[[Precondition, Cluster, Console], Precondition]] = {
    CONNECTED: _connected,
    CONFIGURED: _configured,
    SETTLED: _settled,
    APPROVERS: _approvers,
    APPROVED: _approved,
}
