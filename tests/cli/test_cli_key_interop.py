"""Proves that OpenSC, GnuTLS, OpenSSL and its pkcs11 engine use what hsmctl made on a token, and the reverse."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from key_token import HeldTokens, TokenWorld, tool
from softhsm_token import MODULE, PASSWORD, USER

OPENSC = ("pkcs11-tool", "--module", MODULE, "--token-label", "shared", "--login", "--pin", "env:TOKEN_PIN")
GNUTLS = ("p11tool", "--provider", MODULE, "--login", "--batch")
ENGINE = ("-engine", "pkcs11", "-keyform", "engine")
ENGINE_CONFIGURATION = f"""openssl_conf = openssl
[openssl]
engines = engines
[engines]
pkcs11 = pkcs11
[pkcs11]
MODULE_PATH = {MODULE}
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenWorld]:
    """A token with our keys and theirs; ours is closed while theirs are made: one process at a time on SoftHSM."""
    folder = tmp_path_factory.mktemp("interop")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("SOFTHSM2_CONF", str(folder / "shared" / "softhsm2.conf"))
        patch.setenv("TOKEN_PIN", f"{USER}:{PASSWORD}")
        patch.setenv("GNUTLS_PIN", f"{USER}:{PASSWORD}")
        (folder / "data").write_bytes(os.urandom(5000))
        world = TokenWorld(folder, ("shared",))
        ours(world)
        world.real.stack.close()
        theirs(folder)
        world.real = reopened(folder)
        yield world
        world.real.stack.close()


def ours(world: TokenWorld) -> None:
    here = ("--on", "shared")
    world.ok("key", "generate", "rsa", "--label", "our-rsa", "--id", "01", *here)
    world.ok("key", "generate", "ec", "--label", "our-ec", "--id", "02", *here)
    world.ok("key", "generate", "aes", "--label", "our-aes", "--id", "03", *here)
    world.ok("key", "generate", "aes", "--label", "our-kek", "--id", "04", "--for", "kek", *here)
    world.ok("key", "generate", "aes", "--label", "our-data", "--id", "05", "--for", "data", "--extractable", *here)
    world.ok("key", "wrap", "our-data", "--by", "our-kek", "--algorithm", "aes-kw", "--out", "our.kw", *here)
    world.ok("key", "sign", "our-rsa", "data", "--out", "our-rsa.sig", *here)
    world.ok("key", "encrypt", "our-aes", "data", "--algorithm", "aes-cbc", "--out", "our.enc", *here)
    world.ok("key", "selfsign", "our-ec", "--subject", "CN=ours", "--out", "our.pem", *here)
    world.ok("key", "cert", "import", "our.pem", "--label", "our-ec", "--key", "our-ec", *here)


def theirs(folder: Path) -> None:
    tool(folder, *OPENSC, "--keypairgen", "--key-type", "EC:secp384r1", "--label", "opensc-ec", "--id", "11")
    tool(folder, *OPENSC, "--keypairgen", "--key-type", "rsa:2048", "--label", "opensc-rsa", "--id", "12")
    tool(folder, *OPENSC, "--keygen", "--key-type", "AES:32", "--label", "opensc-aes", "--id", "13")
    tool(
        folder,
        *GNUTLS,
        "--generate-privkey=ecdsa",
        "--curve",
        "secp256r1",
        "--label",
        "gnutls-ec",
        "pkcs11:token=shared",
    )
    wrapping = ("-m", "AES-KEY-WRAP", "--id", "04")
    tool(folder, *OPENSC, "--wrap", *wrapping, "--application-id", "05", "--output-file", "opensc.kw")
    unwrapped = ("--key-type", "AES:", "--application-label", "opensc-data", "--application-id", "14")
    tool(folder, *OPENSC, "--unwrap", *wrapping, "--input-file", "our.kw", *unwrapped)
    signing = ("--sign", "-m", "SHA256-RSA-PKCS", "--id", "12", "-i", "data", "-o", "opensc.sig")
    tool(folder, *OPENSC, *signing)


def reopened(folder: Path) -> HeldTokens:
    """The same token in a new agent."""
    return HeldTokens(folder, ("shared",), fresh=False)


@contextmanager
def theirs_alone(world: TokenWorld) -> Iterator[None]:
    """A time in which the token is other programs' alone: one process at a time on SoftHSM."""
    world.real.stack.close()
    yield
    world.real = reopened(world.folder)


