"""Proves that tokens made and copied in Python work in SoftHSM, and that a sweep heals what a killed process leaves."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from hsmctl.errors import Conflict
from hsmctl.lab import softhsm
from hsmctl.lab.objectfile import Torn, check_whole, parse, serialize
from hsmctl.lab.sweep import sweep

PIN = "an internal PIN"

_MAKE = """
public, private = session.generate_keypair(KeyType.RSA, 2048, label="rsa", store=True,
    private_template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False})
session.generate_key(KeyType.AES, 256, label="aes", store=True,
    template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False})
curve = session.create_domain_parameters(KeyType.EC,
    {Attribute.EC_PARAMS: bytes.fromhex("06082a8648ce3d030107")}, local=True)
curve.generate_keypair(label="ec", store=True)
"""
_USE = """
aes = session.get_key(object_class=ObjectClass.SECRET_KEY, label="aes")
rsa = session.get_key(object_class=ObjectClass.PRIVATE_KEY, label="rsa")
found["aes"] = aes.encrypt(bytes(16), mechanism=Mechanism.AES_ECB).hex()
found["rsa"] = rsa.sign(b"challenge", mechanism=Mechanism.SHA256_RSA_PKCS).hex()
peer = session.get_key(object_class=ObjectClass.PUBLIC_KEY, label="ec")[Attribute.EC_POINT][2:]
shared = session.get_key(object_class=ObjectClass.PRIVATE_KEY, label="ec").derive_key(KeyType.AES, 256,
    mechanism_param=(KDF.NULL, None, peer), template={Attribute.SENSITIVE: False, Attribute.EXTRACTABLE: True})
found["ec"] = shared[Attribute.VALUE].hex()
found["extractable"] = aes[Attribute.EXTRACTABLE]
"""
_COPY = """
found["before"] = len(list(session.get_objects()))
sys.path.insert(0, "")
from pathlib import Path
from hsmctl.lab.softhsm import copy_object, object_files, remove_object
names = sorted(object_files(Path({source!r})))
for name in names:
    copy_object(Path({source!r}), Path({target!r}), name)
