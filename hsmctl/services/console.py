"""Reaching a cluster through cloudhsm-cli: which client host of the context speaks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from hsmctl.errors import Conflict, Unreachable
from hsmctl.ports_cli import Console, Consoles


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleService:
    """Client hosts with cloudhsm-cli."""

    consoles: Consoles

    @contextmanager
    def open(self, cluster_id: str, host: str | None = None) -> Iterator[Console]:
        """cloudhsm-cli of this host, or of the first of the context that answers.

        Raises:
            Conflict: the context has no client host, or this one has no cloudhsm-cli.
            Unreachable: none answered.
            Denied: a host key or a login was refused; no other host is tried then.
        """
        names = (host,) if host else self.consoles.names()
        if not names:
            raise Conflict(
                "no client host",
                "users, quorum and policies of a cluster are behind cloudhsm-cli",
                "add [[context.NAME.clients]] with host = …, or one called local for this machine",
            )
        with ExitStack() as stack:
            yield self._first(stack, names, cluster_id)

    def speaker(self, cluster_id: str) -> str:
        """The first client host of the context that answers; for what it raises see `open`."""
        with self.open(cluster_id) as console:
            return console.host

    def _first(self, stack: ExitStack, names: tuple[str, ...], cluster_id: str) -> Console:
        """The first console that opens; whoever is not there is passed over while others are left."""
        *others, last = names
        for name in others:
            try:
                return stack.enter_context(self.consoles.open(name, cluster_id))
            except (Unreachable, Conflict):
                continue
        return stack.enter_context(self.consoles.open(last, cluster_id))
