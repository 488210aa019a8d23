"""Proves that a check reads every replica in its column, a new key is looked for everywhere, and a list falls back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import world

from hsmctl.domain.cluster import HsmState
from hsmctl.domain.key import KeyKind, KeySpec
from hsmctl.domain.sync import Cell, Replica, Verdict
from hsmctl.errors import Conflict, Denied, DeviceError, HsmctlError, Unreachable
from hsmctl.ports import Login
from hsmctl.services.key import Listing

SPEC = KeySpec(kind=KeyKind.EC, size="P-256", label=b"jwt-sign", key_id=b"\x99")


def test_columns_stand_in_the_order_asked_for() -> None:
    here = world.World()
    here.tokens.errors[world.HSMS[1]] = Unreachable("hsm-b", "frozen")
    hsmctl = here.hsmctl()
    report = hsmctl.sync.check(hsmctl.replicas(hsmctl.cluster.only(None)), seconds=10)

    assert [reading.replica.name for reading in report.readings] == list(world.HSMS)
    assert report.verdict is Verdict.INCOMPLETE
    assert {row.cells[1] for row in report.rows} == {Cell.UNREADABLE}


def test_an_hsm_that_is_being_created_is_not_passed_over_in_silence() -> None:
    here = world.World()
    hsmctl = here.hsmctl()
    cluster = world.three_hsms()
    joining = replace(cluster.hsms[0], state=HsmState.CREATE_IN_PROGRESS)
    report = hsmctl.sync.check(hsmctl.replicas(replace(cluster, hsms=(joining, *cluster.hsms[1:]))), seconds=10)

    assert report.verdict is Verdict.INCOMPLETE
    assert [str(reading.outcome) for reading in report.unreadable] == [
        f"Failed(error=Unreachable('{world.HSMS[0]}: it is create_in_progress'))"
    ]


def test_the_first_replica_that_answers_is_listed() -> None:
    here = world.World()
    here.tokens.errors[world.HSMS[0]] = Unreachable("hsm-a", "down")
    hsmctl = here.hsmctl()
    listing = hsmctl.key.list(hsmctl.replicas(hsmctl.cluster.only(None)), seconds=10)

    assert listing.replica.name == world.HSMS[1]
    assert len(listing.inventory.keys) == len(here.keys)


def test_listing_fails_with_the_last_answer_when_none_answers() -> None:
    here = world.World()
    here.tokens.errors = {name: Unreachable(name, "down") for name in world.HSMS}
    hsmctl = here.hsmctl()
    with pytest.raises(Unreachable, match=world.HSMS[2]):
        hsmctl.key.list(hsmctl.replicas(hsmctl.cluster.only(None)), seconds=10)
    with pytest.raises(Conflict):
        hsmctl.key.list((), seconds=10)


def test_a_refused_pin_is_not_tried_on_the_next_replica() -> None:
    here = world.World()
    here.tokens.errors = {name: Denied(name, "PIN refused") for name in world.HSMS}
    hsmctl = here.hsmctl()
    with pytest.raises(Denied, match=world.HSMS[0]):
        hsmctl.key.list(hsmctl.replicas(hsmctl.cluster.only(None)), seconds=10)


def test_another_key_under_the_same_name_elsewhere_is_found_before_anything_is_made() -> None:
    here = world.World()
    here.tokens.held[world.HSMS[2]].append(world.aes("twin"))
    spec = KeySpec(kind=KeyKind.AES, size="256", label=b"twin", key_id=b"\x99")
    hsmctl = here.hsmctl()
    with pytest.raises(Conflict, match=world.HSMS[2]):
        hsmctl.key.generate(hsmctl.replicas(hsmctl.cluster.only(None)), spec, seconds=3)
    assert [record["kind"] for record in here.journal.records()] == []


def test_a_new_key_is_seen_on_every_replica() -> None:
    hsmctl = world.hsmctl()
    made = hsmctl.key.generate(hsmctl.replicas(hsmctl.cluster.only(None)), SPEC, seconds=10)

    assert made.made_on == world.HSMS[0]
    assert made.seen_on == world.HSMS
    assert made.missing_on == ()
    assert [str(key.identity.object_class) for key in made.keys] == ["private-key", "public-key"]


def test_a_key_that_does_not_arrive_is_said_to_be_missing() -> None:
    here = world.World()
    here.tokens.replicate = False
    hsmctl = here.hsmctl()
    made = hsmctl.key.generate(hsmctl.replicas(hsmctl.cluster.only(None)), SPEC, seconds=3)

    assert made.seen_on == world.HSMS[:1]
    assert made.missing_on == world.HSMS[1:]


@pytest.mark.parametrize(
    "spec",
    [
        KeySpec(kind=KeyKind.AES, size="256", label=b"db-kek-000", key_id=b"\x99"),
        KeySpec(kind=KeyKind.AES, size="256", label=b"new", key_id=(3).to_bytes(4, "big")),
    ],
)
def test_a_label_or_id_that_is_taken_is_refused(spec: KeySpec) -> None:
    here = world.World()
    hsmctl = here.hsmctl()
    with pytest.raises(Conflict, match="is taken"):
        hsmctl.key.generate(hsmctl.replicas(hsmctl.cluster.only(None)), spec, seconds=3)
    assert len(here.tokens.held[world.HSMS[0]]) == len(here.keys)


class Losing(world.FakeTokens):
    """Loses as many sessions as it was told, of whatever replica, and keeps until when each was waited for."""

    def __init__(self, losses: int, error: HsmctlError) -> None:
        super().__init__(dict.fromkeys(world.HSMS, world.seed_keys()))
        self.losses, self.error = losses, error
        self.opened: list[tuple[str, float]] = []

    @contextmanager
    def open(self, replica: Replica, login: Login, deadline: float) -> Iterator[world.FakeToken]:
        self.opened.append((replica.name, deadline))
        if len(self.opened) <= self.losses:
            raise self.error
        with super().open(replica, login, deadline) as token:
            yield token


def listed(tokens: Losing, *, seconds: float = 30) -> Listing:
    here = world.World()
    here.tokens = tokens
    hsmctl = here.hsmctl()
    return hsmctl.key.list(hsmctl.replicas(hsmctl.cluster.only(None)), seconds=seconds)


def test_a_lost_session_is_opened_once_more_and_a_token_that_is_gone_is_not_reached() -> None:
    lost = DeviceError("hsm-a refused", "C_GetAttributeValue failed", ckr="CKR_DEVICE_REMOVED")
    first, second, _ = world.HSMS
    assert listed(once := Losing(1, lost)).replica.name == first
    assert [name for name, _ in once.opened] == [first, first]
    assert listed(twice := Losing(2, lost)).replica.name == second
    assert [name for name, _ in twice.opened] == [first, first, second]
    with pytest.raises(Unreachable, match=r"the next one, too \(CKR_DEVICE_REMOVED"):
        listed(Losing(100, lost))


def test_what_a_token_refuses_is_asked_for_once() -> None:
    refusing = Losing(100, DeviceError("refused", ckr="CKR_DEVICE_ERROR"))
    with pytest.raises(DeviceError):
        listed(refusing)
    assert [name for name, _ in refusing.opened] == list(world.HSMS)


def test_a_frozen_hsm_leaves_the_others_their_share_of_the_time() -> None:
    frozen = Losing(2, Unreachable("hsm-a", "no answer in time"))
    assert listed(frozen, seconds=30).replica.name == world.HSMS[2]
    now = world.FakeClock().monotonic()
    assert [until - now for _, until in frozen.opened] == pytest.approx([15, 15, 30])
