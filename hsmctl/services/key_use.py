"""What keys do for their owner: sign, verify, encrypt, decrypt, compute a MAC; over data of any size.

Only the named key is used and only once for each request; nothing here runs by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hsmctl.domain.key import ObjectClass
from hsmctl.domain.key_algorithm import (
    BLOCK,
    GCM_IV_BYTES,
    GCM_MOST,
    GCM_TAG_BYTES,
    ORDER_BYTES,
    Piece,
    cbc_decrypted,
    cbc_encrypted,
    ctr_applied,
    digested,
    fresh_iv,
    signing,
)
from hsmctl.domain.key_name import KeyName
from hsmctl.domain.mechanism import Mechanism
from hsmctl.errors import Conflict, UsageError
from hsmctl.ports_key import KeyFormats
from hsmctl.services.key_door import KeyDoor, only

if TYPE_CHECKING:
    from hsmctl.domain.key import Key
    from hsmctl.domain.sync import Replica
    from hsmctl.ports import Token

_SIGNS = (ObjectClass.PRIVATE, ObjectClass.SECRET)
_VERIFIES = (ObjectClass.PUBLIC, ObjectClass.SECRET)
_ENCRYPTS = (ObjectClass.SECRET, ObjectClass.PUBLIC)
_DECRYPTS = (ObjectClass.SECRET, ObjectClass.PRIVATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A signature or MAC, by which key and how."""

    key: Key
    replica: str
    algorithm: str
    hash: str
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUse:
    """Uses single keys."""

    door: KeyDoor
    formats: KeyFormats

    def sign(
        self,
        replicas: Sequence[Replica],
        name: KeyName,
        parts: Iterable[bytes],
        *,
        seconds: float,
        algorithm: str | None = None,
        digest: str = "sha256",
        prehashed: bool = False,
    ) -> Signed:
        """The signature or MAC of the data; ECDSA's is r and s one after the other.

        Raises:
            Conflict: the name means no key, or several.
            UsageError: the key does not sign like that.
            DeviceError: the token refused.
        """

        def work(replica: Replica, token: Token) -> Signed:
            key = only(token, name, _SIGNS, replica.name)
            how = signing(key, algorithm, digest)
            if how.token_hashes:
                if prehashed:
                    raise UsageError("--prehashed", f"{how.algorithm} takes the data itself", "leave it out")
                signature = _over_parts(token, key, how.mechanism, parts)
            else:
                given = digested(how, parts, prehashed=prehashed)
                signature = token.uses.use("sign", key, how.mechanism, given).data
            return Signed(key=key, replica=replica.name, algorithm=how.algorithm, hash=how.hash, signature=signature)

        return self.door.change(replicas, seconds, work)

    def verify(
        self,
        replicas: Sequence[Replica],
        name: KeyName,
        parts: Iterable[bytes],
        signature: bytes,
        *,
        seconds: float,
        algorithm: str | None = None,
        digest: str = "sha256",
        prehashed: bool = False,
        der: bool = False,
    ) -> bool:
        """Whether the key made this signature of the data, as the token says; `der` says that it is in ASN.1."""

        def work(replica: Replica, token: Token) -> bool:
            key = only(token, name, _VERIFIES, replica.name)
            how = signing(key, algorithm, digest)
            given = b"".join(parts) if how.token_hashes else digested(how, parts, prehashed=prehashed)
            plain = self.formats.raw_signature(signature, ORDER_BYTES.get(key.curve or "", 0)) if der else signature
            return token.uses.verify(key, how.mechanism, given, plain)

        return self.door.change(replicas, seconds, work)

    def encrypt(
        self,
        replicas: Sequence[Replica],
        name: KeyName,
        parts: Iterable[bytes],
        *,
        seconds: float,
        algorithm: str,
        aad: bytes = b"",
        digest: str = "sha256",
    ) -> Iterator[bytes]:
        """The ciphertext, its IV in front; the IV is the token's own or a fresh one, never the caller's.

        Raises:
            UsageError: the data is too long for an algorithm that cannot be cut.
        """
        with self.door.opened(replicas, seconds) as (replica, token):
            key = only(token, name, _ENCRYPTS, replica.name)
            if algorithm in ("aes-cbc", "aes-ctr"):
                iv = fresh_iv(algorithm)
                yield iv
                once = _once(token, "encrypt", key)
                yield from cbc_encrypted(parts, iv, once) if algorithm == "aes-cbc" else ctr_applied(parts, iv, once)
                return
            data = _whole(parts, algorithm, GCM_MOST)
            made = token.uses.use("encrypt", key, _one_shot(token, algorithm, aad, digest), data)
            yield made.iv + made.data if algorithm == "aes-gcm" else made.data

    def decrypt(
        self,
        replicas: Sequence[Replica],
        name: KeyName,
        parts: Iterable[bytes],
        *,
        seconds: float,
        algorithm: str,
        aad: bytes = b"",
        digest: str = "sha256",
    ) -> Iterator[bytes]:
        """The inverse of `encrypt`: the IV is read from the front.

        Raises:
            Conflict: it is no ciphertext of this algorithm.
        """
        with self.door.opened(replicas, seconds) as (replica, token):
            key = only(token, name, _DECRYPTS, replica.name)
            if algorithm in ("aes-cbc", "aes-ctr"):
                iv, rest = _split(parts, BLOCK)
                once = _once(token, "decrypt", key)
                yield from cbc_decrypted(rest, iv, once) if algorithm == "aes-cbc" else ctr_applied(rest, iv, once)
                return
            data = _whole(parts, algorithm, GCM_MOST + GCM_IV_BYTES + GCM_TAG_BYTES)
            if algorithm == "aes-gcm":
                if len(data) < GCM_IV_BYTES + GCM_TAG_BYTES:
                    raise Conflict("not decrypted", "it is too short to be AES-GCM", "check the file")
                mechanism = Mechanism(name="AES_GCM", iv=data[:GCM_IV_BYTES], aad=aad)
                yield token.uses.use("decrypt", key, mechanism, data[GCM_IV_BYTES:]).data
                return
            yield token.uses.use("decrypt", key, _one_shot(token, algorithm, aad, digest), data).data


