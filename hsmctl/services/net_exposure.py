"""A snapshot that shows who else can reach the HSMs: collected once to see whom their groups let in, then for these."""

from __future__ import annotations

from dataclasses import replace

from hsmctl.domain.net_exposure import Registered, strangers
from hsmctl.domain.probe import PORTS
from hsmctl.services.net_collect import Collection, NetCollectService
from hsmctl.services.net_ends import Ends


def collect_exposure(
    service: NetCollectService, ends: Ends, *, port: int = 2223, hsm_id: str | None = None, fresh: bool = False
) -> Collection:
    """The collection for these ends, with the ways of everybody the HSMs' groups let in; its clients are the ends' own.

    The second look takes from the cache what the first one read.

    Raises:
        Conflict: the cluster has no HSM, or not this one.
        Denied: the credentials are not accepted, or are of another account than the context's.
    """
    own = replace(ends, members=True)
    first = service.collect(own, port=port, hsm_id=hsm_id, fresh=fresh)
    registered = Registered(clients=ends.clients, hsms=ends.hsms)
    extra = strangers(first.snapshot, registered, tuple(PORTS))
    if not extra:
        return first
    everybody = replace(own, clients=(*ends.clients, *extra))
    second = service.collect(everybody, port=port, hsm_id=hsm_id)
    return replace(second, ends=own, calls=first.calls + second.calls)
