"""How clusters stand: findings from facts, worst first, each with the sentence why, its grade and its age.

A fact that could not be read is an unknown finding and never an ok one; what was not asked for is left out. Sources:
user guide (life cycle, backups, quotas, HSM metrics, hsm1 to hsm2 migration), KMS developer guide (key stores).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from hsmctl.domain.backup import Freshness, checked
from hsmctl.domain.cluster import Backup, Cluster
from hsmctl.domain.coverage import KEY_METRIC, USER_METRIC
from hsmctl.domain.evidence import Failed, Grade, Ok, Outcome
from hsmctl.domain.hold import Hold
from hsmctl.domain.interlock import KeyStore, Samples
from hsmctl.domain.limit import HSMS, SESSIONS, limits
from hsmctl.domain.status_cluster import of_hsms, of_state, of_type, of_zones
from hsmctl.domain.status_coverage import of_coverage
from hsmctl.domain.status_facts import Facts, LastCheck, Paper, Reach
from hsmctl.domain.status_finding import Finding, Severity, Topic, age
from hsmctl.errors import Denied, ExitCode, HsmctlError

T = TypeVar("T")

EXPIRES_SOON = timedelta(days=30)
NEARLY, FULL = 80, 95
"""Percent of a limit from which on it is said, and from which on it is grave (80: user guide, hsm-metrics-cw)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one cluster stands."""

    cluster: Cluster
    findings: tuple[Finding, ...]
    """Worst first."""
    errors: tuple[HsmctlError, ...] = ()
    """Why facts are unknown."""

    @property
    def severity(self) -> Severity:
        """The worst."""
        return self.findings[0].severity if self.findings else Severity.UNKNOWN

    @property
    def problems(self) -> tuple[Finding, ...]:
        """What somebody should look at."""
        return tuple(each for each in self.findings if each.severity is not Severity.OK)

    def on(self, topic: Topic) -> Finding | None:
        """The worst finding about a topic."""
        return next((each for each in self.findings if each.topic is topic), None)


def standing(facts: Facts, oldest_backup: timedelta) -> Standing:
    """How a cluster stands by the facts; `oldest_backup` is the age that its newest backup may have."""
    found = [
        *of_state(facts.cluster),
        *of_hsms(facts.cluster),
        *of_zones(facts.cluster),
        *_asked(Topic.HSM, "health", facts.unhealthy, lambda seen: _health(facts.cluster, seen)),
        *_asked(Topic.KEYS, "keys", facts.coverage, lambda report: of_coverage(facts.cluster, report)),
        *_asked(Topic.KEYS, "last check", facts.last_check, _checked),
        *_asked(Topic.KMS, "KMS stores", facts.stores, lambda stores: _stores(facts.cluster, stores)),
        *_asked(Topic.BACKUP, "backups", facts.backups, lambda seen: _backup(facts, seen, oldest_backup)),
        *_asked(Topic.CERTIFICATE, "certificates", facts.papers, lambda seen: _papers(seen, facts.at)),
        *_asked(Topic.REACH, "reach", facts.reach, _reach),
        *_asked(Topic.CAPACITY, "sessions", facts.sessions, lambda seen: _sessions(facts.cluster, seen)),
        *_capacity(facts),
        *of_type(facts.cluster, facts.at),
        *_asked(Topic.HOLD, "holds", facts.hold, _hold),
        *_asked(Topic.OPERATION, "operations", facts.open_operations, _operations),
    ]
    order = list(Severity)
    ranked = tuple(sorted(found, key=lambda each: order.index(each.severity)))
    return Standing(cluster=facts.cluster, findings=ranked, errors=_errors(facts))


def worst_first(standings: Sequence[Standing]) -> tuple[Standing, ...]:
    """Clusters, those that are worst off first."""
    order = list(Severity)
    return tuple(sorted(standings, key=lambda each: (order.index(each.severity), each.cluster.cluster_id)))


def exit_code(standings: Sequence[Standing], failed: Sequence[HsmctlError]) -> ExitCode:
    """The answer to a shell: no beats partial beats unknown; `failed` are the places that could not be listed."""
    severities = {each.severity for each in (finding for one in standings for finding in one.findings)}
    if severities & {Severity.CRITICAL, Severity.WARNING}:
        return ExitCode.NO
    if not standings and failed:
        return ExitCode.DENIED if all(isinstance(error, Denied) for error in failed) else ExitCode.UNKNOWN
    return ExitCode.PARTIAL if failed or Severity.UNKNOWN in severities else ExitCode.OK


def _health(cluster: Cluster, seen: Samples) -> Iterator[Finding]:
    """CloudWatch's HsmUnhealthy of each active HSM; no value is not a zero (user guide, hsm-metrics-cw)."""
    active = [hsm.hsm_id for hsm in cluster.active_hsms]
    silent = [name for name in active if not seen.get(name)]
    sick = [name for name in active if seen.get(name) and seen[name][-1].value > 0]
    for name in sick:
        says = f"{name} is unhealthy by its own metric: AWS replaces it"
        yield Finding(
            topic=Topic.HSM, severity=Severity.CRITICAL, brief="unhealthy", says=says, about=name, at=seen[name][-1].at
        )
    for name in silent:
        says = f"{name} has published no HsmUnhealthy lately: whether it is well is not known"
        yield Finding(topic=Topic.HSM, severity=Severity.UNKNOWN, brief="no metric", says=says, about=name, grade=None)
    if active and not silent and not sick:
        at = min(seen[name][-1].at for name in active)
        says = f"HsmUnhealthy is 0 on {len(active)} of {len(active)}"
        yield Finding(topic=Topic.HSM, severity=Severity.OK, brief="healthy", says=says, about="health", at=at)


