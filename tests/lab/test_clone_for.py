"""Proves that other people's programs work on a clone of their own while the lab goes on, and that it keeps in step."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key
from live import LiveLab, until

from hsmctl.domain.key import KeyKind
from hsmctl.errors import Conflict, UsageError
from hsmctl.ports import LabOptions

LIBP11_PIN = 32
"""How many characters of a PIN libp11, and so OpenSSL's engine and nginx, read (its eng_back.c)."""


class Outside:
    """A program's clone and the environment in which the program runs."""

    def __init__(self, live: LiveLab, name: str) -> None:
        clone = live.program.clone_for(name, None)
        self.folder, self.env = Path(clone.folder), dict(clone.env)

    def pkcs11_tool(self, *words: str) -> str:
        return self._run("pkcs11-tool", "--module", self.env["PKCS11_MODULE"], "--login", "--pin", self.pin, *words)

    def p11tool(self, *words: str) -> str:
        return self._run("p11tool", "--provider", self.env["PKCS11_MODULE"], "--login", "--set-pin", self.pin, *words)

    @property
    def pin(self) -> str:
        return Path(self.env["PKCS11_PIN_FILE"]).read_text()

    def _run(self, *command: str) -> str:
        environment = {**os.environ, **self.env}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=self.folder, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveLab]:
    lab = LiveLab(tmp_path_factory.mktemp("lab"), LabOptions(hsms=1, zones=1, seed_keys=0))
    try:
        lab.start()
        lab.create()
        lab.generate(lab.hsms()[0], KeyKind.RSA, "2048", "tls")
        yield lab
    finally:
        lab.program.reset()


@pytest.fixture(scope="module")
def outside(live: LiveLab) -> Outside:
    return Outside(live, "web")


def test_pkcs11_tool_signs_with_a_key_of_the_lab(outside: Outside) -> None:
    (outside.folder / "data").write_text("to be signed")
    key = ("--id", b"tls".hex())
    outside.pkcs11_tool("--sign", "--mechanism", "SHA256-RSA-PKCS", *key, "-i", "data", "-o", "signature")
    outside.pkcs11_tool("--read-object", "--type", "pubkey", *key, "-o", "public.der")
    public = load_der_public_key((outside.folder / "public.der").read_bytes())
    assert isinstance(public, RSAPublicKey)
    public.verify((outside.folder / "signature").read_bytes(), b"to be signed", PKCS1v15(), hashes.SHA256())


def test_p11tool_sees_what_the_lab_makes_meanwhile(live: LiveLab, outside: Outside) -> None:
    assert "late" not in outside.p11tool("--list-all", "pkcs11:token=web")
    live.generate(live.hsms()[0], KeyKind.AES, "256", "late")
    until(lambda: "object=late" in outside.p11tool("--list-all", "pkcs11:token=web"))


def test_what_the_program_makes_stays_its_own(live: LiveLab, outside: Outside) -> None:
    outside.pkcs11_tool("--keygen", "--key-type", "AES:16", "--label", "its own")
    assert b"its own" not in [key.identity.label for key in live.inventory(live.hsms()[0]).keys]
    assert "object=its%20own" in outside.p11tool("--list-all", "pkcs11:token=web")


def test_the_pin_is_short_enough_for_the_programs_there_are(outside: Outside) -> None:
    assert len(outside.pin) <= LIBP11_PIN


def test_a_name_is_one_clone(live: LiveLab, outside: Outside, tmp_path: Path) -> None:
    assert live.program.clone_for("web", None).folder == str(outside.folder)
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(Conflict, match="is not empty"):
        live.program.clone_for("other", str(tmp_path))
    with pytest.raises(UsageError, match="clone name"):
        live.program.clone_for("no/name", None)
