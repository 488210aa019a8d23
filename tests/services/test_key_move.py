"""Proves what is said where a token takes no key of a kind, or asks for more than PKCS#11 does to unwrap one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import cast

import pytest
from token_fake import FakeObjects, FakeUses
from world import FakeClock, MemoryJournal, aes

from hsmctl.adapters.key_format import CryptographyFormats
from hsmctl.domain.key import Key, KeyKind
from hsmctl.domain.key_name import KeyName
from hsmctl.domain.mechanism import Mechanism
from hsmctl.domain.sync import Replica
from hsmctl.errors import DeviceError
from hsmctl.ports import Login, Token, Tokens
from hsmctl.ports_key import Template
from hsmctl.secret import Secret
from hsmctl.services.key_door import KeyDoor
from hsmctl.services.key_move import KeyMove, Wanted
from hsmctl.services.key_transport import KeyTransport

HERE = (Replica(name="vault", address="module:/lib/p11.so"),)
WANTED = Wanted(label=b"new", key_id=b"\x01")


class RefusingObjects(FakeObjects):
    """Takes nothing."""

    def create(self, template: Template) -> Key:
        raise DeviceError("the token refused", ckr="CKR_ATTRIBUTE_VALUE_INVALID")


class RefusingUses(FakeUses):
    """Unwraps nothing, with one word or another."""

    ckr = ""

    def unwrap(self, by: Key, data: bytes, mechanism: Mechanism, template: Template) -> Key:
        raise DeviceError("the token refused", ckr=self.ckr)


class OneToken:
    """ports.Tokens of one token that refuses."""

    def __init__(self, ckr: str) -> None:
        keys = [aes("kek")]
        objects = RefusingObjects(keys, lambda: [keys])
        self.uses = RefusingUses(objects)
        self.uses.ckr = ckr
        self.token = SimpleNamespace(objects=objects, uses=self.uses)

    @contextmanager
    def open(self, replica: Replica, login: Login, deadline: float) -> Iterator[Token]:
        yield cast("Token", self.token)


def move(ckr: str = "") -> KeyMove:
    journal = MemoryJournal()
    tokens: Tokens = OneToken(ckr)
    door = KeyDoor(clock=FakeClock(), tokens=tokens, login=lambda _: Login("user", Secret("pin")))
    transport = KeyTransport(journal=journal)
    formats = CryptographyFormats()
    return KeyMove(door=door, journal=journal, formats=formats, transport=transport, guard=lambda: None)


@pytest.mark.parametrize("kind", ["x25519", "ed25519"])
def test_a_token_that_makes_no_such_key_is_said_to_take_none(kind: str) -> None:
    imported = CryptographyFormats().parse(bytes(32), kind, lambda: Secret(""))
    with pytest.raises(DeviceError, match=f"vault takes no {kind} key: it has no EC_") as refused:
        move().bring(HERE, imported, WANTED, seconds=1)
    assert refused.value.ckr == "CKR_ATTRIBUTE_VALUE_INVALID"


@pytest.mark.parametrize(
    ("ckr", "says"),
    [("CKR_TEMPLATE_INCOMPLETE", "vault unwraps no ec key: .*CKA_NSS_DB"), ("CKR_DEVICE_ERROR", "refused")],
)
def test_a_token_that_unwraps_only_with_more_than_pkcs11_asks_for_is_told_from_others(ckr: str, says: str) -> None:
    with pytest.raises(DeviceError, match=says) as refused:
        move(ckr).unwrap(
            HERE,
            b"wrapped",
            KeyName.parse("kek"),
            Mechanism(name="AES_KEY_WRAP_PAD"),
            KeyKind.EC,
            WANTED,
            seconds=1,
        )
    assert refused.value.ckr == ckr
