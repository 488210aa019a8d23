"""What speaks against a key by its attributes alone: the rules KY-01 to KY-08 of the security posture.

A rule says what it saw, how bad that is and what mends it. It judges only what a listing shows: owners, sharing and
quorum are cloudhsm-cli's to tell, and CloudHSM keeps no date of birth. What is not known is no finding.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from hsmctl.domain.key import Key, ObjectClass, text
from hsmctl.domain.key_transport import PREFIX


class Severity(StrEnum):
    """How bad a finding is."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule."""

    rule_id: str
    severity: Severity
    says: str
    """What holds for a good key."""
    fix: str
    basis: str
    """Where the rule comes from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A key that breaks a rule."""

    rule: Rule
    key: Key
    saw: str


RULES = {
    rule.rule_id: rule
    for rule in (
        Rule(
            rule_id="KY-01",
            severity=Severity.HIGH,
            says="private and secret keys do not leave",
            fix="make a new key without --extractable and retire this one",
            basis="NIST SP 800-57 part 1, 6.2.1.3; PCI DSS 3.6.1.2",
        ),
        Rule(
            rule_id="KY-02",
            severity=Severity.MEDIUM,
            says="authorities' keys were born inside and never could leave",
            fix="a new key ceremony",
            basis="PCI DSS 3.6.1; CA/B baseline requirements 6.2",
        ),
        Rule(
            rule_id="KY-03",
            severity=Severity.HIGH,
            says="keys that may leave do so under a trusted key alone",
            fix="set wrap-with-trusted, which cannot be undone",
            basis="PKCS#11 wrap attacks; NIST SP 800-57 part 1, 6.2",
        ),
        Rule(
            rule_id="KY-04",
            severity=Severity.HIGH,
            says="trusted wrapping keys do not leave themselves",
            fix="review who made it trusted; replace it",
            basis="dual control",
        ),
        Rule(
            rule_id="KY-05",
            severity=Severity.HIGH,
            says="keys are long enough and of an approved kind",
            fix="hsmctl key rotate to a longer key",
            basis="NIST SP 800-57 part 1, tables 2 and 4; SP 800-131A",
        ),
        Rule(
            rule_id="KY-06",
            severity=Severity.MEDIUM,
            says="a key has one use",
            fix="a key for each use: hsmctl key generate --for",
            basis="NIST SP 800-57 part 1, 5.2",
        ),
        Rule(
            rule_id="KY-08",
            severity=Severity.LOW,
            says="every key has a label, and no two share one",
            fix="hsmctl key rename, through cloudhsm-cli on a cluster",
            basis="NIST SP 800-53 CM-8",
        ),
        Rule(
            rule_id="KY-10",
            severity=Severity.MEDIUM,
            says="no transport key of hsmctl's is left over",
            fix="the next hsmctl key copy or import on this token removes it",
            basis="hsmctl: what carries a key goes when the key has arrived",
        ),
    )
}
"""By id. KY-07 (age) and KY-09 (sharing and quorum) need what a listing does not show."""

_PRIVATE = (ObjectClass.PRIVATE, ObjectClass.SECRET)
_CONFLICTS = (("wrap", "decrypt"), ("unwrap", "encrypt"), ("sign", "decrypt"), ("sign", "unwrap"))
_APPROVED_CURVES = frozenset({"P-256", "P-384", "P-521", "P-224", "Ed25519"})
_DATED = frozenset({"DES", "DES3", "DES2", "DSA", "DH", "SHA1-HMAC"})
_HMAC_BITS = 112


def lint(keys: Sequence[Key], allow: Iterable[str] = (), rules: Iterable[str] = tuple(RULES)) -> tuple[Finding, ...]:
    """What breaks a rule, worst first.

    `allow` are labels, with `*` and `?`, of keys that are meant to leave (KY-01, KY-03).
    """
    allowed, wanted = tuple(allow), set(rules)
    found = [finding for finding in (*_each(keys, allowed), *_labels(keys)) if finding.rule.rule_id in wanted]
    order = {severity: place for place, severity in enumerate(Severity)}
    return tuple(sorted(found, key=lambda each: (order[each.rule.severity], each.rule.rule_id, each.key.identity)))


