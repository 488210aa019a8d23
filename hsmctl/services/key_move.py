"""Keys into a token and out of it: imported, exported as far as they are public, wrapped and unwrapped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from hsmctl.domain.key import Key, KeyKind, ObjectClass
from hsmctl.domain.key_algorithm import GCM_IV_BYTES, fresh_iv
from hsmctl.domain.key_material import Imported
from hsmctl.domain.key_name import KeyName
from hsmctl.domain.key_offer import GENERATES, MAKES, lacking
from hsmctl.domain.key_purpose import ABLE, HALVES, Purpose, alone, attributes_for, check_extractable
from hsmctl.domain.key_transport import oaep_hash
from hsmctl.domain.mechanism import Mechanism
from hsmctl.domain.sync import Replica
from hsmctl.errors import Conflict, DeviceError, UsageError
from hsmctl.ports import Journal, Token
from hsmctl.ports_key import KeyFormats, Value
from hsmctl.services.key_door import KeyDoor, only
from hsmctl.services.key_transport import KeyTransport, as_offered, key_wrap, sealed, unsealed, unwrapped

_NO_PLAINTEXT = frozenset(
    {
        "CKR_TEMPLATE_INCONSISTENT",
        "CKR_ATTRIBUTE_VALUE_INVALID",
        "CKR_ATTRIBUTE_READ_ONLY",
        "CKR_ATTRIBUTE_TYPE_INVALID",
        "CKR_FUNCTION_NOT_SUPPORTED",
        "CKR_ACTION_PROHIBITED",
        "CKR_FUNCTION_REJECTED",
    }
)
"""How tokens say that they take no secret in the clear."""
KINDS: Mapping[int, KeyKind] = {
    0x00: KeyKind.RSA,
    0x03: KeyKind.EC,
    0x10: KeyKind.GENERIC,
    0x1F: KeyKind.AES,
    0x40: KeyKind.ED25519,
    0x41: KeyKind.X25519,
}
"""By CKK_*; what X25519 keys are to a token, `_called` says."""
_WRAPS = (ObjectClass.SECRET, ObjectClass.PUBLIC)
_UNWRAPS = (ObjectClass.SECRET, ObjectClass.PRIVATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a key that comes in is to be called and may do."""

    label: bytes
    key_id: bytes
    purpose: Purpose | None = None
    attributes: Mapping[str, bool] | None = None
    extractable: bool = False
    allow_duplicate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyMove:
    """Moves single keys between files and a token."""

    door: KeyDoor
    journal: Journal
    formats: KeyFormats
    transport: KeyTransport
    guard: Callable[[], str | None]

    def bring(self, replicas: Sequence[Replica], imported: Imported, wanted: Wanted, *, seconds: float) -> Key:
        """The object, as the token lists it; what is secret goes in wrapped where the token takes it in no other way.

        Raises:
            UsageError: what it is to be contradicts itself (`uses_of`).
            Conflict: its label or id is taken.
            DeviceError: the token refused.
        """
        template = _template(imported, wanted)
        break_glass = self.guard()

        def work(replica: Replica, token: Token) -> Key:
            check_free(token, replica, wanted, imported.object_class)
            self.transport.sweep(replica, token)
            fields = {"on": replica.name, "label": wanted.label, "id": wanted.key_id, "class": imported.object_class}
            self.journal.append("key-import", {**fields, "algorithm": imported.says, "break_glass": break_glass})
            made = self._created(replica, token, imported, template)
            self.journal.append("key-imported", {"on": replica.name, "label": wanted.label, "id": wanted.key_id})
            return made

        return self.door.change(replicas, seconds, work)

    def public(self, replicas: Sequence[Replica], name: KeyName, encoding: str, *, seconds: float) -> tuple[Key, bytes]:
        """A public key or certificate in a file's form.

        Raises:
            UsageError: the object is secret, or has no such form.
        """

        def look(replica: Replica, token: Token) -> tuple[Key, bytes]:
            classes = (ObjectClass.PUBLIC, ObjectClass.CERTIFICATE, ObjectClass.PRIVATE, ObjectClass.SECRET)
            key = only(token, name, classes, replica.name)
            if key.identity.object_class is ObjectClass.SECRET:
                raise UsageError(f"{key.identity} is secret", "it only leaves wrapped", "hsmctl key wrap")
            return key, self.formats.public(key, token.objects.values(key), encoding)

        return self.door.look(replicas, seconds, look)

    def wrap(
        self, replicas: Sequence[Replica], name: KeyName, by: KeyName, mechanism: Mechanism, *, seconds: float
    ) -> bytes:
        """A key under another key of the same token.

        Raises:
            DeviceError: the token does not let it go, or not under this key.
        """
        break_glass = self.guard()

        def work(replica: Replica, token: Token) -> bytes:
            key = only(token, name, _UNWRAPS, replica.name)
            wrapping = only(token, by, _WRAPS, replica.name)
            fields = {"on": replica.name, "key": str(key.identity), "by": str(wrapping.identity)}
            self.journal.append("key-wrap", {**fields, "mechanism": mechanism.name, "break_glass": break_glass})
            how = as_offered(token.objects.describe(), mechanism)
            # A new IV for each key: of a GCM that takes the caller's, 96 random bits (NIST SP 800-38D, 8.2.2).
            how = replace(how, iv=fresh_iv("aes-gcm")[:GCM_IV_BYTES]) if how.name == "AES_GCM" else how
            return sealed(how, token.uses.wrap(wrapping, key, how))

        return self.door.change(replicas, seconds, work)

    def unwrap(
        self,
        replicas: Sequence[Replica],
        data: bytes,
        by: KeyName,
        mechanism: Mechanism,
        kind: KeyKind,
        wanted: Wanted,
        *,
        seconds: float,
    ) -> Key:
        """A new key out of wrapped data.

        Raises:
            Conflict: its label or id is taken.
            DeviceError: the token does not unwrap it.
        """
        number = next(number for number, each in KINDS.items() if each is kind)
        secret = kind in (KeyKind.AES, KeyKind.GENERIC)
        object_class = ObjectClass.SECRET if secret else ObjectClass.PRIVATE
        uses = uses_of(kind, object_class, wanted)
        break_glass = self.guard()

        def work(replica: Replica, token: Token) -> Key:
            check_free(token, replica, wanted, object_class)
            unwrapping = only(token, by, _UNWRAPS, replica.name)
            fields = {"on": replica.name, "label": wanted.label, "id": wanted.key_id, "by": str(unwrapping.identity)}
            self.journal.append("key-unwrap", {**fields, "mechanism": mechanism.name, "break_glass": break_glass})
            template = {"class": 4 if secret else 3, "key_type": number, **uses}
            how, wrapped = unsealed(as_offered(token.objects.describe(), mechanism), data)
            try:
                return unwrapped(token, unwrapping, wrapped, how, template)
            except DeviceError as error:
                if error.ckr != "CKR_TEMPLATE_INCOMPLETE":
                    raise
                raise _asks_for_more(replica, kind, error) from error

        return self.door.change(replicas, seconds, work)

    def _created(self, replica: Replica, token: Token, imported: Imported, template: Mapping[str, Value]) -> Key:
        template = {**template, **_called(token, template)}
        try:
            return token.objects.create(template)
        except DeviceError as error:
            _check_known(replica, token, imported, error)
            if not imported.wrapped_form or error.ckr not in _NO_PLAINTEXT:
                raise
        return self._unsealed(replica, token, imported, template)

    def _unsealed(self, replica: Replica, token: Token, imported: Imported, template: Mapping[str, Value]) -> Key:
        """The key, wrapped here for a pair that the token makes for it."""
        facts = token.objects.describe()
        wrap, hash_name = key_wrap(facts), oaep_hash(facts)
        kept = {name: value for name, value in template.items() if name not in imported.template or name in _KIND}
        with self.transport.pair(replica, token) as private:
            values = token.objects.values(private)
            sealed, data = self.formats.seal(
                values["modulus"], values["public_exponent"], hash_name, imported.wrapped_form
            )
            name = self.transport.begin(replica, token)
            try:
                between = self.transport.unseal_between(token, private, sealed, hash_name, name)
                return unwrapped(token, between, data, wrap, kept)
            finally:
                self.transport.end(replica, token, name)


