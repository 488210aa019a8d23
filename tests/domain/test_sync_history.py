"""Proves that a summary counts what went well, how long trouble lasted and which keys flap, and invents nothing."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from readings import NOW, key, reading, unreadable

from hsmctl.domain.sync import Reading, compare
from hsmctl.domain.sync_history import Past, past, scope, summary

GOOD = (reading("a", key("x"), key("y")), reading("b", key("x"), key("y")))
BAD = (reading("a", key("x"), key("y")), reading("b", key("x")))
MUTE = (reading("a", key("x"), key("y")), unreadable("b"))


def checks(*stories: tuple[Reading, ...]) -> list[Past]:
    """One a minute."""
    return [past(compare(story), NOW + timedelta(minutes=place)) for place, story in enumerate(stories)]


def test_trouble_lasts_from_the_first_check_that_sees_it_to_the_next_that_does_not() -> None:
    found = summary(checks(GOOD, BAD, BAD, GOOD, MUTE, GOOD, BAD))
    assert (found.checks, found.well) == (7, 3)
    assert found.healed == (timedelta(minutes=1), timedelta(minutes=2))
    assert found.open_since == NOW + timedelta(minutes=6)


def test_a_key_flaps_that_turns_bad_again() -> None:
    assert summary(checks(BAD, GOOD, BAD)).flapping == (("y", 2),)
    assert summary(checks(BAD, BAD, BAD)).flapping == ()


def test_a_check_remembers_what_was_wrong_where() -> None:
    (found,) = checks(BAD)
    assert [(each.name, each.keys, each.wrong) for each in found.replicas] == [("a", 2, 0), ("b", 1, 1)]
    assert [(str(each.identity), each.replica, str(each.cell)) for each in found.troubles] == [("y", "b", "missing")]
    assert scope(compare(BAD)) == "a b"


@given(st.lists(st.sampled_from([GOOD, BAD, MUTE]), max_size=12))
def test_trouble_never_lasts_longer_than_the_history(stories: list[tuple[Reading, ...]]) -> None:
    found = summary(checks(*stories))
    assert sum(found.healed, timedelta()) <= timedelta(minutes=max(0, len(stories) - 1))
    assert found.well + sum(story is not GOOD for story in stories) == found.checks == len(stories)
