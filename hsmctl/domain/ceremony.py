"""The ceremony that claims a cluster: where it stands, what comes next, and when it has to stop.

The order is the user guide's (initialize-cluster, verify-hsm-identity): first HSM, CSR, hardware verified, CSR signed
by the operator's CA, InitializeCluster, activation. The CSR is remembered by its SHA-256, because it changes when
CloudHSM replaces the first HSM: whoever signed the old one stops.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hsmctl.domain.cluster import Cluster, ClusterState
from hsmctl.errors import Conflict

_CLAIMED = (ClusterState.INITIALIZE_IN_PROGRESS, ClusterState.INITIALIZED)


class Stage(StrEnum):
    """Where a ceremony stands."""

    NO_HSM = "no hsm"
    NO_CSR = "no csr"
    CSR = "csr there"
    CHANGED = "csr changed"
    """It is not the one that was verified or signed."""
    VERIFIED = "verified"
    SIGNED = "signed"
    SUBMITTED = "submitted"
    INITIALIZED = "initialized"
    """Claimed and not activated: whoever reaches the HSM first sets the first admin's password."""
    ACTIVE = "active"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceremony:
    """What is remembered of one cluster's ceremony."""

    cluster_id: str
    csr_sha256: str = ""
    """Of the CSR that was fetched."""
    verified_sha256: str = ""
    """Of the CSR whose hardware was verified, or taken unverified."""
    statements: tuple[str, ...] = ()
    """What was verified, a sentence each."""
    unverified: str = ""
    """Why nobody verified the hardware; it stays UNVERIFIED for ever."""
    signed_csr_sha256: str = ""
    """Of the CSR that was signed."""
    signed_sha256: str = ""
    """Of the certificate that claims the cluster."""
    anchor_sha256: str = ""
    """Of the trust anchor, the customer CA's certificate."""
    signed_by: str = ""
    """What signed it, in words."""
    submitted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a ceremony stands and what comes next."""

    stage: Stage
    next: str
    """A command, or what to wait for."""
    critical: str = ""
    """What cannot be left like this, if anything."""


def standing(cluster: Cluster, ceremony: Ceremony, csr_sha256: str) -> Standing:
    """Where the ceremony of a cluster stands; `csr_sha256` is that of the CSR it shows now, or empty."""
    name = cluster.cluster_id
    if cluster.state is ClusterState.ACTIVE:
        return Standing(Stage.ACTIVE, "nothing: the cluster is in use")
    if cluster.state is ClusterState.INITIALIZED:
        critical = "claimed and not activated: until then whoever reaches the HSM can set the first admin's password"
        return Standing(Stage.INITIALIZED, f"hsmctl cluster activate {name}", critical)
    if cluster.state is ClusterState.INITIALIZE_IN_PROGRESS:
        return Standing(Stage.SUBMITTED, f"hsmctl cluster wait {name} --for initialized")
    if cluster.state is not ClusterState.UNINITIALIZED:
        return Standing(Stage.OTHER, f"hsmctl cluster show {name}")
    if not cluster.hsms:
        return Standing(Stage.NO_HSM, f"hsmctl hsm add {name}")
    if not csr_sha256:
        return Standing(Stage.NO_CSR, f"hsmctl hsm wait {name}")
    return _with_csr(name, ceremony, csr_sha256)


def _with_csr(name: str, ceremony: Ceremony, csr_sha256: str) -> Standing:
    if ceremony.signed_csr_sha256:
        if ceremony.signed_csr_sha256 != csr_sha256:
            critical = "the CSR is not the one that was signed: the first HSM was replaced, or somebody interferes"
            return Standing(Stage.CHANGED, f"find out which, then hsmctl cluster init csr {name} --restart", critical)
        return Standing(Stage.SIGNED, f"hsmctl cluster init submit {name}")
    if ceremony.verified_sha256 == csr_sha256:
        return Standing(Stage.VERIFIED, f"hsmctl cluster init sign {name}")
    if ceremony.csr_sha256 not in ("", csr_sha256):
        return Standing(Stage.CHANGED, f"hsmctl cluster init csr {name} --restart")
    return Standing(Stage.CSR, f"hsmctl cluster init verify {name}")


def check_unchanged(cluster_id: str, remembered: str, now: str, what: str) -> None:
    """Refuse to go on with another CSR than before.

    Raises:
        Conflict: it has changed, or there is none yet.
    """
    if not now:
        raise Conflict(f"{cluster_id} has no CSR", "its first HSM is not ACTIVE", f"hsmctl hsm wait {cluster_id}")
    if remembered and remembered != now:
        raise Conflict(
            f"the CSR of {cluster_id} has changed since it was {what}",
            f"it was {remembered[:16]}… and is {now[:16]}…: the first HSM was replaced, or somebody interferes",
            f"find out which, then hsmctl cluster init csr {cluster_id} --restart",
        )


def check_may_submit(cluster: Cluster, ceremony: Ceremony, csr_sha256: str) -> None:
    """Refuse to claim a cluster before everything is in order.

    Raises:
        Conflict: something is missing or has changed; nothing was sent.
    """
    name = cluster.cluster_id
    if cluster.state in _CLAIMED or cluster.state is ClusterState.ACTIVE:
        raise Conflict(f"{name} is {cluster.state}", "it is claimed already", f"hsmctl cluster init status {name}")
    if not ceremony.signed_sha256:
        raise Conflict(f"{name} has no signed certificate", "its CSR is not signed", f"hsmctl cluster init sign {name}")
    check_unchanged(name, ceremony.signed_csr_sha256, csr_sha256, "signed")
    if ceremony.verified_sha256 != csr_sha256:
        raise Conflict(f"the hardware of {name} is not verified", "", f"hsmctl cluster init verify {name}")
