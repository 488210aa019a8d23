"""Everything known about a cluster, an HSM or an error, as names and values with nothing shortened."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import wrap

from hsmctl.domain.cluster import Certificates, Cluster, Hsm
from hsmctl.errors import HsmctlError
from hsmctl.mark import Mark
from hsmctl.words import instant

from .detail import noted
from .glyph import Role, Spans, sign
from .words import cluster_name

Fact = tuple[str, str]


def of_cluster(cluster: Cluster) -> Iterable[Fact]:
    """What DescribeClusters says about a cluster."""
    yield "id", cluster.cluster_id
    yield "state", f"{cluster.state.upper()} {cluster.message}".strip()
    yield "type", f"{cluster.hsm_type} {cluster.mode}".strip()
    yield "HSMs", f"{len(cluster.active_hsms)} active of {len(cluster.hsms)}"
    yield "region", cluster.region
    yield "network", f"{cluster.vpc_id} {cluster.network_type}".strip()
    yield "security group", cluster.security_group
    yield "subnets", ", ".join(f"{zone} {subnet}" for zone, subnet in sorted(cluster.subnets.items()))
    yield "created", instant(cluster.created)
    yield "backups kept", f"{cluster.backup_retention_days} days" if cluster.backup_retention_days else ""
    yield "made from", cluster.source_backup_id or ""
    yield "certificates", _certificates(cluster.certificates)
    yield "tags", ", ".join(f"{name}={value}" for name, value in sorted(cluster.tags.items()))


def of_hsm(hsm: Hsm) -> Iterable[Fact]:
    """What DescribeClusters says about an HSM."""
    yield "id", hsm.hsm_id
    yield "state", f"{hsm.state.upper()} {hsm.message}".strip()
    yield "type", hsm.hsm_type
    yield "zone", hsm.zone
    yield "subnet", hsm.subnet_id
    yield "interface", hsm.eni_id
    yield "address", hsm.address or ""
    yield "IPv6", hsm.address6 or ""


def of_error(error: HsmctlError) -> tuple[str, Sequence[Spans]]:
    """An error whole: what, why and the next step."""
    lines = [((error.what, Role.STRONG),), ((error.why, Role.PLAIN),), (("", Role.PLAIN),)]
    return "what went wrong", [*lines, (("next  ", Role.MUTED), (error.hint or "r asks again", Role.ACCENT))]


def failure(error: HsmctlError, width: int) -> list[Spans]:
    """An error where a table has nothing else to show, in lines of this width: what, why and the next step."""
    hint = wrap(error.hint, max(20, width - 4), break_on_hyphens=False)
    return [
        *noted(sign(Mark.UNREADABLE), str(error), width - 1),
        *(((f"   {line}", Role.ACCENT),) for line in hint),
        ((("   d tells it whole, r asks again"), Role.MUTED),),
    ]


def title_of(cluster: Cluster) -> str:
    """A cluster by its name and id."""
    name = cluster_name(cluster)
    return name if name == cluster.cluster_id else f"{name} · {cluster.cluster_id}"


def _certificates(held: Certificates) -> str:
    documents = {
        "signing request": held.csr,
        "HSM": held.hsm,
        "AWS hardware": held.aws_hardware,
        "manufacturer hardware": held.manufacturer_hardware,
        "cluster": held.cluster,
    }
    return ", ".join(name for name, document in documents.items() if document)
