"""Proves that `key bench` loads nothing real without consent, offers no more than the token does, and counts right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from key_token import TokenWorld
from transcript import Ran, hsmctl
from world import World

from hsmctl.domain.key_bench import percentile, together
from hsmctl.domain.mechanism import Speed
from hsmctl.errors import ExitCode
from hsmctl.settings import Context
from hsmctl.settings_entry import TokenEntry

HSM = Context(name="onprem", tokens=(TokenEntry(name="vault", module="/opt/hsm.so"),))
"""Of a token that says it is an HSM."""


def bench(*words: str, context: Context = HSM) -> Ran:
    return hsmctl(World(), "key", "bench", *words, context=context)


def test_an_hsm_is_loaded_only_with_its_name_typed() -> None:
    refused = bench("ec-p256")
    assert refused.code == ExitCode.USAGE
    assert "--confirm vault" in refused.err
    assert "serve others" in refused.err
    assert bench("ec-p256", "--confirm", "other").code == ExitCode.DENIED


def test_the_figures_are_those_of_all_processes() -> None:
    ran = bench("ec-p256", "--confirm", "vault", "--processes", "3", "--threads", "2", "-o", "json")
    (row,) = ran.document["data"]["rows"]
    assert (row["count"], row["per_second"]) == (6000, 3000.0)
    assert (row["p50_ms"], row["longest_ms"]) == (1.0, 2.0)


def test_what_the_token_does_not_offer_is_refused() -> None:
    refused = bench("ed25519", "--confirm", "vault")
    assert refused.code == ExitCode.CONFLICT
    assert "EDDSA" in refused.err


def test_a_context_that_takes_no_changes_is_not_loaded() -> None:
    assert bench("--confirm", "vault", context=replace(HSM, read_only=True)).code == ExitCode.DENIED


def test_rates_are_over_the_time_that_all_of_it_took() -> None:
    early = Speed(count=10, began=1.0, seconds=2.0, latencies=(1.0, 3.0))
    late = Speed(count=20, began=2.0, seconds=2.0, latencies=(2.0,))
    both = together([early, late])
    assert (both.count, both.began, both.seconds, both.latencies) == (30, 1.0, 3.0, (1.0, 2.0, 3.0))
    assert [percentile((1, 2, 3, 4), share) for share in (0.01, 0.5, 0.75, 0.99, 1.0)] == [1, 2, 3, 4, 4]


@pytest.fixture(scope="module")
def software(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenWorld]:
    world = TokenWorld(tmp_path_factory.mktemp("bench"), ("soft",))
    yield world
    world.real.stack.close()


def test_software_is_measured_at_once_and_keeps_nothing(software: TokenWorld) -> None:
    words = ("ec-p256", "hmac-sha256", "--seconds", "50ms", "--threads", "2", "--on", "soft")
    ran = software.ok("key", "bench", *words, "-o", "json")
    assert [row["name"] for row in ran.document["data"]["rows"]] == ["ec-p256", "hmac-sha256"]
    assert all(row["per_second"] > 1 for row in ran.document["data"]["rows"])
    assert software.ok("key", "list", "--on", "soft", "-o", "name").out == ""
    assert software.run("key", "bench", *words, "--processes", "2").code == ExitCode.CONFLICT
