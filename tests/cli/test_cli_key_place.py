"""Proves that a token is found in any context, the lab's too, by its name or its URI, and that nothing else is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from transcript import hsmctl
from world import HSMS, World, aes, lab_context

from hsmctl.cli.key_place import token_named
from hsmctl.errors import Conflict, ExitCode, UsageError
from hsmctl.settings import Context
from hsmctl.settings_entry import TokenEntry

TOKENS = (
    TokenEntry(name="vault", module="/lib/p11.so", label="prod vault", serial="0a1b"),
    TokenEntry(name="safe", module="/lib/p11.so", slot=7),
)
OUTSIDE = Context(name="outside", tokens=TOKENS)
LAB = replace(lab_context(), tokens=TOKENS)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("vault", "vault"),
        ("pkcs11:token=prod%20vault", "vault"),
        ("pkcs11:token=vault;manufacturer=Anybody", "vault"),
        ("pkcs11:serial=0a1b", "vault"),
        ("pkcs11:token=safe;serial=ffff", "safe"),
        ("pkcs11:slot-id=7", "safe"),
    ],
)
@pytest.mark.parametrize("context", [OUTSIDE, LAB])
def test_a_token_is_its_name_or_its_uri(context: Context, typed: str, name: str) -> None:
    assert token_named(context, typed) == name


@pytest.mark.parametrize("typed", ["pkcs11:serial=ffff", "pkcs11:token=vault;serial=ffff", "pkcs11:slot-id=8"])
def test_a_uri_of_no_token_is_a_conflict(typed: str) -> None:
    with pytest.raises(Conflict, match="no token pkcs11:"):
        token_named(OUTSIDE, typed)
    with pytest.raises(UsageError, match="names none"):
        token_named(OUTSIDE, "pkcs11:object=vault")


@pytest.fixture
def world() -> World:
    """A lab beside which two tokens stand."""
    world = World()
    world.tokens.held |= {"vault": [aes("in-the-vault")], "safe": []}
    return world


@pytest.mark.parametrize(
    ("on", "label"), [("vault", "in-the-vault"), ("pkcs11:token=vault", "in-the-vault"), (HSMS[1], "of-the-second")]
)
def test_the_lab_has_its_context_s_tokens_beside_its_hsms(world: World, on: str, label: str) -> None:
    world.tokens.held[HSMS[1]] = [aes("of-the-second")]
    assert hsmctl(world, "key", "list", "--on", on, "-o", "name", context=LAB).out == f"{label}\n"
    uri = f"pkcs11:token={HSMS[1]}"
    assert hsmctl(world, "key", "list", "--on", uri, "-o", "name", context=LAB).out == "of-the-second\n"


def test_a_new_key_on_a_token_is_the_token_s_alone_and_on_an_hsm_the_cluster_s(world: World) -> None:
    made = ("key", "generate", "aes", "-o", "json", "--label")
    on_token = hsmctl(world, *made, "one", "--on", "pkcs11:token=vault", context=LAB).document["data"]
    on_hsm = hsmctl(world, *made, "two", "--on", HSMS[1], context=LAB).document["data"]
    assert (on_token["made_on"], on_token["seen_on"]) == ("vault", ["vault"])
    assert (on_hsm["made_on"], set(on_hsm["seen_on"])) == (HSMS[1], set(HSMS))


@pytest.mark.parametrize("name", ["nowhere", "pkcs11:token=nowhere", "x=module:/lib/p11.so"])
def test_what_is_not_there_is_said_with_what_is(world: World, name: str) -> None:
    ran = hsmctl(world, "key", "list", "--on", name, context=LAB)
    assert ran.code == ExitCode.CONFLICT
    assert "there are" in ran.err
    assert HSMS[0] in ran.err