def test_opensc_lists_and_verifies_what_we_made(world: TokenWorld) -> None:
    checking = ("--verify", "-m", "SHA256-RSA-PKCS", "--id", "01", "-i", "data", "--signature-file", "our-rsa.sig")
    sealed = (world.folder / "our.enc").read_bytes()
    (world.folder / "our.ct").write_bytes(sealed[16:])
    opening = ("--decrypt", "-m", "AES-CBC-PAD", "--id", "03", "--iv", sealed[:16].hex(), "-i", "our.ct")
    with theirs_alone(world):
        listed = tool(world.folder, *OPENSC, "-O").decode()
        verified = tool(world.folder, *OPENSC, *checking)
        tool(world.folder, *OPENSC, *opening, "-o", "our.dec")
    assert {"our-rsa", "our-ec", "our-aes"} <= {line.split()[-1] for line in listed.splitlines() if "label:" in line}
    assert b"Signature is valid" in verified
    assert (world.folder / "our.dec").read_bytes() == (world.folder / "data").read_bytes()


def test_gnutls_reads_our_certificate_and_openssl_verifies_it(world: TokenWorld) -> None:
    with theirs_alone(world):
        exported = tool(world.folder, *GNUTLS, "--export", "pkcs11:token=shared;object=our-ec;type=cert")
    (world.folder / "exported.pem").write_bytes(exported)
    assert b"OK" in tool(world.folder, "openssl", "verify", "-CAfile", "our.pem", "exported.pem")


def test_what_they_made_serves_us(world: TokenWorld) -> None:
    here = ("--on", "shared")
    world.ok("key", "verify", "opensc-rsa", "data", "--signature", "opensc.sig", *here)
    for key in ("opensc-ec", "gnutls-ec", "opensc-rsa"):
        world.ok("key", "csr", key, "--subject", f"CN={key}", "--out", f"{key}.csr", *here)
        tool(world.folder, "openssl", "req", "-in", f"{key}.csr", "-verify", "-noout")
    world.ok("key", "encrypt", "opensc-aes", "data", "--algorithm", "aes-ctr", "--out", "their.enc", *here)
    world.ok("key", "decrypt", "opensc-aes", "their.enc", "--algorithm", "aes-ctr", "--out", "their.dec", *here)
    assert (world.folder / "their.dec").read_bytes() == (world.folder / "data").read_bytes()


@pytest.fixture
def engine(world: TokenWorld, monkeypatch: pytest.MonkeyPatch) -> str:
    """How a key's URI ends for OpenSSL's engine, where its PIN is."""
    said = subprocess.run(["openssl", "version", "-e"], capture_output=True, text=True, check=True).stdout
    found = Path(said.split('"')[1]) / "pkcs11.so"
    assert found.exists(), f"{found} is missing: scripts/setup dev, or apt-get install libengine-pkcs11-openssl"
    (world.folder / "engine.cnf").write_text(ENGINE_CONFIGURATION)
    (world.folder / "engine.pin").write_text(f"{USER}:{PASSWORD}")
    monkeypatch.setenv("OPENSSL_CONF", str(world.folder / "engine.cnf"))
    return f"?pin-source=file:{world.folder / 'engine.pin'}"


