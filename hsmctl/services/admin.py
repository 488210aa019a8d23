"""Acting as an admin: logging in, having the change approved where a quorum asks for it, and doing it, in one go."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

from hsmctl.domain.plan import Step
from hsmctl.domain.quorum import Service
from hsmctl.domain.user import Role
from hsmctl.ports import Login
from hsmctl.ports_cli import Approval, ConsoleSession, Factor, SigningKeys
from hsmctl.secret import Secret
from hsmctl.services.approval import Approvals, Request
from hsmctl.services.console import ConsoleService

Act = Callable[[ConsoleSession, Approval | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Admins:
    """Logs admins in for the steps of plans; their passwords are only ever asked for."""

    console: ConsoleService
    approvals: Approvals
    keys: SigningKeys
    ask: Callable[[str], Secret]

    def act(self, step: Step, service: Service | None, act: Act) -> Generator[str, None, None]:
        """Do it as the step's admin; yields what is waited for. Without a service nobody has to approve.

        Raises:
            Denied: the login is refused, or approval is needed and cannot be asked for.
            Unreachable: nobody answered, or nobody approved; whether a change that was cut off happened is not known.
        """
        inputs = step.inputs
        login = Login(inputs["admin"], self.ask(f"password of {inputs['admin']}"))
        factor = self._factor(inputs["admin_key"])
        with self.console.open(inputs["cluster_id"], inputs["host"] or None) as console:
            yield f"logging in as {login.user} on {console.host}"
            with console.login(login, Role.ADMIN, factor) as session:
                approval = None
                if service is not None:
                    approval = yield from self.approvals.collect(console, session, _request(step, service))
                act(session, approval)

    def _factor(self, key: str) -> Factor | None:
        """The admin's second factor, where a key was named."""
        return self.keys.open(key, lambda: self.ask(f"passphrase of {key}")) if key else None


def _request(step: Step, service: Service) -> Request:
    return Request(
        cluster_id=step.inputs["cluster_id"],
        service=service,
        says=step.says,
        asked_by=step.inputs["admin"],
        path=step.inputs["bundle"],
    )
