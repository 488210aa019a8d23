"""Proves that every return value our agent can name is explained, by name and by number, each in whole sentences."""

from __future__ import annotations

import pytest

from hsmctl.agent.ckr import _RETURN_VALUES
from hsmctl.domain.ckr import CATALOGUE, Ckr, explain, hint


@pytest.mark.parametrize("number", sorted(_RETURN_VALUES))
def test_whatever_the_agent_can_name_is_explained(number: int) -> None:
    known = explain(number)
    assert known
    assert known.name == f"CKR_{_RETURN_VALUES[number]}"
    assert explain(known.name) == explain(hex(number)) == explain(str(number)) == known


@pytest.mark.parametrize("known", CATALOGUE.values(), ids=lambda known: known.name)
def test_an_explanation_is_whole(known: Ckr) -> None:
    assert known.says.endswith(".")
    assert known.cause.endswith(".")
    assert known.next_step
    assert not known.next_step.endswith(".")


def test_a_busy_hsm_is_known_by_its_number_and_by_what_the_library_calls_it() -> None:
    assert explain("0xBB") == explain("CKR_0x000000BB")
    assert "busy" in str(explain("CKR_FUNCTION_FAILED"))


def test_what_nobody_knows_is_not_guessed() -> None:
    assert explain("CKR_NONSENSE") is explain("CKR_0Xzz") is explain(0x7FFFFFFF) is None
    assert hint("CKR_NONSENSE") == "hsmctl token doctor"
