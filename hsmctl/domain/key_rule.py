"""The rules keys are held to, KY-01 to KY-10 of the security posture: what holds for a good key, why, what mends it.

The rules are data; `domain.key_look`, `domain.key_age` and `domain.key_share` say what breaks them, `domain.key_lint`
judges.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from hsmctl.domain.key import Key
from hsmctl.domain.uri import typed


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
    why: str
    """What happens where it does not."""
    fix: str
    """The next steps, with semicolons between them; KEY stands for the key's URI."""
    basis: str
    """Where the rule comes from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A key that breaks a rule."""

    rule: Rule
    key: Key
    saw: str
    """What is said of the key: `is extractable`."""
    step: str = ""
    """The next step where the rule's own does not fit."""

    @property
    def fix(self) -> str:
        """The next step, as it is typed for this key."""
        return (self.step or self.rule.fix).replace("KEY", shlex.quote(typed(self.key.identity)))


class Doubt(NamedTuple):
    """Why a rule could not be judged, and how it could be."""

    why: str
    way_out: str


class Broken(NamedTuple):
    """How a key breaks a rule, with a next step of its own where it has one."""

    saw: str
    step: str = ""


RULES = {
    rule.rule_id: rule
    for rule in (
        Rule(
            rule_id="KY-01",
            severity=Severity.HIGH,
            says="private and secret keys do not leave",
            why="whoever may wrap with another key takes it out of the HSM",
            fix="hsmctl key set KEY extractable=false; or --allow LABEL, where it is meant to leave",
            basis="NIST SP 800-57 part 1, 6.2.1.3; PCI DSS 3.6.1.2",
        ),
        Rule(
            rule_id="KY-02",
            severity=Severity.MEDIUM,
            says="authorities' keys were born inside and never could leave",
            why="a copy may exist outside, and whoever has it signs as the authority",
            fix="hsmctl key generate EC --for ca --label NEW, in a new key ceremony",
            basis="PCI DSS 3.6.1; CA/B baseline requirements 6.2",
        ),
        Rule(
            rule_id="KY-03",
            severity=Severity.HIGH,
            says="keys that may leave do so under a trusted key alone",
            why="under a wrapping key that its maker knows, it leaves in the clear",
            fix="hsmctl key set KEY wrap_with_trusted=true, which cannot be undone",
            basis="PKCS#11 wrap attacks; NIST SP 800-57 part 1, 6.2",
        ),
        Rule(
            rule_id="KY-04",
            severity=Severity.HIGH,
            says="trusted wrapping keys do not leave themselves",
            why="whoever has a copy of it opens everything it wrapped",
            fix="wrap anew under a trusted key that cannot leave; hsmctl key disable KEY",
            basis="dual control",
        ),
        Rule(
            rule_id="KY-05",
            severity=Severity.HIGH,
            says="keys are long enough and of a kind that NIST approves",
            why="it can be broken, or an auditor does not let it count",
            fix="hsmctl key generate EC --size P-384 --label NEW, or another NIST approves; hsmctl key disable KEY",
            basis="NIST SP 800-57 part 1, tables 2 and 4; SP 800-131A; SP 800-186",
        ),
        Rule(
            rule_id="KY-06",
            severity=Severity.MEDIUM,
            says="a key has one use",
            why="one use gives out what the other protects",
            fix="hsmctl key generate AES --for data --label NEW, a key for each use; hsmctl key set KEY decrypt=false",
            basis="NIST SP 800-57 part 1, 5.2",
        ),
        Rule(
            rule_id="KY-07",
            severity=Severity.MEDIUM,
            says="keys are replaced within their cryptoperiod",
            why="the longer it is used, the more its loss gives away",
            fix="hsmctl key rotate KEY --label NEW",
            basis="NIST SP 800-57 part 1, 5.3.6; PCI DSS 3.7.4",
        ),
        Rule(
            rule_id="KY-08",
            severity=Severity.LOW,
            says="every key has a label, and no two of a class share one",
            why="nobody can say which one a program uses",
            fix="hsmctl key rename KEY NEW",
            basis="NIST SP 800-53 CM-8",
        ),
        Rule(
            rule_id="KY-09",
            severity=Severity.MEDIUM,
            says="few users share a key, and what others rest on needs approvals",
            why="whoever it is shared with can use it, and one person alone decides",
            fix="cloudhsm-cli key unshare, for whoever does not need it",
            basis="PCI DSS 3.7.6, dual control; NIST SP 800-53 AC-5",
        ),
        Rule(
            rule_id="KY-10",
            severity=Severity.MEDIUM,
            says="no transport key of hsmctl's is left over",
            why="it can still wrap what should stay",
            fix="the next hsmctl key copy or key import on this token removes it",
            basis="hsmctl: what carries a key goes when the key has arrived",
        ),
    )
}
"""By id."""
