"""Judging a cluster's own evidence: what is wrong, about how much that speaks, and the verdict in one word.

What is known to be wrong beats what is not known, and what was only reported is never called in sync.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from hsmctl.domain.coverage import (
    KEY_METRIC,
    MENDABLE,
    SESSION,
    CoverageFinding,
    Evidence,
    Kind,
    ReportedKey,
    Severity,
    Source,
)
from hsmctl.domain.evidence import Grade
from hsmctl.domain.mtls import Level
from hsmctl.domain.quorum import Values, approvers, disputed, largest
from hsmctl.domain.user import FULL, INCONSISTENT, UNKNOWN, HsmUser, Role, Trouble
from hsmctl.errors import ExitCode
from hsmctl.words import counted


class CoverageVerdict(StrEnum):
    """What a check of a cluster says in the end; the words of `domain.sync.Verdict`."""

    NOT_IN_SYNC = "not in sync"
    ATTRIBUTES_DIFFER = "attributes differ"
    INCOMPLETE = "incomplete"
    UNKNOWN = "unknown"
    NO_DIFFERENCE_SEEN = "no difference seen"


_EXITS: Mapping[CoverageVerdict, ExitCode] = {
    CoverageVerdict.NOT_IN_SYNC: ExitCode.NO,
    CoverageVerdict.ATTRIBUTES_DIFFER: ExitCode.NO,
    CoverageVerdict.INCOMPLETE: ExitCode.PARTIAL,
    CoverageVerdict.UNKNOWN: ExitCode.UNKNOWN,
    CoverageVerdict.NO_DIFFERENCE_SEEN: ExitCode.OK,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageReport:
    """The verdict on a cluster, with everything it rests on."""

    evidence: Evidence
    findings: tuple[CoverageFinding, ...]
    verdict: CoverageVerdict
    scope: str
    """About how much the verdict speaks, in a sentence."""
    full_scope: bool

    @property
    def partial(self) -> bool:
        """Whether keys were seen, and not all of them."""
        return self.evidence.keys is not None and not self.full_scope

    @property
    def exit_code(self) -> ExitCode:
        """The verdict as an exit code."""
        return _EXITS[self.verdict]


def words(verdict: str, severities: Sequence[str], *, partial: bool = False) -> str:
    """The verdict with how many findings it is about; what was only reported is never called in sync.

    `partial` is whether keys were seen, and not all: then only those agree.
    """
    if verdict in (CoverageVerdict.NOT_IN_SYNC, CoverageVerdict.ATTRIBUTES_DIFFER):
        drift = sum(each in (Severity.DRIFT, Severity.ATTRIBUTES) for each in severities)
        return f"{verdict}: {counted(drift, 'finding')}"
    unseen = sum(each == Severity.UNSEEN for each in severities)
    if verdict in (CoverageVerdict.INCOMPLETE, CoverageVerdict.UNKNOWN) and unseen:
        return f"{verdict}: {counted(unseen, 'thing')} not seen"
    said = "visible keys agree" if partial and verdict == CoverageVerdict.NO_DIFFERENCE_SEEN else verdict
    return f"{said} (reported, not proved)"


def judge(evidence: Evidence) -> CoverageReport:
    """The report on the evidence; what is known to be wrong beats what is not known."""
    findings = (
        *_connection(evidence),
        *_counts(evidence),
        *_users(evidence),
        *_quorum(evidence),
        *_anchors(evidence),
        *_keys(evidence),
        *_audited(evidence),
    )
    order = list(Severity)
    ranked = tuple(sorted(findings, key=lambda finding: order.index(finding.severity)))
    said, full = _scope(evidence)
    return CoverageReport(
        evidence=evidence, findings=ranked, verdict=_verdict(evidence, ranked), scope=said, full_scope=full
    )


def _connection(evidence: Evidence) -> list[CoverageFinding]:
    """Whether the host's word is about every HSM."""
    found = [
        CoverageFinding(
            kind=Kind.CONNECTION, name=source, says=why, severity=Severity.UNSEEN, source=source, grade=Grade.REPORTED
        )
        for source, why in evidence.failures.items()
    ]
    if evidence.connected is not None and evidence.connected != len(evidence.active):
        says = f"connected to {evidence.connected} of {len(evidence.active)} ACTIVE HSMs: `full` is about those alone"
        found.append(
            CoverageFinding(
                kind=Kind.CONNECTION,
                name=evidence.host,
                says=says,
                severity=Severity.UNSEEN,
                source=Source.HOST,
                repair=f"hsmctl client check {evidence.host}",
            )
        )
    found += [
        CoverageFinding(
            kind=Kind.CONNECTION,
            name=hsm_id,
            says="joining or leaving: users and policies changed now may be lost on it",
            severity=Severity.NOTE,
            source=Source.CONTROL,
        )
        for hsm_id in evidence.moving
    ]
    return found