_KIND = ("class", "key_type")
_EDWARDS, _MONTGOMERY = 0x40, 0x41


def _check_known(replica: Replica, token: Token, imported: Imported, error: DeviceError) -> None:
    """Say of a token that refused a key and makes none of its kind either, that it has none such.

    Raises:
        DeviceError: it is so.
    """
    kind, facts = KINDS.get(int(imported.template.get("key_type", -1))), token.objects.describe()
    if kind is None or any(facts.offers(name) for name in MAKES[kind]):
        return
    why = f"{lacking(facts, MAKES[kind], GENERATES)} ({error.ckr})"
    raise DeviceError(f"{replica.name} takes no {kind} key", why, "hsmctl token show", ckr=error.ckr) from error


def _asks_for_more(replica: Replica, kind: KeyKind, error: DeviceError) -> DeviceError:
    """What a token wants that refused a template with all that PKCS#11 3.1 asks for (5.18.4): class and key type."""
    why = f"it wants attributes that PKCS#11 does not ask for, as NSS does CKA_NSS_DB of its own ({error.ckr})"
    return DeviceError(
        f"{replica.name} unwraps no {kind} key", why, "hsmctl key import, or another token", ckr=error.ckr
    )


def _called(token: Token, template: Mapping[str, Value]) -> Mapping[str, int]:
    """The key type of an X25519 key: PKCS#11 3.0 has Montgomery curves, SoftHSM keeps it among Edwards ones."""
    if template.get("key_type") != _MONTGOMERY or token.objects.describe().offers("EC_MONTGOMERY_KEY_PAIR_GEN"):
        return {}
    return {"key_type": _EDWARDS}


