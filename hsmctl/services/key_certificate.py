"""Certificate requests and certificates for keys that never leave their token, and the certificates a token holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hsmctl.domain.key import Key, ObjectClass
from hsmctl.domain.key_algorithm import digested, signing
from hsmctl.domain.key_material import CertificateFacts, Subject
from hsmctl.domain.key_name import KeyName, choose
from hsmctl.domain.sync import Replica
from hsmctl.errors import Conflict
from hsmctl.ports import Token
from hsmctl.ports_key import CertificateMaker, KeyFormats, Sign
from hsmctl.services.key_door import KeyDoor, only


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A certificate of a token."""

    key: Key
    facts: CertificateFacts
    has_private: bool
    """Whether the token shows a private key of the same id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCertificates:
    """X.509 with keys of a token."""

    door: KeyDoor
    formats: KeyFormats
    maker: CertificateMaker

    def request(
        self, replicas: Sequence[Replica], name: KeyName, subject: Subject, digest: str, *, seconds: float
    ) -> bytes:
        """A certificate signing request, PEM.

        Raises:
            Conflict: the name means no private key, or its public half is nowhere on the token.
        """

        def work(replica: Replica, token: Token) -> bytes:
            private, public = self._pair(replica, token, name)
            return self.maker.request(public, subject, self._signer(token, private), digest)

        return self.door.change(replicas, seconds, work)

    def selfsigned(
        self,
        replicas: Sequence[Replica],
        name: KeyName,
        subject: Subject,
        digest: str,
        days: int,
        *,
        ca: bool,
        seconds: float,
    ) -> bytes:
        """A self-signed certificate, PEM.

        Raises:
            Conflict: as for `request`.
        """

        def work(replica: Replica, token: Token) -> bytes:
            private, public = self._pair(replica, token, name)
            return self.maker.selfsigned(public, subject, self._signer(token, private), digest, days, ca=ca)

        return self.door.change(replicas, seconds, work)

    def issued(
        self,
        replicas: Sequence[Replica],
        name: KeyName,
        csr: str,
        anchor: str,
        *,
        before: Callable[[Key], None],
        seconds: float,
    ) -> str:
        """The certificate for a CSR, PEM, issued by a key of the token whose certificate, or chain, is `anchor`.

        `before` hears of the key when everything was checked and it is about to be used.

        Raises:
            Conflict: as for `request`, or the anchor is another key's or none that CloudHSM takes, or the CSR does not
                verify itself; the key was not used then.
        """

        def work(replica: Replica, token: Token) -> str:
            private, public = self._pair(replica, token, name)
            sign = self._signer(token, private)

            def announced(data: bytes, algorithm: str, digest: str) -> bytes:
                before(private)
                return sign(data, algorithm, digest)

            return self.maker.issued(public, csr, anchor, announced)

        return self.door.change(replicas, seconds, work)

    def public(self, replicas: Sequence[Replica], name: KeyName, *, seconds: float) -> tuple[Key, bytes]:
        """The private key of a name, and its public half, PEM.

        Raises:
            Conflict: as for `request`.
        """
        return self.door.look(replicas, seconds, lambda replica, token: self._pair(replica, token, name, "pem"))

    def beside(self, replicas: Sequence[Replica], name: KeyName, *, seconds: float) -> str:
        """The one certificate with the id of a private key, PEM.

        Raises:
            Conflict: the name means no private key, or there is no such certificate, or more than one.
        """

        def look(replica: Replica, token: Token) -> str:
            private = only(token, name, (ObjectClass.PRIVATE,), replica.name)
            key_id = private.identity.key_id
            found = token.objects.find({"class": 1, "id": key_id}) if key_id else ()
            if len(found) != 1:
                why = f"{replica.name} holds {len(found)} with its id"
                raise Conflict(f"the certificate of {name.text}", why, "--ca-cert FILE")
            return self.formats.public(found[0], token.objects.values(found[0]), "pem").decode()

        return self.door.look(replicas, seconds, look)

    def held(self, replicas: Sequence[Replica], *, seconds: float) -> tuple[str, tuple[Held, ...]]:
        """Which replica answered, and the certificates on it."""

        def look(replica: Replica, token: Token) -> tuple[str, tuple[Held, ...]]:
            privates = {key.identity.key_id for key in token.objects.find({"class": 3})}
            found = [
                Held(
                    key=key,
                    facts=self.maker.facts(token.objects.values(key).get("value", b"")),
                    has_private=bool(key.identity.key_id) and key.identity.key_id in privates,
                )
                for key in token.objects.find({"class": 1})
            ]
            return replica.name, tuple(found)

        return self.door.look(replicas, seconds, look)

    def _pair(self, replica: Replica, token: Token, name: KeyName, encoding: str = "der") -> tuple[Key, bytes]:
        """The private key of a name and its public half."""
        private = only(token, name, (ObjectClass.PRIVATE,), replica.name)
        values = token.objects.values(private)
        if "modulus" in values and "public_exponent" in values:
            return private, self.formats.public(private, values, encoding)
        public = _other_half(token, private)
        return private, self.formats.public(public, token.objects.values(public), encoding)

    def _signer(self, token: Token, private: Key) -> Sign:
        def sign(data: bytes, algorithm: str, digest: str) -> bytes:
            how = signing(private, algorithm, digest or "sha256")
            given = data if how.token_hashes else digested(how, [data], prehashed=False)
            made = token.uses.use("sign", private, how.mechanism, given).data
            return self.formats.der_signature(made) if algorithm == "ecdsa" else made

        return sign


def _other_half(token: Token, private: Key) -> Key:
    """The public key with the private one's id, or, without an id, its label.

    Raises:
        Conflict: there is none, or several.
    """
    identity = private.identity
    wanted = {"id": identity.key_id} if identity.key_id else {"label": identity.label}
    found = token.objects.find({"class": 2, **wanted})
    if not found:
        raise Conflict(
            f"{identity} has no public half here",
            "an EC private key does not show its point",
            "hsmctl key import its public key with the same --id",
        )
    return choose(KeyName(text=str(identity)), found, (ObjectClass.PUBLIC,))
