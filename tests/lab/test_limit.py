"""Proves that an HSM refuses one key or one user too many, and counts what is there without asking SoftHSM."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from hsmctl.agent.inventory import Refused
from hsmctl.errors import Conflict
from hsmctl.lab.limit import Limits, Room, check_user_fits, limits
from hsmctl.lab.objectfile import CKA_CLASS, Attribute, Kind, StoredObject, serialize
from hsmctl.lab.user import Role, Users

AES, EC = {"kind": "aes"}, {"kind": "ec"}
FEW = Limits(keys=5, asymmetric=4, users=3)


def put(tokens: Path, user: str, **classes: int) -> None:
    """Objects of these classes that hold nothing else."""
    for name, number in classes.items():
        stored = StoredObject(1, {CKA_CLASS: Attribute(Kind.ULONG, struct.pack(">Q", number)), **MATERIAL})
        (tokens / user).mkdir(parents=True, exist_ok=True)
        (tokens / user / f"{name}.object").write_bytes(serialize(stored))


MATERIAL = {0x011: Attribute(Kind.BYTES, b"material")}


def test_the_documented_quotas() -> None:
    assert limits("hsm2m.medium") == Limits(keys=16_666, asymmetric=3_333, users=1_024)
    assert limits("hsm1.medium") == Limits(keys=3_300, asymmetric=3_300, users=250)


def test_keys_of_all_users_fill_an_hsm(tmp_path: Path) -> None:
    put(tmp_path, "one", a=4, b=4)
    put(tmp_path, "two", c=4, d=4)
    room = Room(tmp_path, FEW)
    room.check(AES)
    put(tmp_path, "two", e=4)
    with pytest.raises(Refused, match="holds 5 keys") as refused:
        room.check(AES)
    assert refused.value.ckr == "CKR_DEVICE_MEMORY"


def test_pairs_have_a_limit_of_their_own(tmp_path: Path) -> None:
    put(tmp_path, "one", a=2, b=3, secret=4)
    room = Room(tmp_path, Limits(keys=6, asymmetric=4, users=3))
    room.check(EC)
    put(tmp_path, "one", c=2)
    with pytest.raises(Refused, match="4 asymmetric"):
        room.check(EC)
    room.check(AES)


def test_one_user_too_many_is_refused(tmp_path: Path) -> None:
    users = Users(tmp_path / "users.json")
    check_user_fits(users, FEW)
    users.add("one", Role.CRYPTO_USER, "password")
    with pytest.raises(Conflict, match="3 users"):
        check_user_fits(users, FEW)
