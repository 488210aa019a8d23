"""Proves that what one cluster has otherwise is unlike, and what nobody told is unknown and never alike."""

from __future__ import annotations

from dataclasses import replace

import pytest
from readings import key, reading

from hsmctl.domain.cluster import Certificates, Cluster, ClusterState
from hsmctl.domain.coverage import Evidence
from hsmctl.domain.evidence import Grade
from hsmctl.domain.key import MaterialKind
from hsmctl.domain.mtls import Anchor
from hsmctl.domain.sync_diff import difference, grade
from hsmctl.domain.sync_parity import ABSENT, Fact, Kind, parity, seen
from hsmctl.domain.user import HsmUser

CLUSTER = Cluster(
    cluster_id="cluster-a2b3c4d5e6f",
    state=ClusterState("ACTIVE"),
    region="eu-central-1",
    mode="FIPS",
    backup_retention_days=90,
    certificates=Certificates(cluster="one"),
)
TOLD = Evidence(
    cluster_id=CLUSTER.cluster_id,
    active=(),
    users=(HsmUser(name="admin", role="admin", locked="false", quorum="enabled"),),
    values={"user": 2},
    anchors=(Anchor(reference="0x01", certificate="pem", coverage="full"),),
    enforcement="none",
)


def unlike(facts: tuple[Fact, ...]) -> list[tuple[str, str, str | None, str | None]]:
    return [(each.kind, each.name, each.first, each.second) for each in facts if each.same is False]


def test_a_cluster_is_like_itself_and_nothing_is_unknown() -> None:
    facts = parity(seen(CLUSTER, TOLD), seen(CLUSTER, TOLD))
    assert {each.kind for each in facts} == set(Kind)
    assert all(each.same for each in facts)


@pytest.mark.parametrize(
    ("cluster", "told", "expected"),
    [
        ({"mode": "NON_FIPS"}, {}, ("cluster", "mode", "FIPS", "NON_FIPS")),
        ({"backup_retention_days": 7}, {}, ("cluster", "backups kept", "90 days", "7 days")),
        ({}, {"users": ()}, ("user", "admin", "admin, approver enabled", ABSENT)),
        ({}, {"values": {"user": 0}}, ("quorum", "user", "2", "0")),
        ({}, {"values": {"user": None}}, ("quorum", "user", "2", "inconsistent")),
        ({}, {"enforcement": "cluster"}, ("mTLS", "enforcement", "none", "cluster")),
    ],
)
def test_what_one_side_has_otherwise_is_unlike(
    cluster: dict[str, object], told: dict[str, object], expected: tuple[str, str, str, str]
) -> None:
    other = seen(replace(CLUSTER, **cluster), replace(TOLD, **told))  # type: ignore[arg-type]
    assert unlike(parity(seen(CLUSTER, TOLD), other)) == [expected]


def test_another_ca_and_another_trust_anchor_are_told_by_their_fingerprints() -> None:
    other = replace(CLUSTER, certificates=Certificates(cluster="two"))
    anchor = Anchor(reference="0x01", certificate="other", coverage="full")
    found = unlike(parity(seen(CLUSTER, TOLD), seen(other, replace(TOLD, anchors=(anchor,)))))
    assert [(kind, second == ABSENT) for kind, _, _, second in found] == [
        ("cluster CA", False),
        ("trust anchor", True),
        ("trust anchor", False),
    ]


@pytest.mark.parametrize("silent", [{}, {"failures": {}}])
def test_what_a_client_host_did_not_tell_is_unknown(silent: dict[str, object]) -> None:
    mute = Evidence(cluster_id="cluster-b2b3c4d5e6f", active=(), **silent)  # type: ignore[arg-type]
    facts = parity(seen(CLUSTER, TOLD), seen(CLUSTER, mute))
    assert not unlike(facts)
    assert {each.kind for each in facts if each.same is None} == {Kind.USER, Kind.QUORUM, Kind.ANCHOR, Kind.MTLS}
    assert {each.kind for each in parity({}, {}) if each.same is None} == set(Kind)


def test_other_material_is_proved_by_public_bytes_and_else_reported() -> None:
    def graded(kind: MaterialKind) -> list[Grade]:
        one, other = (key(kind=kind, digest=digest) for digest in (b"one", b"two"))
        return [grade(row) for row in difference(("a", "b"), ([reading("a", one)], [reading("b", other)])).unlike]

    assert graded(MaterialKind.PUBLIC) == [Grade.PROVED]
    assert graded(MaterialKind.CHECK_VALUE) == [Grade.REPORTED]
