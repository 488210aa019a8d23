"""The lab's network while it runs: the document everybody is shown, the faults in it, and what clients meet then.

An HSM that the evaluator calls blocked for the client host drops what comes from there, so that a probe finds what the
verdict says. The lab's own way to its HSMs (`tls:`) stays open whatever happens. Refuses to know how AWS's answers are
written and how the client host is reached.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from hsmctl.domain.cluster import Hsm, HsmState
from hsmctl.domain.net import Question, explain
from hsmctl.domain.net_finding import Verdict
from hsmctl.domain.net_snapshot import Snapshot, read_snapshot
from hsmctl.errors import Unreachable
from hsmctl.lab.cloudhsm_state import ClusterRecord
from hsmctl.lab.configuration import REGION, Configuration
from hsmctl.lab.fault import Family, Fault, FaultBook
from hsmctl.lab.folder import LabFolder, write_private
from hsmctl.lab.ground import Ground, Stand, Topology
from hsmctl.lab.net_fault import broken, check_possible
from hsmctl.lab.process import NodeProcess
from hsmctl.lab.provision import outer_certificate
from hsmctl.lab.topology import healthy
from hsmctl.lab.topology_part import HSM_PORTS, Document

CERTIFICATE = "net-certificate"
"""The fault that is in no document: somebody in between shows a certificate of his own at an HSM's port."""
_ANSWER_SECONDS = 10.0

_log = logging.getLogger(__name__)


class LabNetwork:
    """The network of one lab; a trouble.Handler for its faults."""

    def __init__(
        self,
        lab: LabFolder,
        configuration: Configuration,
        book: FaultBook,
        clusters: Callable[[], Sequence[ClusterRecord]],
        running: Callable[[str], NodeProcess | None],
    ) -> None:
        self._lab = lab
        self._configuration = configuration
        self._book = book
        self._clusters = clusters
        self._running = running
        self._lock = threading.Lock()
        """Held while the HSMs are told."""

    @property
    def ground(self) -> Ground:
        """What the network is made of now."""
        configuration, clusters = self._configuration, self._clusters()
        return Ground(
            topology=Topology(configuration.options.network),
            region=REGION,
            account_id=configuration.account_id,
            vpc_id=configuration.vpc_id,
            network=configuration.network,
            subnets=configuration.subnets,
            groups=tuple(cluster.security_group for cluster in clusters),
            hsms=tuple(stand for cluster in clusters for stand in _stands(cluster)),
        )

    def document(self) -> Document:
        """What AWS's describing calls show."""
        return self._describe(self.ground)

    def prepare(self, fault: Fault) -> Fault:
        """The fault as it is.

        Raises:
            Conflict: it cannot happen in this lab's network.
        """
        if fault.name != CERTIFICATE:
            check_possible(fault.name, self.ground.topology)
        return fault

    def settle(self, _: Fault) -> None:
        """Let clients meet what the book says."""
        self.tell()

    def tell(self, hsm_id: str | None = None) -> None:
        """Tell every HSM, or this one, what clients meet there."""
        with self._lock:
            self._tell(hsm_id)

    def _describe(self, ground: Ground) -> Document:
        faults = [fault for fault in self._book.family(Family.NETWORK) if fault.name != CERTIFICATE]
        return broken(healthy(ground), ground, faults)

    def _tell(self, hsm_id: str | None) -> None:
        ground = self.ground
        snapshot = read_snapshot(self._describe(ground))
        for stand in ground.hsms:
            if hsm_id in (None, stand.hsm_id):
                foreign = bool(self._book.of(CERTIFICATE, hsm=stand.hsm_id))
                self._show(stand.hsm_id, closed=_blocked(snapshot, ground, stand), foreign=foreign)

    def _show(self, hsm_id: str, *, closed: bool, foreign: bool) -> None:
        """Let an HSM be silent to clients or not, with somebody else's certificate or its own."""
        folder = self._lab.node(hsm_id)
        known = folder.closed.exists(), folder.foreign_certificate.exists()
        if known == (closed, foreign) or not folder.record.exists():
            return
        _keep(folder.closed, b"" if closed else None)
        _keep(folder.foreign_certificate, outer_certificate("Example", "proxy") if foreign else None)
        try:
            if process := self._running(hsm_id):
                process.call("face_clients", _ANSWER_SECONDS)
        except Unreachable as error:
            _log.warning("%s meets clients as before until it starts again: %s", hsm_id, error)


def _keep(path: Path, data: bytes | None) -> None:
    """Have a file with this content, or none."""
    if data is None:
        path.unlink(missing_ok=True)
    else:
        write_private(path, data)


def _stands(cluster: ClusterRecord) -> list[Stand]:
    return [
        Stand(
            hsm_id=hsm.hsm_id,
            zone=hsm.zone,
            eni_id=hsm.eni_id,
            address=hsm.address,
            group_id=cluster.security_group,
        )
        for hsm in cluster.hsms.values()
    ]


def _blocked(snapshot: Snapshot, ground: Ground, stand: Stand) -> bool:
    """Whether the client host cannot reach an HSM that is otherwise well."""
    hsm = Hsm(hsm_id=stand.hsm_id, state=HsmState.ACTIVE, zone=stand.zone, eni_id=stand.eni_id, address=stand.address)
    question = Question(hsm=hsm, ports=HSM_PORTS[:1], group_id=stand.group_id)
    return any(pair.verdict is Verdict.BLOCKED for pair in explain(snapshot, ground.client, question))
