"""Proves that bytes of a token are shown safely and that keys CloudHSM would refuse are refused first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsmctl.domain.key import Identity, Key, KeyKind, KeySpec, ObjectClass, check_spec, text
from hsmctl.errors import UsageError


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"db-kek", "db-kek"),
        ("clé [/x]".encode(), "clé [/x]"),
        (b"two\nlines", "two\\x0alines"),
        (b"\x1b[2J", "\\x1b[2J"),
        (b"\xff\xfe", "\\xff\\xfe"),
        ("\u202etxt".encode(), "\\xe2\\x80\\xaetxt"),
        (b"", ""),
    ],
)
def test_text_shows_bytes_on_one_printable_line(raw: bytes, shown: str) -> None:
    assert text(raw) == shown


@given(st.binary(max_size=200))
def test_text_is_always_printable(raw: bytes) -> None:
    assert text(raw).isprintable()


def test_an_identity_reads_as_label_or_id() -> None:
    assert str(Identity(ObjectClass.SECRET, b"\x0a", b"kek")) == "kek"
    assert str(Identity(ObjectClass.SECRET, b"\x0a", b"")) == "id:0a"
    assert str(Identity(ObjectClass.SECRET, b"", b"")) == "(no label)"


def test_an_algorithm_names_size_or_curve() -> None:
    identity = Identity(ObjectClass.PRIVATE, b"", b"x")
    assert Key(identity=identity, key_type="RSA", bits=2048).algorithm == "RSA-2048"
    assert Key(identity=identity, key_type="EC", bits=256, curve="P-256").algorithm == "EC P-256"
    assert Key(identity=identity, key_type="").algorithm == ""


def spec(kind: KeyKind, size: str, label: bytes = b"kek") -> KeySpec:
    return KeySpec(kind=kind, size=size, label=label, key_id=b"\x01")


@pytest.mark.parametrize(("kind", "size"), [(KeyKind.AES, "128"), (KeyKind.RSA, "4096"), (KeyKind.EC, "P-521")])
def test_what_cloudhsm_makes_is_accepted(kind: KeyKind, size: str) -> None:
    check_spec(spec(kind, size))


@pytest.mark.parametrize(
    "wrong",
    [
        spec(KeyKind.AES, "64"),
        spec(KeyKind.RSA, "1024"),
        spec(KeyKind.RSA, "2100"),
        spec(KeyKind.EC, "P-192"),
        spec(KeyKind.AES, "256", b""),
        spec(KeyKind.AES, "256", b"x" * 128),
    ],
)
def test_what_cloudhsm_refuses_is_refused_with_the_way_out(wrong: KeySpec) -> None:
    with pytest.raises(UsageError) as refused:
        check_spec(wrong)
    assert refused.value.why
    assert refused.value.hint
