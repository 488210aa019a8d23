"""Proves that OpenSC, GnuTLS and OpenSSL read, verify and decrypt what hsmctl made on a token, and the reverse."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from key_token import HeldTokens, TokenWorld, tool
from softhsm_token import MODULE, PASSWORD, USER

OPENSC = ("pkcs11-tool", "--module", MODULE, "--token-label", "shared", "--login", "--pin", "env:TOKEN_PIN")
GNUTLS = ("p11tool", "--provider", MODULE, "--login", "--batch")


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


def test_opensc_lists_and_verifies_what_we_made(world: TokenWorld) -> None:
    world.real.stack.close()
    listed = tool(world.folder, *OPENSC, "-O").decode()
    checking = ("--verify", "-m", "SHA256-RSA-PKCS", "--id", "01", "-i", "data", "--signature-file", "our-rsa.sig")
    assert {"our-rsa", "our-ec", "our-aes"} <= {line.split()[-1] for line in listed.splitlines() if "label:" in line}
    assert b"Signature is valid" in tool(world.folder, *OPENSC, *checking)
    sealed = (world.folder / "our.enc").read_bytes()
    (world.folder / "our.ct").write_bytes(sealed[16:])
    opening = (
        "--decrypt",
        "-m",
        "AES-CBC-PAD",
        "--id",
        "03",
        "--iv",
        sealed[:16].hex(),
        "-i",
        "our.ct",
        "-o",
        "our.dec",
    )
    tool(world.folder, *OPENSC, *opening)
    assert (world.folder / "our.dec").read_bytes() == (world.folder / "data").read_bytes()
    world.real = reopened(world.folder)


def test_gnutls_reads_our_certificate_and_openssl_verifies_it(world: TokenWorld) -> None:
    world.real.stack.close()
    exported = tool(world.folder, *GNUTLS, "--export", "pkcs11:token=shared;object=our-ec;type=cert")
    (world.folder / "exported.pem").write_bytes(exported)
    assert b"OK" in tool(world.folder, "openssl", "verify", "-CAfile", "our.pem", "exported.pem")
    world.real = reopened(world.folder)


def test_what_they_made_serves_us(world: TokenWorld) -> None:
    here = ("--on", "shared")
    world.ok("key", "verify", "opensc-rsa", "data", "--signature", "opensc.sig", *here)
    for key in ("opensc-ec", "gnutls-ec", "opensc-rsa"):
        world.ok("key", "csr", key, "--subject", f"CN={key}", "--out", f"{key}.csr", *here)
        tool(world.folder, "openssl", "req", "-in", f"{key}.csr", "-verify", "-noout")
    world.ok("key", "encrypt", "opensc-aes", "data", "--algorithm", "aes-ctr", "--out", "their.enc", *here)
    world.ok("key", "decrypt", "opensc-aes", "their.enc", "--algorithm", "aes-ctr", "--out", "their.dec", *here)
    assert (world.folder / "their.dec").read_bytes() == (world.folder / "data").read_bytes()


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
