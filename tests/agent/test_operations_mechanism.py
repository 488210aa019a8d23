"""Proves that the parameters python-pkcs11 does not know are laid out as PKCS#11 3.1 has them."""

from __future__ import annotations

import ctypes

import pytest
from pkcs11 import KeyType

from hsmctl.agent.inventory import Refused
from hsmctl.agent.operations_mechanism import prepared
from hsmctl.agent.operations_token import MONTGOMERY, learn_key_types


class HkdfParams(ctypes.Structure):
    """CK_HKDF_PARAMS (PKCS#11 3.1, 6.62.3)."""

    _fields_ = (
        ("extract", ctypes.c_ubyte),
        ("expand", ctypes.c_ubyte),
        ("hash", ctypes.c_ulong),
        ("salt_type", ctypes.c_ulong),
        ("salt", ctypes.c_void_p),
        ("salt_length", ctypes.c_ulong),
        ("salt_key", ctypes.c_ulong),
        ("info", ctypes.c_void_p),
        ("info_length", ctypes.c_ulong),
    )


@pytest.mark.parametrize("salt", [b"", b"\x01\x02\x03"])
def test_hkdf_extracts_with_the_salt_or_with_none_and_expands_with_the_info(salt: bytes) -> None:
    ready = prepared({"name": "HKDF_DERIVE", "hash": "sha384", "seasoning": salt.hex(), "info": b"for this".hex()})
    assert ready.parameter is not None
    told = HkdfParams.from_buffer_copy(ready.parameter)
    assert len(ready.parameter) == ctypes.sizeof(HkdfParams)
    assert (int(ready.mechanism), told.extract, told.expand, told.hash, told.salt_key) == (0x402A, 1, 1, 0x260, 0)
    assert (told.salt_type, told.salt_length) == ((2, 3) if salt else (1, 0))
    assert (ctypes.string_at(told.salt, told.salt_length) if salt else b"") == salt
    assert ctypes.string_at(told.info, told.info_length) == b"for this"


def test_a_hash_that_nobody_knows_is_refused() -> None:
    with pytest.raises(Refused, match="HKDF_DERIVE does not take this"):
        prepared({"name": "HKDF_DERIVE", "hash": "md5"})


def test_keys_on_montgomery_curves_have_a_type() -> None:
    learn_key_types()
    assert KeyType(MONTGOMERY).name == "EC_MONTGOMERY"
