"""Keys at work for cloudhsm-cli: signing, verifying, wrapping, unwrapping (cloudhsm_cli-crypto, cloudhsm_cli-key-wrap).

Done with `cryptography` on material in the clear, which an emulated HSM can and a real one never does. ECDSA signatures
are r and s, one after the other. What is not here, the lab refuses.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from hsmctl.agent.inventory import Refused
from hsmctl.lab.keylist import FLAGS
from hsmctl.lab.material import clear, private_key, public_key
from hsmctl.lab.objectfile import CKA_CLASS, CKA_VALUE, CKO_SECRET_KEY, StoredObject

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import padding as paddings
    from cryptography.hazmat.primitives.hashes import HashAlgorithm

Arguments = Mapping[str, Any]


def use(key: StoredObject, payload: StoredObject | None, args: Arguments, token_key: bytes) -> bytes:
    """What comes out when a key does something.

    Raises:
        Refused: the key may not, or the lab cannot.
    """
    action = str(args["action"])
    if action == "public":
        return _public(key, token_key)
    if not key.boolean(FLAGS[action]):
        raise Refused("", f"The key does not allow {action}")
    return _ACTIONS[action](key, payload, args, token_key)


def _sign(key: StoredObject, _: StoredObject | None, args: Arguments, token_key: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    algorithm, data, signer = str(args["algorithm"]), base64.b64decode(args["data"]), private_key(key, token_key)
    digest = _digest(args)
    if algorithm == "ecdsa" and isinstance(signer, ec.EllipticCurvePrivateKey):
        if digest.name == "sha1":  # since SDK 5.16, in FIPS mode
            raise Refused("", "Digest security strength (80) is weaker than the key security strength (128)")
        half = (signer.curve.key_size + 7) // 8
        r, s = decode_dss_signature(signer.sign(data, ec.ECDSA(digest)))
        return r.to_bytes(half) + s.to_bytes(half)
    if algorithm.startswith("rsa-pkcs") and isinstance(signer, rsa.RSAPrivateKey):
        return signer.sign(data, _padding(algorithm, digest), digest)
    raise Refused("", f"{algorithm} is not for keys of this type, or not emulated")


def _verify(key: StoredObject, _: StoredObject | None, args: Arguments, token_key: bytes) -> bytes:
    """Nothing, if the signature fits.

    Raises:
        Refused: it does not.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    algorithm, digest, verifier = str(args["algorithm"]), _digest(args), public_key(key, token_key)
    data, signature = (base64.b64decode(args[name]) for name in ("data", "signature"))
    half = len(signature) // 2
    try:
        if algorithm == "ecdsa" and isinstance(verifier, ec.EllipticCurvePublicKey):
            numbers = int.from_bytes(signature[:half]), int.from_bytes(signature[half:])
            verifier.verify(encode_dss_signature(*numbers), data, ec.ECDSA(digest))
        elif algorithm.startswith("rsa-pkcs") and isinstance(verifier, rsa.RSAPublicKey):
            verifier.verify(signature, data, _padding(algorithm, digest), digest)
        else:
            raise Refused("", f"{algorithm} is not for keys of this type, or not emulated")
    except InvalidSignature as error:
        raise Refused("", "Signature verification failed") from error
    return b""


def _wrap(key: StoredObject, payload: StoredObject | None, args: Arguments, token_key: bytes) -> bytes:
    from cryptography.hazmat.primitives.keywrap import aes_key_wrap, aes_key_wrap_with_padding

    if payload is None or not payload.boolean(FLAGS["extractable"]):
        raise Refused("", "The payload key is not extractable")
    if payload.boolean(FLAGS["wrap-with-trusted"]) and not key.boolean(FLAGS["trusted"]):
        raise Refused("", "The payload key can be wrapped with a trusted key only")
    if payload.number(CKA_CLASS) != CKO_SECRET_KEY:
        raise Refused("", "Wrapping private keys is not emulated")
    wrap = aes_key_wrap if args["algorithm"] == "aes-no-pad" else aes_key_wrap_with_padding
    return wrap(_secret(key, args, token_key), clear(payload, CKA_VALUE, token_key))


def _unwrap(key: StoredObject, _: StoredObject | None, args: Arguments, token_key: bytes) -> bytes:
    from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_unwrap_with_padding

    unwrap = aes_key_unwrap if args["algorithm"] == "aes-no-pad" else aes_key_unwrap_with_padding
    try:
        return unwrap(_secret(key, args, token_key), base64.b64decode(args["data"]))
    except (InvalidUnwrap, binascii.Error, ValueError) as error:
        raise Refused("", "Unwrapping failed") from error


def _secret(key: StoredObject, args: Arguments, token_key: bytes) -> bytes:
    if args["algorithm"] not in ("aes-no-pad", "aes-zero-pad") or key.number(CKA_CLASS) != CKO_SECRET_KEY:
        raise Refused("", f"Wrapping with {args['algorithm']} is not emulated")
    return clear(key, CKA_VALUE, token_key)


def _public(key: StoredObject, token_key: bytes) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return public_key(key, token_key).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _digest(args: Arguments) -> HashAlgorithm:
    from cryptography.hazmat.primitives import hashes

    name = str(args["hash"]).upper()
    if name not in ("SHA1", "SHA224", "SHA256", "SHA384", "SHA512"):
        raise Refused("", f"Hash function {args['hash']} is not supported")
    digest: HashAlgorithm = getattr(hashes, name)()
    return digest


def _padding(algorithm: str, digest: HashAlgorithm) -> paddings.AsymmetricPadding:
    from cryptography.hazmat.primitives.asymmetric import padding

    if algorithm == "rsa-pkcs":
        return padding.PKCS1v15()
    return padding.PSS(mgf=padding.MGF1(digest), salt_length=digest.digest_size)


_ACTIONS: Mapping[str, Callable[[StoredObject, StoredObject | None, Arguments, bytes], bytes]] = {
    "sign": _sign,
    "verify": _verify,
    "wrap": _wrap,
    "unwrap": _unwrap,
}
