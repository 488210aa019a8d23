"""The outer TLS layer of an HSM: a handshake over any byte stream, and whose certificate it shows.

An HSM shows AWS's self-signed certificate (O=AWS, CN=CloudHSM), or one of the customer's CA where a custom one was
installed, and asks for the client's. Nothing is sent after the handshake, and nobody is authenticated: which cluster it
is, only the inner layer proves. A server that ends the handshake because we have no certificate is as good as any.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import NameOID

from hsmctl.domain.probe import Answer
from hsmctl.ports_host import ByteStream

_HANDSHAKE_RECORD = 22
_CERTIFICATE = 11


@dataclass(frozen=True, slots=True)
class Shown:
    """What a server showed of itself."""

    answer: Answer
    detail: str = ""
    fingerprint: str | None = None
    """SHA-256 of its certificate, in hex."""


def look_at(stream: ByteStream, anchors: Sequence[x509.Certificate], now: datetime, deadline: float) -> Shown:
    """What the server at the other end is; `anchors` are the customer's CA certificates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # a self-signed certificate is the rule; `judge` looks at it afterwards
    arriving, leaving, received = ssl.MemoryBIO(), ssl.MemoryBIO(), bytearray()
    tls = context.wrap_bio(arriving, leaving)
    while True:
        try:
            tls.do_handshake()
            return judge(tls.getpeercert(binary_form=True) or b"", anchors, now)
        except ssl.SSLWantReadError:
            stream.send(leaving.read(), deadline)
        except ssl.SSLError as error:
            # An alert for want of a client certificate comes after the server's own, which only TLS 1.2 sends in clear.
            reason = error.reason or str(error)
            certificate = sent_certificate(received) if "ALERT" in reason or "EOF" in reason else b""
            return judge(certificate, anchors, now) if certificate else Shown(Answer.OPEN_NO_TLS, reason.lower())
        data = stream.receive(deadline)
        if data is None:
            return Shown(Answer.OPEN_TLS_TIMED_OUT, f"the handshake stalled after {len(received)} bytes")
        received += data
        arriving.write(data) if data else arriving.write_eof()


def judge(der: bytes, anchors: Sequence[x509.Certificate], now: datetime) -> Shown:
    """Whether a certificate is of the kind that an HSM shows."""
    fingerprint = sha256(der).hexdigest()
    try:
        certificate = x509.load_der_x509_certificate(der)
        subject = certificate.subject.rfc4514_string()
        if any(_issued(certificate, anchor) for anchor in anchors):
            if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
                return Shown(Answer.OPEN_TLS_UNTRUSTED, f"{subject}, out of date", fingerprint)
            return Shown(Answer.OPEN_TLS_SERVER, f"{subject}, of the customer's CA", fingerprint)
        if _is_aws(certificate.subject) and _issued(certificate, certificate):
            return Shown(Answer.OPEN_TLS_SERVER, f"{subject}, self-signed", fingerprint)
    except ValueError as error:
        return Shown(Answer.OPEN_TLS_UNTRUSTED, f"a certificate that is none: {error}", fingerprint)
    return Shown(Answer.OPEN_TLS_UNTRUSTED, subject, fingerprint)


def sent_certificate(received: bytes | bytearray) -> bytes:
    """The server's certificate in the clear part of a TLS 1.2 handshake (RFC 5246, 7.4.2), DER; empty without one."""
    messages, at = bytearray(), 0
    while received[at : at + 1] == bytes([_HANDSHAKE_RECORD]):
        length = int.from_bytes(received[at + 3 : at + 5])
        messages += received[at + 5 : at + 5 + length]
        at += 5 + length
    at = 0
    while at + 4 <= len(messages):
        end = at + 4 + int.from_bytes(messages[at + 1 : at + 4])
        if messages[at] == _CERTIFICATE and end <= len(messages):
            chain = messages[at + 7 : end]  # after the length of the whole chain
            return bytes(chain[3 : 3 + int.from_bytes(chain[:3])])
        at = end
    return b""


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the issuer's key signed the certificate."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _is_aws(name: x509.Name) -> bool:
    """Whether it is the name AWS gives: O=AWS, CN=CloudHSM."""
    values = {attribute.oid: attribute.value for attribute in name}
    return values.get(NameOID.ORGANIZATION_NAME) == "AWS" and values.get(NameOID.COMMON_NAME) == "CloudHSM"
