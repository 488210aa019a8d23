"""Key operations over a conversation with a token agent: values in, frames out, values back.

Knows the agent's operations by name. Refuses to know transports, and to try again what may have changed something.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hsmctl.domain.key import CLASSES, Key, ObjectClass
from hsmctl.domain.key_bench import Bench
from hsmctl.domain.mechanism import Mechanism, MechanismInfo, Output, Speed, TokenFacts, Tried
from hsmctl.errors import Conflict
from hsmctl.ports_key import Template

Ask = Callable[[str, Mapping[str, object]], Mapping[str, Any]]
"""The one answer to a request."""
ReadKeys = Callable[[Mapping[str, Any]], tuple[Key, ...]]
"""The keys that an answer lists."""
_NUMBERS = {object_class: number for number, object_class in CLASSES.items()}


class AgentObjects:
    """The port TokenObjects."""

    def __init__(self, ask: Ask, keys: ReadKeys) -> None:
        self._ask = ask
        self._keys = keys

    def find(self, template: Template) -> tuple[Key, ...]:
        """The token objects with all of these attributes."""
        return self._keys(self._ask("find", {"template": on_wire(template)}))

    def values(self, key: Key) -> Mapping[str, bytes]:
        """The public values of an object."""
        answer = self._ask("read", {"key": reference(key)})
        return {name: bytes.fromhex(value) for name, value in answer["values"].items()}

    def create(self, template: Template) -> Key:
        """A new token object with these values."""
        return self._one("create", {"template": on_wire(template)})

    def destroy(self, key: Key) -> None:
        """Destroy this object."""
        self._ask("destroy", {"key": reference(key)})

    def change(self, key: Key, template: Template) -> Key:
        """The object with other attributes."""
        return self._one("change", {"key": reference(key), "template": on_wire(template)})

    def describe(self) -> TokenFacts:
        """What the token is and offers."""
        raw = self._ask("token", {})
        mechanisms = tuple(MechanismInfo(**{**each, "uses": tuple(each["uses"])}) for each in raw["mechanisms"])
        facts = {name: raw[name] for name in TokenFacts.__dataclass_fields__ if name != "mechanisms"}
        return TokenFacts(**facts, mechanisms=mechanisms)

    def probe(self) -> tuple[Tried, ...]:
        """Every mechanism that hsmctl uses, tried once."""
        return tuple(Tried(each["mechanism"], each["on"], each["ended"]) for each in self._ask("probe", {})["tried"])

    def _one(self, op: str, args: Mapping[str, object]) -> Key:
        return self._keys(self._ask(op, args))[0]


class AgentUses:
    """The port TokenUses."""

    def __init__(self, ask: Ask, keys: ReadKeys) -> None:
        self._ask = ask
        self._keys = keys

    def use(self, how: str, key: Key, mechanism: Mechanism, data: bytes) -> Output:
        """What the key makes of data."""
        named = {"key": reference(key), "mechanism": _mechanism(mechanism)}
        return _output(self._ask("use", {**named, "how": how, "data": data.hex()}))

    def verify(self, key: Key, mechanism: Mechanism, data: bytes, signature: bytes) -> bool:
        """Whether the key made this signature of data."""
        named = {"key": reference(key), "mechanism": _mechanism(mechanism)}
        return bool(self._ask("verify", {**named, "data": data.hex(), "signature": signature.hex()})["fits"])

    def mac(self, key: Key, mechanism: Mechanism, parts: Iterable[bytes]) -> bytes:
        """The signature or MAC over data that arrives in parts."""
        self._ask("mac-begin", {"key": reference(key), "mechanism": _mechanism(mechanism)})
        for part in parts:
            self._ask("mac-update", {"data": part.hex()})
        return bytes.fromhex(self._ask("mac-end", {})["data"])

    def wrap(self, by: Key, key: Key, mechanism: Mechanism) -> Output:
        """A key, wrapped by another."""
        named = {"by": reference(by), "key": reference(key)}
        return _output(self._ask("wrap", {**named, "mechanism": _mechanism(mechanism)}))

    def unwrap(self, by: Key, data: bytes, mechanism: Mechanism, template: Template) -> Key:
        """A new token key out of wrapped data."""
        wanted, named = dict(template), {"by": reference(by), "mechanism": _mechanism(mechanism)}
        kind = {"class": wanted.pop("class"), "key_type": wanted.pop("key_type")}
        return self._keys(self._ask("unwrap", {**named, **kind, "data": data.hex(), "template": on_wire(wanted)}))[0]

    def derive(self, by: Key, mechanism: Mechanism, template: Template) -> Key:
        """A new secret token key."""
        wanted, named = dict(template), {"by": reference(by), "mechanism": _mechanism(mechanism)}
        kind = {"key_type": wanted.pop("key_type"), "bits": wanted.pop("bits")}
        return self._keys(self._ask("derive", {**named, **kind, "template": on_wire(wanted)}))[0]

    def agree(self, by: Key, mechanism: Mechanism, size: int) -> bytes:
        """A derived secret in the clear."""
        named = {"by": reference(by), "mechanism": _mechanism(mechanism)}
        return bytes.fromhex(self._ask("derive", {**named, "key_type": 0x10, "bits": 8 * size, "value": True})["data"])


class AgentSpeed:
    """The port TokenSpeed."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._handle = 0

    def prepare(self, bench: Bench) -> None:
        """Make the session key."""
        self._handle = self._ask("bench-key", {"kind": bench.kind, "size": bench.size})["handle"]

    def measure(self, bench: Bench, seconds: float, threads: int) -> Speed:
        """Use it again and again."""
        how = {"how": bench.how, "mechanism": _mechanism(bench.mechanism), "data": bytes(bench.bytes).hex()}
        raw = self._ask("bench", {**how, "handle": self._handle, "seconds": seconds, "threads": threads})
        return Speed(count=raw["count"], began=raw["began"], seconds=raw["seconds"], latencies=tuple(raw["latencies"]))


def reference(key: Key) -> dict[str, object]:
    """The object on the wire, as the agent finds exactly one.

    Raises:
        Conflict: it is of a class that hsmctl does not act on.
    """
    if key.identity.object_class is ObjectClass.OTHER:
        raise Conflict(f"{key.identity}", "hsmctl does not know what this object is", "hsmctl key show")
    material = key.material and {"kind": key.material.kind.value, "digest": key.material.digest.hex()}
    return {
        "class": _NUMBERS[key.identity.object_class],
        "id": key.identity.key_id.hex(),
        "label": key.identity.label.hex(),
        "material": material,
    }


def on_wire(template: Template) -> dict[str, bool | int | str]:
    """Attributes as they travel: bytes in hex."""
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in template.items()}


def _mechanism(mechanism: Mechanism) -> dict[str, object]:
    return {
        "name": mechanism.name,
        "hash": mechanism.hash,
        "salt": mechanism.salt,
        "iv": mechanism.iv.hex(),
        "aad": mechanism.aad.hex(),
        "tag_bits": mechanism.tag_bits,
        "public": mechanism.public.hex(),
        "aes_bits": mechanism.aes_bits,
        "seasoning": mechanism.seasoning.hex(),
        "info": mechanism.info.hex(),
    }


def _output(answer: Mapping[str, Any]) -> Output:
    return Output(bytes.fromhex(answer["data"]), bytes.fromhex(answer.get("iv", "")))
