"""The emulated cloudhsm-cli's commands that make keys (cloudhsm_cli-key-generate and its pages).

A key is made on one HSM, and its siblings have it when that is answered; it is shared on each of them in turn.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from hsmctl.lab.cli_answer import Data, Failed
from hsmctl.lab.cli_cluster import Connected
from hsmctl.lab.cli_grammar import Asked
from hsmctl.lab.cli_key import check_availability, collected, one, shown_key
from hsmctl.lab.cli_session import Session

_CURVES = {
    "secp224r1": "P-224",
    "secp256r1": "P-256",
    "prime256v1": "P-256",
    "secp384r1": "P-384",
    "secp521r1": "P-521",
    "secp256k1": "secp256k1",
}
_AES = {"sign": "true", "verify": "true"}
_SENSITIVE = {"sensitive": "true", "always-sensitive": "true"}
"""What every secret and private key is, extractable or not (cloudhsm_cli-key-attributes)."""
_USES = ("encrypt", "decrypt", "sign", "verify", "wrap", "unwrap", "derive")


def generate_aes(session: Session, asked: Asked) -> Data:
    """Make an AES key."""
    if asked.text("key-length-bytes") not in ("16", "24", "32"):
        raise Failed("Key length must be 16, 24 or 32 bytes")
    return _one_made(session, asked, {"kind": "aes", "size": str(8 * int(asked.text("key-length-bytes")))}, _AES)


def generate_secret(session: Session, asked: Asked) -> Data:
    """Make a generic secret."""
    length = int(asked.text("key-length-bytes")) if asked.text("key-length-bytes").isdecimal() else 0
    if not 1 <= length <= 800:
        raise Failed("Key length must be 1 to 800 bytes")
    value = base64.b64encode(secrets.token_bytes(length)).decode()
    return _one_made(session, asked, {"kind": "generic-secret", "size": "256", "value": value}, {})


def generate_rsa(session: Session, asked: Asked) -> Data:
    """Make an RSA pair."""
    return _pair_made(session, asked, {"kind": "rsa", "size": asked.text("modulus-size-bits")})


def generate_ec(session: Session, asked: Asked) -> Data:
    """Make an EC pair."""
    curve = _CURVES.get(asked.text("curve"))
    if curve is None:
        raise Failed(f"Curve {asked.text('curve')} is not supported")
    return _pair_made(session, asked, {"kind": "ec", "size": curve})


def import_pem(session: Session, asked: Asked) -> Data:
    """Take a public key in."""
    cluster, given = _maker(session, asked), attributes(asked.many("attributes"))
    full = {**dict.fromkeys(_USES, "false"), "local": "false", **changeable(given)}
    wanted = {
        **_public_key(session.file(asked.text("path")), asked.text("key-type-class")),
        **description(asked.text("label"), given),
        "attributes": {"public-key": full},
    }
    return {"key": made(session, cluster, wanted, ())["public-key"], "message": "Successfully imported key"}


def made(session: Session, cluster: Connected, wanted: Mapping[str, object], sharers: Iterable[str]) -> dict[str, Any]:
    """New keys by class, made on one HSM and shared with these users on all.

    Raises:
        Failed: it is refused.
    """
    check_availability(session, cluster)
    references = one(cluster, "key generate", **wanted)["references"]
    for username in sharers:
        for kind, reference in references.items():
            if kind != "public-key":
                cluster.change("key share", {"reference": reference, "username": username}, settled="missing")
    found = collected(cluster, full=True, references=list(references.values()))
    return {
        kind: shown_key(reference, found[reference], len(cluster.lines), full=True)
        for kind, reference in references.items()
    }


def attributes(pairs: Iterable[str]) -> dict[str, str]:
    """Attributes as they were typed.

    Raises:
        Failed: one is none, or cannot be given like this.
    """
    given: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise Failed(f"Attribute {pair} must be given as name=value")
        if name == "token":
            raise Failed("Token key attribute cannot be supplied via optional attributes")
        given[name] = value
    return given


def description(label: str, given: Mapping[str, str]) -> dict[str, object]:
    """How an HSM is asked for a key: label and id as bytes, extractable unless it was said otherwise."""
    return {
        "label": label.encode().hex(),
        "id": given.get("id", "").removeprefix("0x"),
        "extractable": given.get("extractable", "true") == "true",
    }


def _one_made(session: Session, asked: Asked, wanted: Mapping[str, object], usual: Mapping[str, str]) -> Data:
    cluster = _maker(session, asked)
    given = attributes(asked.many("attributes"))
    full = {**dict.fromkeys(_USES, "false"), **_SENSITIVE, **usual, **changeable(given)}
    wanted = {**wanted, **description(asked.text("label"), given), "attributes": {"secret-key": full}}
    return {"key": made(session, cluster, wanted, asked.many("share-crypto-users"))["secret-key"]}


def _pair_made(session: Session, asked: Asked, wanted: Mapping[str, object]) -> Data:
    cluster = _maker(session, asked)
    public, private = (attributes(asked.many(f"{half}-attributes")) for half in ("public", "private"))
    halves = {
        "public-key": {**dict.fromkeys(_USES, "false"), "label": asked.text("public-label"), **public},
        "private-key": {**dict.fromkeys(_USES, "false"), **_SENSITIVE, **changeable(private)},
    }
    wanted = {**wanted, **description(asked.text("private-label"), private), "attributes": halves}
    found = made(session, cluster, wanted, asked.many("share-crypto-users"))
    return {"public_key": found["public-key"], "private_key": found["private-key"]}


def changeable(given: Mapping[str, str]) -> dict[str, str]:
    """What is set after the key was made; its id and whether it can be extracted are said before."""
    return {name: value for name, value in given.items() if name not in ("id", "extractable")}


def _maker(session: Session, asked: Asked) -> Connected:
    if asked.typed("session"):
        raise Failed("Session keys are not emulated")
    for name in asked.values:
        if name.endswith("quorum-value"):
            raise Failed("Key quorum values are not emulated")
    return session.admitted(asked)


def _public_key(pem: bytes, kind: str) -> dict[str, object]:
    """How an HSM is asked for a public key that is there already.

    Raises:
        Failed: it is none of this kind.
    """
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

    try:
        key = load_pem_public_key(pem)
    except ValueError as error:
        raise Failed("Failed to parse the PEM file") from error
    if isinstance(key, rsa.RSAPublicKey) and kind == "rsa-public":
        numbers = key.public_numbers()
        public = {"modulus": f"{numbers.n:x}", "exponent": f"{numbers.e:06x}"}
        return {"kind": "rsa", "size": str(key.key_size), "public": public}
    if isinstance(key, ec.EllipticCurvePublicKey) and kind == "ec-public" and key.curve.name in _CURVES:
        point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return {"kind": "ec", "size": _CURVES[key.curve.name], "public": {"point": point.hex()}}
    raise Failed(f"The PEM file holds no {kind} key")
