"""Proves that the matrix shows which replica holds what, the odd ones first, and hides nothing that was not read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event

from stage import NEVER, opened, staged
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
        await stage.sees_line("◍ 5 keys agree", "2/3  ◍", "◌")
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


async def test_nobody_is_accused_who_was_asked_only_once() -> None:
    world = World()
    world.tokens = OnceWithout(world.tokens.held, HSMS[1])
    async with opened(world, size=(120, 40)) as stage:
        await stage.sees("no difference seen")
        await stage.press("s")
        await stage.sees("5 keys agree", "5 reads")


async def test_what_was_accused_before_stays_accused_while_it_is_asked_again_and_what_is_new_is_not() -> None:
    world, answer = World(), Event()
    world.tokens.held[HSMS[1]].pop(3)
    async with opened(world) as stage:
        await stage.press("s")
        await stage.sees_line("✖ db-kek-003", "2/3")
        world.tokens.held[HSMS[1]].pop(0)
        world.tokens = vars(stage.app.survey.hsmctl)["tokens"] = SlowTokens(world.tokens.held, HSMS[2], answer)
        del vars(stage.app.survey.hsmctl)["sync"]
        await stage.pilot.press("c")
        await stage.sees_line("✖ db-kek-003", "2/3")
        await stage.sees_line("◌ db-kek-000")
        answer.set()
        await stage.settle()
        await stage.sees_line("✖ db-kek-000", "2/3")


async def test_checks_before_are_told_replica_by_replica() -> None:
    world = World()
    async with opened(world, size=(120, 40)) as stage:
        await stage.press("s")
        world.tokens.held[HSMS[1]].pop(3)
        world.clock.sleep(60)
        await stage.press("c")
        world.clock.sleep(240)
        await stage.press("c")
        await stage.sees_line("well in 1 of 3 checks since 02:10 UTC", "not well for 4 min")
        await stage.press("down")
        await stage.sees_line(f"02 ✖ {HSMS[1]}", "▁██")
        await stage.sees_line(f"01 ◍ {HSMS[0]}", "▁▁▁")


async def test_a_cluster_is_held_and_released_with_a_reason(tmp_path: Path) -> None:
    async with staged(World().hsmctl(folder=tmp_path), (120, 40), every=NEVER) as stage:
        await stage.enter("sync")
        await stage.enter("hold db-kek is on one HSM only")
        await stage.sees("held by", "db-kek is on one HSM only")
        await stage.press("escape")
        await stage.sees_line("! lab", "nothing is removed: db-kek")
        await stage.enter("arm")
        await stage.enter("cluster lab")
        await stage.enter("release all keys are everywhere")
        await stage.press("escape")
        await stage.misses("nothing is removed")


async def test_evidence_is_written_once_and_without_names(tmp_path: Path) -> None:
    world = World()
    world.tokens.held[HSMS[1]].pop(3)
    async with opened(world, size=(200, 40)) as stage:
        await stage.press("s", "e")
        await stage.sees(f"evidence evidence-{CLUSTER}-20261123T021000Z.json")
        await stage.press("escape")
        await stage.enter(f"evidence {tmp_path}/case.json")
        await stage.sees("wrote", "1 key, no label")
        written = (tmp_path / "case.json").read_text()
        assert json.loads(written)["keys"][0]["cells"][HSMS[1]] == "missing"
        assert "db-kek" not in written


class OnceWithout(FakeTokens):
    """Tokens of which one does not show its fourth key the first time it is asked."""

    def __init__(self, held: dict[str, list[Key]], odd: str) -> None:
        super().__init__(held)
        self._odd, self._kept = odd, self.held[odd].pop(3)

    @contextmanager
    def open(self, replica: Replica, login: Login, deadline: float) -> Iterator[FakeToken]:
        with super().open(replica, login, deadline) as token:
            yield token
        if replica.name == self._odd and self._kept not in self.held[self._odd]:
            self.held[self._odd].insert(3, self._kept)


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
