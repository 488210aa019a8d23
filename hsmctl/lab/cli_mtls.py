"""The emulated cloudhsm-cli's commands about mutual TLS (cloudhsm_cli-cluster-mtls and its pages).

Registering an anchor that some HSMs have already fails with a sentence and repairs the others all the same (measured by
others on real clusters): only the list tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hsmctl.lab.cli_answer import Data, Failed
from hsmctl.lab.cli_cluster import Connected, coverage, same
from hsmctl.lab.cli_grammar import Asked
from hsmctl.lab.cli_session import Session

_RSA_BITS = (2048, 3072, 4096)
_CURVES = ("secp256r1", "secp384r1", "secp521r1")
INSTALLED = "Certificate error received from Hsm. Trust anchor is already installed in Hsm."
EXISTS = "Invalid Certificate: Trust anchor already exists."


def register(session: Session, asked: Asked) -> Data:
    """Register a trust anchor on every HSM that has it not."""
    certificate = _certificate(session.file(asked.many("path")[0]))
    cluster = session.admitted(asked)
    listed = _listed(cluster)
    if any(each["certificate"] == certificate and each["cluster-coverage"] == "full" for each in listed):
        raise Failed(EXISTS)
    args = {"certificate": certificate, "reference": _reference(listed, certificate), **session.approval(asked)}
    if cluster.change("anchor register", args, settled="installed"):
        raise Failed(INSTALLED)
    return {"trust_anchor": next(each for each in _listed(cluster) if each["certificate"] == certificate)}


def deregister(session: Session, asked: Asked) -> Data:
    """Remove a trust anchor, by its reference."""
    cluster = session.admitted(asked)
    for reference in asked.many("certificate-reference"):
        if reference not in [each["certificate-reference"] for each in _listed(cluster)]:
            raise Failed(f"Trust anchor with reference {reference} not found")
        cluster.change("anchor deregister", {"reference": int(reference, 16), **session.approval(asked)})
    shown = ", ".join(asked.many("certificate-reference"))
    return {"message": f"Trust anchor with reference {shown} deregistered successfully"}


def anchors(session: Session, asked: Asked) -> Data:
    """Every trust anchor."""
    return {"trust_anchors": _listed(session.cluster(asked))}


def enforcement(session: Session, asked: Asked) -> Data:
    """Whether clients have to show a certificate."""
    return {"mtls-enforcement-level": same([each["level"] for each in session.admitted(asked).ask_all("enforcement")])}


def enforce(session: Session, asked: Asked) -> Data:
    """Demand client certificates, or stop."""
    level = asked.text("level")
    session.admitted(asked).change("enforce", {"level": level, **session.approval(asked)})
    return {"message": f"Mtls enforcement level set to {level.capitalize()} successfully"}


def _listed(cluster: Connected) -> list[dict[str, Any]]:
    answers = cluster.ask_all("anchors")
    found: dict[str, list[Mapping[str, Any]]] = {}
    for answer in answers:
        for anchor in answer["anchors"]:
            found.setdefault(anchor["certificate"], []).append(anchor)
    return [
        {
            "certificate-reference": f"0x{min(each['reference'] for each in there):02x}",
            "certificate": certificate,
            "cluster-coverage": coverage(len(there), len(answers)),
        }
        for certificate, there in found.items()
    ]


def _reference(listed: list[dict[str, Any]], certificate: str) -> int:
    """The reference of the certificate where an HSM has it, else the lowest that is free on all of them."""
    known = {each["certificate"]: int(each["certificate-reference"], 16) for each in listed}
    free = (number for number in range(1, len(known) + 2) if number not in known.values())
    return known.get(certificate) or next(free)


def _certificate(pem: bytes) -> str:
    """A PEM certificate, or chain, whose keys CloudHSM takes.

    Raises:
        Failed: it is none.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import Encoding

    try:
        chain = x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise Failed("Invalid Certificate: Failed to parse certificate") from error
    for certificate in chain:
        key = certificate.public_key()
        strong = isinstance(key, rsa.RSAPublicKey) and key.key_size in _RSA_BITS
        if not strong and not (isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES):
            raise Failed("Invalid Certificate: Unsupported key type")
    return b"".join(each.public_bytes(Encoding.PEM) for each in chain).decode()