def test_openssls_engine_and_we_use_each_others_keys_requests_and_certificates(world: TokenWorld, engine: str) -> None:
    def key(name: str, kind: str = "private") -> str:
        return f"pkcs11:token=shared;object={name};type={kind}{engine}"

    here, dgst = ("--on", "shared"), ("openssl", "dgst", "-sha256", *ENGINE)
    world.ok("key", "sign", "opensc-ec", "data", "--der", "--out", "ours.sig", *here)
    world.ok("key", "csr", "our-rsa", "--subject", "CN=leaf", "--out", "leaf.csr", *here)
    world.ok("key", "selfsign", "our-ec", "--subject", "CN=root", "--ca", "--out", "root.pem", *here)
    issuing = ("-req", "-in", "leaf.csr", "-CA", "root.pem", "-CAkeyform", "engine", "-CAkey", key("our-ec"))
    requesting = ("-new", "-subj", "/CN=engine", "-key")
    with theirs_alone(world):
        for name in ("our-rsa", "our-ec", "gnutls-ec"):
            tool(world.folder, *dgst, "-sign", key(name), "-out", f"{name}.engine.sig", "data")
        tool(world.folder, *dgst, "-verify", key("opensc-ec", "public"), "-signature", "ours.sig", "data")
        tool(world.folder, "openssl", "req", *ENGINE, *requesting, key("our-ec"), "-out", "engine.csr")
        tool(world.folder, "openssl", "req", *ENGINE, *requesting, key("our-rsa"), "-x509", "-out", "engine.pem")
        tool(world.folder, "openssl", "x509", "-engine", "pkcs11", *issuing, "-out", "leaf.pem")

    for name, form in (("our-rsa", ()), ("our-ec", ("--der",)), ("gnutls-ec", ("--der",))):
        world.ok("key", "verify", name, "data", "--signature", f"{name}.engine.sig", *form, *here)
        world.ok("key", "export", name, "--out", f"{name}.pub", *here)
        signature = ("-verify", f"{name}.pub", "-signature", f"{name}.engine.sig")
        assert b"Verified OK" in tool(world.folder, "openssl", "dgst", "-sha256", *signature, "data")
    tool(world.folder, "openssl", "req", "-in", "engine.csr", "-verify", "-noout")
    assert b"OK" in tool(world.folder, "openssl", "verify", "-CAfile", "root.pem", "leaf.pem")
    for name in ("leaf", "engine"):
        world.ok("key", "cert", "import", f"{name}.pem", "--label", name, *here)
    listed = world.ok("key", "cert", "list", "-o", "json", *here).document["data"]["certificates"]
    assert {("CN=leaf", "CN=root"), ("CN=engine", "CN=engine")} <= {(row["subject"], row["issuer"]) for row in listed}


def test_a_key_wrapped_by_one_is_unwrapped_by_the_other(world: TokenWorld) -> None:
    here = ("--on", "shared")
    assert (world.folder / "opensc.kw").read_bytes() == (world.folder / "our.kw").read_bytes()
    how = ("--by", "our-kek", "--algorithm", "aes-kw", "--kind", "aes", "--for", "data")
    world.ok("key", "unwrap", "opensc.kw", *how, "--label", "ours-again", *here)
    for key in ("opensc-data", "ours-again"):
        world.ok("key", "encrypt", key, "data", "--algorithm", "aes-cbc", "--out", f"{key}.enc", *here)
        world.ok("key", "decrypt", "our-data", f"{key}.enc", "--algorithm", "aes-cbc", "--out", f"{key}.dec", *here)
        assert (world.folder / f"{key}.dec").read_bytes() == (world.folder / "data").read_bytes()


@pytest.mark.parametrize(
    ("algorithm", "cipher", "iv"),
    [("aes-kw", "-id-aes256-wrap", "A6" * 8), ("aes-kwp", "-id-aes256-wrap-pad", "A65959A6")],
)
def test_openssl_wraps_and_unwraps_as_we_do_with_a_key_known_to_both(
    world: TokenWorld, algorithm: str, cipher: str, iv: str
) -> None:
    kek, value, here = os.urandom(32), os.urandom(32), ("--on", "shared")
    for name, data in (("kek", kek), ("value", value)):
        (world.folder / f"{algorithm}-{name}").write_bytes(data)
    world.ok("key", "import", f"{algorithm}-kek", "--kind", "aes", "--label", f"{algorithm}-kek", "--for", "kek", *here)
    names = ("--kind", "aes", "--label", f"{algorithm}-value")
    world.ok("key", "import", f"{algorithm}-value", *names, "--extractable", *here)
    wrapping = ("--by", f"{algorithm}-kek", "--algorithm", algorithm)
    world.ok("key", "wrap", f"{algorithm}-value", *wrapping, "--out", f"{algorithm}-ours", *here)
    openssl = ("openssl", "enc", cipher, "-K", kek.hex(), "-iv", iv)
    assert tool(world.folder, *openssl, "-d", "-in", f"{algorithm}-ours") == value
    theirs = tool(world.folder, *openssl, stdin=value)
    (world.folder / f"{algorithm}-theirs").write_bytes(theirs)
    world.ok("key", "unwrap", f"{algorithm}-theirs", *wrapping, "--kind", "aes", "--label", f"{algorithm}-back", *here)
    assert theirs == (world.folder / f"{algorithm}-ours").read_bytes()
