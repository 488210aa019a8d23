"""Proves that remarks, baselines and the grace say what they saw, and neither hide nor invent a difference."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from readings import NOW, key, reading, unreadable

from hsmctl.domain.key import Identity, Key, Material, MaterialKind, ObjectClass
from hsmctl.domain.sync import Cell, Reading, Verdict, compare
from hsmctl.domain.sync_again import graced
from hsmctl.domain.sync_baseline import baseline, since
from hsmctl.domain.sync_remark import RemarkKind, mismatched, remarks, scarce

GRACE = timedelta(minutes=15)


def half(object_class: ObjectClass, digest: bytes, key_id: bytes = b"\x07") -> Key:
    kind = MaterialKind.PUBLIC if object_class is ObjectClass.PUBLIC else MaterialKind.MODULUS
    return Key(
        identity=Identity(object_class, key_id, b"tls"), key_type="RSA", bits=2048, material=Material(kind, digest)
    )


def test_halves_that_do_not_belong_together_are_named() -> None:
    private, public = half(ObjectClass.PRIVATE, b"one"), half(ObjectClass.PUBLIC, b"two")
    assert mismatched([private, public]) == (private.identity,)
    assert mismatched([private, half(ObjectClass.PUBLIC, b"one")]) == ()
    assert mismatched([private]) == ()
    assert mismatched([private, public, half(ObjectClass.PUBLIC, b"one")]) == (), "the name is shared"
    assert mismatched([private, half(ObjectClass.PUBLIC, b"two", b"\x08")]) == ()


def test_names_that_several_keys_share_are_remarked_though_all_agree() -> None:
    twice = key(), key(digest=b"two")
    report = compare([reading("a", *twice), reading("b", *twice)])
    assert report.verdict is Verdict.NO_DIFFERENCE_SEEN
    assert [(remark.kind, len(remark.keys)) for remark in remarks(report)] == [(RemarkKind.SHARED, 1)]


def test_an_hsm_that_is_nearly_full_is_remarked() -> None:
    def of(hsm_type: str, total: int) -> list[str]:
        one = reading("a", key(), total=total)
        hsm = Reading(replace(one.replica, hsm_type=hsm_type), one.outcome)
        return [remark.says for remark in remarks(compare([hsm]))]

    assert of("hsm1.medium", 2_970) == ["a holds 2,970 of 3,300 keys (90 %)"]
    assert of("hsm1.medium", 2_969) == of("", 99_999) == of("hsm2m.medium", 2_970) == []


def test_a_key_has_as_many_copies_as_were_seen() -> None:
    everywhere, twice = key("everywhere"), key("twice")
    report = compare([reading("a", everywhere, twice), reading("b", everywhere, twice), reading("c", everywhere)])
    assert [str(row.identity) for row in scarce(report, 3)] == ["twice"]
    assert scarce(report, 2) == ()
    silent = compare([reading("a", everywhere), unreadable("b"), reading("c", everywhere)])
    assert len(scarce(silent, 3)) == 1


def test_only_a_key_whose_appearance_was_seen_is_healing_and_only_for_a_while() -> None:
    report = compare([reading("a", key()), reading("b")])
    (row,) = report.rows

    young = graced(report, {row.identity: NOW - timedelta(minutes=14)}, NOW, GRACE)
    assert (young.verdict, young.words) == (Verdict.INCOMPLETE, "incomplete: 1 key healing")
    assert young.rows[0].cells == (Cell.REPORTED, Cell.HEALING)
    assert graced(report, {row.identity: NOW - GRACE}, NOW, GRACE) == report
    assert graced(report, {}, NOW, GRACE) == report
    odd = compare([reading("a", key()), reading("b", key(digest=b"zzz"))])
    assert graced(odd, {row.identity: NOW}, NOW, GRACE).verdict is Verdict.NOT_IN_SYNC


def test_a_baseline_shows_what_is_gone_everywhere_and_what_was_replaced() -> None:
    then = baseline([reading("a", key("kept"), key("gone"), key("replaced"))], NOW)
    now = [reading(name, key("kept"), key("replaced", digest=b"else"), key("new")) for name in "ab"]
    found = since(then, now)

    assert ([*map(str, found.gone)], [*map(str, found.changed)], found.new) == (["gone"], ["replaced"], 1)
    assert not found.kept
    assert since(baseline(now, NOW), now).kept


def test_fingerprints_that_cannot_be_compared_are_no_change() -> None:
    then = baseline([reading("a", key("x", by="one"))], NOW)
    assert since(then, [reading("a", key("x", digest=b"zzz", by="other"))]).kept
    assert since(then, [reading("a", key("x", digest=None))]).kept
