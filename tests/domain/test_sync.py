"""Proves that `compare` names exactly the keys and replicas that differ, and never says more than it saw."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from hsmctl.domain.evidence import Failed, Ok
from hsmctl.domain.key import Identity, Key, Material, MaterialKind, ObjectClass, Proof, ProofKind
from hsmctl.domain.sync import Cell, Inventory, Reading, Replica, Verdict, compare
from hsmctl.errors import Denied, ExitCode, Unreachable

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def key(
    label: str = "db-kek",
    *,
    digest: bytes | None = b"\x01\x02\x03",
    kind: MaterialKind = MaterialKind.CHECK_VALUE,
    attributes: str = "token sensitive",
    bits: int = 256,
    proof: Proof | None = None,
) -> Key:
    return Key(
        identity=Identity(ObjectClass.SECRET, b"\x01", label.encode()),
        key_type="AES",
        bits=bits,
        attributes=frozenset(attributes.split()),
        material=None if digest is None else Material(kind, digest),
        proof=proof,
    )


def answer(value: bytes = b"answer", how: str = "encrypt") -> Proof:
    return Proof(ProofKind.DIGEST, value, how)


def silence(reason: str = "it can only unwrap") -> Proof:
    return Proof(ProofKind.NONE, reason=reason)


def reading(name: str, *keys: Key, total: int | None = -1, user: str = "ops_cu") -> Reading:
    seen = len(keys) if total == -1 else total
    return Reading(Replica(name=name), Ok(Inventory(keys=keys, taken_at=NOW, user=user, total=seen)))


def unreadable(name: str, error: type[Unreachable] | type[Denied] = Unreachable) -> Reading:
    return Reading(Replica(name=name), Failed(error(name, "no answer")))


def cells(*readings: Reading) -> list[str]:
    return [str(cell) for cell in compare(readings).rows[0].cells]


def test_a_missing_key_is_named_with_its_hsm() -> None:
    report = compare([reading("a", key(), key("other")), reading("b", key("other")), reading("c", key(), key("other"))])

    assert report.verdict is Verdict.NOT_IN_SYNC
    assert report.exit_code is ExitCode.NO
    assert [str(row.identity) for row in report.differences] == ["db-kek"]
    assert report.differences[0].cells == (Cell.REPORTED, Cell.MISSING, Cell.REPORTED)
    assert report.words == "not in sync: 1 key differs"


def test_other_material_under_the_same_identity_is_different() -> None:
    assert cells(reading("a", key()), reading("b", key(digest=b"zzz")), reading("c", key())) == [
        "reported",
        "different",
        "reported",
    ]


def test_without_a_majority_every_copy_is_in_doubt() -> None:
    assert cells(reading("a", key()), reading("b", key(digest=b"zzz"))) == ["different", "different"]


def test_another_size_is_different_even_without_fingerprints() -> None:
    one, other = key(digest=None), key(digest=None, bits=128)
    assert cells(reading("a", one), reading("b", one), reading("c", other)) == ["unproven", "unproven", "different"]


def test_attributes_that_differ_are_a_finding_of_their_own() -> None:
    odd = key(attributes="token sensitive extractable")
    report = compare([reading("a", key()), reading("b", key()), reading("c", odd)])

    assert report.verdict is Verdict.ATTRIBUTES_DIFFER
    assert report.rows[0].cells == (Cell.REPORTED, Cell.REPORTED, Cell.ATTRIBUTES)


def test_fingerprints_of_different_kinds_are_unproven_and_never_different() -> None:
    vendor = key(digest=b"\x09\x09", kind=MaterialKind.MODULUS)
    assert cells(reading("a", key()), reading("b", key()), reading("c", vendor)) == ["reported", "reported", "unproven"]


def test_duplicates_are_compared_as_a_multiset() -> None:
    twice = (key(), key(digest=b"two"))
    assert compare([reading("a", *twice), reading("b", *reversed(twice))]).differences == ()
    assert cells(reading("a", *twice), reading("b", *twice), reading("c", key())) == [
        "reported",
        "reported",
        "different",
    ]


def test_an_unreadable_replica_is_never_counted_as_agreeing() -> None:
    report = compare([reading("a", key()), unreadable("b"), reading("c", key())])

    assert report.verdict is Verdict.INCOMPLETE
    assert report.exit_code is ExitCode.PARTIAL
    assert report.rows[0].cells[1] is Cell.UNREADABLE
    assert report.words == "incomplete: 1 of 3 replicas not readable"


def test_a_difference_beats_an_unreadable_replica() -> None:
    assert compare([reading("a", key()), unreadable("b"), reading("c")]).exit_code is ExitCode.NO


def test_nothing_readable_is_unknown_and_denied_only_if_all_refused() -> None:
    assert compare([unreadable("a"), unreadable("b")]).exit_code is ExitCode.UNKNOWN
    assert compare([unreadable("a", Denied), unreadable("b")]).exit_code is ExitCode.UNKNOWN
    assert compare([unreadable("a", Denied), unreadable("b", Denied)]).exit_code is ExitCode.DENIED


def test_in_sync_is_said_only_when_all_is_proved_in_full_scope() -> None:
    proved = key(proof=answer())
    assert compare([reading("a", proved), reading("b", proved)]).verdict is Verdict.IN_SYNC
    assert compare([reading("a", key()), reading("b", key())]).words == "no difference seen (0 proved, 1 unproven)"
    half = compare([reading("a", proved, total=2), reading("b", proved, total=2)])
    assert half.words == "visible keys agree (1 proved, 0 unproven)"
    assert (half.scope.visible, half.scope.total, half.scope.full) == (1, 2, False)


def test_one_replica_alone_is_never_in_sync() -> None:
    report = compare([reading("a", key(proof=answer()))])
    assert report.verdict is Verdict.NO_DIFFERENCE_SEEN
    assert report.words == "nothing to compare: one replica only (keys seen: 1)"


def test_replicas_without_any_key_are_not_called_in_sync() -> None:
    assert compare([reading("a"), reading("b")]).verdict is Verdict.NO_DIFFERENCE_SEEN


def test_no_replica_at_all_is_unknown() -> None:
    assert compare([]).verdict is Verdict.UNKNOWN


def test_a_key_that_answers_otherwise_is_different_whatever_it_lists() -> None:
    same = key(proof=answer())
    assert cells(reading("a", same), reading("b", key(proof=answer(b"else"))), reading("c", same)) == [
        "proved",
        "different",
        "proved",
    ]


def test_a_check_that_uses_keys_sees_no_less_where_a_key_does_not_answer() -> None:
    proved = reading("a", key(proof=answer())), reading("b", key(proof=answer()))
    other = reading("c", key(digest=b"zzz", proof=silence()))
    same = reading("c", key(proof=silence("C_SignInit failed (CKR_DEVICE_ERROR)")))

    assert cells(*proved, other) == ["proved", "proved", "different"]
    assert cells(*proved, same) == ["proved", "proved", "reported"]
    assert cells(proved[0], same) == ["reported", "reported"]
    assert compare([*proved, same]).reasons == {"C_SignInit failed (CKR_DEVICE_ERROR)": 1}


def test_answers_of_different_mechanisms_are_not_compared() -> None:
    readings = [reading("a", key(proof=answer())), reading("b", key(proof=answer(b"else", "sign")))]

    assert cells(*readings) == ["reported", "reported"]
    assert compare(readings).reasons == {"its replicas proved it in different ways": 1}


def test_the_reasons_of_keys_that_agree_are_counted_most_first() -> None:
    held = [key(label, proof=silence()) for label in "ab"] + [key("c", proof=silence("it may not be used"))]
    report = compare([reading("a", *held, key("d", proof=answer())), reading("b", *held)])

    assert list(report.reasons.items()) == [("it can only unwrap", 2), ("it may not be used", 1)]
    assert [row.reasons for row in report.rows] == [
        (),
        ("it can only unwrap",),
        ("it can only unwrap",),
        ("it may not be used",),
    ]


def test_a_replica_that_cannot_be_read_is_no_reason_of_the_keys() -> None:
    report = compare([reading("a", key(proof=answer())), unreadable("b"), reading("c", key(proof=answer()))])
    assert (report.unproven, report.reasons) == (1, {})


KEYS = st.builds(
    key,
    st.sampled_from(["a", "b", "c"]),
    digest=st.sampled_from([None, b"x", b"y"]),
    kind=st.sampled_from([MaterialKind.CHECK_VALUE, MaterialKind.PUBLIC]),
    proof=st.sampled_from([None, silence(), answer(), answer(b"else"), answer(how="sign")]),
    attributes=st.sampled_from(["token", "token sign"]),
)
REPLICAS = st.lists(st.one_of(st.none(), st.lists(KEYS, max_size=5)), min_size=1, max_size=5)


@given(REPLICAS)
def test_missing_is_said_exactly_where_a_naive_reading_misses_the_identity(held: list[list[Key] | None]) -> None:
    readings = [
        unreadable(str(place)) if keys is None else reading(str(place), *keys) for place, keys in enumerate(held)
    ]
    report = compare(readings)

    for row in report.rows:
        for keys, cell in zip(held, row.cells, strict=True):
            there = keys is not None and any(key.identity == row.identity for key in keys)
            assert (cell is Cell.UNREADABLE) == (keys is None)
            assert (cell is Cell.MISSING) == (keys is not None and not there)
    everywhere = {key.identity for keys in held if keys for key in keys}
    assert {row.identity for row in report.rows} == everywhere


@given(st.lists(KEYS, max_size=6), st.integers(2, 5))
def test_copies_of_one_replica_never_differ(keys: list[Key], count: int) -> None:
    assert compare([reading(str(place), *keys) for place in range(count)]).differences == ()


@given(REPLICAS)
def test_the_order_of_replicas_changes_nothing_but_the_columns(held: list[list[Key] | None]) -> None:
    readings = [
        unreadable(str(place)) if keys is None else reading(str(place), *keys) for place, keys in enumerate(held)
    ]
    forwards, backwards = compare(readings), compare(readings[::-1])

    assert forwards.verdict == backwards.verdict
    assert {row.identity: row.cells for row in forwards.rows} == {
        row.identity: row.cells[::-1] for row in backwards.rows
    }