def _over_parts(token: Token, key: Key, mechanism: Mechanism, parts: Iterable[bytes]) -> bytes:
    """A signature or MAC that the token hashes: at once where the data is small, which every token can."""
    some = iter(parts)
    first, second = next(some, b""), next(some, None)
    if second is None:
        return token.uses.use("sign", key, mechanism, first).data

    def all_of_it() -> Iterator[bytes]:
        yield first
        yield second
        yield from some

    return token.uses.mac(key, mechanism, all_of_it())


def _one_shot(token: Token, algorithm: str, aad: bytes, digest: str) -> Mechanism:
    """The mechanism of an algorithm that takes the data at once."""
    if algorithm == "rsa-oaep":
        return Mechanism(name="RSA_PKCS_OAEP", hash=digest)
    if algorithm == "rsa-pkcs":
        return Mechanism(name="RSA_PKCS")
    # CloudHSM makes the IV and refuses another's; elsewhere 96 random bits, by nobody but us (NIST SP 800-38D, 8.2.2).
    makes_it = any(
        each.number & 0x80000000 and each.number & 0xFFFF == 0x1087 for each in token.objects.describe().mechanisms
    )
    return Mechanism(name="AES_GCM", iv=b"" if makes_it else fresh_iv("aes-gcm")[:GCM_IV_BYTES], aad=aad)


def _once(token: Token, how: str, key: Key) -> Piece:
    def once(data: bytes, mechanism: Mechanism) -> bytes:
        return token.uses.use(how, key, mechanism, data).data

    return once


def _whole(parts: Iterable[bytes], algorithm: str, most: int) -> bytes:
    data = b"".join(parts)
    if len(data) > most:
        way_out = "wrap a data key and encrypt with it outside, or use aes-cbc or aes-ctr with a MAC"
        raise UsageError(f"{len(data):,} bytes", f"{algorithm} takes {most:,} at once in an HSM", way_out)
    return data


def _split(parts: Iterable[bytes], size: int) -> tuple[bytes, Iterator[bytes]]:
    """The first bytes, and the rest as it comes."""
    some, head = iter(parts), b""
    while len(head) < size:
        part = next(some, None)
        if part is None:
            raise Conflict("not decrypted", "it is too short to hold an IV", "check the file")
        head += part

    def rest() -> Iterator[bytes]:
        yield head[size:]
        yield from some

    return head[:size], rest()
