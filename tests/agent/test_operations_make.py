"""Proves that a key of curve 25519 is tried in each form that tokens differ in, and any other key once."""

from __future__ import annotations

from typing import Any

import pytest
from pkcs11 import Attribute, PKCS11Error

from hsmctl.agent.operations_make import ED25519, in_any_form

OID, X25519, POINT = bytes.fromhex("06032b6570"), bytes.fromhex("06032b656e"), bytes(range(32))
OCTETS = b"\x04\x20" + POINT


def tried(params: bytes, point: bytes, takes: tuple[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    """The forms in which a token is asked that takes one of them alone."""
    asked = []

    def make(template: dict[Any, Any]) -> None:
        asked.append((template[Attribute.EC_PARAMS], template.get(Attribute.EC_POINT, b"")))
        if asked[-1] != takes:
            raise PKCS11Error

    in_any_form({Attribute.EC_PARAMS: params, **({Attribute.EC_POINT: point} if point else {})}, make)
    return asked


def test_the_usual_form_is_asked_for_once() -> None:
    assert tried(ED25519, b"", (ED25519, b"")) == [(ED25519, b"")]


def test_another_name_of_the_curve_and_a_bare_point_are_tried_after_it() -> None:
    assert tried(ED25519, b"", (OID, b"")) == [(ED25519, b""), (OID, b"")]
    assert tried(ED25519, OCTETS, (OID, POINT)) == [(ED25519, OCTETS), (OID, OCTETS), (OID, POINT)]
    assert tried(X25519, OCTETS, (X25519, POINT)) == [(X25519, OCTETS), (X25519, POINT)]


def test_what_is_refused_in_every_form_is_refused_and_other_keys_are_tried_once() -> None:
    with pytest.raises(PKCS11Error):
        tried(ED25519, OCTETS, (b"", b""))
    p256 = bytes.fromhex("06082a8648ce3d030107")
    with pytest.raises(PKCS11Error):
        tried(p256, OCTETS, (p256, POINT))
