"""Proves that the operator's authority keeps the rules CloudHSM sets for it, and its key to itself."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from certificates import csr, root, tampered
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from world import NOW, FakeClock

from hsmctl.adapters.authority import CERTIFICATE, KEY, SoftwareAuthority
from hsmctl.adapters.clock import SystemClock
from hsmctl.errors import Conflict, Denied
from hsmctl.lab.pki import claimed
from hsmctl.ports import Authority
from hsmctl.secret import Secret

PASSPHRASE = Secret("correct horse battery staple")
HSM_KEY = ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return SoftwareAuthority.create(tmp_path / "ca", PASSPHRASE, "Example Ltd CloudHSM CA", FakeClock())


@pytest.mark.parametrize("use_rsa", [False, True], ids=["EC", "RSA"])
def test_what_it_signs_claims_a_cluster(tmp_path: Path, use_rsa: bool) -> None:
    authority = SoftwareAuthority.create(tmp_path, PASSPHRASE, "Example Ltd", FakeClock(), rsa=use_rsa)
    request = csr(HSM_KEY, "HSM:1")
    signed = authority.sign(request)
    assert claimed(request, signed, authority.certificate(), NOW) == signed

    anchor = x509.load_pem_x509_certificate(authority.certificate().encode())
    anchor.verify_directly_issued_by(anchor)
    key = anchor.public_key()
    if use_rsa:
        assert isinstance(key, rsa.RSAPublicKey)
        assert key.key_size == 3072
    else:
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert key.curve.name == "secp384r1"
    assert anchor.not_valid_after_utc == NOW + timedelta(days=3652)
    leaf = x509.load_pem_x509_certificate(signed.encode())
    assert leaf.subject == x509.load_pem_x509_csr(request.encode()).subject
    assert leaf.not_valid_after_utc == anchor.not_valid_after_utc
    for document, ca in ((anchor, True), (leaf, False)):
        assert document.signature_hash_algorithm is not None
        assert document.signature_hash_algorithm.name == "sha384"
        assert document.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is ca


def test_the_key_is_encrypted_and_only_its_owners(tmp_path: Path, authority: Authority) -> None:
    key = tmp_path / "ca" / KEY
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in key.read_bytes()
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.parent.stat().st_mode & 0o777 == 0o700
    with pytest.raises(ValueError, match="password"):
        load_pem_private_key(key.read_bytes(), b"wrong")
    assert [path.name for path in sorted(key.parent.iterdir())] == [KEY, CERTIFICATE]


def test_it_is_opened_again_with_its_passphrase_alone(tmp_path: Path, authority: Authority) -> None:
    request = csr(HSM_KEY)
    opened = SoftwareAuthority(tmp_path / "ca", lambda: PASSPHRASE, FakeClock())
    claimed(request, opened.sign(request), authority.certificate(), NOW)
    locked = SoftwareAuthority(tmp_path / "ca", lambda: Secret("guessed"), FakeClock())
    assert locked.certificate() == authority.certificate()
    with pytest.raises(Denied, match="wrong passphrase"):
        locked.sign(request)


def test_it_is_never_overwritten(tmp_path: Path, authority: Authority) -> None:
    before = authority.certificate()
    with pytest.raises(Conflict, match="holds an authority"):
        SoftwareAuthority.create(tmp_path / "ca", PASSPHRASE, "another", FakeClock())
    assert authority.certificate() == before


def test_a_request_nobody_vouches_for_is_not_signed(authority: Authority) -> None:
    with pytest.raises(Conflict, match="its own signature does not verify"):
        authority.sign(tampered(csr(HSM_KEY, "somebody"), b"somebody", b"somebodx"))
    with pytest.raises(Conflict, match="it is not PEM"):
        authority.sign("junk")


def test_a_broken_authority_says_what_is_broken(tmp_path: Path, authority: Authority) -> None:
    (tmp_path / "ca" / CERTIFICATE).write_text(root("another", NOW).pem)
    with pytest.raises(Conflict, match="its key is not that of its certificate"):
        authority.sign(csr(HSM_KEY))
    (tmp_path / "ca" / CERTIFICATE).unlink()
    with pytest.raises(Conflict, match=f"{CERTIFICATE} is missing"):
        authority.sign(csr(HSM_KEY))


def test_the_authority_of_a_lab_is_made_when_it_is_first_needed(tmp_path: Path) -> None:
    folder = tmp_path / "ca"
    first, second = SoftwareAuthority.in_lab(folder), SoftwareAuthority.in_lab(folder)
    assert not folder.exists()
    request = csr(HSM_KEY)
    signed = first.sign(request)
    assert second.certificate() == first.certificate()
    claimed(request, signed, second.certificate(), SystemClock().now())
    claimed(request, second.sign(request), first.certificate(), SystemClock().now())
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_cryptography_is_imported_only_when_something_is_signed() -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from hsmctl.adapters.authority import SoftwareAuthority\n"
        "from hsmctl.adapters.identity import Hardware\n"
        "SoftwareAuthority.in_lab(Path('ca'))\n"
        "print('cryptography' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
