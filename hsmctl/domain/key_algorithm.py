"""Which mechanism does what somebody asks for, and what is done here before and after it.

Hashing for RSA and ECDSA is done on this side, as CloudHSM's own library does it (user guide, PKCS#11 mechanisms), so
that data of any size is signed and every token that can sign a digest will do. Modes that chain or count are cut into
pieces that CloudHSM takes (16,272 bytes for CBC), and GCM, which cannot be cut, is refused beyond its limit.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from hsmctl.domain.key import Key, ObjectClass
from hsmctl.domain.mechanism import Mechanism
from hsmctl.errors import Conflict, UsageError

HASHES = ("sha256", "sha384", "sha512", "sha224", "sha1")
BLOCK = 16
PIECE = 16_000
"""Bytes of data in one request: whole blocks, and less than the 16,272 that CloudHSM takes."""
GCM_MOST = 16_224 - BLOCK
"""Bytes of data that CloudHSM encrypts with GCM at once (user guide), the tag left out."""
GCM_IV_BYTES = 12
GCM_TAG_BYTES = 16

_DIGEST_INFO: Mapping[str, bytes] = {
    "sha1": bytes.fromhex("3021300906052b0e03021a05000414"),
    "sha224": bytes.fromhex("302d300d06096086480165030402040500041c"),
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "sha512": bytes.fromhex("3051300d060960864801650304020305000440"),
}
"""What stands before a digest in a PKCS#1 signature (RFC 8017, 9.2, note 1)."""
ORDER_BYTES: Mapping[str, int] = {"P-224": 28, "P-256": 32, "P-384": 48, "P-521": 66, "secp256k1": 32}
"""Bytes of r and of s by curve."""
_MACS = {
    "RSA": ("rsa-pkcs", "rsa-pss"),
    "EC": ("ecdsa",),
    "EDWARDS": ("eddsa",),
    "ML-DSA": ("ml-dsa",),
    "AES": ("cmac",),
    "HKDF": (),
}
SIGNING = ("rsa-pkcs", "rsa-pss", "ecdsa", "eddsa", "ml-dsa", "hmac", "cmac")
ENCRYPTION = ("aes-gcm", "aes-cbc", "aes-ctr", "rsa-oaep", "rsa-pkcs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """How a key signs: what the token gets, and by which mechanism."""

    algorithm: str
    hash: str
    mechanism: Mechanism
    token_hashes: bool
    """Whether the token wants the data itself, in parts if it has to be."""
    prefix: bytes = b""
    """What stands before the digest."""


def signing(key: Key, algorithm: str | None, digest: str) -> Signing:
    """How this key signs with this algorithm, or with the usual one of its type.

    Raises:
        UsageError: the key's type does not sign like that.
    """
    able = () if key.curve == "X25519" else _MACS.get(key.key_type, ("hmac",) if _is_secret(key) else ())
    chosen = algorithm or (able[0] if able else "")
    if chosen not in able:
        raise UsageError(
            f"{chosen or 'signing'} with {key.identity}", f"it is {key.algorithm or 'no key'}", ", ".join(able) or "–"
        )
    if chosen == "rsa-pss":
        size = hashlib.new(digest, usedforsecurity=False).digest_size
        mechanism = Mechanism(name="RSA_PKCS_PSS", hash=digest, salt=size)
        return Signing(algorithm=chosen, hash=digest, mechanism=mechanism, token_hashes=False)
    if chosen in ("eddsa", "ml-dsa", "hmac", "cmac"):
        # Of these, only HMAC hashes with what was asked for; the others have their own hash, or none.
        name = {"eddsa": "EDDSA", "ml-dsa": "ML_DSA", "cmac": "AES_CMAC"}.get(chosen) or _hmac_name(key, digest)
        told = "" if chosen != "hmac" else digest
        return Signing(algorithm=chosen, hash=told, mechanism=Mechanism(name=name), token_hashes=True)
    name, prefix = ("ECDSA", b"") if chosen == "ecdsa" else ("RSA_PKCS", _DIGEST_INFO[digest])
    return Signing(algorithm=chosen, hash=digest, mechanism=Mechanism(name=name), token_hashes=False, prefix=prefix)


def digested(how: Signing, parts: Iterable[bytes], *, prehashed: bool) -> bytes:
    """What the token gets to sign: the digest of the data, or the data that is one already.

    Raises:
        UsageError: what should be a digest has not its length.
    """
    if prehashed:
        digest = b"".join(parts)
        wanted = hashlib.new(how.hash, usedforsecurity=False).digest_size
        if len(digest) != wanted:
            raise UsageError(f"a digest of {len(digest)} bytes", f"{how.hash} makes {wanted}", "--hash")
        return how.prefix + digest
    running = hashlib.new(how.hash, usedforsecurity=False)
    for part in parts:
        running.update(part)
    return how.prefix + running.digest()


def _hmac_name(key: Key, digest: str) -> str:
    """CKM_*_HMAC for the hash; a key that is for one hash alone is used with that."""
    own = key.key_type.removesuffix("-HMAC") if key.key_type.endswith("-HMAC") else digest.upper()
    return f"{'SHA_1' if own == 'SHA1' else own}_HMAC"


def _is_secret(key: Key) -> bool:
    return key.identity.object_class is ObjectClass.SECRET


Piece = Callable[[bytes, Mechanism], bytes]
"""One request: what the token makes of a piece of data."""


def cbc_encrypted(parts: Iterable[bytes], iv: bytes, once: Piece) -> Iterator[bytes]:
    """CBC with PKCS#7 padding, piece by piece: the last block of one is the IV of the next."""
    for piece, last in _pieces(parts):
        fill = BLOCK - len(piece) % BLOCK
        data = once(piece + bytes([fill]) * fill if last else piece, Mechanism(name="AES_CBC", iv=iv))
        iv = data[-BLOCK:]
        yield data


def cbc_decrypted(parts: Iterable[bytes], iv: bytes, once: Piece) -> Iterator[bytes]:
    """The inverse of `cbc_encrypted`.

    Raises:
        Conflict: it is no ciphertext, or of another key or IV.
    """
    for piece, last in _pieces(parts):
        if not piece or len(piece) % BLOCK:
            raise Conflict("not decrypted", "it is not made of whole blocks", "check the file, or another algorithm")
        data = once(piece, Mechanism(name="AES_CBC", iv=iv))
        iv = piece[-BLOCK:]
        yield _unpadded(data) if last else data


def ctr_applied(parts: Iterable[bytes], counter: bytes, once: Piece) -> Iterator[bytes]:
    """CTR, both ways, piece by piece, with a counter of 128 bits."""
    for piece, _ in _pieces(parts):
        if not piece:
            return
        yield once(piece, Mechanism(name="AES_CTR", iv=counter))
        following = int.from_bytes(counter) + (len(piece) + BLOCK - 1) // BLOCK
        counter = (following % (1 << 128)).to_bytes(16)


def fresh_iv(algorithm: str) -> bytes:
    """A new IV: 16 random bytes; for CTR the second half counts from zero, so that no two messages share a block."""
    return secrets.token_bytes(8) + bytes(8) if algorithm == "aes-ctr" else secrets.token_bytes(BLOCK)


def _unpadded(data: bytes) -> bytes:
    fill = data[-1]
    if not 1 <= fill <= BLOCK or data[-fill:] != bytes([fill]) * fill:
        raise Conflict(
            "not decrypted", "the padding is wrong: another key, another IV, or changed data", "hsmctl key show"
        )
    return data[:-fill]


def _pieces(parts: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """The data in pieces of whole blocks, and whether a piece is the last, which may be short or empty."""
    waiting = b""
    for part in parts:
        waiting += part
        while len(waiting) > PIECE:
            yield waiting[:PIECE], False
            waiting = waiting[PIECE:]
    yield waiting, True
