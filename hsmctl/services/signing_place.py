"""Keys of approvers and second factors, wherever they are: a PEM file, or a PKCS#11 token that they never leave."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hsmctl.domain.key_name import KeyName
from hsmctl.domain.sync import Replica
from hsmctl.domain.uri import SCHEME, Uri
from hsmctl.errors import Conflict, UsageError
from hsmctl.ports_cli import Factor, SigningKeys
from hsmctl.secret import Secret
from hsmctl.services.key_certificate import KeyCertificates
from hsmctl.services.key_use import KeyUse

BITS = 2048
_SECONDS = 60.0
"""For one signature, the way to the token and the login included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningPlaces:
    """ports_cli.SigningKeys: a path is a file, a `pkcs11:` URI a key of one of the context's tokens."""

    files: SigningKeys
    certificates: Callable[[], KeyCertificates]
    use: Callable[[], KeyUse]
    tokens: Callable[[], Mapping[str, Replica]]
    """The tokens of the context, by their labels and by their names."""

    def open(self, place: str, passphrase: Callable[[], Secret]) -> Factor:
        """The key; a token's is found now, and its PIN sent for each signature.

        Raises:
            UsageError: it is no RSA-2048 key, or the URI cannot be read.
            Conflict: the context has no such token, or the token no such key.
            Denied: the PIN is refused, others may read the file, or its passphrase is wrong.
        """
        if not place.startswith(SCHEME):
            return self.files.open(place, passphrase)
        name = KeyName.parse(place)
        replica = self._token(name.uri)
        key, public = self.certificates().public((replica,), name, seconds=_SECONDS)
        if key.key_type != "RSA" or key.bits not in (None, BITS):
            raise UsageError(place, f"CloudHSM takes RSA keys of {BITS} bits", "hsmctl key generate --type rsa")

        def sign(digest: bytes) -> bytes:
            made = self.use().sign(
                (replica,), name, [digest], seconds=_SECONDS, algorithm="rsa-pkcs", digest="sha256", prehashed=True
            )
            return made.signature

        return Factor(public.decode(), sign)

    def _token(self, uri: Uri) -> Replica:
        known = self.tokens()
        wanted = (uri.token or b"").decode(errors="replace")
        if wanted not in known:
            have = ", ".join(known) or "none"
            raise Conflict(f"no token {wanted or 'is named'}", f"the context has {have}", "pkcs11:token=…;object=…")
        return known[wanted]
