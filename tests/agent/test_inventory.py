"""Proves that a real token is listed completely and as it is, new keys and broken objects included."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from asking import VERSION, Asking, flags_of
from pkcs11 import Attribute, CertificateType, KeyType, ObjectClass, Session
from softhsm_token import MODULE, PASSWORD, USER, make_token

from hsmctl.agent import inventory
from hsmctl.agent.ckr import ckr_name
from hsmctl.agent.inventory import Conversation, Module, Refused
from hsmctl.agent.operations import CURVES, OPERATIONS
from hsmctl.agent.operations_token import opened


@pytest.mark.parametrize(
    "label",
    [b"plain", b"\xff\xfe not utf-8", b"two\nlines\x1b[2J", b"z" * 1000],
    ids=["plain", "bytes", "lines", "long"],
)
def test_labels_and_ids_of_any_bytes_are_listed_as_they_are(asking: Asking, label: bytes) -> None:
    for key_id in (b"", b"\x00\xff", b"i" * 300):
        (made,) = asking.generate("aes", "256", label, key_id)

        assert (made["label"], made["id"]) == (label.hex(), key_id.hex())
        assert made in asking.listing()


def test_an_aes_key_is_private_sensitive_and_kept_unless_it_may_leave(asking: Asking) -> None:
    (kept,) = asking.generate("aes", "256", b"kept")
    (free,) = asking.generate("aes", "128", b"free", extractable=True)

    assert (kept["class"], kept["key_type"], kept["bits"], free["bits"]) == (4, 0x1F, 256, 128)
    assert {"token", "private", "sensitive", "never_extractable"} <= flags_of(kept)
    assert {"token", "private", "extractable"} <= flags_of(free)
    assert "extractable" not in flags_of(kept)
    assert "sensitive" not in flags_of(free)
    assert kept["material"]["kind"] == "check-value"
    assert len(bytes.fromhex(kept["material"]["digest"])) == 3


def test_the_halves_of_an_rsa_key_have_one_digest_and_two_kinds(asking: Asking) -> None:
    public, private = asking.generate("rsa", "2048", b"tls", b"\x01")

    assert [(key["class"], key["key_type"], key["bits"]) for key in (public, private)] == [(2, 0, 2048), (3, 0, 2048)]
    assert public["material"] == {**private["material"], "kind": "public"}
    assert private["material"]["kind"] == "modulus"
    assert "private" in flags_of(public)


@pytest.mark.parametrize("curve", CURVES)
def test_only_the_public_half_of_an_ec_key_has_material(asking: Asking, curve: str) -> None:
    public, private = asking.generate("ec", curve, b"sign")

    assert public["ec_params"] == private["ec_params"] == CURVES[curve].hex()
    assert public["material"]["kind"] == "public"
    assert private["material"] is None


def test_digests_are_of_what_the_token_says(asking: Asking, module: Module) -> None:
    asking.generate("ec", "P-256", b"digests")
    asking.generate("rsa", "2048", b"digests")
    with python_pkcs11(module) as session:
        public = {Attribute.LABEL: b"digests", Attribute.CLASS: ObjectClass.PUBLIC_KEY}
        (curve,) = session.get_objects({**public, Attribute.KEY_TYPE: KeyType.EC})
        (rsa,) = session.get_objects({**public, Attribute.KEY_TYPE: KeyType.RSA})
        values = (curve[Attribute.EC_POINT], rsa[Attribute.MODULUS] + rsa[Attribute.PUBLIC_EXPONENT])
    digests = {
        key["material"]["digest"] for key in asking.listing() if key["label"] == b"digests".hex() and key["class"] == 2
    }

    assert digests == {hashlib.sha256(value).hexdigest() for value in values}


def test_certificates_are_listed_by_their_value_and_session_objects_not_at_all(asking: Asking, module: Module) -> None:
    common = {Attribute.CLASS: ObjectClass.CERTIFICATE, Attribute.CERTIFICATE_TYPE: CertificateType.X_509}
    with python_pkcs11(module) as session:
        session.create_object(
            {
                **common,
                Attribute.TOKEN: True,
                Attribute.LABEL: b"cert",
                Attribute.SUBJECT: b"s",
                Attribute.VALUE: b"der",
            }
        )
        session.create_object(
            {**common, Attribute.TOKEN: False, Attribute.LABEL: b"gone", Attribute.SUBJECT: b"s", Attribute.VALUE: b"x"}
        )
        keys = {bytes.fromhex(key["label"]): key for key in asking.listing()}

    assert keys[b"cert"]["class"] == 1
    assert keys[b"cert"]["key_type"] is None
    assert keys[b"cert"]["material"] == {"kind": "public", "digest": hashlib.sha256(b"der").hexdigest()}
    assert b"gone" not in keys


def test_a_long_listing_comes_in_batches_and_ends_with_the_count(module: Module) -> None:
    asking = Asking(Conversation(module, version=VERSION, operations=OPERATIONS, total=lambda: 4711)).log_in()
    for number in range(3):
        asking.generate("aes", "128", b"batch %d" % number)
    session = module.open(next(slot.slot_id for slot in module.slots() if slot.label == "replica"))
    batches = list(module.batches(session, size=2))
    replies = asking.replies("inventory")
    asking.conversation.close()

    assert [len(batch) for batch in batches[:-1]] == [2] * (len(batches) - 1)
    assert [key for batch in batches for key in batch] == [key for reply in replies for key in reply["ok"]["keys"]]
    assert [reply.get("more", False) for reply in replies] == [True] * (len(replies) - 1) + [False]
    assert replies[-1]["ok"] == {"keys": [], "total": 4711}


TEAR = """
import sys
from pathlib import Path
from hsmctl.agent import operations
from hsmctl.agent.inventory import Module

