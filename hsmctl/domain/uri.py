"""PKCS#11 URIs (RFC 7512): how a token or an object is named in one line, whatever bytes its label has.

Attributes are kept as bytes, percent-encoding is undone and done here. A PIN in a URI is refused, not ignored: whoever
wrote it there meant it to be used, and it would stand in every log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote_from_bytes, unquote_to_bytes

from hsmctl.domain.key import LONGEST_LABEL, Identity, ObjectClass
from hsmctl.errors import UsageError

SCHEME = "pkcs11:"
_TYPES: Mapping[bytes, ObjectClass] = {
    b"cert": ObjectClass.CERTIFICATE,
    b"data": ObjectClass.DATA,
    b"private": ObjectClass.PRIVATE,
    b"public": ObjectClass.PUBLIC,
    b"secret-key": ObjectClass.SECRET,
}
_NAMES = {object_class: name.decode() for name, object_class in _TYPES.items()}
_PATH = (
    *("token", "manufacturer", "serial", "model", "object", "type", "id"),
    *("library-manufacturer", "library-version", "library-description"),
    *("slot-description", "slot-id", "slot-manufacturer"),
)
"""The attributes of the path (section 2.3)."""
_QUERY = ("module-name", "module-path")
_SAFE = ":[]@!$'()*+,=&"
"""What stands for itself in a value beside letters, digits and `_.-~` (section 2.3: pk11-path-chars)."""
_BYTES = tuple(f"%{byte:02X}" for byte in range(256))


@dataclass(frozen=True, slots=True, kw_only=True)
class Uri:
    """What a URI names; None is whatever it may be."""

    token: bytes | None = None
    serial: bytes | None = None
    manufacturer: bytes | None = None
    model: bytes | None = None
    label: bytes | None = None
    """CKA_LABEL: `object`."""
    key_id: bytes | None = None
    object_class: ObjectClass | None = None
    slot_id: int | None = None
    module_path: bytes | None = None

    @classmethod
    def parse(cls, text: str) -> Uri:
        """The URI.

        Raises:
            UsageError: it is none, an attribute is unknown or stands twice, or it holds a PIN.
        """
        if not text.startswith(SCHEME):
            raise UsageError(f"no URI: {text}", f"it does not begin with {SCHEME}", "pkcs11:token=hsm1;object=db-kek")
        path, _, query = text.removeprefix(SCHEME).partition("?")
        found = {**_attributes(path, ";", _PATH, text), **_attributes(query, "&", _QUERY, text)}
        kind = found.get("type")
        if kind is not None and kind not in _TYPES:
            raise UsageError(f"no URI: {text}", "there is no such type", "type=private, public, cert or secret-key")
        slot = found.get("slot-id")
        if slot is not None and not slot.isdigit():
            raise UsageError(f"no URI: {text}", "slot-id is no number", "slot-id=0")
        return cls(
            token=found.get("token"),
            serial=found.get("serial"),
            manufacturer=found.get("manufacturer"),
            model=found.get("model"),
            label=found.get("object"),
            key_id=found.get("id"),
            object_class=None if kind is None else _TYPES[kind],
            slot_id=None if slot is None else int(slot),
            module_path=found.get("module-path"),
        )

    @property
    def names_token(self) -> bool:
        """Whether it says which token."""
        return any(each is not None for each in (self.token, self.serial, self.slot_id))

    def __str__(self) -> str:
        """The URI, its attributes in the usual order."""
        pairs = {
            "model": self.model,
            "manufacturer": self.manufacturer,
            "serial": self.serial,
            "token": self.token,
            "slot-id": None if self.slot_id is None else str(self.slot_id).encode(),
            "id": self.key_id,
            "object": self.label,
            "type": None if self.object_class is None else _NAMES.get(self.object_class, "").encode() or None,
        }
        told = ";".join(
            f"{name}={_encoded(value, all_of_it=name == 'id')}" for name, value in pairs.items() if value is not None
        )
        module = f"?module-path={_encoded(self.module_path)}" if self.module_path is not None else ""
        return f"{SCHEME}{told}{module}"


def uri_of(identity: Identity, token: str = "") -> str:
    """The URI of an object, with its token's label where that is known; parts it does not have are left out.

    Written without a `Uri` between: a listing has one for every object.
    """
    kind = _NAMES.get(identity.object_class)
    told = [f"token={_encoded(token.encode())}"] if token else []
    if identity.key_id:
        told.append(f"id={_encoded(identity.key_id, all_of_it=True)}")
    if identity.label:
        told.append(f"object={_encoded(identity.label)}")
    if kind:
        told.append(f"type={kind}")
    return SCHEME + ";".join(told)


def typed(identity: Identity) -> str:
    """The URI of an object in a command that somebody is to type: a label longer than usual gives way to the id."""
    by_id = identity.key_id and len(identity.label) > LONGEST_LABEL
    return uri_of(identity._replace(label=b"") if by_id else identity)


def _attributes(part: str, separator: str, known: Sequence[str], text: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for pair in filter(None, part.split(separator)):
        name, equals, value = pair.partition("=")
        if name in ("pin-value", "pin-source"):
            raise UsageError("a PIN in a URI", "every log would hold it", "name its source in the context")
        # Section 2.3 lets vendors add attributes; what nobody here understands would be a filter that filters nothing.
        if name not in known or not equals or name in found:
            why = "it stands twice" if name in found else "it is no attribute of a PKCS#11 URI"
            raise UsageError(f"no URI: {text}", f"{name or pair}: {why}", f"known: {', '.join(known)}")
        found[name] = unquote_to_bytes(value)
    return found


def _encoded(value: bytes, *, all_of_it: bool = False) -> str:
    """A value percent-encoded; ids are encoded as a whole, as everybody writes them."""
    if all_of_it:
        return "".join(map(_BYTES.__getitem__, value))
    return quote_from_bytes(value, safe=_SAFE)
