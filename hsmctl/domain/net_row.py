"""Reading the rows of a snapshot: JSON objects whose shape nobody promises.

A key that is absent or null is absent; a value of the wrong type is an error that names its place and its type,
never its text, which may be a secret. What an absence means is not decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from hsmctl.domain.net_cidr import Address, Cidr
from hsmctl.errors import UsageError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Row:
    """A JSON object and the place it came from."""

    value: Mapping[str, object]
    place: str

    def has(self, key: str) -> bool:
        """Whether the key is there with a value other than null."""
        return self.value.get(key) is not None

    def text(self, key: str) -> str:
        """The text under the key, "" where absent."""
        return self._typed(key, str, "text") or ""

    def need(self, key: str) -> str:
        """The text under a key that must be there."""
        found = self.text(key)
        if not found:
            raise malformed(self.place, f"it has no {key}")
        return found

    def number(self, key: str) -> int | None:
        """The whole number under the key, or None."""
        found = self.value.get(key)
        return None if found is None else _number_of(found, f"{self.place}.{key}")

    def flag(self, key: str) -> bool | None:
        """The truth value under the key, or None."""
        return self._typed(key, bool, "true or false")

    def row(self, key: str) -> Row:
        """The object under the key, an empty one where absent."""
        found = self.value.get(key)
        return row_of({} if found is None else found, f"{self.place}.{key}")

    def rows(self, key: str) -> tuple[Row, ...]:
        """The objects of the list under the key."""
        return tuple(row_of(value, place) for value, place in self._items(key))

    def need_rows(self, key: str) -> tuple[Row, ...]:
        """The objects of a list that must be there, be it empty."""
        if not self.has(key):
            raise malformed(self.place, f"it has no {key}")
        return self.rows(key)

    def texts(self, key: str) -> tuple[str, ...]:
        """The texts of the list under the key."""
        return tuple(_text_of(value, place) for value, place in self._items(key))

    def numbers(self, key: str) -> tuple[int, ...]:
        """The whole numbers of the list under the key."""
        return tuple(_number_of(value, place) for value, place in self._items(key))

    def cidr(self, key: str) -> Cidr | None:
        """The prefix under the key, or None."""
        return self._parsed(key, Cidr.parse, "a prefix")

    def need_texts(self, key: str) -> tuple[str, ...]:
        """The texts of a list that must be there, be it empty."""
        if not self.has(key):
            raise malformed(self.place, f"it has no {key}")
        return self.texts(key)

    def need_cidr(self, key: str) -> Cidr:
        """The prefix under a key that must be there."""
        return _parse(self.need(key), Cidr.parse, "a prefix", f"{self.place}.{key}")

    def address(self, key: str) -> Address | None:
        """The address under the key, or None."""
        return self._parsed(key, Address.parse, "an address")

    def cidrs(self, key: str, member: str) -> tuple[Cidr, ...]:
        """The prefixes under `member` of each object of the list under the key."""
        return tuple(row.need_cidr(member) for row in self.rows(key))

    def _typed(self, key: str, kind: type[T], name: str) -> T | None:
        found = self.value.get(key)
        if found is None or isinstance(found, kind):
            return found
        raise malformed(f"{self.place}.{key}", f"it is {type(found).__name__}, not {name}")

    def _parsed(self, key: str, parse: Callable[[str], T], name: str) -> T | None:
        text = self.text(key)
        return _parse(text, parse, name, f"{self.place}.{key}") if text else None

    def _items(self, key: str) -> tuple[tuple[object, str], ...]:
        found = self.value.get(key)
        if found is None:
            return ()
        if not isinstance(found, Sequence) or isinstance(found, str):
            raise malformed(f"{self.place}.{key}", f"it is {type(found).__name__}, not a list")
        return tuple((item, f"{self.place}.{key}[{index}]") for index, item in enumerate(found))


def row_of(value: object, place: str) -> Row:
    """A value that must be a JSON object.

    Raises:
        UsageError: it is something else.
    """
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise malformed(place, f"it is {type(value).__name__}, not an object")
    return Row(value, place)


def malformed(place: str, why: str) -> UsageError:
    """The error about a value that no describe_* answer holds."""
    return UsageError(f"malformed snapshot at {place}", why, "hsmctl net collect -o FILE")


def _text_of(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise malformed(place, f"it is {type(value).__name__}, not text")
    return value


def _number_of(value: object, place: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise malformed(place, f"it is {type(value).__name__}, not a number")
    return value


def _parse(text: str, parse: Callable[[str], T], name: str, place: str) -> T:
    try:
        return parse(text)
    except ValueError:
        raise malformed(place, f"it is not {name}") from None
