"""Proves that a watch tells exactly what is no longer as it was, and a difference the side that lacks a key."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from readings import key, reading, unreadable

from hsmctl.domain.key import Key
from hsmctl.domain.sync import Reading, compare
from hsmctl.domain.sync_change import Change, ChangeKind, changes
from hsmctl.domain.sync_diff import difference


def news(before: list[Reading] | None, after: list[Reading]) -> list[tuple[str, str, str, str | None, str]]:
    found = changes(None if before is None else compare(before), compare(after))
    return [(each.kind, each.subject, each.replica, each.before, each.after) for each in found]


def test_a_first_check_tells_its_verdict_and_what_is_wrong() -> None:
    assert news(None, [reading("a", key()), reading("b", key())]) == [("verdict", "", "", None, "no difference seen")]
    assert news(None, [reading("a", key()), unreadable("b"), reading("c")]) == [
        ("verdict", "", "", None, "not in sync"),
        ("replica", "b", "", "readable", "unreadable"),
        ("key", "db-kek (secret-key)", "c", "fine", "missing"),
    ]


def test_what_heals_is_told_like_what_breaks() -> None:
    good, bad = [reading("a", key()), reading("b", key())], [reading("a", key()), reading("b")]
    broken = ("key", "db-kek (secret-key)", "b", "fine", "missing")
    assert broken in news(good, bad)
    assert ("key", "db-kek (secret-key)", "b", "missing", "fine") in news(bad, good)


def test_keys_that_come_and_go_are_told_and_what_nobody_can_read_is_not_called_gone() -> None:
    two, one = (
        [reading("a", key(), key("x")), reading("b", key(), key("x"))],
        [reading("a", key()), reading("b", key())],
    )
    assert ("key", "x (secret-key)", "", "absent", "listed") in news(one, two)
    assert ("key", "x (secret-key)", "", "listed", "absent") in news(two, one)
    assert ("key", "x (secret-key)", "", "listed", "not seen") in news(two, [reading("a", key()), unreadable("b")])


HELD = st.lists(st.lists(st.sampled_from([key("x"), key("y"), key("x", digest=b"zzz")]), max_size=2), max_size=3)


@given(HELD)
def test_no_news_where_nothing_changed(held: list[list[Key]]) -> None:
    readings = [reading(str(place), *keys) for place, keys in enumerate(held)]
    assert changes(compare(readings), compare(readings)) == ()


def test_a_verdict_keeps_its_words() -> None:
    (change,) = changes(None, compare([reading("a", key()), reading("b", key())]))
    assert change == Change(
        kind=ChangeKind.VERDICT,
        subject="",
        before=None,
        after="no difference seen",
        says="no difference seen (0 proved, 1 unproven)",
    )


def test_a_cluster_stands_for_all_that_any_of_its_replicas_holds() -> None:
    east = [reading("e1", key("both"), key("east")), reading("e2", key("both"))]
    west = [reading("w1", key("both"), key("west"), key("odd")), unreadable("w2")]
    found = difference(("east", "west"), (east, west))

    assert [str(row.identity) for row in found.only_first] == ["east"]
    assert [str(row.identity) for row in found.only_second] == ["odd", "west"]
    assert found.torn == ("east",)
    assert not difference(("a", "b"), ([reading("x", key())], [reading("y", key())])).report.differences


def test_a_side_that_cannot_be_read_lacks_nothing() -> None:
    found = difference(("a", "b"), ([reading("x", key())], [unreadable("y")]))
    assert (found.only_first, found.only_second) == ((), ())
    assert found.report.unreadable
