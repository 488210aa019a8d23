"""Proves what is remembered of a disabled key: for each token by itself, and still from records that name none."""

from __future__ import annotations

from hsmctl.domain.key import Identity, Key, ObjectClass
from hsmctl.domain.key_change import disabled, named
from hsmctl.domain.sync import Replica

KEY = Key(identity=Identity(ObjectClass.SECRET, b"\x01", b"data"), key_type="AES", attributes=frozenset({"encrypt"}))
AT = "2026-11-28T05:00:00+00:00"


def record(kind: str, uses: str = "", **more: str) -> dict[str, str]:
    return {"kind": kind, **named(KEY), "at": AT, "uses": uses, **more}


def test_each_token_has_its_own_record() -> None:
    here, there = record("key-disabled", "sign", place="1111"), record("key-disabled", "encrypt", place="2222")
    records = [here, there, record("key-enabled", place="1111")]
    assert disabled(records, KEY, "1111") is None
    known = disabled(records, KEY, "2222")
    assert known is not None
    assert known.uses == ("encrypt",)


def test_a_record_without_a_token_counts_on_each_until_that_one_says_more() -> None:
    records = [record("key-disabled", "sign"), record("key-enabled", place="1111")]
    assert disabled(records, KEY, "1111") is None
    assert disabled(records, KEY, "2222") is not None
    assert disabled([*records, record("key-enabled")], KEY, "2222") is None


def test_a_token_is_its_cluster_or_its_serial_number_or_only_a_name() -> None:
    alone, member = Replica(name="vault"), Replica(name="hsm-a", realm="cluster-a")
    assert alone.lasting("dead01") == "dead01"
    assert alone.lasting("0000000000000000") == "vault"
    assert member.lasting("dead01") == "cluster-a"
