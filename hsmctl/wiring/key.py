"""Puts key operations together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hsmctl.adapters.key_format import CryptographyFormats
    from hsmctl.domain.key import Key
    from hsmctl.domain.sync import Replica
    from hsmctl.ports import Clock, Journal, Login, Tokens
    from hsmctl.ports_hold import Holds
    from hsmctl.ports_sync import History
    from hsmctl.services.console import ConsoleService
    from hsmctl.services.key import KeyService
    from hsmctl.services.key_certificate import KeyCertificates
    from hsmctl.services.key_door import KeyDoor
    from hsmctl.services.key_services import KeyServices
    from hsmctl.services.sync import SyncService


def key_services(
    clock: Clock,
    tokens: Tokens,
    login: Callable[[Replica], Login],
    journal: Journal,
    guard: Callable[[], str | None],
    place: Callable[[str, str | None], Replica],
    console: Callable[[], ConsoleService],
    holds: Callable[[], Holds],
    history: Callable[[], History],
    key: Callable[[], KeyService],
    beside: Callable[[str], Sequence[Replica]],
) -> KeyServices:
    """Work on single keys; `guard` refuses what the context forbids, `place` finds a replica, `beside` a cluster's."""
    from hsmctl.adapters.key_format import CryptographyFormats
    from hsmctl.services.key_arrival import KeyArrival
    from hsmctl.services.key_attribute import KeyAttributes
    from hsmctl.services.key_bench import KeyBench
    from hsmctl.services.key_change import KeyChange
    from hsmctl.services.key_copy import KeyCopy
    from hsmctl.services.key_derive import KeyDerive
    from hsmctl.services.key_door import KeyDoor
    from hsmctl.services.key_lint import KeyLint
    from hsmctl.services.key_move import KeyMove
    from hsmctl.services.key_rotate import KeyRotate
    from hsmctl.services.key_services import KeyServices
    from hsmctl.services.key_transport import KeyTransport
    from hsmctl.services.key_use import KeyUse
    from hsmctl.wiring.sync import new_verifier

    door, formats = KeyDoor(clock=clock, tokens=tokens, login=login), CryptographyFormats()
    transport, attributes = KeyTransport(journal=journal), KeyAttributes(console=console, login=login)
    change = KeyChange(clock=clock, door=door, journal=journal, attributes=attributes, holds=holds, place=place)
    return KeyServices(
        bill=_bill(clock),
        door=door,
        formats=formats,
        use=KeyUse(door=door, formats=formats),
        derive=KeyDerive(door=door, journal=journal, guard=guard),
        move=KeyMove(door=door, journal=journal, formats=formats, transport=transport, guard=guard),
        copy=KeyCopy(clock=clock, door=door, transport=transport, verifier=new_verifier, place=place),
        arrival=KeyArrival(key=key, place=place, beside=beside),
        bench=KeyBench(door=door, journal=journal, guard=guard),
        lint=KeyLint(clock=clock, journal=journal, history=history, console=console, login=login),
        change=change,
        rotate=KeyRotate(door=door, journal=journal, change=change, key=key, place=place),
        certificates=_certificates(clock, door, formats),
    )


def _bill(clock: Clock) -> Callable[[str, Sequence[Key]], bytes]:
    """Writes the bill of a token's keys; its library is imported by whoever asks for one."""

    def bill(token: str, keys: Sequence[Key]) -> bytes:
        from hsmctl.adapters.key_bill import bill_of_keys

        return bill_of_keys(token, keys, clock.now())

    return bill


def _certificates(clock: Clock, door: KeyDoor, formats: CryptographyFormats) -> KeyCertificates:
    from hsmctl.adapters.key_certificate import CryptographyCertificates
    from hsmctl.services.key_certificate import KeyCertificates

    return KeyCertificates(door=door, formats=formats, maker=CryptographyCertificates(clock))


def key_service(
    clock: Clock,
    tokens: Tokens,
    login: Callable[[Replica], Login],
    journal: Journal,
    guard: Callable[[], str | None],
    sync: SyncService,
) -> KeyService:
    """Making keys, and seeing them on every HSM."""
    from hsmctl.services.key import KeyService

    return KeyService(clock=clock, tokens=tokens, login=login, sync=sync, journal=journal, guard=guard)
