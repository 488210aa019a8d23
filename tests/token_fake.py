"""What a token in memory does with single objects: the parts of ports.Token that key operations need.

Its keys are values and its cryptography is a digest: enough for what is planned, guarded and shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from hashlib import sha256

from hsmctl.domain.key import CLASSES, KEY_TYPES, Identity, Key, Material, MaterialKind
from hsmctl.domain.key_bench import Bench
from hsmctl.domain.mechanism import Mechanism, MechanismInfo, Output, Speed, TokenFacts, Tried
from hsmctl.errors import DeviceError
from hsmctl.ports_key import Template, Value

OFFERED = ("AES_GCM", "AES_CBC", "AES_KEY_WRAP_PAD", "ECDSA", "RSA_PKCS", "SHA256_HMAC")


class FakeObjects:
    """ports_key.TokenObjects over a list of keys; `lists` are all that a change reaches."""

    def __init__(self, own: list[Key], lists: Callable[[], Iterable[list[Key]]]) -> None:
        self._own, self._lists = own, lists

    def find(self, template: Template) -> tuple[Key, ...]:
        return tuple(key for key in self._own if _fits(key, template))

    def values(self, key: Key) -> Mapping[str, bytes]:
        return {"value": key.identity.label} if self._own.count(key) else {}

    def create(self, template: Template) -> Key:
        made = _made(template)
        for keys in self._lists():
            keys.append(made)
        return made

    def destroy(self, key: Key) -> None:
        listed = self._only(key)
        for keys in self._lists():
            if listed in keys:
                keys.remove(listed)

    def change(self, key: Key, template: Template) -> Key:
        listed = self._only(key)
        self.destroy(key)
        on = {name for name, value in template.items() if value is True}
        off = {name for name, value in template.items() if value is False}
        label, key_id = template.get("label", key.identity.label), template.get("id", key.identity.key_id)
        identity = key.identity._replace(label=_raw(label), key_id=_raw(key_id))
        changed = replace(listed, identity=identity, attributes=(listed.attributes | on) - off)
        for keys in self._lists():
            keys.append(changed)
        return changed

    def probe(self) -> tuple[Tried, ...]:
        return (Tried("AES_CBC", "AES-256", "ok"), Tried("ECDH1_DERIVE", "P-256", "CKR_MECHANISM_INVALID"))

    def _only(self, key: Key) -> Key:
        """The object that a key means, by what identifies it alone."""
        found = [each for each in self._own if (each.identity, each.material) == (key.identity, key.material)]
        if len(found) != 1:
            raise DeviceError("the token refused", "no objects are what was meant", ckr="CKR_OBJECT_HANDLE_INVALID")
        return found[0]

    def describe(self) -> TokenFacts:
        mechanisms = tuple(
            MechanismInfo(number=number, name=name, least=None, most=None, uses=("sign", "encrypt", "wrap"))
            for number, name in enumerate(OFFERED)
        )
        return TokenFacts(
            label="hsm1",
            serial="0a1b2c3d",
            manufacturer="Marvell",
            model="NITROX",
            slot_id=1,
            firmware="5.9",
            library="Amazon",
            mechanisms=mechanisms,
        )


class FakeUses:
    """ports_key.TokenUses whose every output is a digest of the key's label and the data."""

    def __init__(self, objects: FakeObjects) -> None:
        self._objects = objects

    def use(self, how: str, key: Key, mechanism: Mechanism, data: bytes) -> Output:
        return Output(_digest(key, data), mechanism.iv)

    def verify(self, key: Key, mechanism: Mechanism, data: bytes, signature: bytes) -> bool:
        return signature == _digest(key, data)

    def mac(self, key: Key, mechanism: Mechanism, parts: Iterable[bytes]) -> bytes:
        return _digest(key, b"".join(parts))

    def wrap(self, by: Key, key: Key, mechanism: Mechanism) -> Output:
        return Output(_digest(by, key.identity.label))

    def unwrap(self, by: Key, data: bytes, mechanism: Mechanism, template: Template) -> Key:
        return self._objects.create(template)

    def derive(self, by: Key, mechanism: Mechanism, template: Template) -> Key:
        return self._objects.create({**template, "class": 4})

    def agree(self, by: Key, mechanism: Mechanism, size: int) -> bytes:
        return _digest(by, mechanism.public)[:size]


class FakeSpeed:
    """ports_key.TokenSpeed with a clock of its own, which begins with the first measurement."""

    def __init__(self) -> None:
        self.prepared: list[Bench] = []

    def prepare(self, bench: Bench) -> None:
        self.prepared.append(bench)

    def measure(self, bench: Bench, seconds: float, threads: int) -> Speed:
        assert self.prepared[-1] is bench
        return Speed(count=1000 * threads, began=100.0, seconds=seconds, latencies=(0.001, 0.001, 0.002))


def _digest(key: Key, data: bytes) -> bytes:
    return sha256(key.identity.label + data).digest()


def _fits(key: Key, template: Template) -> bool:
    number = next((number for number, each in CLASSES.items() if each is key.identity.object_class), -1)
    mine: Template = {"label": key.identity.label, "id": key.identity.key_id, "class": number}
    return all(mine.get(name, name in key.attributes) == value for name, value in template.items())


def _made(template: Template) -> Key:
    """An object of these values."""
    label, key_id = (_raw(template.get(name, b"")) for name in ("label", "id"))
    identity = Identity(CLASSES[_whole(template["class"])], key_id, label)
    return Key(
        identity=identity,
        key_type=KEY_TYPES.get(_whole(template.get("key_type", 0)), ""),
        bits=256,
        attributes=frozenset(name for name, value in template.items() if value is True),
        material=Material(MaterialKind.CHECK_VALUE, sha256(repr(sorted(template.items())).encode()).digest()[:3]),
    )


def _raw(value: Value) -> bytes:
    assert isinstance(value, bytes)
    return value


def _whole(value: Value) -> int:
    assert isinstance(value, int)
    return value
