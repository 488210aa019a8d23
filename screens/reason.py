"""What is the matter with one HSM, in few words: what its keys showed, why it did not answer, what AWS says of it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from hsmctl.domain.cluster import Cluster, HsmState
from hsmctl.domain.status_finding import Topic

from .check import Check
from .estate import Estate
from .words import state_word


def reason(cluster: Cluster, name: str, estate: Estate) -> str:
    """Everything that is the matter with it; empty where nothing is known to be."""
    sources = _of_service(cluster, name), _of_keys(name, estate.check(cluster)), _of_status(cluster, name, estate)
    return " · ".join(dict.fromkeys(chain.from_iterable(sources)))


def _of_service(cluster: Cluster, name: str) -> Iterator[str]:
    """DescribeClusters' word about one that is not ACTIVE."""
    hsm = next((hsm for hsm in cluster.hsms if hsm.hsm_id == name), None)
    if hsm is not None and hsm.state is not HsmState.ACTIVE:
        yield f"{state_word(hsm.state)} {hsm.message}".strip()


def _of_keys(name: str, check: Check) -> Iterator[str]:
    """What its keys showed, or why they could not be read."""
    if check.judgement and name in check.judgement.reasons:
        yield check.judgement.reasons[name]


def _of_status(cluster: Cluster, name: str, estate: Estate) -> Iterator[str]:
    """What `hsmctl status` finds about it, such as that its own metric calls it unhealthy."""
    told = estate.standings.get(cluster.cluster_id)
    for each in told.problems if told else ():
        if each.topic is Topic.HSM and each.about == name and each.grade is not None:
            yield each.brief
