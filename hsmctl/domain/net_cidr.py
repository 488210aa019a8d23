"""IP addresses and prefixes as integers: containment, longest-prefix match, and the splitting of a range into atoms.

It knows nothing of AWS. `ipaddress` parses and prints; the arithmetic is on integers because a matrix of 32 HSMs
asks for containment some hundred thousand times.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar

T = TypeVar("T")

WIDTH = {4: 32, 6: 128}
"""Bits of an address, by family."""


class TooFragmentedError(ValueError):
    """A range falls into more atoms than anybody would evaluate."""


@dataclass(frozen=True, slots=True)
class Address:
    """One IP address."""

    family: int
    value: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """The address this text writes.

        Raises:
            ValueError: it is not an IP address.
        """
        return _parse_address(text)

    @property
    def host(self) -> Cidr:
        """The prefix that holds this address alone."""
        return Cidr(self.family, self.value, WIDTH[self.family])

    def __str__(self) -> str:
        return str(_ip(self.family, self.value))


@dataclass(frozen=True, slots=True)
class Cidr:
    """A prefix: the addresses that share the first `bits` bits with `first`."""

    family: int
    first: int
    bits: int

    @classmethod
    def parse(cls, text: str) -> Cidr:
        """The prefix this text writes; bits beyond its length are cleared, as EC2 does.

        Raises:
            ValueError: it is not a prefix.
        """
        return _parse_cidr(text)

    @property
    def address(self) -> Address:
        """The first address, which stands for the whole prefix where every address is treated alike."""
        return Address(self.family, self.first)

    def holds(self, address: Address) -> bool:
        """Whether the address lies inside."""
        return address.family == self.family and (address.value ^ self.first) >> (WIDTH[self.family] - self.bits) == 0

    def covers(self, other: Cidr) -> bool:
        """Whether the other prefix is equal to this one or inside it."""
        return self.bits <= other.bits and self.holds(other.address)

    def overlaps(self, other: Cidr) -> bool:
        """Whether the two share an address."""
        return self.covers(other) or other.covers(self)

    def halves(self) -> tuple[Cidr, Cidr]:
        """The two prefixes one bit longer that make up this one."""
        step = 1 << (WIDTH[self.family] - self.bits - 1)
        return Cidr(self.family, self.first, self.bits + 1), Cidr(self.family, self.first + step, self.bits + 1)

    def __str__(self) -> str:
        return f"{_ip(self.family, self.first)}/{self.bits}"


class PrefixMap(Generic[T]):
    """Values filed under prefixes and found by address, longest prefix first."""

    def __init__(self, items: Iterable[tuple[Cidr, T]]) -> None:
        self._filed: dict[tuple[int, int, int], list[tuple[Cidr, T]]] = {}
        for cidr, value in items:
            self._filed.setdefault((cidr.family, cidr.bits, cidr.first), []).append((cidr, value))
        self._lengths = sorted({(family, bits) for family, bits, _ in self._filed}, reverse=True)

    def prefixes(self) -> Iterator[Cidr]:
        """Every prefix something is filed under."""
        return (cidr for filed in self._filed.values() for cidr, _ in filed)

    def matches(self, address: Address) -> Iterator[tuple[Cidr, T]]:
        """Every entry whose prefix holds the address; the longest prefix first, equal ones as they were filed."""
        for family, bits in self._lengths:
            if family == address.family:
                spare = WIDTH[family] - bits
                yield from self._filed.get((family, bits, address.value >> spare << spare), ())


def atoms(cidr: Cidr, boundaries: Iterable[Cidr], limit: int = 4096) -> tuple[Cidr, ...]:
    """The largest prefixes that make up `cidr` without any boundary cutting one: disjoint, covering, in order.

    Raises:
        TooFragmentedError: there would be more than `limit`.
    """
    pending = [(cidr, _inside(cidr, list(set(boundaries))))]
    done: list[Cidr] = []
    while pending:
        block, cuts = pending.pop()
        if cuts:
            pending.extend((half, _inside(half, cuts)) for half in reversed(block.halves()))
            continue
        done.append(block)
        if len(done) > limit:
            raise TooFragmentedError(f"more than {limit} parts")
    return tuple(done)


def collapse(cidrs: Iterable[Cidr]) -> tuple[Cidr, ...]:
    """The fewest prefixes that hold the same addresses."""
    texts = [str(cidr) for cidr in cidrs]
    four = ipaddress.collapse_addresses([ipaddress.IPv4Network(text) for text in texts if ":" not in text])
    six = ipaddress.collapse_addresses([ipaddress.IPv6Network(text) for text in texts if ":" in text])
    return tuple(_parse_cidr(str(network)) for network in (*four, *six))


def _inside(block: Cidr, cuts: list[Cidr]) -> list[Cidr]:
    return [cut for cut in cuts if block.covers(cut) and cut != block]


@lru_cache(maxsize=65536)
def _parse_cidr(text: str) -> Cidr:
    network = ipaddress.ip_network(text, strict=False)
    return Cidr(network.version, int(network.network_address), network.prefixlen)


@lru_cache(maxsize=65536)
def _parse_address(text: str) -> Address:
    parsed = ipaddress.ip_address(text)
    return Address(parsed.version, int(parsed))


def _ip(family: int, value: int) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.IPv4Address(value) if family == 4 else ipaddress.IPv6Address(value)
