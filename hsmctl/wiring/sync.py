"""Puts the comparison of replicas together: where keys can be asked, and how tokens are opened."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from hsmctl.domain.cluster import Cluster, HsmState
from hsmctl.domain.sync import Replica
from hsmctl.errors import UsageError
from hsmctl.settings import Context, ContextKind
from hsmctl.settings_entry import TokenEntry

if TYPE_CHECKING:
    from hsmctl.adapters.ssh import SshHost
    from hsmctl.adapters.token import Gate
    from hsmctl.ports import Clock, Journal, Login, SignatureVerifier, Tokens
    from hsmctl.ports_sync import History
    from hsmctl.services.canary import CanaryService
    from hsmctl.services.console import ConsoleService
    from hsmctl.services.hold import HoldService
    from hsmctl.services.sync import SyncService

LAB_PORT = 2223
"""Where an HSM listens (user guide, security groups: 2223 to 2225)."""


def tokens(
    context: Context, clock: Clock, state_folder: Path, gate: Gate, console: Callable[[], ConsoleService]
) -> Tokens:
    """Opens tokens over every transport; client hosts are those of the context, and are asked about users first.

    Not in the lab, whose HSMs are logged in to one by one.
    """
    from hsmctl.adapters.token import AgentTokens

    if context.kind is ContextKind.AWS and any(entry.host or entry.name == "local" for entry in context.clients):
        from hsmctl.services.caution import Caution

        gate = Caution(console, gate, clock).gate

    def connect(name: str, deadline: float) -> SshHost:
        from hsmctl.adapters.ssh import SshHost
        from hsmctl.wiring.net import client_hosts

        host = client_hosts(context).connect(name, deadline)
        if not isinstance(host, SshHost):
            raise UsageError(f"ssh:{name}", "it is this machine", "module:PATH asks a module of this machine")
        return host

    return AgentTokens(clock, state_folder / "locks", context.customer_ca, gate=gate, hosts=connect)


def new_verifier() -> SignatureVerifier:
    """The cryptography of proofs."""
    from hsmctl.adapters.verifier import CryptographyVerifier

    return CryptographyVerifier()


def sync_service(
    context: Context, clock: Clock, tokens: Tokens, login: Callable[[Replica], Login], history: History
) -> SyncService:
    """The comparison of replicas; the lab's own keys may all prove themselves, and nothing there is merely late."""
    from hsmctl.domain.proof import Permission
    from hsmctl.domain.sync_again import GRACE
    from hsmctl.services.sync import SyncService

    in_lab = context.kind is ContextKind.LAB
    return SyncService(
        clock=clock,
        tokens=tokens,
        login=login,
        permission=Permission(everything=in_lab, patterns=context.deep_allow),
        verifier=new_verifier,
        history=history,
        grace=timedelta(0) if in_lab else GRACE,
    )


def canary_service(context: Context, sync: SyncService, journal: Journal, state_folder: Path) -> CanaryService:
    """Keys that are made to see whether they reach every HSM, and destroyed."""
    from hsmctl.adapters.lock import FileLocks
    from hsmctl.services.canary import CanaryService

    return CanaryService(
        clock=sync.clock,
        journal=journal,
        tokens=sync.tokens,
        login=sync.login,
        sync=sync,
        locks=FileLocks(state_folder / "locks"),
        any_user=context.kind is ContextKind.LAB,
    )


def hold_service(clock: Clock, journal: Journal, state_folder: Path) -> HoldService:
    """Holds on clusters, kept on this machine."""
    from getpass import getuser

    from hsmctl.adapters.hold import FileHolds
    from hsmctl.services.hold import HoldService

    return HoldService(clock=clock, journal=journal, holds=FileHolds(state_folder / "holds"), user=getuser)


def node_replicas(cluster: Cluster) -> tuple[Replica, ...]:
    """The HSMs of a lab's cluster, those that are still being created last."""
    staying = [hsm for hsm in cluster.hsms if hsm.state is not HsmState.DELETE_IN_PROGRESS]
    joining = HsmState.CREATE_IN_PROGRESS
    return tuple(
        Replica(
            name=hsm.hsm_id,
            group=hsm.zone,
            address=f"tls:{hsm.address}:{LAB_PORT}",
            realm=cluster.cluster_id,
            absent=f"it is {hsm.state}" if hsm.state is joining else "",
            hsm_type=cluster.hsm_type,
        )
        for hsm in sorted(staying, key=lambda hsm: (hsm.state is joining, hsm.zone, hsm.hsm_id))
    )


def token_replicas(context: Context) -> tuple[Replica, ...]:
    """The context's PKCS#11 tokens, on this machine and on client hosts; a cluster and each of its clones is one.

    Raises:
        UsageError: the context names none.
    """
    if not context.tokens:
        raise UsageError(
            f"context {context.name or 'without a name'} has no tokens",
            "PKCS#11 needs a module to ask",
            "add [[context.NAME.tokens]] to the configuration: hsmctl config init shows how",
        )
    return tuple(
        Replica(name=entry.name, group=entry.site or entry.host, address=_address(entry), realm=entry.cluster)
        for entry in context.tokens
    )


def _address(entry: TokenEntry) -> str:
    """Where the token is; where nothing says which one the module must have exactly one."""
    wanted = {"token": entry.label, "serial": entry.serial, "slot": "" if entry.slot is None else str(entry.slot)}
    pairs = [f"{name}={quote(value, safe='')}" for name, value in wanted.items() if value]
    pairs += [f"env={quote(f'{name}={value}', safe='')}" for name, value in entry.environment.items()]
    query = f"?{'&'.join(pairs)}" if pairs else ""
    place = f"ssh:{quote(entry.host)}:" if entry.host else "module:"
    return f"{place}{quote(entry.module)}{query}"
