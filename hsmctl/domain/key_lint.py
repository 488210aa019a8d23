"""Keys held to the rules: what breaks one, and what could not be judged and why.

A rule that nobody could judge is never a rule that is kept.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase

from hsmctl.domain.key import Identity, Key, ObjectClass, text
from hsmctl.domain.key_age import Births, Period, aged
from hsmctl.domain.key_look import LOOKS, Look, shared_labels
from hsmctl.domain.key_rule import RULES, Broken, Doubt, Finding, Rule, Severity
from hsmctl.domain.key_share import FEW, Reports, completed, shared

_LEAVING = ("KY-01", "KY-03")
_Seen = tuple[Rule, Key, Broken | Doubt]
_NOT_ASKED = Doubt("it was not asked for", "hsmctl key lint")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What keys are held to."""

    rules: Sequence[str] = tuple(RULES)
    allow: Sequence[str] = ()
    """Labels, with `*` and `?`, of keys that are meant to leave (KY-01, KY-03)."""
    few: int = FEW
    """Other users a key may be shared with (KY-09)."""
    guarded: Sequence[str] = ()
    """Labels of keys that need approvals (KY-09), beside authorities' and trusted ones."""
    periods: Sequence[Period] = ()
    """How long keys may be used (KY-07), the first that fits; or else as NIST has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What is known of keys beside their listing."""

    now: datetime
    births: Births | Doubt = _NOT_ASKED
    reports: Reports | Doubt = _NOT_ASKED
    beyond: Mapping[str, str] = field(default_factory=dict)
    """Rules that say nothing about such a token, with the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unjudged:
    """Keys of which nobody can say whether they break a rule."""

    rule: Rule
    doubt: Doubt
    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What came of one rule."""

    rule: Rule
    keys: int
    """Keys it is about."""
    broken: int
    unjudged: int
    beyond: str = ""
    """Why it says nothing here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of all."""

    findings: tuple[Finding, ...]
    """The worst first."""
    unjudged: tuple[Unjudged, ...]
    rules: tuple[Judged, ...]


def lint(keys: Sequence[Key]) -> tuple[Finding, ...]:
    """What breaks a rule by what a listing shows alone, the worst first."""
    return _found(list(_seen(keys, {**LOOKS, "KY-08": shared_labels(keys)}, Wanted())))


def judge(keys: Sequence[Key], wanted: Wanted, beside: Beside) -> Verdict:
    """Hold the keys to the rules that are wanted."""
    whole = keys if isinstance(beside.reports, Doubt) else [completed(key, beside.reports) for key in keys]
    looks = {rule: look for rule, look in _looks(whole, wanted, beside).items() if rule in wanted.rules}
    seen = list(_seen(whole, looks, wanted))
    findings, unjudged = _found(seen), tuple(_doubted(seen))
    classes = Counter(key.identity.object_class for key in whole)
    rules = (
        Judged(
            rule=RULES[rule],
            keys=sum(classes[each] for each in looks[rule].classes) if rule in looks else 0,
            broken=sum(finding.rule.rule_id == rule for finding in findings),
            unjudged=sum(len(each.keys) for each in unjudged if each.rule.rule_id == rule),
            beyond=beside.beyond.get(rule, ""),
        )
        for rule in RULES
        if rule in wanted.rules
    )
    return Verdict(findings=findings, unjudged=unjudged, rules=tuple(rules))


def _looks(keys: Sequence[Key], wanted: Wanted, beside: Beside) -> dict[str, Look]:
    """How each rule is judged that says something here."""
    every = {
        **LOOKS,
        "KY-07": aged(beside.births, keys, wanted.periods, beside.now),
        "KY-08": shared_labels(keys),
        "KY-09": shared(beside.reports, wanted.few, wanted.guarded),
    }
    return {rule: look for rule, look in every.items() if rule not in beside.beyond}


def _seen(keys: Sequence[Key], looks: Mapping[str, Look], wanted: Wanted) -> Iterator[_Seen]:
    for key in keys:
        label = text(key.identity.label)
        exempt = any(fnmatchcase(label, pattern) for pattern in wanted.allow)
        for rule, look in looks.items():
            if key.identity.object_class not in look.classes or (exempt and rule in _LEAVING):
                continue
            seen = look.see(key)
            if seen is not None:
                yield RULES[rule], key, seen


def _found(seen: Sequence[_Seen]) -> tuple[Finding, ...]:
    """What breaks a rule, the worst first; a public half says nothing that its private one says already."""
    broken = [(rule, key, each) for rule, key, each in seen if isinstance(each, Broken)]
    told = {(rule.rule_id, key.identity) for rule, key, _ in broken}
    found = (
        Finding(rule=rule, key=key, saw=each.saw, step=each.step)
        for rule, key, each in broken
        if (rule.rule_id, _private(key)) not in told
    )
    order = {severity: place for place, severity in enumerate(Severity)}
    return tuple(sorted(found, key=lambda each: (order[each.rule.severity], each.rule.rule_id, each.key.identity)))


def _doubted(seen: Sequence[_Seen]) -> Iterator[Unjudged]:
    """What could not be judged, together where the reason is the same."""
    same: dict[tuple[str, Doubt], list[Key]] = defaultdict(list)
    for rule, key, doubt in seen:
        if isinstance(doubt, Doubt):
            same[rule.rule_id, doubt].append(key)
    for (rule_id, doubt), alike in sorted(same.items()):
        yield Unjudged(rule=RULES[rule_id], doubt=doubt, keys=tuple(alike))


def _private(key: Key) -> Identity | None:
    """The private half of a public key."""
    if key.identity.object_class is not ObjectClass.PUBLIC:
        return None
    return key.identity._replace(object_class=ObjectClass.PRIVATE)
