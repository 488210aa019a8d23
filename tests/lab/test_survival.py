"""Proves that a lab survives kill -9 of any process at any moment: no token and no key is lost, `lab up` continues.

`HSMCTL_SURVIVAL_ROUNDS` says how many kills each test makes, `HSMCTL_SURVIVAL_SEED` makes them the same again.
"""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from live import LiveLab, until
from survival import VICTIMS, Command, Makers, kill

from hsmctl.domain.key import Key, KeyKind, ObjectClass
from hsmctl.ports import LabOptions
from hsmctl.services.lab import seed_specs

ROUNDS = int(os.environ.get("HSMCTL_SURVIVAL_ROUNDS", "2"))
SEED = os.environ.get("HSMCTL_SURVIVAL_SEED", "7")
OPTIONS = LabOptions(hsms=3, zones=3, seed_keys=12)
UP = ("lab", "up", "--hsms", "3", "--azs", "3", "--seed-keys", "12")
UP_SECONDS, WORK_SECONDS = 5.0, 1.5
"""When a kill comes at the latest."""
LEGAL = (0, 3, 5, 7)
"""How a command may end under which the lab is killed: it worked, could not find out, wrong state, the HSM refused."""
_log = logging.getLogger(__name__)


@pytest.fixture
def chance() -> Random:
    return Random(SEED)


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    command = Command(tmp_path)
    try:
        yield command
    finally:
        assert command("lab", "reset", "--yes").code == 0
        assert not (tmp_path / "lab").exists()


@pytest.fixture
def live(command: Command) -> LiveLab:
    return LiveLab(command.folder / "lab", OPTIONS)


def test_lab_up_continues_wherever_it_was_cut_off(command: Command, live: LiveLab, chance: Random) -> None:
    kills = 0
    while kills < ROUNDS:
        moment, victim = chance.uniform(0.3, UP_SECONDS), chance.choice(VICTIMS)
        command.start(*UP)
        time.sleep(moment)
        while not (hit := kill(live.folder, victim, chance)) and command.running.poll() is None:
            time.sleep(0.05)  # the victim is not there yet
        said = command.end()
        kills += bool(hit)
        _log.info("kill %d: %s (%d) after %.2f s, lab up exits %d", kills, victim, len(hit), moment, said.code)
        assert said.code in LEGAL, said.text
        if said.code == 0:
            _check_whole(command, live)
            assert command("lab", "reset", "--yes").code == 0
    _check_whole(command, live)


def test_no_key_is_lost_while_keys_are_made(command: Command, live: LiveLab, chance: Random) -> None:
    promised = _check_whole(command, live)
    for number in range(ROUNDS):
        moment, victim = chance.uniform(0, WORK_SECONDS), chance.choice(VICTIMS)
        makers = Makers(live, live.hsms(), chance)
        with makers.at_work(f"round-{number}"):
            time.sleep(moment)
            hit = kill(live.folder, victim, chance)
        held = _check_whole(command, live)
        promised |= makers.promised
        _log.info("kill %d: %s after %.2f s, %d keys promised", number + 1, victim, moment, len(makers.promised))
        assert hit
        assert promised <= held, [str(key.identity) for key in promised - held]


def _check_whole(command: Command, live: LiveLab) -> set[Key]:
    """Have `lab up` continue; what every HSM holds then: the same, each seed key once, and no half of a pair alone."""
    up = command(*UP)
    assert up.code == 0, up.text
    status = live.start()
    assert status.healthy
    for node in status.nodes:
        unfinished = list((live.folder / "nodes" / node.hsm_id / "quarantine").glob("*/*.object"))
        assert node.quarantined == len(unfinished)
        assert (f"{node.hsm_id} has {len(unfinished)} unfinished" in up.text) == bool(unfinished)
    until(lambda: not any(node.waiting for node in live.program.status().nodes))
    first, *others = (set(live.inventory(hsm).keys) for hsm in live.hsms())
    for other in others:
        assert [str(key.identity) for key in first ^ other] == []
    _check_seeds(first)
    return first


def _check_seeds(keys: set[Key]) -> None:
    """Each seed key is there once and no pair lacks a half."""
    halves = Counter((key.identity.label, key.identity.object_class) for key in keys)
    assert set(halves.values()) == {1}
    for spec in seed_specs(OPTIONS.seed_keys):
        secret = spec.kind is KeyKind.AES
        assert halves[spec.label, ObjectClass.SECRET if secret else ObjectClass.PRIVATE], spec
    private, public = (
        {label for label, each in halves if each is wanted} for wanted in (ObjectClass.PRIVATE, ObjectClass.PUBLIC)
    )
    assert private == public
