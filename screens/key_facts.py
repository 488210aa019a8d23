"""Everything an inventory says about a key, as names and values with nothing shortened."""

from __future__ import annotations

from collections.abc import Iterable

from hsmctl.domain.key import Key, MaterialKind, text
from hsmctl.domain.key_rule import Finding

from .facts import Fact

MATERIALS = {
    MaterialKind.PUBLIC: "public half it handed over",
    MaterialKind.MODULUS: "modulus it lists",
    MaterialKind.CHECK_VALUE: "check value it lists (24 bits)",
}
"""What a fingerprint was computed from, in words."""


def of_finding(finding: Finding) -> Fact:
    """What speaks against a key, and what mends it."""
    return finding.rule.rule_id, f"{finding.saw}; {finding.rule.fix}"


def of_key(key: Key) -> Iterable[Fact]:
    """What an inventory says about an object; text from the token is made printable."""
    yield "label", text(key.identity.label)
    yield "id", key.identity.key_id.hex()
    yield "class", str(key.identity.object_class)
    yield "type", key.algorithm
    yield "attributes", " ".join(sorted(key.attributes))
    yield "fingerprint", f"{key.material.digest.hex()}" if key.material else "none: this object cannot be compared"
    yield "computed from", MATERIALS[key.material.kind] if key.material else ""
