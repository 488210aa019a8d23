"""Proves that `compare` names exactly the keys and replicas that differ, and never says more than it saw."""

from __future__ import annotations

from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from readings import NOW, answer, key, reading, silence, unreadable

from hsmctl.domain.evidence import Failed, Ok
from hsmctl.domain.key import Identity, Key, MaterialKind, ProofKind
from hsmctl.domain.sync import ACCUSED, Cell, Inventory, Reading, Replica, Verdict, compare
from hsmctl.errors import Denied, ExitCode, Unreachable


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


def test_a_length_that_a_replica_does_not_tell_is_compared_with_nothing() -> None:
    untold = key(bits=None)
    assert cells(reading("a", key()), reading("b", untold), reading("c", key())) == ["reported"] * 3
    assert cells(reading("a", untold), reading("b", key(bits=128)), reading("c", key())) == [
        "reported",
        "different",
        "different",
    ]


def test_attributes_that_a_replica_does_not_tell_are_compared_with_nothing() -> None:
    untold = key(attributes="token", unknown="sensitive wrap")
    assert cells(reading("a", key()), reading("b", untold), reading("c", key())) == ["reported"] * 3

    odd = key(attributes="token extractable", unknown="sensitive")
    report = compare([reading("a", key()), reading("b", odd), reading("c", key())])
    assert report.rows[0].cells == (Cell.REPORTED, Cell.ATTRIBUTES, Cell.REPORTED)
    assert report.rows[0].drift == ("extractable",)


def test_two_keys_of_one_name_that_swapped_their_attributes_are_told_apart() -> None:
    straight = key(digest=b"one", attributes="token sign"), key(digest=b"two", attributes="token")
    swapped = key(digest=b"one", attributes="token"), key(digest=b"two", attributes="token sign")
    readings = [reading("a", *straight), reading("b", *reversed(straight)), reading("c", *swapped)]

    assert cells(*readings) == ["reported", "reported", "attributes"]
    assert compare(readings).rows[0].drift == ("sign",)
    assert compare(readings).rows[0].shared == 2


def test_check_values_that_two_vendors_define_are_never_called_different() -> None:
    ours, theirs = key(by="SoftHSM"), key(digest=b"\x09\x09\x09", by="Other")
    assert cells(reading("a", ours), reading("b", ours), reading("c", theirs)) == ["reported", "reported", "unproven"]
    assert cells(reading("a", ours), reading("b", key(by="Other"))) == ["reported", "reported"]
    assert cells(reading("a", ours), reading("b", theirs)) == ["unproven", "unproven"]
    wrong = key(digest=b"zzz", by="Other")
    assert cells(reading("a", ours), reading("b", theirs), reading("c", theirs), reading("d", wrong)) == [
        "unproven",
        "reported",
        "reported",
        "different",
    ]


def test_how_a_key_came_to_a_token_is_compared_only_among_those_of_one_origin() -> None:
    made, imported = key(attributes="token local"), key(attributes="token")

    def on(name: str, held: Key, vendor: str) -> Reading:
        return Reading(Replica(name=name), Ok(Inventory(keys=(held,), taken_at=NOW, user="u", vendor=vendor)))

    assert compare([on("a", made, "x"), on("b", imported, "x")]).verdict is Verdict.ATTRIBUTES_DIFFER
    assert compare([on("a", made, "x"), on("b", imported, "y")]).verdict is Verdict.NO_DIFFERENCE_SEEN


def test_left_overs_of_one_material_are_paired_as_renamed() -> None:
    old, new = key("old", digest=b"one"), key("new", digest=b"one")
    report = compare([reading("a", old), reading("b", old), reading("c", new)])

    assert report.verdict is Verdict.NOT_IN_SYNC
    assert {str(row.identity): str(row.renamed) for row in report.rows} == {"old": "new", "new": "old"}
    twice = compare([reading("a", old), reading("b", new, key("newer", digest=b"one"))])
    assert {row.renamed for row in twice.rows} == {None}


def test_keys_of_a_session_are_counted_and_not_compared() -> None:
    report = compare([reading("a", key(), key("tmp", session=True), total=1), reading("b", key(), total=1)])
    assert (report.verdict, report.sessions, report.scope.full) == (Verdict.NO_DIFFERENCE_SEEN, 1, True)
    assert [str(row.identity) for row in report.rows] == ["db-kek"]


def test_objects_out_of_sight_whose_numbers_differ_leave_the_check_incomplete() -> None:
    report = compare([reading("a", key(), total=5), reading("b", key(), total=4)])
    assert report.verdict is Verdict.INCOMPLETE
    assert report.words == "incomplete: visible keys agree, the numbers of others do not"


