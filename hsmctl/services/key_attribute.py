"""Attributes of a cluster's keys, read and changed through cloudhsm-cli: CloudHSM's PKCS#11 library changes none.

A key of a PKCS#11 listing is found again by its class, id and label, and is acted on by its reference, which is the
same on every HSM. What was set counts when cloudhsm-cli reports it afterwards without a disagreement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from hsmctl.domain.coverage import ReportedKey
from hsmctl.domain.evidence import Grade
from hsmctl.domain.key import Identity, Key, text
from hsmctl.domain.key_change import called_after, meant, wanted_of
from hsmctl.domain.plan import Precondition, Step
from hsmctl.domain.sync import Replica
from hsmctl.domain.uri import uri_of
from hsmctl.domain.user import FULL, Role
from hsmctl.errors import Conflict, HsmctlError, Partial, UsageError
from hsmctl.ports import Login
from hsmctl.ports_cli import KeySession
from hsmctl.ports_key import Value
from hsmctl.services.console import ConsoleService


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAttributes:
    """Changes attributes where PKCS#11 cannot."""

    console: Callable[[], ConsoleService]
    login: Callable[[Replica], Login]

    def through(self, replica: Replica, steps: tuple[Step, ...]) -> tuple[tuple[Step, ...], tuple[Precondition, ...]]:
        """The steps with the references of their keys, and what must hold; as they were where nobody answers."""
        keys = [meant(step.inputs) for step in steps]
        try:
            with self._session(replica) as (host, session):
                found = [_reported(session, key.identity) for key in keys]
        except HsmctlError as error:
            return steps, (_closed(replica, error, steps),)
        told = Precondition(what=f"cloudhsm-cli changes attributes on {replica.realm}", holds=True, why=f"on {host}")
        own = (_changeable(key, each) for key, each in zip(keys, found, strict=True))
        referred = (
            replace(step, inputs={**step.inputs, "reference": each.reference})
            for step, each in zip(steps, found, strict=True)
        )
        return tuple(referred), (told, *(each for each in own if not each.holds))

    def set(self, replica: Replica, reference: str, identity: Identity, wanted: Mapping[str, Value]) -> None:
        """Set attributes of one key on every HSM, and see that they are.

        Raises:
            Partial: some HSM still has another value.
            DeviceError: the cluster refused.
        """
        with self._session(replica) as (_, session):
            for name, value in wanted.items():
                session.set_attribute(reference, name.replace("_", "-"), _said(name, value))
            now = _reported(session, called_after(identity, wanted))
            if now.reference != reference or now.differing:
                what = f"{', '.join(now.differing) or identity} of {reference}"
                raise Partial(what, "not every HSM has the new value", "hsmctl sync check --via login")

    @contextmanager
    def _session(self, replica: Replica) -> Iterator[tuple[str, KeySession]]:
        """The owner of the keys, logged in on the first client host that answers, and the host's name."""
        login = self.login(replica)
        with self.console().open(replica.realm) as console, console.login(login, Role.CRYPTO_USER) as session:
            yield console.host, session


def _said(name: str, value: Value) -> str:
    """A value as cloudhsm-cli takes it.

    Raises:
        UsageError: a label that is no UTF-8.
    """
    if not isinstance(value, bytes):
        return str(value).lower()
    try:
        return f"0x{value.hex()}" if name == "id" else value.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"label {text(value)}", "cloudhsm-cli takes UTF-8 alone", "choose another label") from error


def _reported(session: KeySession, identity: Identity) -> ReportedKey:
    """The one key of this class, id and label.

    Raises:
        Conflict: cloudhsm-cli lists none, or several.
    """
    wanted = {"class": identity.object_class.value}
    if identity.key_id:
        wanted["id"] = f"0x{identity.key_id.hex()}"
    else:
        wanted["label"] = _said("label", identity.label)
    keys, _ = session.keys(wanted)
    fitting = [key for key in keys if key.label.encode(errors="surrogateescape") == identity.label]
    if len(fitting) != 1:
        raise Conflict(f"{identity}", f"cloudhsm-cli lists {len(fitting)} keys like it", "hsmctl key list")
    return fitting[0]


def _changeable(key: Key, reported: ReportedKey) -> Precondition:
    """Whether every HSM has the key, and its owner alone decides."""
    holds, why, way_out = True, "", ""
    if reported.coverage != FULL:
        holds, why, way_out = False, f"its coverage is {reported.coverage}", "hsmctl sync check --via login"
    elif reported.manage_quorum != 0:
        why, way_out = "a change of it needs approvals", "cloudhsm-cli key set-attribute with --approval, on a client"
        holds = False
    what = f"{uri_of(key.identity)} can be changed by its owner"
    return Precondition(what=what, holds=holds, grade=Grade.REPORTED, why=why, way_out=way_out)


def _closed(replica: Replica, error: HsmctlError, steps: Sequence[Step]) -> Precondition:
    """Why no cloudhsm-cli can be asked, and what somebody types who can."""
    commands = [_command(step) for step in steps[:3]] + (["…"] if len(steps) > 3 else [])
    return Precondition(
        what=f"cloudhsm-cli changes attributes on {replica.realm}",
        holds=False,
        why=f"CloudHSM's library has no C_SetAttributeValue for keys, and {error.what}: {error.why}",
        way_out="on a client host: " + "; ".join(commands),
    )


def _command(step: Step) -> str:
    """The same change by cloudhsm-cli, attribute by attribute."""
    key, wanted = meant(step.inputs), wanted_of(step.inputs)
    which = f"attr.label={text(key.identity.label)} attr.class={key.identity.object_class}"
    values = {name: text(value) if isinstance(value, bytes) else str(value).lower() for name, value in wanted.items()}
    return "; ".join(
        f"cloudhsm-cli key set-attribute --filter {which} --name {name.replace('_', '-')} --value {value}"
        for name, value in values.items()
    )