tokens, path, pin = sys.argv[1:]
module = Module(path)

def listed(size=None):
    if size is not None:
        torn.write_bytes(whole[:size])
    module.initialize()
    session = module.open(next(slot.slot_id for slot in module.slots() if slot.initialized))
    module.login(session, pin)
    if size is None:
        for label in ("aa", "bb", "cc"):
            operations.generate(
                module, session, {"kind": "aes", "size": "256", "label": label, "id": "", "extractable": False}
            )
    keys = [key for batch in module.batches(session) for key in batch]
    module.finalize()
    return keys

before = listed()
torn = next(path for path in sorted(Path(tokens).glob("*/*.object")) if path.name != "token.object")
whole = torn.read_bytes()
for size in range(0, len(whole), 49):
    after = listed(size)
    print(size, len(after), sum(key in before for key in after), flush=True)
"""


def test_a_half_written_object_does_not_hide_the_others(tmp_path: Path) -> None:
    configuration = make_token(tmp_path / "torn")
    run = subprocess.run(
        [sys.executable, "-c", TEAR, str(configuration.parent / "tokens"), MODULE, f"{USER}:{PASSWORD}"],
        env={"SOFTHSM2_CONF": str(configuration)},
        capture_output=True,
        text=True,
        check=True,
    )
    lists = [[int(word) for word in line.split()] for line in run.stdout.splitlines()]

    assert len(lists) > 10
    assert min(whole for _, _, whole in lists) == 2
    assert {count for _, count, _ in lists} == {2, 3}, "some torn objects disappear, some are listed without attributes"


def test_a_module_that_stops_at_an_unknown_attribute_is_asked_one_by_one(asking: Asking, module: Module) -> None:
    asking.generate("rsa", "2048", b"stops")
    expected = asking.listing()
    stopping = Module(MODULE)
    get = stopping.functions["C_GetAttributeValue"]
    type_invalid = 0x12
    stopping.functions["C_GetAttributeValue"] = lambda session, handle, template, count: (
        get(session, handle, template, count) if count == 1 else type_invalid
    )
    session = stopping.open(next(slot.slot_id for slot in module.slots() if slot.label == "replica"))

    assert [key for batch in stopping.batches(session) for key in batch] == expected


def test_a_file_that_is_no_module_is_refused(tmp_path: Path) -> None:
    for path in (str(tmp_path / "none.so"), "libc.so.6"):
        with pytest.raises(Refused, match="cannot load"):
            Module(path)


def test_return_values_have_names() -> None:
    assert ckr_name(0xA0) == "CKR_PIN_INCORRECT"
    assert ckr_name(0x80000001) == "CKR_0x80000001"


@contextmanager
def python_pkcs11(module: Module) -> Iterator[Session]:
    """A second opinion on the token: python-pkcs11 on the same module, with labels as bytes."""
    slot_id = next(slot.slot_id for slot in module.slots() if slot.label == "replica")
    with opened(module, inventory.Session(slot_id, 0)) as session:
        yield session


class Going(Module):
    """A module one of whose objects is gone when it is read; a second search finds `then`."""

    def find(self, session: inventory.Session) -> list[int]:
        found = super().find(session)
        self.found, first = found, not hasattr(self, "found")
        return [*found, 0x7FFFFFFF] if first else self.then(found)

    def then(self, found: list[int]) -> list[int]:
        return found


class Gone(Going):
    """By then the others are gone as well."""

    def then(self, found: list[int]) -> list[int]:
        return found[:1]


def test_an_object_that_goes_is_left_out_and_a_token_that_goes_has_no_list(asking: Asking, module: Module) -> None:
    for label in ("676f696e6731", "676f696e6732"):
        asking.ok("generate", kind="aes", size="256", label=label, id="", extractable=False, attributes={})
    slot = next(slot for slot in module.slots() if slot.label == "replica")
    session = module.open(slot.slot_id)
    whole = [key for batch in module.batches(session) for key in batch]
    assert [key for batch in Going(MODULE).batches(session) for key in batch] == whole
    with pytest.raises(Refused, match="lost its objects"):
        list(Gone(MODULE).batches(session))
    module.close(session)
