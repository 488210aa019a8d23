"""The operator's certificate authority whose key never leaves a PKCS#11 token."""

from __future__ import annotations

from dataclasses import dataclass

from hsmctl.domain.key import Key
from hsmctl.domain.key_name import KeyName
from hsmctl.domain.sync import Replica
from hsmctl.domain.uri import uri_of
from hsmctl.ports import Journal
from hsmctl.services.key_certificate import KeyCertificates

_SECONDS = 60.0
"""For one signature, the way to the token and the login included."""


@dataclass(slots=True, kw_only=True)
class TokenAuthority:
    """ports.Authority over a key of a token; that it is used is in the journal before it is."""

    certificates: KeyCertificates
    journal: Journal
    replica: Replica
    key: KeyName
    anchor: str = ""
    """The CA's certificate, or the chain from it to its root, PEM; empty where the token holds it beside the key."""

    def certificate(self) -> str:
        """The CA's certificate or its chain, PEM; what the token holds is read once.

        Raises:
            Conflict: the token holds no such key, or not one certificate beside it.
            Denied: the PIN is refused.
            Unreachable: the token does not answer.
        """
        if not self.anchor:
            self.anchor = self.certificates.beside((self.replica,), self.key, seconds=_SECONDS)
        return self.anchor

    def sign(self, csr: str) -> str:
        """The certificate for a CSR, PEM.

        Raises:
            Conflict: the certificate is not the key's, or CloudHSM would refuse it, or the CSR does not verify itself.
            Denied: the PIN is refused.
            DeviceError: the token does not sign with this key.
            Unreachable: the token does not answer.
        """
        anchor = self.certificate()
        return self.certificates.issued((self.replica,), self.key, csr, anchor, before=self._note, seconds=_SECONDS)

    def _note(self, key: Key) -> None:
        self.journal.append("ca-sign", {"token": self.replica.name, "key": uri_of(key.identity)})
