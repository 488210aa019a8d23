"""What fills in the forms of the command line; who opens the screens has it, they know only how it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from hsmctl.errors import Conflict

if TYPE_CHECKING:
    from hsmctl.bootstrap import Hsmctl
    from hsmctl.domain.form import Answer, Filled, Form


class Forms(Protocol):
    """The commands of the command line as forms."""

    def form(self, path: Sequence[str]) -> Form:
        """The form of a command, such as `key generate`.

        Raises:
            Conflict: there is no such command.
        """
        ...

    def fill(self, facade: Hsmctl, form: Form, filled: Filled) -> Answer:
        """What the command answers over this façade; it may take as long as the command does.

        Raises:
            HsmctlError: as the command itself.
        """
        ...


class NoForms:
    """No command at all."""

    def form(self, path: Sequence[str]) -> Form:
        """Refuse."""
        raise Conflict(" ".join(path), "there are no forms here", f"hsmctl {' '.join(path)} --help")

    def fill(self, facade: Hsmctl, form: Form, filled: Filled) -> Answer:  # noqa: ARG002 - what it would take
        """Refuse."""
        raise Conflict(" ".join(form.path), "there are no forms here", f"hsmctl {' '.join(form.path)} --help")
