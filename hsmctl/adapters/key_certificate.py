"""The port CertificateMaker with `cryptography`: its builders make the object, a token makes the signature.

`cryptography` signs with anything that is one of its key classes, so a key of a token is made one: it hands the data to
the token and knows nothing private.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, NoReturn

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from hsmctl.domain.key_material import CertificateFacts, Subject
from hsmctl.errors import Conflict, UsageError
from hsmctl.ports import Clock
from hsmctl.ports_key import Sign

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha224": hashes.SHA224(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


class CryptographyCertificates:
    """Makes requests and certificates for keys of tokens."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def request(self, public: bytes, subject: Subject, sign: Sign, hash_name: str) -> bytes:
        """A certificate signing request, PEM."""
        key = _key_of(public, sign)
        builder = x509.CertificateSigningRequestBuilder().subject_name(_name(subject.name))
        if subject.hosts:
            builder = builder.add_extension(_hosts(subject.hosts), critical=False)
        request = builder.sign(key, _hash(key, hash_name))
        return request.public_bytes(serialization.Encoding.PEM)

    def selfsigned(self, public: bytes, subject: Subject, sign: Sign, hash_name: str, days: int, *, ca: bool) -> bytes:
        """A self-signed certificate, PEM."""
        key, name, now = _key_of(public, sign), _name(subject.name), self._clock.now()
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(identifier, critical=False)
            .add_extension(_usage(ca=ca), critical=True)
        )
        if subject.hosts:
            builder = builder.add_extension(_hosts(subject.hosts), critical=False)
        return builder.sign(key, _hash(key, hash_name)).public_bytes(serialization.Encoding.PEM)

    def issued(self, public: bytes, csr: str, anchor: str, sign: Sign) -> str:
        """The certificate for a CSR, PEM, by the rules CloudHSM sets for the CA of a cluster.

        Raises:
            Conflict: the anchor breaks a rule or is another key's, or the CSR's own signature does not verify; the key
                was not used then.
        """
        from hsmctl.adapters.papers import check_anchor
        from hsmctl.adapters.signing import issued, requested

        now, key = self._clock.now(), _key_of(public, sign)
        issuer, request = check_anchor(anchor, now), requested(csr)
        if key.public_key() != issuer.public_key():
            what = f"the CA certificate of {issuer.subject.rfc4514_string()}"
            raise Conflict(what, "it is not the certificate of the token's key", "name the certificate of this key")
        return issued(request, issuer, key, _matching(key), now)

    def facts(self, der: bytes) -> CertificateFacts:
        """What a certificate says.

        Raises:
            UsageError: it is none.
        """
        try:
            read = x509.load_der_x509_certificate(der)
            subject, issuer = read.subject.rfc4514_string(), read.issuer.rfc4514_string()
        except ValueError as error:
            raise UsageError("no certificate", str(error), "hsmctl key show") from error
        return CertificateFacts(
            subject=subject,
            issuer=issuer,
            serial=f"{read.serial_number:x}",
            not_before=read.not_valid_before_utc.isoformat(),
            not_after=read.not_valid_after_utc.isoformat(),
            authority=_is_authority(read),
            sha256=read.fingerprint(hashes.SHA256()).hex(),
        )


def _key_of(public: bytes, sign: Sign) -> _TokenKey:
    loaded = serialization.load_der_public_key(public)
    if isinstance(loaded, rsa.RSAPublicKey):
        return _RsaKey(loaded, sign)
    if isinstance(loaded, ec.EllipticCurvePublicKey):
        return _EcKey(loaded, sign)
    if isinstance(loaded, ed25519.Ed25519PublicKey):
        return _EdwardsKey(loaded, sign)
    raise UsageError("no certificate for this key", type(loaded).__name__, "RSA, EC or Ed25519")


class _Refuses:
    """What a key of a token does not do here."""

    def __init__(self, public: Any, sign: Sign) -> None:  # noqa: ANN401 - each key class has its own public class
        self._public = public
        self._sign = sign

    def public_key(self) -> Any:  # noqa: ANN401 - as above
        return self._public

    def private_numbers(self) -> NoReturn:
        raise TypeError("it does not leave the token")

    def private_bytes(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("it does not leave the token")

    def private_bytes_raw(self) -> NoReturn:
        raise TypeError("it does not leave the token")

    def decrypt(self, *_: object) -> NoReturn:
        raise TypeError("it only signs here")

    def exchange(self, *_: object) -> NoReturn:
        raise TypeError("it only signs here")

    def __copy__(self) -> Any:  # noqa: ANN401 - itself
        return self

    def __deepcopy__(self, _: object) -> Any:  # noqa: ANN401 - itself
        return self

    @property
    def key_size(self) -> int:
        size: int = self._public.key_size
        return size

    @property
    def curve(self) -> Any:  # noqa: ANN401 - the public key's
        return self._public.curve


class _RsaKey(_Refuses, rsa.RSAPrivateKey):
    def sign(self, data: Any, padding_: Any, algorithm: Any) -> bytes:  # noqa: ANN401 - cryptography's signature
        if not isinstance(padding_, padding.PKCS1v15):
            raise TypeError("certificates are signed with PKCS#1 v1.5 here")
        return self._sign(bytes(data), "rsa-pkcs", algorithm.name)


class _EcKey(_Refuses, ec.EllipticCurvePrivateKey):
    def sign(self, data: Any, signature_algorithm: Any) -> bytes:  # noqa: ANN401 - cryptography's signature
        return self._sign(bytes(data), "ecdsa", signature_algorithm.algorithm.name)


class _EdwardsKey(_Refuses, ed25519.Ed25519PrivateKey):
    def sign(self, data: Any) -> bytes:  # noqa: ANN401 - cryptography's signature
        return self._sign(bytes(data), "eddsa", "")


_TokenKey = _RsaKey | _EcKey | _EdwardsKey


def _hash(key: _TokenKey, name: str) -> Any:  # noqa: ANN401 - None for Ed25519
    return None if isinstance(key, _EdwardsKey) else _HASHES[name]


def _matching(key: _TokenKey) -> hashes.SHA256 | hashes.SHA384 | hashes.SHA512:
    """The hash that fits the key's strength: what a token does with a digest longer than its curve differs."""
    if isinstance(key, _EcKey) and key.key_size > 384:
        return hashes.SHA512()
    weaker = 256 if isinstance(key, _EcKey) else 2048
    return hashes.SHA256() if key.key_size <= weaker else hashes.SHA384()


def _name(text: str) -> x509.Name:
    try:
        return x509.Name.from_rfc4514_string(text)
    except ValueError as error:
        raise UsageError(
            f"subject {text}", str(error) or "not RFC 4514", "--subject CN=www.example.com,O=Example"
        ) from error


def _hosts(hosts: Iterable[str]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([_host(host) for host in hosts])


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        return False
