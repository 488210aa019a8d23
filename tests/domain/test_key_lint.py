"""Proves that each rule finds what breaks it and nothing else, and that what nobody can judge is never called kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from world import NOW

from hsmctl.domain.coverage import ReportedKey
from hsmctl.domain.key import Identity, Key, ObjectClass
from hsmctl.domain.key_age import Birth, births, first_seen, parse_periods
from hsmctl.domain.key_lint import Beside, Verdict, Wanted, judge, lint
from hsmctl.domain.key_rule import RULES, Doubt, Severity
from hsmctl.domain.key_share import reports_of
from hsmctl.errors import UsageError

GOOD = Key(
    identity=Identity(ObjectClass.PRIVATE, b"\x01", b"tls-2027"),
    key_type="RSA",
    bits=3072,
    attributes=frozenset({"token", "private", "sensitive", "sign", "local", "always_sensitive", "never_extractable"}),
)
AES = replace(GOOD, identity=Identity(ObjectClass.SECRET, b"\x02", b"data"), key_type="AES", bits=256)
PUBLIC = replace(GOOD, identity=Identity(ObjectClass.PUBLIC, b"\x01", b"tls-2027"))
ROOT = replace(GOOD, identity=Identity(ObjectClass.PRIVATE, b"\x01", b"root-ca"))


def reported(key: Key, **told: object) -> ReportedKey:
    """The key as cloudhsm-cli lists it."""
    identity = key.identity
    return ReportedKey(
        reference="0x00000000000000aa",
        label=identity.label.decode(),
        object_class=identity.object_class.value,
        **{"attributes": {"id": f"0x{identity.key_id.hex()}"}, "use_quorum": 0, **told},  # type: ignore[arg-type]
    )


def asked(key: Key, *rules: str, beside: Beside | None = None, **wanted: object) -> Verdict:
    """One key, held to these rules."""
    return judge((key,), Wanted(rules=rules, **wanted), beside or Beside(now=NOW))  # type: ignore[arg-type]


def outcome(verdict: Verdict) -> str:
    """What came of the only rule that was asked for."""
    if verdict.findings:
        return verdict.findings[0].saw
    return f"? {verdict.unjudged[0].doubt.why}" if verdict.unjudged else ""


def named(label: bytes) -> Identity:
    return Identity(ObjectClass.PRIVATE, b"\x01", label)


def test_healthy_keys_break_no_rule() -> None:
    assert lint((GOOD, AES, PUBLIC)) == ()


@pytest.mark.parametrize(
    ("key", "rules"),
    [
        (replace(GOOD, attributes=GOOD.attributes | {"extractable"}), {"KY-01", "KY-03"}),
        (replace(GOOD, attributes=GOOD.attributes | {"extractable", "wrap_with_trusted"}), {"KY-01"}),
        (replace(ROOT, attributes=GOOD.attributes - {"local"}), {"KY-02"}),
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
    assert {finding.rule.rule_id for finding in lint((key,))} == rules


def test_a_public_half_says_nothing_that_its_private_one_says() -> None:
    weak = [replace(key, key_type="EC", bits=None, curve="secp256k1") for key in (GOOD, PUBLIC)]
    assert [finding.key.identity.object_class for finding in lint(weak)] == [ObjectClass.PRIVATE]
    assert [finding.key.identity.object_class for finding in lint(weak[1:])] == [ObjectClass.PUBLIC]


def test_labels_are_shared_within_a_class_only() -> None:
    twin = replace(AES, identity=AES.identity._replace(key_id=b"\x09"))
    assert [finding.saw for finding in lint((AES, twin))] == ["has a label that 2 secret-keys have"] * 2


def test_what_is_meant_is_not_found_and_what_is_asked_for_alone_is() -> None:
    leaving = replace(GOOD, attributes=GOOD.attributes | {"extractable"}, bits=1024)
    found = asked(leaving, "KY-01", "KY-03", "KY-05", allow=["tls-*"]).findings
    assert [finding.rule.rule_id for finding in found] == ["KY-05"]
    assert [judged.rule.rule_id for judged in asked(leaving, "KY-03").rules] == ["KY-03"]


def test_the_worst_comes_first_and_every_rule_says_why_and_how_to_mend_it() -> None:
    found = lint((replace(AES, identity=AES.identity._replace(label=b"")), replace(GOOD, bits=1024)))
    assert [finding.rule.severity for finding in found] == [Severity.HIGH, Severity.LOW]
    assert all(rule.fix and rule.basis and rule.says and rule.why for rule in RULES.values())
    assert found[1].fix == "hsmctl key rename 'pkcs11:id=%02;type=secret-key' NEW"


@pytest.mark.parametrize(
    ("rule", "key", "silent"),
    [
        ("KY-01", GOOD, {"extractable"}),
        ("KY-02", ROOT, {"local"}),
        ("KY-03", replace(GOOD, attributes=GOOD.attributes | {"extractable"}), {"wrap_with_trusted"}),
        ("KY-04", replace(AES, attributes=AES.attributes | {"extractable"}), {"trusted"}),
        ("KY-06", replace(AES, attributes=AES.attributes | {"wrap"}), {"decrypt"}),
        ("KY-06", AES, {"wrap", "decrypt"}),
    ],
)
def test_an_attribute_that_nobody_tells_leaves_a_doubt_that_cloudhsm_cli_settles(
    rule: str, key: Key, silent: set[str]
) -> None:
    quiet = replace(key, attributes=key.attributes - silent, unknown=frozenset(silent))
    names = ", ".join(sorted(name.replace("_", "-") for name in silent))
    assert outcome(asked(quiet, rule)) == f"? the token does not tell {names}"
    bad = rule not in ("KY-02", "KY-03")
    for value in (True, False):
        told = {name.replace("_", "-"): value for name in silent}
        report = reported(key, attributes={"id": f"0x{key.identity.key_id.hex()}", **told})
        seen = outcome(asked(quiet, rule, beside=Beside(now=NOW, reports=reports_of([report]))))
        assert bool(seen) is (value is bad)
        assert not seen.startswith("?")


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (replace(GOOD, bits=None), "? the token does not tell how long it is"),
        (replace(GOOD, key_type="EC"), "? the token does not tell its curve, or hsmctl does not know it"),
        (replace(AES, key_type="0x80000001"), "? hsmctl knows no key type 0x80000001"),
    ],
)
def test_a_size_that_nobody_tells_leaves_a_doubt(key: Key, why: str) -> None:
    assert outcome(asked(key, "KY-05")) == why


@pytest.mark.parametrize(
    ("birth", "saw"),
    [
        (Birth(at=NOW - timedelta(days=1200), made=True, source="made"), "is 1,200 days old, of 1,095 (made)"),
        (Birth(at=NOW - timedelta(days=1000), made=True, source="made"), ""),
        (
            Birth(at=NOW - timedelta(days=1200), made=False, source="seen"),
            "is at least 1,200 days old, of 1,095 (seen)",
        ),
        (
            Birth(at=NOW - timedelta(days=10), made=False, source="seen"),
            "? it was seen for less than its cryptoperiod, and how old it was then is not known",
        ),
    ],
)
def test_only_a_key_whose_birth_is_known_is_young(birth: Birth, saw: str) -> None:
    assert outcome(asked(GOOD, "KY-07", beside=Beside(now=NOW, births={GOOD.identity: birth}))) == saw


def test_a_key_of_which_nothing_is_known_or_that_has_a_double_has_no_age() -> None:
    born = {GOOD.identity: Birth(at=NOW, made=True, source="made")}
    assert "nothing on this machine says" in outcome(asked(AES, "KY-07", beside=Beside(now=NOW, births=born)))
    verdict = judge((GOOD, GOOD), Wanted(rules=["KY-07"]), Beside(now=NOW, births=born))
    assert [len(each.keys) for each in verdict.unjudged] == [2]
    closed = Beside(now=NOW, births=Doubt("the journal cannot be read", "ls"))
    assert outcome(asked(GOOD, "KY-07", beside=closed)) == "? the journal cannot be read"


def test_a_period_of_ones_own_goes_by_label() -> None:
    beside = Beside(now=NOW, births={GOOD.identity: Birth(at=NOW - timedelta(days=400), made=True, source="made")})
    assert outcome(asked(GOOD, "KY-07", beside=beside, periods=parse_periods(["365"])))
    assert not outcome(asked(GOOD, "KY-07", beside=beside, periods=parse_periods(["tls-*=7300", "365"])))
    for wrong in ("soon", "tls=", "0", "-1"):
        with pytest.raises(UsageError):
            parse_periods([wrong])


def record(kind: str, **fields: object) -> dict[str, object]:
    return {"kind": kind, "pid": 7, "at": NOW.isoformat(), "on": "hsm-1", **fields}


def generated(on: str = "hsm-1", **more: object) -> list[dict[str, object]]:
    """The records of a key that was made."""
    spec = {"kind": "rsa", "label": GOOD.identity.label.hex(), "key_id": "01"}
    return [record("key-generate", spec=spec, **{"on": on, **more}), record("key-generated", label=spec["label"])]


def test_the_journal_knows_what_hsmctl_made_here_and_only_that() -> None:
    names = {"class": "private-key", "id": "01", "label": GOOD.identity.label.hex()}
    other = {f"to_{name}": value for name, value in {**names, "label": "aa"}.items()}
    made = Birth(at=NOW, made=True, source=f"hsmctl made it on {NOW:%Y-%m-%d}")
    assert births(generated(), "", ["hsm-1"]) == {GOOD.identity: made}
    assert births(generated()[:1], "", ["hsm-1"]) == {}
    assert births(generated("elsewhere"), "", ["hsm-1"]) == {}
    assert births(generated("hsm-gone", cluster_id="cluster-a"), "cluster-a", ["hsm-1"]) == {GOOD.identity: made}
    assert births(generated("hsm-1", cluster_id="cluster-b"), "cluster-a", ["hsm-1"]) == {}
    assert births([*generated(), record("key-deleted", **names)], "", ["hsm-1"]) == {}
    renamed = births([*generated(), record("key-renamed", **names, **other)], "", ["hsm-1"])
    assert renamed[GOOD.identity._replace(label=b"\xaa")] == made
    imported = births([record("key-import", **names)], "", ["hsm-1"])
    assert [birth.made for birth in imported.values()] == [False]
    assert [birth.made for birth in first_seen({GOOD.identity: NOW}).values()] == [False]


@pytest.mark.parametrize(
    ("key", "told", "saw"),
    [
        (GOOD, {"shared": {"a": "full", "b": "full"}}, ""),
        (GOOD, {"shared": {"a": "full", "b": "full", "c": "full"}}, "is shared with 3 users: a, b, c"),
        (GOOD, {"use_quorum": None}, ""),
        (ROOT, {}, "needs nobody's approval to be used or changed"),
        (ROOT, {"use_quorum": 2}, ""),
        (ROOT, {"manage_quorum": 2}, ""),
        (ROOT, {"use_quorum": None}, "? cloudhsm-cli tells no quorum values of it"),
        (ROOT, {"manage_quorum": None}, "? cloudhsm-cli tells no quorum values of it"),
    ],
)
def test_sharing_and_approvals_are_what_cloudhsm_cli_reports(key: Key, told: dict[str, object], saw: str) -> None:
    beside = Beside(now=NOW, reports=reports_of([reported(key, **told)]))
    assert outcome(asked(key, "KY-09", beside=beside)) == saw


def test_who_is_not_reported_once_or_may_not_be_asked_about_is_in_doubt() -> None:
    twice = reports_of([reported(GOOD), reported(GOOD)])
    assert outcome(asked(GOOD, "KY-09", beside=Beside(now=NOW, reports=twice))).startswith(
        "? cloudhsm-cli lists several"
    )
    assert outcome(asked(GOOD, "KY-09", beside=Beside(now=NOW, reports={}))) == "? cloudhsm-cli does not list it"
    one = Beside(now=NOW, reports=reports_of([reported(GOOD)]))
    assert outcome(asked(GOOD, "KY-09", beside=one, guarded=["tls-*"])).startswith("needs nobody's approval")
    assert outcome(asked(GOOD, "KY-09")) == "? it was not asked for"
    beyond = asked(GOOD, "KY-09", beside=Beside(now=NOW, beyond={"KY-09": "a token's keys have one user"}))
    assert (beyond.unjudged, [judged.beyond for judged in beyond.rules]) == ((), ["a token's keys have one user"])
