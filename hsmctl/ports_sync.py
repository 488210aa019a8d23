"""What the comparison of replicas asks of the world beside tokens."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from hsmctl.domain.key import Identity
from hsmctl.domain.sync_history import Past


class History(Protocol):
    """The checks made on this machine."""

    def record(self, check: Past, keys: frozenset[Identity]) -> None:
        """Remember a check and the keys it saw.

        Raises:
            Unreachable: it cannot be written now.
            Conflict: it is of a newer hsmctl.
        """
        ...

    def checks(self, scope: str | None, since: datetime) -> tuple[Past, ...]:
        """The checks of a scope, or of all, oldest first.

        Raises:
            Unreachable: it cannot be read now.
            Conflict: it is of a newer hsmctl.
        """
        ...

    def appeared(self, scope: str) -> Mapping[Identity, datetime]:
        """When keys appeared that an earlier check of this scope did not see; older keys are not among them.

        Raises:
            Unreachable: it cannot be read now.
            Conflict: it is of a newer hsmctl.
        """
        ...

    def sighted(self, scope: str) -> Mapping[Identity, datetime]:
        """When the keys of this scope that are still there were first seen; they may be older.

        Raises:
            Unreachable: it cannot be read now.
            Conflict: it is of a newer hsmctl.
        """
        ...
