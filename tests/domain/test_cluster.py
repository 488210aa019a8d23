"""Proves that illegal states are refused before AWS is asked, and that unknown words survive."""

from __future__ import annotations

import pytest

from hsmctl.domain.cluster import (
    Certificates,
    Cluster,
    ClusterState,
    Hsm,
    HsmState,
    check_may_create_hsm,
    check_may_initialize,
)
from hsmctl.errors import Conflict

ZONES = {"us-east-1a": "subnet-1", "us-east-1b": "subnet-2"}


def cluster(state: ClusterState, *hsms: Hsm, csr: str | None = None) -> Cluster:
    return Cluster(
        cluster_id="cluster-abcdefghijk",
        state=state,
        region="us-east-1",
        subnets=ZONES,
        hsms=hsms,
        certificates=Certificates(csr=csr),
    )


HSM = Hsm(hsm_id="hsm-1", state=HsmState.ACTIVE, zone="us-east-1b")


def test_a_word_of_a_newer_service_is_kept() -> None:
    state = ClusterState("hibernating")
    assert state == "hibernating"
    assert state.name == "UNKNOWN"


def test_zones_without_hsms_are_listed_too() -> None:
    assert cluster(ClusterState.ACTIVE, HSM).hsms_by_zone() == {"us-east-1a": (), "us-east-1b": (HSM,)}


def test_the_first_hsm_goes_into_an_uninitialized_cluster_and_more_into_an_active_one() -> None:
    check_may_create_hsm(cluster(ClusterState.UNINITIALIZED), "us-east-1a")
    check_may_create_hsm(cluster(ClusterState.ACTIVE, HSM), "us-east-1a")


@pytest.mark.parametrize("state", [state for state in ClusterState if state not in ("active", "uninitialized")])
def test_no_other_state_takes_an_hsm(state: ClusterState) -> None:
    with pytest.raises(Conflict, match=str(state)):
        check_may_create_hsm(cluster(state), "us-east-1a")


def test_a_second_hsm_before_activation_is_refused() -> None:
    with pytest.raises(Conflict):
        check_may_create_hsm(cluster(ClusterState.UNINITIALIZED, HSM), "us-east-1a")


def test_a_zone_without_subnet_is_refused_and_the_zones_are_named() -> None:
    with pytest.raises(Conflict, match="us-east-1a, us-east-1b"):
        check_may_create_hsm(cluster(ClusterState.ACTIVE), "us-east-1c")


def test_initializing_needs_the_state_and_the_csr() -> None:
    check_may_initialize(cluster(ClusterState.UNINITIALIZED, HSM, csr="PEM"))
    with pytest.raises(Conflict, match="no certificate signing request"):
        check_may_initialize(cluster(ClusterState.UNINITIALIZED, HSM))
    with pytest.raises(Conflict, match="active"):
        check_may_initialize(cluster(ClusterState.ACTIVE, HSM, csr="PEM"))
