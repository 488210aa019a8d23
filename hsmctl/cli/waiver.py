"""The interlocks that may be overridden, each by its own option with a reason; there is no option for all."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

import click

from hsmctl.domain.interlock import Interlock

OPTIONS: Mapping[str, tuple[Interlock, ...]] = {
    "--allow-outage": (Interlock.SIZE,),
    "--allow-single-az": (Interlock.ZONES,),
    "--allow-unequal": (Interlock.COUNTS, Interlock.RICHEST),
    "--allow-degraded": (Interlock.HEALTHY,),
    "--allow-old-backup": (Interlock.BACKUP,),
    "--allow-no-backup": (Interlock.RESTORABLE,),
}
"""By option, what it waives; each interlock names the same option as its `waiver`."""
_SAYS: Mapping[str, str] = {
    "--allow-outage": "Go below two HSMs.",
    "--allow-single-az": "Leave HSMs in one Availability Zone only.",
    "--allow-unequal": "Although the counts of token keys differ, or are unknown.",
    "--allow-degraded": "Add although an HSM is degraded or unhealthy.",
    "--allow-old-backup": "Although no READY backup is fresh.",
    "--allow-no-backup": "Although no READY backup remains.",
}


def waives(*options: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Give a command these options; it gets what they waive as `waivers`, each with the operator's reason."""

    def declare(function: Callable[..., int]) -> Callable[..., int]:
        @functools.wraps(function)
        def call(*values: object, **named: object) -> int:
            typed = {option: str(named.pop(option[2:].replace("-", "_")) or "") for option in options}
            waivers = {key: reason for option, reason in typed.items() if reason for key in OPTIONS[option]}
            return function(*values, waivers=waivers, **named)

        for option in reversed(options):
            click.option(option, metavar="REASON", help=_SAYS[option])(call)
        return call

    return declare
