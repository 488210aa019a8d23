"""The other end of a conversation with an agent, without a wire, for tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from softhsm_token import PASSWORD, USER

from hsmctl.agent.frame import PROTOCOL
from hsmctl.agent.inventory import BITS, Conversation

VERSION = "1.2.3"
LOGIN = {"user": USER, "password": PASSWORD, "token": {"label": "replica"}}


class Asking:
    """The other end of a conversation, without a wire."""

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation

    def replies(self, op: str, **args: object) -> list[dict[str, Any]]:
        return list(self.conversation.answer({"id": 7, "op": op, "args": args, "deadline_ms": 60_000}))

    def ok(self, op: str, **args: object) -> dict[str, Any]:
        (reply,) = self.replies(op, **args)
        assert "ok" in reply, reply
        answer: dict[str, Any] = reply["ok"]
        return answer

    def error(self, op: str, **args: object) -> str:
        (reply,) = self.replies(op, **args)
        return str(reply["error"]["ckr"])

    def greet(self) -> Asking:
        self.ok("hello", protocol=PROTOCOL, version=VERSION)
        return self

    def log_in(self) -> Asking:
        self.greet().ok("login", **LOGIN)
        return self

    def listing(self) -> list[Mapping[str, Any]]:
        return [key for reply in self.replies("inventory") for key in reply["ok"]["keys"]]

    def generate(
        self, kind: str, size: str, label: bytes, key_id: bytes = b"", *, extractable: bool = False
    ) -> list[dict[str, Any]]:
        args = {"kind": kind, "size": size, "label": label.hex(), "id": key_id.hex(), "extractable": extractable}
        made: list[dict[str, Any]] = self.ok("generate", **args)["keys"]
        return made


def flags_of(key: Mapping[str, Any]) -> set[str]:
    """The flags of a listed key."""
    return {name for name, bit in BITS.items() if key["attributes"] & bit}
