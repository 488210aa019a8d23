"""The CA a ceremony names: an encrypted key file, a new one, a token's key, what an offline CA signed, or the lab's.

What names a CA is a mapping of plain words and paths, because plans keep it: `ca` is its kind, the rest depends on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from hsmctl.errors import Conflict, Denied, UsageError
from hsmctl.ports import Authority, Clock
from hsmctl.private import write_private
from hsmctl.secret import Secret

Named = Mapping[str, str]

_SOFTWARE = ("file", "new")
_HINT = "--ca-key FILE --ca-cert FILE, --ca-token NAME --ca-key KEY, --ca-key-out FILE, or --signed-cert FILE"


class NamedAuthorities:
    """ports_ceremony.Authorities over files, and over tokens that somebody else opens."""

    def __init__(
        self,
        *,
        context_authority: Authority | None,
        passphrase: Callable[[Named], Secret],
        token: Callable[[Named, str], Authority],
        clock: Clock,
        state_folder: Path,
        protected: bool,
    ) -> None:
        """Nothing is opened yet; `token` makes an authority of what names a token's key, and of its certificate.

        That certificate is empty where the token holds it.
        """
        self._context_authority = context_authority
        self._token = token
        self._passphrase = passphrase
        self._clock = clock
        self._state_folder = state_folder
        self._protected = protected

    def open(self, named: Named) -> Authority:
        """The authority.

        Raises:
            Conflict: there is none, or the place for a new one is taken.
            Denied: the context is protected and nobody accepted that a key is a file.
            UsageError: nothing names one, or a new one would lie in the state folder.
        """
        if named.get("ca") in _SOFTWARE:
            self._check_software(named)
        match named.get("ca"):
            case "context" if self._context_authority is not None:
                return self._context_authority
            case "file":
                return _FileAuthority(named, self._passphrase, self._clock)
            case "token":
                return self._token(named, _read(named["certificate"]) if "certificate" in named else "")
            case "new":
                return self._new(named)
            case "offline":
                return _OfflineAuthority(named)
        raise UsageError("no certificate authority", "nothing says who signs", _HINT)

    def words(self, named: Named) -> str:
        """What it is, for people."""
        words = {
            "context": "the CA of the context",
            "file": f"software CA {named.get('key')}",
            "token": f"CA key {named.get('key')} on token {named.get('token')}",
            "new": f"new software CA {named.get('key')}",
            "offline": "offline CA",
        }
        return words.get(named.get("ca", ""), "no CA is named")

    def _check_software(self, named: Named) -> None:
        if self._protected and not named.get("accepted"):
            raise Denied(
                "a software CA",
                "the context is protected, and a key in a file can be copied",
                "--accept-software-ca REASON",
            )

    def _new(self, named: Named) -> Authority:
        """A CA whose key and certificate are made now; the same ones again if they were made before."""
        from hsmctl.adapters.signing import new_authority

        key, certificate = Path(named["key"]), Path(named["certificate"])
        if key.resolve().is_relative_to(self._state_folder.resolve()):
            raise UsageError(f"--ca-key-out {key}", "the state folder keeps no private keys", "name another place")
        if not certificate.exists():
            # A key whose certificate never came to be has signed nothing: its making was cut off.
            made, sealed = new_authority(named["name"], self._passphrase(named), self._clock.now(), rsa_key=False)
            write_private(key, sealed)
            write_private(certificate, made)
        return _FileAuthority(named, self._passphrase, self._clock)


class _FileAuthority:
    """An encrypted key in a file, beside its certificate or its chain."""

    def __init__(self, named: Named, passphrase: Callable[[Named], Secret], clock: Clock) -> None:
        self._named = named
        self._passphrase = passphrase
        self._clock = clock

    def certificate(self) -> str:
        """The certificate, or the chain from it to the root, PEM."""
        return _read(self._named["certificate"])

    def sign(self, csr: str) -> str:
        """The certificate for a CSR, PEM."""
        from hsmctl.adapters.signing import issue

        key = _read(self._named["key"]).encode()
        return issue(csr, self.certificate().encode(), key, self._passphrase(self._named), self._clock.now())


class _OfflineAuthority:
    """What a CA that no wire leads to has signed already."""

    def __init__(self, named: Named) -> None:
        self._named = named

    def certificate(self) -> str:
        """The trust anchor, PEM."""
        return _read(self._named["anchor"])

    def sign(self, csr: str) -> str:  # noqa: ARG002 - it was signed elsewhere, and is compared with the CSR afterwards
        """The certificate that was signed elsewhere, PEM."""
        return _read(self._named["signed"])


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not text"
        raise Conflict(path, why, "name the right file") from error