def _checked(last: LastCheck | None) -> Iterator[Finding]:
    """What the last comparison said; it is as old as it is."""
    if last is None:
        return
    says = f"the last sync check said: {last.says}"
    severity = Severity.OK if last.well else Severity.CRITICAL
    if last.verdict in ("incomplete", "unknown"):
        severity = Severity.UNKNOWN
    yield Finding(
        topic=Topic.KEYS,
        severity=severity,
        brief=last.verdict,
        says=says,
        about="sync check",
        at=last.at,
        way_out="" if last.well else "hsmctl sync check",
    )


def _stores(cluster: Cluster, stores: Sequence[KeyStore]) -> Iterator[Finding]:
    """The KMS key stores that hang on the cluster, and whether it can carry them."""
    linked = [store for store in stores if store.cluster_id == cluster.cluster_id]
    severities = {"connected": Severity.OK, "connecting": Severity.PENDING, "disconnecting": Severity.PENDING}
    severities |= {"disconnected": Severity.WARNING, "failed": Severity.CRITICAL}
    for store in linked:
        severity = severities.get(store.state, Severity.UNKNOWN)
        says = f"key store {store.name} is {store.state}"
        yield Finding(topic=Topic.KMS, severity=severity, brief=store.state, says=says, about=store.name)
    zones = {hsm.zone for hsm in cluster.active_hsms}
    if linked and len(zones) < 2:
        says = f"KMS needs two active HSMs in two zones, there are {len(cluster.active_hsms)} in {len(zones)}"
        yield Finding(topic=Topic.KMS, severity=Severity.CRITICAL, brief="too few HSMs", says=says)
    if not linked:
        yield Finding(topic=Topic.KMS, severity=Severity.OK, brief="none", says="no KMS key store is linked")


def _backup(facts: Facts, backups: Sequence[Backup], most: timedelta) -> Iterator[Finding]:
    """The newest READY backup against the age it may have."""
    found = checked(facts.cluster, backups, facts.at, most)
    match found.freshness:
        case Freshness.NOT_APPLICABLE:
            return
        case Freshness.NONE:
            severity, brief, says = Severity.CRITICAL, "no backup", "there is no READY backup"
        case Freshness.OLD:
            severity, brief = Severity.CRITICAL, age(found.age)
            says = f"the newest backup is {age(found.age)} old, at most {age(most)} is allowed"
        case Freshness.FRESH:
            severity, brief, says = Severity.OK, age(found.age), f"the newest backup is {age(found.age)} old"
    at = found.newest.created if found.newest else None
    way_out = "" if severity is Severity.OK else f"hsmctl backup list {facts.cluster.cluster_id}"
    figure = found.age.total_seconds() if found.age else None
    yield Finding(topic=Topic.BACKUP, severity=severity, brief=brief, says=says, at=at, way_out=way_out, figure=figure)


