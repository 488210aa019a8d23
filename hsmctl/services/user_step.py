"""How each step of a change of users is carried out, and how it is told whether one that was cut off happened."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from hsmctl.domain.operation import Found
from hsmctl.domain.plan import Action, Step
from hsmctl.domain.quorum import Service
from hsmctl.domain.user import FULL, HsmUser, Role, check_password
from hsmctl.errors import Partial, UsageError
from hsmctl.ports import Clock
from hsmctl.ports_cli import Approval, ConsoleSession, SigningKeys
from hsmctl.secret import Secret
from hsmctl.services.admin import Admins
from hsmctl.services.operation import Runner
from hsmctl.services.wait import Wait

AGAIN = timedelta(minutes=15)
"""When coverage is looked at once more: an HSM that joined meanwhile has the users of a snapshot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSteps:
    """Runs the steps of user plans."""

    clock: Clock
    admins: Admins
    keys: SigningKeys
    ask: Callable[[str], Secret]
    """Prompts for a secret, once a run."""

    def runners(self) -> Mapping[Action, Runner]:
        """The runner of each action this service knows."""
        return {
            Action.CREATE_USER: Runner(self._create, self._created),
            Action.DELETE_USER: Runner(self._delete, self._deleted),
            # Whether a password is the new one cannot be seen; setting it again is harmless.
            Action.CHANGE_PASSWORD: Runner(self._change_password, lambda _, __: None),
            Action.ENROL_MFA: Runner(self._enrol, self._enrolled),
            Action.REMOVE_MFA: Runner(self._disenrol, self._disenrolled),
            Action.CHECK_USER: Runner(self._check),
        }

    def _create(self, step: Step, _: Found) -> Wait[Found]:
        name, role = step.inputs["name"], Role(step.inputs["role"])
        if step.inputs.get("current") or self._user(step) is not None:
            yield f"{name} is on some HSMs: the others get it with the same password, and no other"
            password = self.ask(f"current password of {name}")
        else:
            password = self._new_password(name)
        yield from self._approved(step, lambda session, approval: session.create_user(name, role, password, approval))
        return {"user": name}

    def _created(self, step: Step, _: Found) -> Found | None:
        """The user, if every HSM has it; else it is made once more, which mends what is half done."""
        user = self._user(step)
        return {"user": user.name} if user and user.coverage == FULL else None

    def _delete(self, step: Step, _: Found) -> Wait[Found]:
        name, role = step.inputs["name"], step.inputs["role"]
        yield from self._approved(step, lambda session, approval: session.delete_user(name, role, approval))
        return {}

    def _deleted(self, step: Step, _: Found) -> Found | None:
        user = self._user(step)
        return {} if user is None or user.role not in (step.inputs["role"], "inconsistent") else None

    def _change_password(self, step: Step, _: Found) -> Wait[Found]:
        name, role, password = step.inputs["name"], Role(step.inputs["role"]), self._new_password(step.inputs["name"])
        yield from self._approved(
            step, lambda session, approval: session.change_password(name, role, password, approval)
        )
        return {"user": name}

    def _enrol(self, step: Step, _: Found) -> Wait[Found]:
        name, role = step.inputs["name"], Role(step.inputs["role"])
        factor = self.keys.open(step.inputs["key"], lambda: self.ask(f"passphrase of {step.inputs['key']}"))
        password = self.ask(f"password of {name}")
        yield from self._approved(
            step, lambda session, approval: session.register_mfa(name, role, password, factor, approval)
        )
        return {"user": name}

    def _enrolled(self, step: Step, _: Found) -> Found | None:
        user = self._user(step)
        return {"user": user.name} if user and user.mfa == "enabled" else None

    def _disenrol(self, step: Step, _: Found) -> Wait[Found]:
        name, role, password = step.inputs["name"], Role(step.inputs["role"]), self._new_password(step.inputs["name"])
        yield from self._approved(
            step, lambda session, approval: session.deregister_mfa(name, role, password, approval)
        )
        return {"user": name}

    def _disenrolled(self, step: Step, _: Found) -> Found | None:
        user = self._user(step)
        return {"user": user.name} if user and not user.mfa else None

    def _check(self, step: Step, _: Found) -> Wait[Found]:
        """Whether every HSM now knows the same user, or none knows it.

        Raises:
            Partial: some HSM has missed the change.
        """
        name = step.inputs["name"]
        yield "looking at its coverage"
        user = self._user(step)
        if bool(step.inputs.get("gone")) == (user is not None) or (user and user.coverage != FULL):
            said = f"coverage {user.coverage}" if user else "it is not there"
            raise Partial(f"user {name}", f"some HSM has missed the change: {said}", f"hsmctl user repair {name}")
        again = self.clock.now() + AGAIN
        return {"coverage": user.coverage if user else "gone", "look_again_at": f"{again:%Y-%m-%d %H:%M} UTC"}

    def _approved(
        self, step: Step, act: Callable[[ConsoleSession, Approval | None], None]
    ) -> Generator[str, None, None]:
        """Log the admin in, have the step approved where that is asked for, and do it, all in one session."""
        yield from self.admins.act(step, Service.USER, act)

    def _user(self, step: Step) -> HsmUser | None:
        """The user as it is now, or None."""
        with self.admins.console.open(step.inputs["cluster_id"], step.inputs["host"] or None) as console:
            return next((user for user in console.users() if user.name == step.inputs["name"]), None)

    def _new_password(self, name: str) -> Secret:
        """A password typed twice.

        Raises:
            UsageError: CloudHSM would not take it, or the two differ.
        """
        password = self.ask(f"new password of {name}")
        check_password(password.reveal())
        if self.ask(f"new password of {name}, again") != password:
            raise UsageError(f"the new password of {name}", "the two differ", "try again")
        return password
