"""Puts together what reaches clusters through cloudhsm-cli on client hosts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hsmctl.settings import Context

if TYPE_CHECKING:
    from hsmctl.ports import Clock
    from hsmctl.ports_cli import Consoles
    from hsmctl.services.console import ConsoleService
    from hsmctl.services.user import UserService

_LOGIN_SECONDS = 160.0
"""How long one login of a user keeps the next one waiting: a refusal must be known before another try."""


def consoles(context: Context, clock: Clock, state_folder: Path) -> Consoles:
    """The client hosts of the context that have cloudhsm-cli, this machine among them where the context says so."""
    from hsmctl.adapters.breaker import FileBreaker
    from hsmctl.adapters.console import CliConsoles
    from hsmctl.adapters.machine import Machines
    from hsmctl.adapters.ssh_config import SshAddress

    entries = [entry for entry in context.clients if entry.host]
    addresses = {entry.name: SshAddress(host=entry.host, user=entry.user, port=entry.port) for entry in entries}
    breaker = FileBreaker(state_folder, clock, turn=_LOGIN_SECONDS)
    return CliConsoles(Machines(addresses, context.ssh_config), context.clients, breaker.gate, clock)


def console_service(consoles: Consoles) -> ConsoleService:
    """Which client host speaks."""
    from hsmctl.services.console import ConsoleService

    return ConsoleService(consoles=consoles)


def user_service(console: ConsoleService) -> UserService:
    """Users of clusters."""
    from hsmctl.services.user import UserService

    return UserService(console=console)