def _papers(papers: Sequence[Paper], now: datetime) -> Iterator[Finding]:
    """Certificates that have ended or will soon."""
    for paper in papers:
        left = paper.expires - now
        if left > EXPIRES_SOON:
            continue
        over = left <= timedelta(0)
        says = f"the {paper.what} certificate {'ended' if over else 'ends'} on {paper.expires:%Y-%m-%d}"
        yield Finding(
            topic=Topic.CERTIFICATE,
            severity=Severity.CRITICAL if over else Severity.WARNING,
            brief="expired" if over else f"ends in {left.days} d",
            says=says,
            about=paper.what,
            figure=left.total_seconds(),
        )
    good = [paper for paper in papers if paper.expires - now > EXPIRES_SOON]
    if good and len(good) == len(papers):
        first = min(good, key=lambda paper: paper.expires)
        says = f"the first of {len(good)} certificates to end is the {first.what} one, on {first.expires:%Y-%m-%d}"
        yield Finding(
            topic=Topic.CERTIFICATE,
            severity=Severity.OK,
            brief=f"{first.expires:%Y-%m-%d}",
            says=says,
            figure=(first.expires - now).total_seconds(),
        )


def _reach(reach: Reach) -> Iterator[Finding]:
    """Whether clients reach the HSMs by AWS's configuration; nobody knocked."""
    severities = {"reachable": Severity.OK, "degraded": Severity.WARNING, "blocked": Severity.CRITICAL}
    for client, verdict in reach.verdicts.items():
        severity = severities.get(verdict, Severity.UNKNOWN)
        way_out = "" if severity is Severity.OK else f"hsmctl net explain --client {client}"
        yield Finding(
            topic=Topic.REACH,
            severity=severity,
            brief=verdict,
            says=f"the way from {client} is {verdict}, by the network's configuration",
            about=client,
            grade=Grade.INFERRED,
            way_out=way_out,
        )


def _sessions(cluster: Cluster, seen: Samples) -> Iterator[Finding]:
    """Open connections against the most there may be; an HSM without a value is the health's to complain of."""
    counts = {name: int(seen[name][-1].value) for name in (hsm.hsm_id for hsm in cluster.active_hsms) if seen.get(name)}
    if counts:
        name = max(counts, key=counts.__getitem__)
        yield _filled("sessions", counts[name], SESSIONS, f" on {name}")


def _capacity(facts: Facts) -> Iterator[Finding]:
    """How full the cluster is, in percent of what its type takes; none of these limits can be raised."""
    cluster, most = facts.cluster, limits(facts.cluster.hsm_type)
    if cluster.hsms:
        full = ": none can be added any more" if len(cluster.hsms) >= HSMS else ""
        yield _filled("HSMs", len(cluster.hsms), HSMS, after=full)
    if not isinstance(facts.coverage, Ok):
        return
    counts = facts.coverage.value.evidence.counts
    if keys := counts.get(KEY_METRIC):
        yield _filled("keys", max(keys.values()), most.keys)
    if free := counts.get(USER_METRIC):
        yield _filled("users", most.users - min(free.values()), most.users)


def _filled(what: str, used: int, most: int, where: str = "", after: str = "") -> Finding:
    percent = 100 * used // most
    severity = Severity.CRITICAL if percent >= FULL else Severity.WARNING if percent >= NEARLY else Severity.OK
    says = f"{used:,} of {most:,} {what}{where} ({percent} %){after}"
    return Finding(
        topic=Topic.CAPACITY, severity=severity, brief=f"{percent} % {what}", says=says, about=what, figure=used / most
    )


def _hold(hold: Hold | None) -> Iterator[Finding]:
    if hold is not None:
        says = f"{hold.set_by} holds it: {hold.reason}"
        yield Finding(topic=Topic.HOLD, severity=Severity.WARNING, brief="held", says=says, at=hold.set_at)


def _operations(names: Sequence[str]) -> Iterator[Finding]:
    for name in names:
        yield Finding(
            topic=Topic.OPERATION,
            severity=Severity.WARNING,
            brief="unfinished",
            says=f"operation {name} was cut off and is open",
            about=name,
            way_out=f"hsmctl operation resume {name}",
        )


def _asked(
    topic: Topic, about: str, outcome: Outcome[T] | None, judge: Callable[[T], Iterator[Finding]]
) -> Iterator[Finding]:
    """The findings of one source; what it did not tell is unknown."""
    if isinstance(outcome, Ok):
        yield from judge(outcome.value)
    elif isinstance(outcome, Failed):
        error = outcome.error
        yield Finding(
            topic=topic,
            severity=Severity.UNKNOWN,
            grade=None,
            brief="unknown",
            says=f"{about}: {error}",
            about=about,
            way_out=error.hint,
        )


def _errors(facts: Facts) -> tuple[HsmctlError, ...]:
    fields = (getattr(facts, name) for name in Facts.__slots__)
    return tuple(each.error for each in fields if isinstance(each, Failed))