def _each(keys: Sequence[Key], allowed: tuple[str, ...]) -> Iterator[Finding]:
    for key in keys:
        exempt = any(fnmatchcase(text(key.identity.label), pattern) for pattern in allowed)
        for rule_id, look in _LOOKS.items():
            saw = look(key)
            if saw and not (exempt and rule_id in ("KY-01", "KY-03")):
                yield Finding(rule=RULES[rule_id], key=key, saw=saw)


def _labels(keys: Sequence[Key]) -> Iterator[Finding]:
    """Keys without a label, and keys of one class that share one."""
    sharing: dict[tuple[ObjectClass, bytes], list[Key]] = defaultdict(list)
    for key in keys:
        if key.identity.object_class in (*_PRIVATE, ObjectClass.PUBLIC):
            sharing[key.identity.object_class, key.identity.label].append(key)
    for (_, label), same in sharing.items():
        for key in same:
            if not label:
                yield Finding(rule=RULES["KY-08"], key=key, saw="it has no label")
            elif len(same) > 1:
                yield Finding(
                    rule=RULES["KY-08"], key=key, saw=f"{len(same)} {key.identity.object_class}s have its label"
                )


def _may_leave(key: Key) -> str:
    return "extractable" if _is(key, "extractable") else ""


def _was_outside(key: Key) -> str:
    if key.identity.object_class is not ObjectClass.PRIVATE or not _names_authority(key):
        return ""
    lacks = [name for name in ("local", "always_sensitive", "never_extractable") if name not in key.attributes]
    return f"not {', not '.join(lacks)}".replace("_", "-") if lacks else ""


def _leaves_under_any(key: Key) -> str:
    loose = _is(key, "extractable") and "wrap_with_trusted" not in key.attributes
    return "extractable under any wrapping key" if loose else ""


def _trusted_leaves(key: Key) -> str:
    return "trusted and extractable" if "trusted" in key.attributes and "extractable" in key.attributes else ""


def _is_weak(key: Key) -> str:
    if key.key_type in _DATED:
        return key.key_type
    if key.key_type == "RSA" and key.bits and key.bits < 2048:
        return f"RSA-{key.bits}"
    if key.key_type == "EC" and key.curve and key.curve not in _APPROVED_CURVES:
        return f"curve {key.curve}"
    short = key.key_type in ("GENERIC", *_HMACS) and key.bits is not None and key.bits < _HMAC_BITS
    return f"{key.bits} bits" if short else ""


_HMACS = ("SHA224-HMAC", "SHA256-HMAC", "SHA384-HMAC", "SHA512-HMAC")


def _mixes(key: Key) -> str:
    both = next((pair for pair in _CONFLICTS if {*pair} <= key.attributes), None)
    return f"{both[0]} and {both[1]}" if both and key.identity.object_class in _PRIVATE else ""


def _left_over(key: Key) -> str:
    return "a transport key" if key.identity.label.startswith(PREFIX) else ""


def _is(key: Key, attribute: str) -> bool:
    return key.identity.object_class in _PRIVATE and attribute in key.attributes


def _names_authority(key: Key) -> bool:
    words = text(key.identity.label).lower().replace("_", "-").replace(".", "-").replace(" ", "-").split("-")
    return bool({"ca", "root", "issuing", "authority"} & set(words))


_LOOKS: dict[str, Callable[[Key], str]] = {
    "KY-01": _may_leave,
    "KY-02": _was_outside,
    "KY-03": _leaves_under_any,
    "KY-04": _trusted_leaves,
    "KY-05": _is_weak,
    "KY-06": _mixes,
    "KY-10": _left_over,
}