found["copied"] = len(list(session.get_objects()))
remove_object(Path({target!r}), names[0])
found["removed"] = len(list(session.get_objects()))
copy_object(Path({source!r}), Path({target!r}), names[0])
found["again"] = len(list(session.get_objects()))
"""


class Node:
    """The folder of tokens of one HSM."""

    def __init__(self, path: Path, token_key: bytes, serial: str) -> None:
        self.tokens, self.backups, self.quarantine = path / "tokens", path / "backups", path / "quarantine"
        self.token = self.tokens / "cu"
        for folder in (self.tokens, self.backups):
            folder.mkdir(parents=True)
        made = softhsm.token_object(label=path.name, serial=serial, token_key=token_key, pin=PIN)
        softhsm.make_token(self.token, made)
        (self.backups / "cu.object").write_bytes(made)
        self.configuration = path / "softhsm2.conf"
        self.configuration.write_text(f"directories.tokendir = {self.tokens}\n")

    def run(self, code: str) -> dict[str, object]:
        """What a process found that logged in to the token with SoftHSM itself."""
        program = (
            "import json, sys, pkcs11\n"
            "from pkcs11 import KDF, Attribute, KeyType, Mechanism, ObjectClass\n"
            "found = {}\n"
            f"token = pkcs11.lib({str(softhsm.module_path())!r}).get_token(token_label={self.tokens.parent.name!r})\n"
            f"with token.open(user_pin={PIN!r}, rw=True) as session:\n"
            + "".join(f"    {line}\n" for line in code.splitlines())
            + "print(json.dumps(found))\n"
        )
        run = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "SOFTHSM2_CONF": str(self.configuration)},
            stdout=subprocess.PIPE,
            check=True,
        )
        found: dict[str, object] = json.loads(run.stdout)
        return found

    def sweep(self) -> tuple[str, ...]:
        return sweep(self.tokens, self.backups, self.quarantine)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Node:
    """A node with keys that cannot be extracted."""
    node = Node(tmp_path_factory.mktemp("lab") / "hsm-a", bytes(range(32)), "0123456700010001")
    node.run(_MAKE)
    return node


@pytest.fixture
def node(keys: Node, tmp_path: Path) -> Node:
    """A copy of it that a test may break."""
    other = Node(tmp_path / "hsm-b", bytes(range(32)), "89abcdef00010001")
    for name in softhsm.object_files(keys.token):
        softhsm.copy_object(keys.token, other.token, name)
    return other


def test_files_of_the_module_survive_a_round_trip(keys: Node) -> None:
    files = [*keys.token.glob("*.object")]
    assert len(files) == 6
    for path in files:
        data = path.read_bytes()
        assert serialize(check_whole(data)) == data


def test_a_file_cut_off_anywhere_is_torn_or_lacks_what_comes_last(keys: Node) -> None:
    for path in keys.token.glob("*.object"):
        whole = parse(path.read_bytes())
        for length in range(0, path.stat().st_size - 1, 7):
            try:
                cut = parse(path.read_bytes()[:length])
            except Torn:
                continue
            assert set(cut.attributes) < set(whole.attributes)


def test_clone_of_keys_that_cannot_be_extracted_is_the_same_keys(keys: Node, node: Node) -> None:
    answers = keys.run(_USE)
    assert answers["extractable"] is False
    assert node.run(_USE) == answers


def test_a_running_process_sees_copies_and_removals_at_once(keys: Node, tmp_path: Path) -> None:
    empty = Node(tmp_path / "hsm-c", bytes(range(32)), "0000000000010001")
    found = empty.run(_COPY.format(source=str(keys.token), target=str(empty.token)))
    assert found == {"before": 0, "copied": 5, "removed": 4, "again": 5}


def test_an_overwritten_object_gets_a_higher_count(keys: Node, node: Node) -> None:
    name = next(softhsm.object_files(keys.token))
    before = softhsm.read_object(node.token, name).generation
    softhsm.write_object(node.token, name, softhsm.read_object(keys.token, name))
    written = softhsm.read_object(node.token, name).generation
    assert written > before
    softhsm.copy_object(keys.token, node.token, name)
    assert softhsm.read_object(node.token, name).generation == written


def test_an_unfinished_object_is_not_copied(keys: Node, node: Node) -> None:
    name = next(softhsm.object_files(node.token))
    (node.token / name).write_bytes((node.token / name).read_bytes()[:-30])
    with pytest.raises(Torn):
        softhsm.copy_object(node.token, keys.token, name)


def test_a_folder_locked_by_a_stopped_process_times_out(keys: Node, node: Node) -> None:
    hold = "import fcntl, sys; f = open(sys.argv[1], 'r+b'); fcntl.lockf(f, 2); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(node.token / "generation")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(TimeoutError):
            softhsm.copy_object(keys.token, node.token, next(softhsm.object_files(keys.token)))
        holder.communicate(b"\n")


def test_a_sweep_of_a_good_folder_does_nothing(node: Node) -> None:
    assert node.sweep() == ()


def test_a_sweep_restores_a_destroyed_token(keys: Node, node: Node) -> None:
    (node.token / softhsm.TOKEN_OBJECT).write_bytes(b"")
    (node.token / "generation").write_bytes(b"\0\0")
    assert len(node.sweep()) == 2
    assert node.run(_USE) == keys.run(_USE)


def test_a_sweep_says_so_where_a_token_cannot_be_restored(node: Node) -> None:
    (node.token / softhsm.TOKEN_OBJECT).write_bytes(b"")
    shutil.rmtree(node.backups)
    (said,) = node.sweep()
    assert "no backup" in said


def test_a_sweep_quarantines_unfinished_objects_and_keeps_the_rest(keys: Node, node: Node) -> None:
    empty, partial, unmade, *good = sorted(softhsm.object_files(node.token))
    (node.token / empty).write_bytes(b"")
    (node.token / partial).write_bytes((node.token / partial).read_bytes()[:100])
    (node.token / unmade).write_bytes(_without_material((node.token / unmade).read_bytes()))
    (node.token / f".{empty}.new").write_bytes(b"half a copy")
    assert len(node.sweep()) == 3 + 1  # objects, the copy
    assert sorted(softhsm.object_files(node.token)) == good
    assert sorted(path.name for path in (node.quarantine / "cu").iterdir()) == [empty, partial, unmade]
    assert len(list(node.token.glob("*.lock"))) == len(good) + 1
    assert node.sweep() == ()


def test_softhsm_that_is_not_there_is_named_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HSMCTL_SOFTHSM", "/nonexistent/libsofthsm2.so")
    with pytest.raises(Conflict) as caught:
        softhsm.module_path()
    assert "apt install softhsm2" in caught.value.hint


def _without_material(data: bytes) -> bytes:
    """The object as SoftHSM has it before the key is generated: every byte string empty."""
    stored = parse(data)
    attributes = {
        number: attribute._replace(value=b"") if attribute.kind == 3 else attribute
        for number, attribute in stored.attributes.items()
    }
    return struct.pack(">Q", stored.generation) + serialize(type(stored)(0, attributes))[8:]
