"""Proves on a real token that keys are made, used, moved and certified, and that OpenSSL agrees with every result."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from key_token import TokenWorld, tool

from hsmctl.errors import ExitCode


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenWorld]:
    """Two tokens with a few keys; nothing a test does to them is in another's way."""
    folder = tmp_path_factory.mktemp("keys")
    with pytest.MonkeyPatch.context() as patch:
        world = TokenWorld(folder)
        patch.chdir(folder)
        (folder / "big").write_bytes(bytes(range(256)) * 5000)
        (folder / "small").write_bytes(b"hello\n")
        for words in (
            ("rsa", "--label", "code", "--id", "0a01"),
            ("ec", "--label", "tls", "--size", "P-384", "--for", "tls"),
            ("ec", "--label", "agree", "--for", "agree"),
            ("ed25519", "--label", "ed"),
            ("aes", "--label", "kek", "--for", "kek"),
            ("aes", "--label", "data", "--extractable"),
        ):
            world.ok("key", "generate", *words, "-o", "json")
        yield world
        world.real.stack.close()


def test_a_purpose_allows_one_thing_and_nothing_leaves(world: TokenWorld) -> None:
    shown = {
        (row["label"], row["object_class"]): set(row["attributes"])
        for row in world.ok("key", "list", "-o", "json").document["data"]["keys"]
    }
    uses = {"encrypt", "decrypt", "sign", "verify", "wrap", "unwrap", "derive"}
    assert shown["tls", "private-key"] & uses == {"sign"}
    assert shown["tls", "public-key"] & uses == {"verify"}
    assert shown["kek", "secret-key"] & uses == {"wrap", "unwrap"}
    assert shown["agree", "private-key"] & uses == {"derive"}
    hidden = shown["kek", "secret-key"], shown["tls", "private-key"], shown["ed", "private-key"]
    assert all({"token", "sensitive", "private"} <= each and "extractable" not in each for each in hidden)


@pytest.mark.parametrize(("words", "code"), [(["data"], ExitCode.CONFLICT), (["x", "--id", "0a01"], ExitCode.CONFLICT)])
def test_what_is_taken_is_refused_unless_told(world: TokenWorld, words: list[str], code: ExitCode) -> None:
    made = ["key", "generate", "aes", "--on", "beta", "--label"]
    for label, key_id in (("data", "01"), ("other", "0a01")):
        world.run(*made, label, "--id", key_id)
    assert world.run(*made, *words).code == code
    assert world.run(*made, *words, "--allow-duplicate").code == 0


def test_openssl_verifies_what_the_token_signed(world: TokenWorld) -> None:
    for key, options, check in (
        ("code", [], ["dgst", "-sha256", "-verify", "code.pem"]),
        ("code", ["--algorithm", "rsa-pss"], ["dgst", "-sha256", *PSS, "-verify", "code.pem"]),
        ("tls", ["--hash", "sha384", "--der"], ["dgst", "-sha384", "-verify", "tls.pem"]),
    ):
        signature = f"{key}{len(options)}.sig"
        world.ok("key", "sign", key, "big", "--out", signature, *options)
        if not Path(f"{key}.pem").exists():
            world.ok("key", "export", key, "--out", f"{key}.pem")
        assert b"Verified OK" in tool(world.folder, "openssl", *check, "-signature", signature, "big")
        assert world.ok("key", "verify", key, "big", "--signature", signature, *options, "-o", "json").document["data"][
            "fits"
        ]
        assert world.run("key", "verify", key, "small", "--signature", signature, *options, "--on", "alpha").code == 1


PSS = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"]


def test_a_digest_is_signed_as_the_data_would_be(world: TokenWorld) -> None:
    (world.folder / "digest").write_bytes(hashlib.sha256((world.folder / "big").read_bytes()).digest())
    signed = [
        world.ok("key", "sign", "code", *how, "-o", "json").document["data"]
        for how in (["big"], ["digest", "--prehashed"])
    ]

    assert signed[0]["signature"] == signed[1]["signature"]
    assert world.run("key", "sign", "code", "small", "--prehashed", "--on", "alpha").code == ExitCode.USAGE


def test_edwards_signatures_are_checked_by_the_token(world: TokenWorld) -> None:
    world.ok("key", "sign", "ed", "small", "--out", "ed.sig")
    assert world.ok("key", "verify", "ed", "small", "--signature", "ed.sig").code == 0