def test_an_hsm_that_is_not_ready_is_said_to_be_so() -> None:
    joining = Reading(Replica(name="c", absent="it is being created"), Failed(Unreachable("c", "joining")))
    report = compare([reading("a", key()), reading("b", key()), joining])
    assert report.words == "incomplete: 1 of 3 replicas not ready"


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
    st.sampled_from(["a", "b"]),
    digest=st.sampled_from([None, b"x", b"y"]),
    kind=st.sampled_from([MaterialKind.CHECK_VALUE, MaterialKind.PUBLIC]),
    by=st.sampled_from(["", "vendor"]),
    bits=st.sampled_from([None, 128, 256]),
    proof=st.sampled_from([None, silence(), answer(), answer(b"else"), answer(how="sign")]),
    attributes=st.sampled_from(["token", "token sign", "token wrap"]),
    unknown=st.sampled_from(["", "sign", "derive"]),
)
REPLICAS = st.lists(st.one_of(st.none(), st.lists(KEYS, max_size=4)), min_size=1, max_size=5)
SINGLE = st.lists(st.one_of(st.none(), st.lists(KEYS, max_size=4, unique_by=lambda one: one.identity)), min_size=1)


def read(held: list[list[Key] | None]) -> list[Reading]:
    names = map(str, range(len(held)))
    return [unreadable(name) if keys is None else reading(name, *keys) for name, keys in zip(names, held, strict=True)]


def odd_one(value: object, said: list[object]) -> bool:
    """Whether others say something else at least as often; None says nothing."""
    told = [each for each in said if each is not None]
    return value is not None and any(told.count(each) >= told.count(value) for each in told if each != value)


def naive(name: Identity, held: list[list[Key] | None]) -> list[str]:
    """What is wrong with one key on each replica, by looking at everything again and again; no two share a name."""
    copies = [[one for one in keys or () if one.identity == name] for keys in held]
    there = [found[0] for found in copies if found]

    def lane(one: Key) -> tuple[object, ...]:
        return (one.material.kind, one.material.by) if one.material else ()

    def way(one: Key) -> str:
        return one.proof.how if one.proof and one.proof.kind is ProofKind.DIGEST else ""

    def has(one: Key, attribute: str) -> bool | None:
        return None if attribute in one.unknown else attribute in one.attributes

    def wrong(one: Key) -> str:
        digests: list[object] = [
            other.material and other.material.digest for other in there if lane(other) == lane(one)
        ]
        proofs: list[object] = [other.proof and other.proof.value for other in there if way(other) == way(one)]
        if (
            odd_one(one.bits, [other.bits for other in there])
            or odd_one(one.material and one.material.digest, digests)
            or (way(one) and odd_one(one.proof and one.proof.value, proofs))
        ):
            return "different"
        names = ("sign", "wrap", "derive", "token")
        odd = any(odd_one(has(one, each), [has(other, each) for other in there]) for each in names)
        return "attributes" if odd else "fine"

    return [
        "unreadable" if keys is None else wrong(found[0]) if found else "missing"
        for keys, found in zip(held, copies, strict=True)
    ]


UNHURRIED = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
"""A machine under load says nothing about the comparison."""


@UNHURRIED
@given(SINGLE)
def test_what_is_wrong_is_what_a_naive_reading_finds(held: list[list[Key] | None]) -> None:
    report = compare(read(held))

    for row in report.rows:
        said = [str(cell) if cell in ACCUSED or cell is Cell.UNREADABLE else "fine" for cell in row.cells]
        assert said == naive(row.identity, held)
    assert {row.identity for row in report.rows} == {one.identity for keys in held if keys for one in keys}


@UNHURRIED
@given(REPLICAS)
def test_missing_is_said_exactly_where_a_naive_reading_misses_the_identity(held: list[list[Key] | None]) -> None:
    for row in compare(read(held)).rows:
        for keys, cell in zip(held, row.cells, strict=True):
            there = keys is not None and any(one.identity == row.identity for one in keys)
            assert (cell is Cell.UNREADABLE) == (keys is None)
            assert (cell is Cell.MISSING) == (keys is not None and not there)


@UNHURRIED
@given(st.lists(KEYS, max_size=6), st.integers(2, 5), st.randoms())
def test_copies_of_one_replica_never_differ(keys: list[Key], count: int, chance: Random) -> None:
    shuffled = [chance.sample(keys, len(keys)) for _ in range(count)]
    assert compare([reading(str(place), *held) for place, held in enumerate(shuffled)]).differences == ()


@UNHURRIED
@given(REPLICAS)
def test_the_order_of_replicas_changes_nothing_but_the_columns(held: list[list[Key] | None]) -> None:
    forwards, backwards = compare(read(held)), compare(read(held[::-1]))

    assert forwards.verdict == backwards.verdict
    assert {row.identity: row.cells for row in forwards.rows} == {
        row.identity: row.cells[::-1] for row in backwards.rows
    }
