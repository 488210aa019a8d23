"""Proves that a conversation lets nobody past its greeting and its login, and calls the module only under its lock."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import pytest
from asking import LOGIN, VERSION, Asking
from softhsm_token import PASSWORD, USER

from hsmctl.agent.frame import LIMIT, LOGIN_LIMIT, PROTOCOL, Malformed
from hsmctl.agent.inventory import Conversation, Module, Refused
from hsmctl.agent.operations import OPERATIONS


def test_the_login_says_whose_token_it_is(stranger: Asking) -> None:
    answer = stranger.greet().ok("login", **LOGIN)

    assert answer["label"] == "replica"
    assert answer["manufacturer"] == "SoftHSM project"
    assert answer["model"] == "SoftHSM v2"


@pytest.mark.parametrize(
    "theirs", [{"protocol": PROTOCOL + 1, "version": VERSION}, {"protocol": PROTOCOL, "version": "1.2.4"}, {}]
)
def test_another_protocol_or_version_ends_the_conversation(stranger: Asking, theirs: dict[str, object]) -> None:
    assert stranger.error("hello", **theirs) == ""
    assert stranger.conversation.closed


def test_nothing_is_answered_before_hello(stranger: Asking) -> None:
    assert stranger.error("login", **LOGIN) == ""
    assert stranger.conversation.closed


@pytest.mark.parametrize("op", ["inventory", "generate", "nonsense"])
def test_only_a_ping_is_answered_before_the_login(stranger: Asking, op: str) -> None:
    stranger.greet()

    assert stranger.error(op) == "CKR_USER_NOT_LOGGED_IN"
    assert stranger.ok("ping") == {}
    assert stranger.conversation.limit == LOGIN_LIMIT


def test_a_wrong_pin_is_refused_and_opens_nothing(module: Module, stranger: Asking) -> None:
    other = {**LOGIN, "token": {"label": "other"}}

    assert stranger.greet().error("login", **{**other, "password": "wrong"}) == "CKR_PIN_INCORRECT"
    assert stranger.error("inventory") == "CKR_USER_NOT_LOGGED_IN"
    assert stranger.ok("login", **other)["label"] == "other"
    assert stranger.error("login", **other) == "CKR_USER_ALREADY_LOGGED_IN"
    assert stranger.conversation.limit == LIMIT


def test_a_token_is_chosen_by_label_serial_or_slot_and_never_guessed(module: Module, stranger: Asking) -> None:
    slot = next(slot for slot in module.slots() if slot.label == "replica")
    stranger.greet()

    for none_or_many in ({}, {"label": "nobody"}, {"label": slot.label, "serial": "0"}, {"colour": "red"}):
        assert stranger.error("login", **{**LOGIN, "token": none_or_many}) == "CKR_TOKEN_NOT_PRESENT"
    for one in ({"serial": slot.serial}, {"slot": slot.slot_id}):
        asking = Asking(Conversation(module, version=VERSION, operations=OPERATIONS)).greet()
        assert asking.ok("login", **{**LOGIN, "token": one})["serial"] == slot.serial
        asking.conversation.close()


def test_somebody_else_may_authenticate(module: Module) -> None:
    slot = next(slot for slot in module.slots() if slot.label == "replica")
    seen: list[object] = []

    def authenticate(user: str, password: str, token: Mapping[str, Any]) -> tuple[int, str]:
        seen.append((user, password, token))
        if password != "of another kind":
            raise Refused("CKR_PIN_LOCKED", "locked on this HSM")
        return slot.slot_id, f"{USER}:{PASSWORD}"

    asking = Asking(Conversation(module, version=VERSION, authenticate=authenticate, hsm_id="hsm-1"))
    assert asking.ok("hello", protocol=PROTOCOL, version=VERSION)["hsm_id"] == "hsm-1"
    assert asking.error("login", user="a", password="b") == "CKR_PIN_LOCKED"
    assert asking.ok("login", user="a", password="of another kind")["label"] == "replica"
    asking.conversation.close()
    assert seen == [("a", "b", {}), ("a", "of another kind", {})]


def test_the_lock_is_held_around_calls_and_free_while_replies_travel(module: Module) -> None:
    lock = threading.Lock()
    asking = Asking(Conversation(module, version=VERSION, operations=OPERATIONS, lock=lock)).log_in()
    asking.generate("aes", "128", b"locked")
    replies = asking.conversation.answer({"id": 1, "op": "inventory", "args": {}, "deadline_ms": 1000})

    for _ in replies:
        assert not lock.locked()
    with lock:
        assert asking.ok("ping") == {}
    asking.conversation.close()


@pytest.mark.parametrize(
    "wrong", [{"kind": "des"}, {"size": "100"}, {"size": "P-256"}, {"label": "xyz"}, {"label": None}]
)
def test_a_key_that_cannot_be_is_refused_by_name(asking: Asking, wrong: dict[str, object]) -> None:
    args = {"kind": "aes", "size": "256", "label": "aa", "id": "", "extractable": False, **wrong}

    assert asking.error("generate", **args) in ("CKR_ARGUMENTS_BAD", "CKR_ATTRIBUTE_VALUE_INVALID")
    assert asking.ok("ping") == {}


@pytest.mark.parametrize("request_", [{}, {"op": "ping"}, {"op": 1, "args": {}}, {"op": "login", "args": {"user": 1}}])
def test_a_message_that_is_no_request_is_malformed(stranger: Asking, request_: dict[str, object]) -> None:
    stranger.greet()

    with pytest.raises(Malformed):
        list(stranger.conversation.answer(request_))
