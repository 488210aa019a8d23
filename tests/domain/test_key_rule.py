"""Proves that each rule finds what breaks it and nothing else, and that a healthy key breaks none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hsmctl.domain.key import Identity, Key, ObjectClass
from hsmctl.domain.key_rule import RULES, Severity, lint

GOOD = Key(
    identity=Identity(ObjectClass.PRIVATE, b"\x01", b"tls-2027"),
    key_type="RSA",
    bits=3072,
    attributes=frozenset({"token", "private", "sensitive", "sign", "local", "always_sensitive", "never_extractable"}),
)
AES = replace(GOOD, identity=Identity(ObjectClass.SECRET, b"\x02", b"data"), key_type="AES", bits=256)


def named(label: bytes) -> Identity:
    return Identity(ObjectClass.PRIVATE, b"\x01", label)


def test_healthy_keys_break_no_rule() -> None:
    public = replace(GOOD, identity=Identity(ObjectClass.PUBLIC, b"\x01", b"tls-2027"))
    assert lint((GOOD, AES, public)) == ()


@pytest.mark.parametrize(
    ("key", "rules"),
    [
        (replace(GOOD, attributes=GOOD.attributes | {"extractable"}), {"KY-01", "KY-03"}),
        (replace(GOOD, attributes=GOOD.attributes | {"extractable", "wrap_with_trusted"}), {"KY-01"}),
        (replace(GOOD, identity=named(b"root-ca"), attributes=GOOD.attributes - {"local"}), {"KY-02"}),
        (replace(AES, attributes=AES.attributes | {"trusted", "extractable"}), {"KY-01", "KY-03", "KY-04"}),
        (replace(GOOD, bits=1024), {"KY-05"}),
        (replace(AES, key_type="DES3"), {"KY-05"}),
        (replace(AES, key_type="GENERIC", bits=80), {"KY-05"}),
        (replace(GOOD, key_type="EC", bits=None, curve="secp256k1"), {"KY-05"}),
        (replace(AES, attributes=AES.attributes | {"wrap", "decrypt"}), {"KY-06"}),
        (replace(GOOD, identity=named(b"")), {"KY-08"}),
        (replace(AES, identity=Identity(ObjectClass.SECRET, b"", b"hsmctl-transport-00")), {"KY-10"}),
    ],
)
def test_a_rule_finds_what_breaks_it(key: Key, rules: set[str]) -> None:
    assert {finding.rule.rule_id for finding in lint((key,))} - {"KY-06"} == rules - {"KY-06"}
    assert rules <= {finding.rule.rule_id for finding in lint((key,))}


def test_labels_are_shared_within_a_class_only() -> None:
    twin = replace(AES, identity=AES.identity._replace(key_id=b"\x09"))
    assert [finding.saw for finding in lint((AES, twin))] == ["2 secret-keys have its label"] * 2


def test_what_is_meant_is_not_found_and_what_is_asked_for_alone_is() -> None:
    leaving = replace(GOOD, attributes=GOOD.attributes | {"extractable"}, bits=1024)
    assert [finding.rule.rule_id for finding in lint((leaving,), ["tls-*"])] == ["KY-05"]
    assert [finding.rule.rule_id for finding in lint((leaving,), rules=["KY-03"])] == ["KY-03"]


def test_the_worst_comes_first_and_every_rule_says_how_to_mend_it() -> None:
    found = lint((replace(AES, identity=AES.identity._replace(label=b"")), replace(GOOD, bits=1024)))
    assert [finding.rule.severity for finding in found] == [Severity.HIGH, Severity.LOW]
    assert all(rule.fix and rule.basis and rule.says for rule in RULES.values())