def uses_of(kind: KeyKind, object_class: ObjectClass, wanted: Wanted) -> dict[str, Value]:
    """The attributes of an object that comes in: its names, what it may do, and whether it may leave again.

    Raises:
        UsageError: what was asked for contradicts itself, or is nothing that such an object has.
    """
    half = HALVES[object_class]
    told = attributes_for(kind, wanted.purpose, alone(half, wanted.attributes or {})).get(half, {})
    check_extractable(told, extractable=wanted.extractable)
    # What is not named is forbidden: tokens have defaults of their own, and SoftHSM's allow everything.
    uses: dict[str, Value] = dict.fromkeys(ABLE[object_class], False)
    if object_class is not ObjectClass.PUBLIC:
        uses |= {"private": True, "sensitive": True, "extractable": wanted.extractable}
    elif wanted.extractable:
        raise UsageError("--extractable", "a public key may always leave", "leave it out")
    return {**uses, **told, "label": wanted.label, "id": wanted.key_id}


def check_free(token: Token, replica: Replica, wanted: Wanted, object_class: ObjectClass) -> None:
    """Refuse a label or id that is taken by another object of the class: nobody could tell them apart.

    Raises:
        Conflict: one is.
    """
    if wanted.allow_duplicate:
        return
    for attribute, value in (("label", wanted.label), ("id", wanted.key_id)):
        for key in token.objects.find({attribute: value}) if value else ():
            if key.identity.object_class is object_class:
                shown = value.hex() if attribute == "id" else str(key.identity)
                raise Conflict(
                    f"{attribute} {shown} is taken",
                    f"{replica.name} has {key.algorithm} {key.identity}",
                    "choose another, or --allow-duplicate",
                )


def _template(imported: Imported, wanted: Wanted) -> dict[str, Value]:
    if imported.object_class is ObjectClass.CERTIFICATE:
        if wanted.purpose or wanted.attributes or wanted.extractable:
            raise UsageError("--for, --attr, --extractable", "a certificate has no uses", "hsmctl key cert import")
        return {**imported.template, "label": wanted.label, "id": wanted.key_id}
    number = imported.template["key_type"]
    return {**imported.template, **uses_of(KINDS[int(number)], imported.object_class, wanted)}
