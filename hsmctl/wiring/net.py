"""Puts connectivity together: snapshots of the network, client hosts and probes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hsmctl.settings import Context, ContextKind

if TYPE_CHECKING:
    from hsmctl.adapters.aws import Aws
    from hsmctl.ports import Clock
    from hsmctl.ports_host import ClientHosts
    from hsmctl.services.net_collect import NetCollectService
    from hsmctl.services.probe import ProbeService


def net_service(aws: Aws, context: Context, clock: Clock, state_folder: Path) -> NetCollectService:
    """Snapshots of the network; the lab's is read anew each time, because it changes on command."""
    from hsmctl.adapters.network import AwsNetwork
    from hsmctl.adapters.network_cache import FileNetworkCache, NoNetworkCache
    from hsmctl.services.net_collect import NetCollectService

    of_lab = context.kind is ContextKind.LAB
    file = state_folder / f"network-{context.account_id or 'default'}.json"
    return NetCollectService(
        clock=clock,
        identity=aws.identity(context.account_id),
        reader=AwsNetwork(aws.client, clock),
        cache=NoNetworkCache() if of_lab else FileNetworkCache(file, clock),
    )


def client_hosts(context: Context) -> ClientHosts:
    """The client hosts that can be logged in to, and this machine."""
    from hsmctl.adapters.machine import Machines
    from hsmctl.adapters.ssh_config import SshAddress

    entries = [entry for entry in context.clients if entry.host]
    addresses = {entry.name: SshAddress(host=entry.host, user=entry.user, port=entry.port) for entry in entries}
    return Machines(addresses, context.ssh_config)


def probe_service(context: Context, clock: Clock, hosts: ClientHosts) -> ProbeService:
    """Connections to HSMs, tried from client hosts."""
    from hsmctl.adapters.probe import TlsProber
    from hsmctl.services.probe import ProbeService

    return ProbeService(clock=clock, hosts=hosts, prober=TlsProber(clock, context.customer_ca))