@pytest.mark.parametrize("algorithm", ["aes-cbc", "aes-ctr"])
@pytest.mark.parametrize("file", ["big", "small", "empty", "block"])
def test_a_file_of_any_size_comes_back(world: TokenWorld, algorithm: str, file: str) -> None:
    sizes = {"empty": b"", "block": bytes(16_000)}
    if file in sizes:
        (world.folder / file).write_bytes(sizes[file])
    hidden, clear = f"{file}.{algorithm}", f"{file}.{algorithm}.clear"
    world.ok("key", "encrypt", "data", file, "--algorithm", algorithm, "--out", hidden, "-o", "json")
    world.ok("key", "decrypt", "data", hidden, "--algorithm", algorithm, "--out", clear, "-o", "json")

    assert (world.folder / clear).read_bytes() == (world.folder / file).read_bytes()
    assert (world.folder / clear).stat().st_mode & 0o777 == 0o600
    assert (world.folder / hidden).read_bytes()[:16] != (world.folder / file).read_bytes()[:16]


def test_gcm_never_takes_an_iv_and_never_the_same_twice(world: TokenWorld) -> None:
    for name in ("one", "two"):
        world.ok("key", "encrypt", "data", "small", "--algorithm", "aes-gcm", "--aad", "0102", "--out", name)
    ivs = {(world.folder / name).read_bytes()[:12] for name in ("one", "two")}
    world.ok("key", "decrypt", "data", "one", "--algorithm", "aes-gcm", "--aad", "0102", "--out", "one.clear")
    forged = world.run(
        "key", "decrypt", "data", "one", "--algorithm", "aes-gcm", "--aad", "03", "--out", "x", "--on", "alpha"
    )

    assert len(ivs) == 2
    assert (world.folder / "one.clear").read_bytes() == b"hello\n"
    assert forged.code == ExitCode.DEVICE
    assert not (world.folder / "x").exists()
    assert "--iv" not in world.run("key", "encrypt", "--help").out
    big = world.run("key", "encrypt", "data", "big", "--algorithm", "aes-gcm", "--out", "y", "--on", "alpha")
    assert big.code == ExitCode.USAGE
    assert "16,208" in big.err


def test_imported_keys_do_what_they_did_outside(world: TokenWorld) -> None:
    tool(world.folder, "openssl", "genrsa", "-out", "own.pem", "2048")
    tool(world.folder, "openssl", "pkey", "-in", "own.pem", "-pubout", "-out", "own.pub")
    secret = bytes(range(64))
    (world.folder / "hmac.bin").write_bytes(secret)
    jwk = {"kty": "oct", "k": base64.urlsafe_b64encode(secret).rstrip(b"=").decode(), "alg": "HS256"}
    (world.folder / "hmac.jwk").write_text(json.dumps(jwk))
    world.ok("key", "import", "own.pem", "--label", "own", "--for", "sign", "-o", "json")
    world.ok("key", "import", "hmac.bin", "--kind", "generic", "--label", "raw")
    world.ok("key", "import", "hmac.jwk", "--label", "jwk")
    world.ok("key", "sign", "own", "small", "--out", "own.sig")
    macs = {world.ok("key", "mac", name, "big", "-o", "name").out.strip() for name in ("raw", "jwk")}

    tool(world.folder, "openssl", "dgst", "-sha256", "-verify", "own.pub", "-signature", "own.sig", "small")
    assert macs == {hmac.new(secret, (world.folder / "big").read_bytes(), "sha256").hexdigest()}
    assert world.run("key", "import", "own.pem", "--label", "own", "--on", "alpha").code == ExitCode.CONFLICT
    assert secret.hex() not in (world.folder / "state" / "journal.jsonl").read_text()


def test_what_is_named_is_what_a_key_has_or_it_is_refused(world: TokenWorld) -> None:
    (world.folder / "value.bin").write_bytes(bytes(32))
    coming = ("key", "import", "value.bin", "--kind", "aes", "--on", "alpha", "-o", "json")
    for words in (
        (*coming, "--label", "in"),
        ("key", "generate", "aes", "--on", "alpha", "-o", "json", "--label", "new"),
    ):
        ran = world.run(*words, "--attr", "sensitive=false", "--attr", "extractable=true")
        data = ran.document["data"]
        (key,) = data["keys"] if "keys" in data else [data["key"]]
        assert {"extractable", "encrypt", "decrypt"} <= {*key["attributes"]}
        assert "sensitive" not in key["attributes"]
        assert "read its value" in ran.document["warnings"][0]
        refused = world.run(*words, "--extractable", "--attr", "extractable=false")
        assert (refused.code, refused.out) == (ExitCode.USAGE, "")
    world.ok("key", "export", "code", "--out", "code-public.pem")
    public = ("key", "import", "code-public.pem", "--label", "their-code", "--on", "alpha")
    for wrong in (("--extractable",), ("--attr", "sensitive=false"), ("--attr", "private.sign=true")):
        assert world.run(*public, *wrong).code == ExitCode.USAGE
    assert "wrap" in world.ok(*public, "--attr", "wrap=true", "-o", "json").document["data"]["key"]["attributes"]


