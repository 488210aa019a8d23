"""Proves that what is pasted from terminals and logs is explained, and that nothing unknown is given a meaning."""

from __future__ import annotations

import pytest

from hsmctl.domain.ckr import NAMES, meaning
from hsmctl.domain.explain import explain
from hsmctl.domain.message import CATALOGUE, as_error, known


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("CKR_PIN_LOCKED", "CKR_PIN_LOCKED (0x0A4)"),
        ("0xa4", "CKR_PIN_LOCKED (0x0A4)"),
        ("C_Login failed with rv = 164", "CKR_PIN_LOCKED (0x0A4)"),
        ("6", "CKR_FUNCTION_FAILED (0x006)"),
        ("0x80000001", "CKR_VENDOR_DEFINED + 0x1"),
    ],
)
def test_a_return_value_by_name_and_by_number(text: str, found: str) -> None:
    (explained,) = explain(text)
    assert explained.found == found
    assert explained.source == "pkcs11"
    assert explained.next


@pytest.mark.parametrize("text", ["", "all is well", "0x999", "exit 6 of 32 tests", "CKR_NO_SUCH_THING", "12345"])
def test_what_is_unknown_has_no_explanation(text: str) -> None:
    assert explain(text) == ()


def test_a_log_line_with_two_things_in_it() -> None:
    line = "ERROR [1] Received error response code from Server. Response Code: 187; returning CKR_FUNCTION_FAILED"
    assert [each.source for each in explain(line)] == ["sdk log", "pkcs11"]


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.text[:20])
def test_every_message_is_found_whatever_its_case_and_makes_an_error(entry: object) -> None:
    text = f"x {getattr(entry, 'text', '').upper()} y"
    assert entry in known(text)
    error = as_error("what", text)
    assert error.what == "what"
    assert error.hint


def test_a_message_nobody_knows_keeps_its_words_and_loses_its_orders_to_the_terminal() -> None:
    assert as_error("user list", "odd\x07 thing\nhere").why == "odd\\x07 thing here"


def test_numbers_and_names_are_one_to_one() -> None:
    assert len(set(NAMES.values())) == len(NAMES)
    assert all(meaning(name).means for name in NAMES.values())
