"""How a key is named on a command line: its label, `id:HEX`, `fingerprint:HEX`, or a PKCS#11 URI; and choosing by it.

A name means exactly one object or none. Where several answer to it, they are told apart by what the caller needs (a
private half to sign, a public one to verify), and otherwise the choice is refused and shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hsmctl.domain.key import CLASSES, Key, ObjectClass
from hsmctl.domain.uri import SCHEME, Uri, uri_of
from hsmctl.errors import Conflict, UsageError

_NUMBERS = {object_class: number for number, object_class in CLASSES.items()}
_SHOWN = 5
"""Candidates that an error names."""
_LONGEST = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyName:
    """What somebody typed to mean one object."""

    text: str
    """As it was typed."""
    uri: Uri = field(default_factory=Uri)
    fingerprint: str = ""
    """The beginning of the material's digest, hex."""

    @classmethod
    def parse(cls, text: str) -> KeyName:
        """The name.

        Raises:
            UsageError: it is a URI or hex that cannot be read, or empty.
        """
        if not text or len(text) > _LONGEST:
            raise UsageError("no key named", "the name is empty or too long", "hsmctl key list")
        if text.startswith(SCHEME):
            return cls(text=text, uri=Uri.parse(text))
        if text.startswith("id:"):
            return cls(text=text, uri=Uri(key_id=_hex(text, "id:")))
        if text.startswith("fingerprint:"):
            _hex(text, "fingerprint:")
            return cls(text=text, fingerprint=text.removeprefix("fingerprint:").lower())
        return cls(text=text, uri=Uri(label=text.encode(errors="surrogateescape")))

    @property
    def template(self) -> Mapping[str, bytes | int]:
        """What the token itself can look for."""
        wanted = {"label": self.uri.label, "id": self.uri.key_id}
        found: dict[str, bytes | int] = {name: value for name, value in wanted.items() if value is not None}
        if self.uri.object_class is not None:
            found["class"] = _NUMBERS[self.uri.object_class]
        return found

    def fits(self, key: Key) -> bool:
        """Whether it may mean this object."""
        identity = key.identity
        wanted = (
            (self.uri.label, identity.label),
            (self.uri.key_id, identity.key_id),
            (self.uri.object_class, identity.object_class),
        )
        if any(want is not None and want != has for want, has in wanted):
            return False
        return not self.fingerprint or bool(key.material and key.material.digest.hex().startswith(self.fingerprint))


def choose(name: KeyName, keys: Sequence[Key], classes: Sequence[ObjectClass] = (), where: str = "") -> Key:
    """The one object that a name means among these; of several, the one of the class that is needed.

    Args:
        name: what was typed.
        keys: what there is.
        classes: the classes that serve, the best first; empty for any.
        where: whose keys these are, for the message.

    Raises:
        Conflict: it means none, none that serves, or more than one.
    """
    fitting = [key for key in keys if name.fits(key)]
    if not fitting:
        raise Conflict(f"no key {name.text}", f"{where or 'the token'} shows this user none", "hsmctl key list")
    serving = [key for key in fitting if key.identity.object_class in classes] if classes else fitting
    for wanted in classes:
        best = [key for key in serving if key.identity.object_class is wanted]
        if best:
            serving = best
            break
    if not serving:
        has = ", ".join(sorted({str(key.identity.object_class) for key in fitting}))
        raise Conflict(f"{name.text} does not serve", f"it is a {has}", f"a {' or a '.join(classes)} is needed")
    if len(serving) > 1:
        raise Conflict(f"{len(serving)} objects are {name.text}", _candidates(serving), "name one by its URI")
    return serving[0]


def _candidates(keys: Sequence[Key]) -> str:
    """The objects that could be meant, by what tells them apart."""
    uris = [uri_of(key.identity) for key in keys]
    if len(set(uris)) < len(uris):
        uris = [
            f"fingerprint:{key.material.digest.hex()[:16]}" if key.material else uri_of(key.identity) for key in keys
        ]
    rest = f" and {len(uris) - _SHOWN} more" if len(uris) > _SHOWN else ""
    return ", ".join(uris[:_SHOWN]) + rest


def _hex(text: str, prefix: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix(prefix))
    except ValueError:
        raise UsageError(f"no key {text}", "it is not hexadecimal", f"{prefix}0a01") from None
