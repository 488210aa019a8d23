"""Proves how keys are wrapped and where the IV of GCM is, and that what a journey left is found on its own token."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest
from token_fake import FakeObjects, FakeUses
from world import MemoryJournal, aes

from hsmctl.domain.key import Key
from hsmctl.domain.key_transport import is_software
from hsmctl.domain.mechanism import Mechanism, MechanismInfo, Output, TokenFacts
from hsmctl.domain.sync import Replica
from hsmctl.errors import Conflict, DeviceError
from hsmctl.ports import Token
from hsmctl.ports_key import Template
from hsmctl.services.key_transport import KeyTransport, as_offered, sealed, unsealed, unwrapped


def facts(*offered: tuple[str, str]) -> TokenFacts:
    """A token with these mechanisms, each with its uses."""
    mechanisms = tuple(
        MechanismInfo(number=number, name=name, least=None, most=None, uses=tuple(uses.split()))
        for number, (name, uses) in enumerate(offered)
    )
    texts = dict.fromkeys(("label", "serial", "manufacturer", "model", "firmware", "library"), "token")
    return TokenFacts(slot_id=0, mechanisms=mechanisms, **texts)


CLOUDHSM = facts(("AES_GCM", "encrypt wrap"), ("CLOUDHSM_AES_GCM", "wrap"), ("CLOUDHSM_AES_KEY_WRAP_NO_PAD", "wrap"))
STANDARD = facts(("AES_GCM", "encrypt wrap"), ("AES_KEY_WRAP", "wrap"))


@pytest.mark.parametrize(
    ("token", "asked", "called"),
    [
        (CLOUDHSM, "AES_GCM", "CLOUDHSM_AES_GCM"),
        (CLOUDHSM, "AES_KEY_WRAP", "CLOUDHSM_AES_KEY_WRAP_NO_PAD"),
        (STANDARD, "AES_GCM", "AES_GCM"),
        (STANDARD, "AES_KEY_WRAP", "AES_KEY_WRAP"),
        (STANDARD, "RSA_PKCS_OAEP", "RSA_PKCS_OAEP"),
    ],
)
def test_a_wrap_is_asked_for_by_the_tokens_own_name(token: TokenFacts, asked: str, called: str) -> None:
    assert as_offered(token, Mechanism(name=asked)).name == called


def test_a_token_that_only_encrypts_with_gcm_is_asked_for_no_wrap() -> None:
    with pytest.raises(Conflict, match="AES-GCM"):
        as_offered(facts(("AES_GCM", "encrypt decrypt")), Mechanism(name="AES_GCM"))


def test_the_iv_of_gcm_stands_in_front_whoever_puts_it_there() -> None:
    standard, own, iv = Mechanism(name="AES_GCM"), Mechanism(name="CLOUDHSM_AES_GCM"), bytes(range(12))
    data = sealed(standard, Output(b"wrapped", iv))
    assert data == iv + b"wrapped"
    assert unsealed(standard, data) == (Mechanism(name="AES_GCM", iv=iv), b"wrapped")
    assert unsealed(own, data) == (own, data) == (own, sealed(own, Output(data)))


ALPHA = Replica(name="alpha")


class Vault(FakeObjects):
    """A token with a serial number of its own."""

    def __init__(self, serial: str) -> None:
        self.keys: list[Key] = []
        super().__init__(self.keys, lambda: [self.keys])
        self._serial = serial
        self.token = cast("Token", SimpleNamespace(objects=self))

    def describe(self) -> TokenFacts:
        return replace(super().describe(), serial=self._serial)


def left_on(vault: Vault, transport: KeyTransport) -> None:
    """Have a run end between making a transport key and destroying it."""
    name = transport.begin(ALPHA, vault.token)
    vault.create({"class": 4, "key_type": 0x1F, "label": name.label, "id": name.key_id})


def test_what_was_left_on_a_token_is_not_looked_for_on_another_of_the_same_name() -> None:
    transport, mine, other = KeyTransport(journal=MemoryJournal()), Vault("1111"), Vault("2222")
    left_on(mine, transport)
    assert transport.sweep(ALPHA, other.token) == 0
    assert transport.sweep(ALPHA, mine.token) == 1
    assert mine.keys == []
    assert transport.sweep(ALPHA, mine.token) == 0


def test_what_an_earlier_version_left_is_found_by_the_name_of_its_token() -> None:
    journal, vault = MemoryJournal(), Vault("1111")
    transport = KeyTransport(journal=journal)
    left_on(vault, transport)
    journal.written = [{**record, "place": "alpha"} for record in journal.written]
    assert transport.sweep(ALPHA, vault.token) == 1


@pytest.mark.parametrize(
    ("manufacturer", "model", "library", "software"),
    [
        ("SoftHSM project", "SoftHSM v2", "SoftHSM", True),
        ("IBM", "Soft", "IBM", True),
        ("Mozilla Foundation", "NSS 3", "Mozilla Foundation", True),
        ("Marvell", "NITROX", "Amazon", False),
        ("IBM", "EP11", "IBM", False),
        ("Microsoft", "Managed", "Microsoft", False),
    ],
)
def test_software_is_known_by_what_it_says_of_itself(
    manufacturer: str, model: str, library: str, *, software: bool
) -> None:
    token = replace(facts(), manufacturer=manufacturer, model=model, library=library)
    assert is_software(token) is software


class OpenUses(FakeUses):
    """Takes every key it unwraps for extractable and not sensitive, as openCryptoki does."""

    def unwrap(self, by: Key, data: bytes, mechanism: Mechanism, template: Template) -> Key:
        return super().unwrap(by, data, mechanism, {**template, "sensitive": False, "extractable": True})


class FixedObjects(FakeObjects):
    """Changes no attribute, as CloudHSM's library."""

    def change(self, key: Key, template: Template) -> Key:
        raise DeviceError("the token refused", ckr="CKR_FUNCTION_NOT_SUPPORTED")


@pytest.mark.parametrize(("objects", "closed"), [(FakeObjects, True), (FixedObjects, False)])
@pytest.mark.parametrize("extractable", [True, False])
def test_what_a_token_leaves_open_is_closed_or_stays_as_it_is_listed(
    objects: type[FakeObjects], *, closed: bool, extractable: bool
) -> None:
    keys: list[Key] = []
    held = objects(keys, lambda: [keys])
    token = cast("Token", SimpleNamespace(objects=held, uses=OpenUses(held)))
    template: Template = {"class": 4, "key_type": 0x1F, "label": b"new", "sensitive": True, "extractable": extractable}
    made = unwrapped(token, aes("kek"), b"wrapped", Mechanism(name="AES_KEY_WRAP"), template)
    assert ("sensitive" in made.attributes, "extractable" in made.attributes) == (closed, extractable or not closed)
    assert keys == [made]
