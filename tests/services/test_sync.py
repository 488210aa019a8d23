"""Proves that a check accuses nobody of what it saw only once, asks nobody too often, and keeps its deadline."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import world
from world import HSMS, aes, seed_keys

from hsmctl.adapters.clock import SystemClock
from hsmctl.domain.key import Key, Proof, ProofKind
from hsmctl.domain.sync import Cell, Replica, Report, Verdict
from hsmctl.errors import HsmctlError, Unreachable
from hsmctl.ports import Login
from hsmctl.services.sync_check import LISTINGS

NEW = aes("new")
Story = Mapping[str, Sequence[Sequence[Key] | HsmctlError]]


class Telling(world.FakeTokens):
    """ports.Tokens whose replicas say something else each time they are opened; the last thing they go on saying."""

    def __init__(self, story: Story) -> None:
        super().__init__(dict.fromkeys(HSMS, seed_keys()))
        self._story = story
        self.opened: list[str] = []
        self.stuck = threading.Event()
        """Holds up whoever opens a replica whose story is empty."""

    @contextmanager
    def open(self, replica: Replica, login: Login, deadline: float) -> Iterator[world.FakeToken]:
        self.opened.append(replica.name)
        told = self._story.get(replica.name, [seed_keys()])
        if not told:
            self.stuck.wait()
        now = told[min(self.opened.count(replica.name), len(told)) - 1]
        if isinstance(now, HsmctlError):
            raise now
        self.held[replica.name] = list(now)
        with super().open(replica, login, deadline) as token:
            yield token


def check(story: Story, *, deep: bool = False) -> tuple[Report, list[str]]:
    """The report, and which replicas were opened."""
    here = world.World()
    tokens = here.tokens = Telling(story)
    facade = here.hsmctl()
    nonce = facade.sync.nonce() if deep else None
    report = facade.sync.check(facade.replicas(facade.cluster.only(None)), seconds=10, nonce=nonce)
    return report, tokens.opened


def test_replicas_that_agree_are_read_once() -> None:
    report, opened = check({})
    assert report.verdict is Verdict.NO_DIFFERENCE_SEEN
    assert sorted(opened) == sorted(HSMS)
    assert report.reads == len(HSMS)


def test_a_key_that_arrives_while_replicas_are_read_is_nowhere_missing() -> None:
    keys = seed_keys()
    report, opened = check({HSMS[0]: [keys, [*keys, NEW]], HSMS[1]: [[*keys, NEW]], HSMS[2]: [[*keys, NEW]]})

    assert report.verdict is Verdict.NO_DIFFERENCE_SEEN
    assert len(report.rows) == len(keys) + 1
    assert opened.count(HSMS[0]) == 2


def test_a_key_that_is_deleted_while_replicas_are_read_is_nowhere_missing() -> None:
    keys = seed_keys()
    report, _ = check({name: [[*keys, NEW], keys] for name in HSMS[1:]})

    assert report.verdict in (Verdict.NO_DIFFERENCE_SEEN, Verdict.INCOMPLETE)
    assert not report.differences


def test_what_is_missing_twice_is_missing() -> None:
    keys = seed_keys()
    report, opened = check({HSMS[1]: [keys[1:]]})

    assert report.verdict is Verdict.NOT_IN_SYNC
    assert [row.cells for row in report.differences] == [(Cell.REPORTED, Cell.MISSING, Cell.REPORTED)]
    assert sorted(opened) == sorted([*HSMS, HSMS[1], HSMS[0]]), "the accused and one witness are read again"


def test_a_replica_that_changes_with_every_reading_is_changing_and_is_left_alone_in_the_end() -> None:
    keys = seed_keys()
    report, opened = check({HSMS[1]: [keys[1:], [keys[0], *keys[2:]], [*keys[:2], *keys[3:]]]})

    assert report.verdict is Verdict.INCOMPLETE
    assert report.words == "incomplete: 1 key changing"
    assert not report.differences
    assert max(map(opened.count, HSMS)) == LISTINGS


def test_a_replica_that_dies_before_it_is_read_again_is_unreadable_and_misses_nothing() -> None:
    report, _ = check({HSMS[1]: [seed_keys()[1:], Unreachable(HSMS[1], "it is gone")]})

    assert report.words == "incomplete: 1 of 3 replicas not readable"
    assert not report.differences


def test_a_key_is_used_once_though_its_replica_is_read_again() -> None:
    here = world.World()
    here.tokens.answers[HSMS[1], "db-kek-002"] = Proof(ProofKind.DIGEST, b"of a twin", "encrypt")
    facade = here.hsmctl()
    report = facade.sync.check(facade.replicas(facade.cluster.only(None)), seconds=10, nonce=facade.sync.nonce())

    assert [str(row.identity) for row in report.differences] == ["db-kek-002"]
    assert report.reads > len(HSMS)
    assert len(here.tokens.used) == len(set(here.tokens.used)) == len(here.keys) * len(HSMS) == report.uses


def test_the_others_are_judged_in_time_though_one_replica_never_answers() -> None:
    here = world.World()
    tokens = here.tokens = Telling({HSMS[0]: [], HSMS[1]: [seed_keys()[1:]]})
    facade = here.hsmctl()
    clock = vars(facade)["clock"] = SystemClock()
    began = clock.monotonic()
    report = facade.sync.check(facade.replicas(facade.cluster.only(None)), seconds=0.4)
    took = clock.monotonic() - began
    tokens.stuck.set()

    assert took < 1.4
    assert report.verdict is Verdict.NOT_IN_SYNC
    assert report.differences[0].cells == (Cell.UNREADABLE, Cell.MISSING, Cell.REPORTED)
