"""What a pasted text means: return values of PKCS#11 by name or number, messages of cloudhsm-cli, lines of SDK logs.

Knows only what the catalogues know. A text in which nothing is known gets no explanation, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from hsmctl.domain.ckr import NAMES, VENDOR_DEFINED, meaning
from hsmctl.domain.message import known

_NUMBERS = {name: number for number, name in NAMES.items()}
_NAME = re.compile(r"\bCKR_[A-Z0-9_]+\b")
_HEX = re.compile(r"\b0x[0-9a-fA-F]{1,16}\b")
_BARE = re.compile(r"\d{1,10}")
_WRAPPED = re.compile(r"\b(?:rv|ret|error code|returned|failed with)\b\D{0,4}(\d{1,10})\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What one part of a text means."""

    found: str
    """The part that was recognised."""
    source: str
    """Who says such a thing: pkcs11, cloudhsm-cli or sdk log."""
    means: str
    next: str
    page: str
    """Where it is documented; `measured` where it is not."""


def explain(text: str) -> tuple[Explanation, ...]:
    """Everything that is known about a text, messages first; empty where nothing is."""
    said = tuple(
        Explanation(found=entry.text, source=entry.where, means=entry.means, next=entry.next, page=entry.page)
        for entry in known(text)
    )
    return (*said, *map(_return_value, dict.fromkeys(_return_values(text))))


def _return_values(text: str) -> Iterator[str]:
    """The names of the return values in a text; a number counts where it can be nothing else."""
    yield from (found for found in _NAME.findall(text) if found in _NUMBERS)
    numbers = [int(found, 16) for found in _HEX.findall(text)]
    numbers += [int(found) for found in _WRAPPED.findall(text)]
    if _BARE.fullmatch(text.strip()):
        numbers.append(int(text))
    yield from (NAMES[number] for number in numbers if number in NAMES)
    yield from (f"CKR_VENDOR_DEFINED + 0x{number - VENDOR_DEFINED:X}" for number in numbers if _is_vendor(number))


def _return_value(name: str) -> Explanation:
    means, step = meaning(name)
    number = _NUMBERS.get(name)
    shown = name if number is None else f"{name} (0x{number:03X})"
    return Explanation(found=shown, source="pkcs11", means=means, next=step, page="PKCS#11 2.40, 5.1")


def _is_vendor(number: int) -> bool:
    return VENDOR_DEFINED <= number < 2 * VENDOR_DEFINED
