"""Holding a cluster and releasing it: on this machine nothing is removed from it meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hsmctl.domain.hold import Hold
from hsmctl.errors import HsmctlError

from .offload import call

if TYPE_CHECKING:
    from .place import Place


async def hold(place: Place, reason: str) -> None:
    """Hold the place's cluster; without a reason, ask for one."""
    await _change(place, "hold", reason, lambda: place.survey.hsmctl.hold.put)


async def release(place: Place, reason: str) -> None:
    """Release the place's cluster; without a reason, ask for one."""
    await _change(place, "release", reason, lambda: place.survey.hsmctl.hold.release)


async def _change(place: Place, name: str, reason: str, change: Callable[[], Callable[[str, str], Hold]]) -> None:
    cluster = place.cluster
    if cluster is None:
        return
    if not reason:
        await place.ask_line(f"{name} ")
        return
    try:
        held = await call(lambda: change()(cluster.cluster_id, reason))
    except HsmctlError as error:
        place.complain(f"{error}: {error.hint}")
    else:
        place.notify(f"{name}: {held.cluster_id}", markup=False)
    await place.survey.read_holds()
