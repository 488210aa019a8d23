"""Proves that a name means exactly one object or none, and that several are told apart by what is needed or shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsmctl.domain.key import Identity, Key, KeyKind, Material, MaterialKind, ObjectClass
from hsmctl.domain.key_name import KeyName, choose
from hsmctl.domain.key_purpose import Purpose, alone, attributes_for, parse_attributes, unlike
from hsmctl.domain.uri import uri_of
from hsmctl.errors import Conflict, UsageError

PRIVATE, PUBLIC, SECRET = ObjectClass.PRIVATE, ObjectClass.PUBLIC, ObjectClass.SECRET


def key(
    object_class: ObjectClass, label: bytes = b"tls", key_id: bytes = b"\x01", digest: bytes = b"\xaa\xbb\xcc"
) -> Key:
    material = Material(MaterialKind.CHECK_VALUE, digest)
    return Key(identity=Identity(object_class, key_id, label), key_type="EC", material=material)


PAIR = (key(PUBLIC), key(PRIVATE))
TWINS = (key(SECRET, b"twin"), key(SECRET, b"twin", digest=b"\xdd\xee\xff"))


@pytest.mark.parametrize(
    ("text", "classes", "found"),
    [
        ("tls", (PRIVATE, SECRET), PAIR[1]),
        ("tls", (PUBLIC,), PAIR[0]),
        ("id:01", (PRIVATE,), PAIR[1]),
        ("pkcs11:object=tls;type=public", (), PAIR[0]),
        ("fingerprint:ddee", (), TWINS[1]),
    ],
)
def test_a_name_means_the_object_that_serves(text: str, classes: tuple[ObjectClass, ...], found: Key) -> None:
    assert choose(KeyName.parse(text), (*PAIR, *TWINS), classes) is found


@pytest.mark.parametrize(
    ("text", "classes", "why"),
    [
        ("tls", (), "type=private"),
        ("twin", (), "fingerprint:ddeeff"),
        ("nobody", (), "hsmctl key list|shows this user none"),
        ("tls", (SECRET,), "a secret-key is needed|it is a private-key"),
    ],
)
def test_a_name_that_means_none_or_several_is_refused(text: str, classes: tuple[ObjectClass, ...], why: str) -> None:
    with pytest.raises(Conflict, match=why):
        choose(KeyName.parse(text), (*PAIR, *TWINS), classes)


@pytest.mark.parametrize("text", ["", "id:xyz", "fingerprint:zz", "pkcs11:nonsense=1", "x" * 65_537])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        KeyName.parse(text)


@given(st.binary(min_size=1), st.binary())
def test_every_object_is_found_by_its_own_uri(label: bytes, key_id: bytes) -> None:
    wanted, other = key(SECRET, label, key_id), key(PRIVATE, label + b"x", key_id + b"x")
    assert choose(KeyName.parse(uri_of(wanted.identity)), (other, wanted)) is wanted
    assert set(KeyName.parse(uri_of(wanted.identity)).template) <= {"label", "id", "class"}


@pytest.mark.parametrize("purpose", Purpose)
@pytest.mark.parametrize("kind", KeyKind)
def test_no_purpose_mixes_uses_that_betray_each_other(kind: KeyKind, purpose: Purpose) -> None:
    try:
        halves = attributes_for(kind, purpose)
    except UsageError:
        return
    for uses in halves.values():
        assert not {"wrap", "decrypt"} <= uses.keys()
        assert not {"unwrap", "encrypt"} <= uses.keys()
        assert not {"sign", "decrypt"} <= uses.keys()


def test_named_attributes_come_on_top_or_alone() -> None:
    named = parse_attributes(["CKA_DERIVE=true", "public.wrap=1", "extractable=false"])
    assert attributes_for(KeyKind.EC, Purpose.SIGN, named) == {
        "private": {"sign": True, "derive": True, "extractable": False},
        "public": {"verify": True, "wrap": True},
    }
    assert attributes_for(KeyKind.AES, None, {"sign": True}) == {"secret": {"sign": True}}
    assert attributes_for(KeyKind.AES) == {"secret": {"encrypt": True, "decrypt": True}}


def test_what_is_no_use_leaves_a_key_its_uses() -> None:
    assert attributes_for(KeyKind.AES, None, {"sensitive": False})["secret"] == {
        "encrypt": True,
        "decrypt": True,
        "sensitive": False,
    }


def test_of_one_half_bare_names_are_its_own_and_others_refused() -> None:
    assert alone("public", {"wrap": True, "public.verify": True}) == {"public.wrap": True, "public.verify": True}
    for half, name in (("public", "private.sign"), ("public", "extractable"), ("secret", "public.verify")):
        with pytest.raises(UsageError, match=f"--attr {name}"):
            alone(half, {name: True})


def test_what_a_token_made_otherwise_and_a_value_in_the_open_are_told() -> None:
    pair = key(PRIVATE), key(PUBLIC)
    assert [*unlike({"extractable": False, "public.verify": False}, pair)] == []
    assert [*unlike({"public.verify": True}, pair)] == [
        "tls: verify=true was asked for, and the token lists it otherwise"
    ]
    (said,) = unlike({"sensitive": False}, pair)
    assert "read its value" in said


@pytest.mark.parametrize("word", ["trusted=true", "sing=true", "sign", "sign=maybe"])
def test_attributes_that_cannot_be_set_are_refused(word: str) -> None:
    with pytest.raises(UsageError):
        parse_attributes([word])


def test_a_half_the_key_does_not_have_is_refused() -> None:
    with pytest.raises(UsageError, match="no public half"):
        attributes_for(KeyKind.AES, None, {"public.verify": True})
