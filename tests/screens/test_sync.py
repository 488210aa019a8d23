"""Proves that the matrix shows which replica holds what, the odd ones first, and hides nothing that was not read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Event

from stage import opened
from world import CLUSTER, HSMS, FakeToken, FakeTokens, World, aes, hsm, seed_keys, three_hsms

from hsmctl.domain.key import Key
from hsmctl.domain.sync import Replica
from hsmctl.errors import Unreachable
from hsmctl.ports import Login


async def test_a_missing_key_is_the_first_row_with_a_cross_under_its_replica() -> None:
    world = World()
    world.tokens.held[HSMS[1]].pop(3)
    async with opened(world) as stage:
        await stage.press("s")
        await stage.sees_line("✖ missing", f"02 {HSMS[1]}")
        await stage.sees("never delete the odd one")
        lines = stage.text.splitlines()
        head = next(number for number, line in enumerate(lines) if "COPIES" in line)
        assert "db-kek-003" in lines[head + 1]
        assert lines[head + 1].index("✖", 5) == lines[head].index("hsm…bbbb")
        assert "2/3" in lines[head + 1]
        assert "4 keys agree, reported" in lines[head + 2]


async def test_other_material_is_shown_side_by_side() -> None:
    world = World()
    key = world.tokens.held[HSMS[2]][1]
    assert key.material
    world.tokens.held[HSMS[2]][1] = replace(key, material=key.material._replace(digest=b"\xab\xcd\xef"))
    async with opened(world) as stage:
        await stage.press("s")
        await stage.sees_line("≠ different", "abcdef")
        await stage.sees_line("≠ different", HSMS[2])
        await stage.sees_line("◍ reported", key.material.digest.hex())


async def test_other_attributes_are_named() -> None:
    world = World()
    world.tokens.held[HSMS[0]][0] = aes("db-kek-000", key_id=bytes(4), extractable=True)
    async with opened(world, size=(120, 40)) as stage:
        await stage.press("s")
        await stage.sees_line("~ attributes 3", "+extractable")


async def test_an_unreadable_replica_is_a_loud_column() -> None:
    world = World()
    world.tokens.errors[HSMS[0]] = Unreachable(HSMS[0], "no answer", "hsmctl lab status")
    async with opened(world) as stage:
        await stage.press("s")
        await stage.sees_line("5 keys agree", "▒")
        await stage.sees_line("5 keys agree", "2/3")
        await stage.sees_line("incomplete")


async def test_a_replica_that_hangs_delays_only_its_own_column() -> None:
    world, answer = World(), Event()
    world.tokens = SlowTokens(world.tokens.held, HSMS[1], answer)
    async with opened(world, settled=False) as stage:
        await stage.sees("3/3")
        await stage.pilot.press("s")
        await stage.sees_line("◍ 5 keys agree", "2/3 ◍", "◌")
        await stage.sees("so far")
        await stage.misses("in sync")
        answer.set()
        await stage.settle()
        await stage.sees_line("5 keys agree", "3/3")


async def test_keys_that_agree_fold_and_unfold() -> None:
    async with opened() as stage:
        await stage.press("s")
        await stage.sees("5 keys agree")
        await stage.misses("db-kek-004")
        await stage.press("a")
        await stage.sees("db-kek-004")
        await stage.press("a")
        await stage.misses("db-kek-004")


async def test_the_filter_reaches_the_keys_that_are_folded_and_escape_drops_it() -> None:
    world = World(seed_keys(300))
    async with opened(world) as stage:
        await stage.press("s", "slash", *"299")
        await stage.sees("db-kek-299", "1 of 300")
        await stage.press("enter")
        assert stage.app.screen.query_one("#matrix").has_focus
        await stage.sees("db-kek-299")
        await stage.press("escape")
        await stage.sees("300 keys agree")
        await stage.press("escape")
        await stage.misses("ATTENTION")
        await stage.sees("CLUSTER")


async def test_thirty_two_replicas_are_numbered_and_fit_eighty_columns() -> None:
    world = World()
    zones = [f"eu-central-1{zone}" for zone in "abcd"]
    hsms = tuple(hsm(f"hsm-{number:011}", zones[number // 8], f"127.16.1.{number}") for number in range(32))
    world.plane.held = {CLUSTER: replace(three_hsms(), hsms=hsms, subnets=dict.fromkeys(zones, "subnet-1"))}
    world.tokens.held = {hsm.hsm_id: list(world.keys) for hsm in hsms}
    world.tokens.held[hsms[17].hsm_id].pop()
    async with opened(world) as stage:
        await stage.press("s")
        await stage.sees("00000000 01111111 11122222 22222333")
        await stage.sees("12345678 90123456 78901234 56789012")
        await stage.sees_line("db-kek-004", "◍✖◍◍◍◍◍◍")
        await stage.sees_line("missing", f"18 {hsms[17].hsm_id}")
        await stage.sees("31 replicas: 01–17, 19–32")


class SlowTokens(FakeTokens):
    """Tokens of which one does not answer until told."""

    def __init__(self, held: dict[str, list[Key]], slow: str, answer: Event) -> None:
        super().__init__(held)
        self._slow, self._answer = slow, answer

    @contextmanager
    def open(self, replica: Replica, login: Login, deadline: float) -> Iterator[FakeToken]:
        if replica.name == self._slow:
            self._answer.wait(10)
        with super().open(replica, login, deadline) as token:
            yield token
