"""Proves that a PKCS#11 URI names what it was made of whatever the bytes, and a bad one is refused and says why."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsmctl.domain.key import Identity, ObjectClass
from hsmctl.domain.uri import Uri, uri_of
from hsmctl.errors import UsageError

CLASSES = st.sampled_from([each for each in ObjectClass if each is not ObjectClass.OTHER])


@given(CLASSES, st.binary(min_size=1), st.binary(min_size=1), st.text(min_size=1))
def test_what_is_written_is_read_again(object_class: ObjectClass, key_id: bytes, label: bytes, token: str) -> None:
    uri = Uri.parse(uri_of(Identity(object_class, key_id, label), token))

    assert (uri.object_class, uri.key_id, uri.label, uri.token) == (object_class, key_id, label, token.encode())
    assert str(uri).isascii()
    assert str(uri).isprintable()
    assert Uri.parse(str(uri)) == uri


def test_it_is_written_as_others_write_it() -> None:
    identity = Identity(ObjectClass.PRIVATE, b"\x0a\x01", "prüf [/x]".encode())
    assert uri_of(identity, "hsm1") == "pkcs11:token=hsm1;id=%0A%01;object=pr%C3%BCf%20[%2Fx];type=private"


def test_the_examples_of_the_rfc_are_read() -> None:
    uri = Uri.parse(
        "pkcs11:token=Software%20PKCS%2311%20softtoken;manufacturer=Snake%20Oil,%20Inc.;object=x?module-path=/p.so"
    )
    assert (uri.token, uri.manufacturer) == (b"Software PKCS#11 softtoken", b"Snake Oil, Inc.")
    assert (uri.label, uri.module_path, uri.slot_id) == (b"x", b"/p.so", None)
    assert Uri.parse("pkcs11:slot-id=327").slot_id == 327
    assert not Uri.parse("pkcs11:").names_token


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("object=x", "begin"),
        ("pkcs11:object=a;object=b", "twice"),
        ("pkcs11:colour=red", "no attribute"),
        ("pkcs11:object", "no attribute"),
        ("pkcs11:type=key", "no such type"),
        ("pkcs11:slot-id=x", "no number"),
        ("pkcs11:token=a?pin-value=1234", "every log"),
    ],
)
def test_what_is_no_uri_is_refused_and_says_why(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as caught:
        Uri.parse(text)
    assert "1234" not in str(caught.value)
