"""Proves that a check names exactly the keys and HSMs that faults bend, alone and in all pairs, and nothing else."""

from __future__ import annotations

from itertools import product

import pytest
from bent import CUT, KINDS, LABELS, LATE, TOKEN_KEY, Bend, base, expected, named, readings

from hsmctl.domain.sync import Cell, Verdict, compare
from hsmctl.errors import Conflict
from hsmctl.lab.fault_key import edited, edits, labelled
from hsmctl.lab.material import clear
from hsmctl.lab.objectfile import CKA_MODULUS, CKA_VALUE, Attribute, Kind, StoredObject

HSMS = ("a", "b", "c", "d", "e")
BENDS = [Bend(*bend) for bend in (*product(KINDS, LABELS, (0, 1)), *product([CUT], [LATE], (0, 1)))]


def test_without_faults_nothing_differs() -> None:
    assert compare(list(readings([], HSMS))).verdict is Verdict.NO_DIFFERENCE_SEEN


@pytest.mark.parametrize(
    ("bend", "cells"),
    [
        (Bend("key-missing", "aes", 1), {("aes", "secret-key"): {"b": Cell.MISSING}}),
        (
            Bend("key-different", "rsa", 1),
            {("rsa", "private-key"): {"b": Cell.DIFFERENT}, ("rsa", "public-key"): {"b": Cell.DIFFERENT}},
        ),
        (Bend("key-different", "ec", 1), {("ec", "public-key"): {"b": Cell.DIFFERENT}}),
        (Bend("key-attribute", "ec", 0), {("ec", "private-key"): {"a": Cell.ATTRIBUTES}}),
        (Bend(CUT, LATE, 2), {(LATE, "secret-key"): {"c": Cell.MISSING}}),
        (Bend(CUT, LATE, 0), {(LATE, "secret-key"): dict.fromkeys("bcde", Cell.MISSING)}),
        (Bend("key-sole", "aes", 4), {("aes", "secret-key"): dict.fromkeys("abcd", Cell.MISSING)}),
    ],
)
def test_what_each_fault_means(bend: Bend, cells: dict[tuple[str, str], dict[str, Cell]]) -> None:
    assert expected([bend], HSMS) == cells
    assert named(compare(list(readings([bend], HSMS)))) == cells


@pytest.mark.parametrize("first", BENDS, ids=lambda bend: f"{bend.fault} {bend.label} {bend.hsm}")
def test_every_pair_is_named_exactly(first: Bend) -> None:
    for second in BENDS:
        assert named(compare(list(readings([first, second], HSMS)))) == expected([first, second], HSMS), second


def test_other_material_is_other_each_time_and_fits_its_other_half() -> None:
    pair = labelled(base(), "rsa", TOKEN_KEY)
    one, two = edits("key-different", pair, TOKEN_KEY), edits("key-different", pair, TOKEN_KEY)
    changed = [edited(pair["rsa-public.object"], made["rsa-public.object"]) for made in (one, two)]
    assert changed[0] != changed[1]
    halves = [edited(stored, one[name]) for name, stored in pair.items()]
    assert len({clear(half, CKA_MODULUS, TOKEN_KEY) for half in halves if half}) == 1


def test_what_is_no_key_cannot_be_another_key() -> None:
    data = {
        "data.object": StoredObject(1, {0: Attribute(Kind.ULONG, bytes(8)), CKA_VALUE: Attribute(Kind.BYTES, b"x")})
    }
    for fault in ("key-different", "key-attribute"):
        with pytest.raises(Conflict):
            edits(fault, data, TOKEN_KEY)
    assert edits("key-missing", data, TOKEN_KEY) == {"data.object": None}
