"""The other contexts and regions one can work in; who opens the screens knows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from hsmctl.bootstrap import Hsmctl
from hsmctl.errors import Conflict


class Elsewhere(Protocol):
    """Contexts and regions by name."""

    def contexts(self) -> Sequence[str]:
        """The names of the contexts."""
        ...

    def regions(self) -> Sequence[str]:
        """The regions that contexts name; any other can be typed."""
        ...

    def open(self, context: str | None, region: str | None) -> Hsmctl:
        """The façade over another context or region, of which None is the one at hand.

        Raises:
            HsmctlError: it makes no sense, or there is none of this name.
        """
        ...


class Nowhere:
    """Nothing else than what is at hand."""

    def contexts(self) -> Sequence[str]:
        """None."""
        return ()

    def regions(self) -> Sequence[str]:
        """None."""
        return ()

    def open(self, context: str | None, region: str | None) -> Hsmctl:
        """Refuse."""
        raise Conflict(context or region or "nothing", "there is nothing else to work in", "hsmctl config show")
