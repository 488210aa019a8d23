"""Proves the address arithmetic: longest-prefix match as a naive search has it, atoms disjoint, covering and uncut."""

from __future__ import annotations

import ipaddress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsmctl.domain.net_cidr import WIDTH, Address, Cidr, PrefixMap, TooFragmentedError, atoms, collapse

FAMILIES = st.sampled_from([4, 6])


@st.composite
def cidrs(draw: st.DrawFn, families: st.SearchStrategy[int] = FAMILIES) -> Cidr:
    """Prefixes that often nest: few different high bits, any length."""
    family = draw(families)
    width = WIDTH[family]
    bits = draw(st.integers(0, width))
    value = draw(st.sampled_from([0, 10, 192])) << (width - 8) | draw(st.integers(0, 2 ** (width - 8) - 1))
    return Cidr(family, value >> (width - bits) << (width - bits), bits)


@st.composite
def addresses(draw: st.DrawFn) -> Address:
    """Addresses near those prefixes."""
    family = draw(FAMILIES)
    width = WIDTH[family]
    return Address(
        family, draw(st.sampled_from([0, 10, 192])) << (width - 8) | draw(st.integers(0, 2 ** (width - 8) - 1))
    )


@given(cidrs())
def test_a_prefix_reads_what_it_writes(cidr: Cidr) -> None:
    assert Cidr.parse(str(cidr)) == cidr
    assert Address.parse(str(cidr.address)) == cidr.address


@given(cidrs(), addresses())
def test_containment_is_that_of_the_standard_library(cidr: Cidr, address: Address) -> None:
    expected = ipaddress.ip_address(str(address)) in ipaddress.ip_network(str(cidr))
    assert cidr.holds(address) is expected


@given(cidrs(st.just(4)), cidrs(st.just(4)))
def test_covering_and_overlap_are_those_of_the_standard_library(one: Cidr, other: Cidr) -> None:
    first, second = ipaddress.IPv4Network(str(one)), ipaddress.IPv4Network(str(other))
    assert one.covers(other) is second.subnet_of(first)
    assert one.overlaps(other) is first.overlaps(second)


@given(st.lists(cidrs(), max_size=30), addresses())
def test_longest_prefix_match_is_what_a_naive_search_finds(prefixes: list[Cidr], address: Address) -> None:
    found = list(PrefixMap((cidr, index) for index, cidr in enumerate(prefixes)).matches(address))
    naive = [(cidr, index) for index, cidr in enumerate(prefixes) if cidr.holds(address)]
    assert found == sorted(naive, key=lambda match: (-match[0].bits, match[1]))


@given(cidrs(), st.lists(cidrs(), max_size=12))
def test_atoms_are_disjoint_cover_the_range_and_are_cut_by_nothing(cidr: Cidr, boundaries: list[Cidr]) -> None:
    parts = atoms(cidr, boundaries)
    assert collapse(parts) == (cidr,)
    assert sum(1 << (WIDTH[cidr.family] - part.bits) for part in parts) == 1 << (WIDTH[cidr.family] - cidr.bits)
    assert list(parts) == sorted(parts, key=lambda part: part.first)
    for part in parts:
        assert all(boundary.covers(part) or not boundary.overlaps(part) for boundary in boundaries)


@given(cidrs(), st.lists(cidrs(), max_size=12))
def test_atoms_are_the_fewest(cidr: Cidr, boundaries: list[Cidr]) -> None:
    parts = atoms(cidr, boundaries)
    for part, following in pairwise(parts):
        together = Cidr(part.family, part.first, part.bits - 1)
        if part.bits == following.bits and together.halves() == (part, following):
            assert any(boundary.overlaps(together) and not boundary.covers(together) for boundary in boundaries)


def test_a_wide_range_falls_into_few_atoms() -> None:
    ten, one, other = Cidr.parse("10.0.0.0/8"), Cidr.parse("10.1.0.0/16"), Cidr.parse("10.200.0.0/16")
    assert len(atoms(ten, [one, one])) == 9
    assert len(atoms(ten, [one, other])) == 16


def test_too_many_atoms_are_refused() -> None:
    with pytest.raises(TooFragmentedError):
        atoms(Cidr.parse("10.0.0.0/8"), [Cidr.parse(f"10.0.0.{host}/32") for host in range(0, 256, 2)], limit=100)