def test_a_wrapped_key_comes_back_and_is_the_same(world: TokenWorld) -> None:
    world.ok("key", "wrap", "data", "--by", "kek", "--out", "data.wrapped", "-o", "json")
    world.ok(
        "key",
        "unwrap",
        "data.wrapped",
        "--by",
        "kek",
        "--kind",
        "aes",
        "--label",
        "again",
        "--for",
        "data",
        "-o",
        "json",
    )
    world.ok("key", "encrypt", "again", "small", "--algorithm", "aes-cbc", "--out", "again.enc")
    world.ok("key", "decrypt", "data", "again.enc", "--algorithm", "aes-cbc", "--out", "again.clear")
    refused = world.run("key", "wrap", "kek", "--by", "kek", "--out", "no", "--on", "alpha")

    assert (world.folder / "again.clear").read_bytes() == b"hello\n"
    assert refused.code == ExitCode.DEVICE
    assert "CKR_KEY_UNEXTRACTABLE" in refused.err
    assert not (world.folder / "no").exists()
    assert world.run("key", "export", "data", "--out", "no", "--on", "alpha").code == ExitCode.USAGE


def test_an_encrypted_key_is_imported_with_a_passphrase_that_nobody_else_may_read(world: TokenWorld) -> None:
    tool(world.folder, "openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "plain.pem")
    (world.folder / "pass").write_text("open sesame\n")
    locked = ("-topk8", "-in", "plain.pem", "-out", "locked.p8", "-passout", "file:pass")
    tool(world.folder, "openssl", "pkcs8", *locked)
    words = ("key", "import", "locked.p8", "--passphrase-file", "pass", "--on", "alpha")
    (world.folder / "pass").chmod(0o644)
    assert world.run(*words, "--label", "locked").code == ExitCode.DENIED
    (world.folder / "pass").chmod(0o600)
    brought = world.ok(*words, "--label", "locked", "-o", "json").document["data"]
    assert (brought["source"], brought["seen_on"]) == ("EC P-256", ["alpha"])
    (world.folder / "pass").write_text("wrong")
    assert world.run(*words, "--label", "other").code == ExitCode.USAGE


def test_what_only_encrypts_with_gcm_wraps_nothing(world: TokenWorld) -> None:
    ran = world.run("key", "wrap", "data", "--by", "kek", "--algorithm", "aes-gcm", "--out", "no", "--on", "alpha")
    assert ran.code == ExitCode.CONFLICT
    assert "wraps no keys with AES-GCM" in ran.err


def test_requests_and_certificates_verify(world: TokenWorld) -> None:
    for key, subject in (("tls", "CN=www.example.com,O=Ex"), ("code", "CN=code")):
        world.ok(
            "key", "csr", key, "--subject", subject, "--host", "www.example.com", "--out", f"{key}.csr", "-o", "json"
        )
        told = tool(world.folder, "openssl", "req", "-in", f"{key}.csr", "-verify", "-noout", "-text")
        assert b"DNS:www.example.com" in told
    world.ok("key", "selfsign", "code", "--subject", "CN=Root", "--ca", "--out", "root.pem", "-o", "json")
    tool(world.folder, "openssl", "verify", "-CAfile", "root.pem", "root.pem")
    world.ok("key", "cert", "import", "root.pem", "--label", "root", "--key", "code", "-o", "json")
    world.ok("key", "cert", "export", "root", "--out", "root2.pem", "-o", "json")
    (row,) = world.ok("key", "cert", "list", "-o", "json").document["data"]["certificates"]

    assert (world.folder / "root2.pem").read_bytes() == (world.folder / "root.pem").read_bytes()
    assert (row["subject"], row["authority"], row["has_private"]) == ("CN=Root", True, True)


@pytest.mark.parametrize("encoding", ["pem", "der", "jwk", "ssh"])
def test_a_public_key_has_every_form(world: TokenWorld, encoding: str) -> None:
    world.ok("key", "export", "agree", "--format", encoding, "--out", f"agree.{encoding}", "-o", "json")
    world.ok(
        "key",
        "import",
        f"agree.{encoding}",
        "--label",
        f"copy-{encoding}",
        "--id",
        f"77{len(encoding)}{ord(encoding[0]):x}0",
    )
    shown = [
        world.ok("key", "show", name, "-o", "json").document["data"]["values"]
        for name in (f"copy-{encoding}", "pkcs11:token=alpha;object=agree;type=public")
    ]
    assert shown[0] == shown[1]


def test_what_is_public_and_text_needs_no_file(world: TokenWorld) -> None:
    world.ok("key", "export", "agree", "--out", "agree-here.pem")
    shown = world.ok("key", "export", "agree").out
    asked = world.ok("key", "csr", "code", "--subject", "CN=code").out
    binary = world.run("key", "export", "agree", "--format", "der", "--on", "alpha")

    assert shown == (world.folder / "agree-here.pem").read_text()
    assert asked.startswith("-----BEGIN CERTIFICATE REQUEST-----")
    assert binary.code == ExitCode.USAGE
    assert "it is binary" in binary.err


def test_both_sides_agree_on_a_secret(world: TokenWorld) -> None:
    tool(world.folder, "openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "their.pem")
    tool(world.folder, "openssl", "pkey", "-in", "their.pem", "-pubout", "-out", "their.pub")
    world.ok("key", "derive", "agree", "--peer", "their.pub", "--out", "shared", "-o", "json")
    world.ok("key", "export", "agree", "--out", "ours.pub")
    tool(world.folder, "openssl", "pkeyutl", "-derive", "-inkey", "their.pem", "-peerkey", "ours.pub", "-out", "theirs")
    assert (world.folder / "shared").read_bytes() == (world.folder / "theirs").read_bytes()


def test_both_sides_agree_on_curve_25519_and_on_no_other(world: TokenWorld) -> None:
    world.ok("key", "generate", "x25519", "--label", "agree-x")
    tool(world.folder, "openssl", "genpkey", "-algorithm", "x25519", "-out", "x.pem")
    tool(world.folder, "openssl", "pkey", "-in", "x.pem", "-pubout", "-out", "x.pub")
    world.ok("key", "derive", "agree-x", "--peer", "x.pub", "--out", "x-shared")
    world.ok("key", "export", "agree-x", "--out", "agree-x.pub")
    tool(world.folder, "openssl", "pkeyutl", "-derive", "-inkey", "x.pem", "-peerkey", "agree-x.pub", "-out", "x-their")
    jwk = json.loads(world.ok("key", "export", "agree-x", "--format", "jwk").out)
    other = world.run("key", "derive", "agree", "--peer", "x.pub", "--out", "none", "--on", "alpha")
    signed = world.run("key", "sign", "agree-x", "small", "--on", "alpha")

    assert (world.folder / "x-shared").read_bytes() == (world.folder / "x-their").read_bytes()
    assert (jwk["kty"], jwk["crv"], len(jwk["x"])) == ("OKP", "X25519", 43)
    assert (other.code, "agree is on P-256" in other.err) == (ExitCode.USAGE, True)
    assert signed.code == ExitCode.USAGE


def test_what_a_token_does_not_do_is_said_with_what_it_has_instead(world: TokenWorld) -> None:
    world.ok("key", "generate", "generic", "--label", "master", "--attr", "derive=true")
    hkdf = world.run("key", "derive", "master", "--hkdf", "sha256", "--label", "child", "--on", "alpha")
    pq = world.run("key", "generate", "ml-dsa", "--label", "pq", "--on", "alpha")

    assert (hkdf.code, pq.code) == (ExitCode.DEVICE, ExitCode.DEVICE)
    assert hkdf.err.startswith("hsmctl: alpha does no HKDF: it has no HKDF_DERIVE; it has ECDH1_DERIVE")
    assert pq.err.startswith("hsmctl: alpha makes no ml-dsa key: it has no ML_DSA_KEY_PAIR_GEN; it has AES_KEY_GEN, ")


def test_a_use_without_saying_where_is_refused_among_unrelated_tokens(world: TokenWorld) -> None:
    ran = world.run("key", "sign", "code", "small")
    assert ran.code == ExitCode.USAGE
    assert "--on NAME" in ran.err
    assert world.run("key", "sign", "pkcs11:token=alpha;object=code;type=private", "small").code == 0
    assert world.run("key", "sign", "pkcs11:token=gamma;object=code", "small").code == ExitCode.CONFLICT


def test_lists_are_filtered_sorted_and_cut(world: TokenWorld) -> None:
    names = world.ok(
        "key", "list", "--filter", "class:private !tls !locked", "--sort", "type", "--limit", "2", "-o", "name"
    ).out
    assert names.split() == ["agree", "ed"]
    assert world.ok("key", "find", "c?de", "class:public", "-o", "json").document["data"]["keys"][0]["key_id"] == "0a01"
    assert world.run("key", "find", "nobody", "--on", "alpha").code == ExitCode.NO
    assert world.run("key", "list", "--filter", "!", "--on", "alpha").code == ExitCode.USAGE