def _counts(evidence: Evidence) -> list[CoverageFinding]:
    """Numbers that differ between HSMs; they lag by minutes, so they hint and do not prove."""
    found = []
    for metric, counts in evidence.counts.items():
        seen = {hsm_id: number for hsm_id, number in counts.items() if hsm_id in evidence.active}
        if len(set(seen.values())) > 1:
            says = odd_ones(seen)
            found.append(
                CoverageFinding(
                    kind=Kind.COUNT,
                    name=metric,
                    says=says,
                    severity=Severity.DRIFT if metric in evidence.lasting else Severity.NOTE,
                    source=Source.CONTROL,
                    grade=Grade.INFERRED,
                )
            )
    return found


def odd_ones(counts: Mapping[str, int]) -> str:
    """Numbers by HSM, the fewest HSMs first by name; the most common number is told of the rest."""
    holders: dict[int, list[str]] = {}
    for hsm_id, number in sorted(counts.items()):
        holders.setdefault(number, []).append(hsm_id)
    *odd, (common, others) = sorted(holders.items(), key=lambda each: (len(each[1]), each[0]))
    rest = others[0] if len(others) == 1 else f"the {len(others)} others"
    return "; ".join([*(f"{number:,} on {', '.join(names)}" for number, names in odd), f"{common:,} on {rest}"])


def _users(evidence: Evidence) -> list[CoverageFinding]:
    """Users that are not the same everywhere, or locked."""
    return [
        CoverageFinding(
            kind=Kind.USER,
            name=user.name,
            says=trouble,
            severity=Severity.UNSEEN if trouble is Trouble.UNKNOWN else Severity.DRIFT,
            source=Source.HOST,
            repair="" if trouble is Trouble.UNKNOWN else f"hsmctl {trouble.repair} {user.name}",
        )
        for user in evidence.users or ()
        for trouble in user.troubles
    ]


def _quorum(evidence: Evidence) -> list[CoverageFinding]:
    """Values that differ, and too few approvers for them."""
    if evidence.users is None or not evidence.values:
        return []
    differing = [
        CoverageFinding(
            kind=Kind.QUORUM,
            name=service,
            says="HSMs ask for different numbers of approvals",
            severity=Severity.DRIFT,
            source=Source.HOST,
            repair=f"hsmctl quorum set {service} NUMBER",
        )
        for service in disputed(evidence.values)
    ]
    return [*differing, *_approvers(evidence.users, evidence.values)]


def _approvers(users: Sequence[HsmUser], values: Values) -> list[CoverageFinding]:
    """Too few approvers for the largest value."""
    needed, able = largest(values), approvers(users)
    if not needed or len(able) >= needed + 1:
        return []
    admins = [user.name for user in users if user.role == Role.ADMIN]
    return [
        CoverageFinding(
            kind=Kind.QUORUM,
            name=f"M={needed}",
            says=f"{len(able)} of {len(admins)} admins can approve; {needed + 1} are needed so that one may be lost",
            severity=Severity.NOTE if len(able) >= needed else Severity.DRIFT,
            source=Source.HOST,
            repair="hsmctl quorum register NAME",
        )
    ]


def _anchors(evidence: Evidence) -> list[CoverageFinding]:
    """Anchors that some HSM lacks, and enforcement that differs."""
    differs = CoverageFinding(
        kind=Kind.ANCHOR,
        name="enforcement",
        says=f"mTLS enforcement is {evidence.enforcement}",
        severity=Severity.DRIFT,
        source=Source.LOGIN,
        repair="hsmctl mtls enforce, or hsmctl mtls release",
    )
    return [differs] * (evidence.enforcement not in ("", *Level)) + [
        CoverageFinding(
            kind=Kind.ANCHOR,
            name=anchor.reference,
            says=f"coverage {anchor.coverage}",
            severity=Severity.UNSEEN if anchor.coverage == UNKNOWN else Severity.DRIFT,
            source=Source.HOST,
            repair="hsmctl mtls register FILE",
        )
        for anchor in evidence.anchors or ()
        if anchor.coverage != FULL
    ]


