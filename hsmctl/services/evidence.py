"""What a real cluster tells about itself: AWS's counts, a client host's word, a crypto user's view of the keys.

Each level that cannot be had is said and hides none of the others. Nothing is changed, and no key is used.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from hsmctl.domain.audit_trace import missed
from hsmctl.domain.cluster import Cluster, HsmState
from hsmctl.domain.coverage import KEY_METRIC, USER_METRIC, CoverageFinding, Evidence, Kind, Severity, Source
from hsmctl.domain.coverage_verdict import CoverageReport, judge
from hsmctl.domain.interlock import Samples
from hsmctl.domain.user import Role
from hsmctl.errors import HsmctlError
from hsmctl.ports import Clock, Login
from hsmctl.ports_cli import Console
from hsmctl.ports_interlock import Metrics
from hsmctl.ports_timeline import AuditLog
from hsmctl.services.console import ConsoleService

_logger = logging.getLogger(__name__)
_SPAN = timedelta(minutes=15)
"""How far back a count may be; HSMs report one a minute, with minutes of delay."""
_TRACE = timedelta(hours=24)
"""How far back audit logs are read for what an HSM has missed."""
_METRICS = (KEY_METRIC, USER_METRIC)
_FIRST_TYPE = "hsm1.medium"
_MOVING = (HsmState.CREATE_IN_PROGRESS, HsmState.DELETE_IN_PROGRESS)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceService:
    """Looks at clusters without a replica that could be asked by itself."""

    clock: Clock
    console: ConsoleService
    metrics: Callable[[], Metrics]
    audit: Callable[[], AuditLog]
    login: Callable[[], Login | None]
    """The crypto user that checks, None where the context has none."""

    def check(self, cluster: Cluster, levels: frozenset[Source], host: str | None = None) -> CoverageReport:
        """The report on a cluster, from the levels asked for."""
        evidence = Evidence(
            cluster_id=cluster.cluster_id,
            active=tuple(hsm.hsm_id for hsm in cluster.active_hsms),
            moving=tuple(hsm.hsm_id for hsm in cluster.hsms if hsm.state in _MOVING),
        )
        if Source.CONTROL in levels:
            evidence = self._control(evidence)
        if levels & {Source.HOST, Source.LOGIN}:
            evidence = self._host(evidence, levels, host, has_anchors=cluster.hsm_type != _FIRST_TYPE)
        report = judge(evidence)
        if Source.CONTROL in levels and any(_traceable(finding) for finding in report.findings):
            report = judge(self._traced(evidence))
        return report

    def _traced(self, evidence: Evidence) -> Evidence:
        """With what HSMs have missed by their audit logs; without it where those cannot be read."""
        now = self.clock.now()
        try:
            audit = self.audit()
            logs = {
                hsm_id: audit.entries(evidence.cluster_id, hsm_id, now - _TRACE, now).entries
                for hsm_id in audit.streams(evidence.cluster_id, now - _TRACE)
                if hsm_id in evidence.active
            }
        except HsmctlError as error:
            _logger.info("audit logs were not read: %s", error)
            return evidence
        return replace(evidence, missed=missed(logs))

    def policies(self, cluster: Cluster) -> Evidence:
        """What a client host says of users, quorum values and trust anchors; no key is listed.

        Whether mTLS is enforced is told to a crypto user alone: unknown where the context has none.
        """
        evidence = Evidence(cluster_id=cluster.cluster_id, active=tuple(hsm.hsm_id for hsm in cluster.active_hsms))
        has_anchors = cluster.hsm_type != _FIRST_TYPE
        try:
            with self.console.open(cluster.cluster_id, None) as console:
                evidence = _reported(evidence, console, anchors=has_anchors)
                return self._enforcement(evidence, console) if has_anchors else replace(evidence, enforcement="none")
        except HsmctlError as error:
            return _failed(evidence, Source.HOST, error)

    def _enforcement(self, evidence: Evidence, console: Console) -> Evidence:
        """With whether mTLS is enforced, if there is somebody to log in."""
        try:
            login = self.login()
            if login is None:
                return _failed(evidence, Source.LOGIN, HsmctlError("the context has no crypto user"))
            with console.login(login, Role.CRYPTO_USER) as session:
                return replace(evidence, as_user=login.user, enforcement=session.enforcement())
        except HsmctlError as error:
            return _failed(evidence, Source.LOGIN, error)

    def _control(self, evidence: Evidence) -> Evidence:
        """With CloudWatch's counts of keys and users, HSM by HSM."""
        try:
            read = self.metrics().samples
            samples = {name: read(evidence.cluster_id, evidence.active, name, _SPAN) for name in _METRICS}
        except HsmctlError as error:
            return _failed(evidence, Source.CONTROL, error)
        lasting = frozenset(name for name, found in samples.items() if _differs_throughout(found))
        return replace(evidence, counts={name: _latest(found) for name, found in samples.items()}, lasting=lasting)

    def _host(self, evidence: Evidence, levels: frozenset[Source], host: str | None, *, has_anchors: bool) -> Evidence:
        """With what a client host says, nobody logged in, and then as the crypto user."""
        try:
            with self.console.open(evidence.cluster_id, host) as console:
                evidence = _reported(evidence, console, anchors=has_anchors)
                return self._keys(evidence, console, anchors=has_anchors) if Source.LOGIN in levels else evidence
        except HsmctlError as error:
            return _failed(evidence, Source.HOST, error)

    def _keys(self, evidence: Evidence, console: Console, *, anchors: bool) -> Evidence:
        """With the keys that the crypto user may see, and whether mTLS is enforced."""
        try:
            login = self.login()
            if login is None:
                return evidence
            with console.login(login, Role.CRYPTO_USER) as session:
                keys, total = session.keys()
                enforcement = session.enforcement() if anchors else ""
        except HsmctlError as error:
            return _failed(evidence, Source.LOGIN, error)
        return replace(evidence, as_user=login.user, keys=keys, total=total, enforcement=enforcement)


def _traceable(finding: CoverageFinding) -> bool:
    """Whether an audit log may say which HSM a difference is on."""
    return finding.severity is Severity.DRIFT and finding.kind in (Kind.USER, Kind.QUORUM)


def _latest(samples: Samples) -> Mapping[str, int]:
    """The last number of each HSM."""
    return {hsm_id: int(values[-1].value) for hsm_id, values in samples.items() if values}


def _differs_throughout(samples: Samples) -> bool:
    """Whether two HSMs never had a number in common: right after a key is made they differ for a while."""
    spans = [[each.value for each in values] for values in samples.values() if values]
    return bool(spans) and max(min(span) for span in spans) > min(max(span) for span in spans)


def _reported(evidence: Evidence, console: Console, *, anchors: bool) -> Evidence:
    """With connections, users, quorum and trust anchors, which the first type of HSM does not have."""
    evidence = replace(evidence, host=console.host, connected=len(console.hsms()), users=console.users())
    try:
        values, tokens = console.quorum()
        return replace(evidence, values=values, tokens=tokens, anchors=console.anchors() if anchors else ())
    except HsmctlError as error:
        return _failed(evidence, Source.HOST, error)


def _failed(evidence: Evidence, source: Source, error: HsmctlError) -> Evidence:
    """With the reason why a level told nothing, or not all."""
    return replace(evidence, failures={**evidence.failures, source: str(error)})