def _keys(evidence: Evidence) -> list[CoverageFinding]:
    return [finding for key in evidence.keys or () for finding in _key(key)]


def _audited(evidence: Evidence) -> list[CoverageFinding]:
    """Which HSM did not hear of what the others did to a user who differs: a trace, since entries may be lost."""
    differing = {user.name for user in evidence.users or () if not user.sound}
    differing |= {""} if disputed(evidence.values or {}) else set()
    return [
        CoverageFinding(
            kind=Kind.AUDIT,
            name=each.user or "quorum",
            says=f"{each.hsm_id} did not log: {each.what}, {each.at:%Y-%m-%d %H:%M} UTC ({each.others} did)",
            severity=Severity.NOTE,
            source=Source.CONTROL,
            grade=Grade.INFERRED,
        )
        for each in evidence.missed
        if each.user.lower() in differing
    ]


_MATERIAL = frozenset(
    {"check-value", "modulus", "public-exponent", "ec-point", "curve", "key-type", "class", "key-length-bytes"}
)
"""Attributes that say what a key is made of: where they differ, HSMs hold different keys under one reference."""


def _key(key: ReportedKey) -> list[CoverageFinding]:
    """What the service says is wrong with a key; missing or other material has no repair that does not touch it."""
    found = []
    if key.coverage not in (FULL, SESSION):
        says = f"coverage {key.coverage} ({key.reference})"
        found.append(_of_key(key, says, Severity.UNSEEN if key.coverage == UNKNOWN else Severity.DRIFT))
    for user, coverage in {**key.owners, **key.shared}.items():
        if coverage not in (FULL, SESSION):
            shared = user in key.shared and user not in key.owners
            repair = f"hsmctl sync repair {key.reference} --share {user}, or --unshare {user}" if shared else ""
            found.append(_of_key(key, f"coverage {coverage} for {user}", Severity.DRIFT, repair))
    material = [each for each in key.differing if each in _MATERIAL]
    others = [each for each in key.differing if each not in _MATERIAL]
    if material:
        found.append(_of_key(key, f"other material: {', '.join(material)} {INCONSISTENT}", Severity.DRIFT))
    if others:
        mendable = next((each for each in others if each in MENDABLE), "")
        repair = f"hsmctl sync repair {key.reference} --set {mendable}=VALUE" if mendable else ""
        found.append(_of_key(key, f"{', '.join(others)} {INCONSISTENT}", Severity.ATTRIBUTES, repair))
    return found


def _of_key(key: ReportedKey, says: str, severity: Severity, repair: str = "") -> CoverageFinding:
    name = key.label or key.reference
    return CoverageFinding(kind=Kind.KEY, name=name, says=says, severity=severity, source=Source.LOGIN, repair=repair)


def _scope(evidence: Evidence) -> tuple[str, bool]:
    """How much was seen, and whether that was everything."""
    parts = [f"{len(evidence.active)} ACTIVE HSMs"]
    if evidence.connected is not None:
        parts.append(f"{evidence.host} reaches {evidence.connected}")
    if evidence.users is not None:
        parts.append(f"{len(evidence.users)} users")
    if evidence.keys is None:
        return f"{'; '.join(parts)}; keys not looked at", False
    seen = len(evidence.keys)
    parts.append(f"{seen:,} keys seen as {evidence.as_user}")
    on_hsms = max(evidence.counts.get(KEY_METRIC, {}).values(), default=None)
    if on_hsms is not None and on_hsms > seen:
        parts.append(f"the HSMs report {on_hsms:,} token keys; {on_hsms - seen:,} not visible: unproven")
    complete = evidence.total in (None, seen) and on_hsms is not None and on_hsms <= seen
    return "; ".join(parts), complete and evidence.connected == len(evidence.active)


def _verdict(evidence: Evidence, findings: Sequence[CoverageFinding]) -> CoverageVerdict:
    """The one word, by the table of the design."""
    worst = {finding.severity for finding in findings}
    if Severity.DRIFT in worst:
        return CoverageVerdict.NOT_IN_SYNC
    if Severity.ATTRIBUTES in worst:
        return CoverageVerdict.ATTRIBUTES_DIFFER
    if evidence.users is None and evidence.keys is None:
        return CoverageVerdict.UNKNOWN if evidence.failures else CoverageVerdict.NO_DIFFERENCE_SEEN
    if Severity.UNSEEN in worst:
        return CoverageVerdict.INCOMPLETE
    return CoverageVerdict.NO_DIFFERENCE_SEEN
