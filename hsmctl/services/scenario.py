"""Bad days as a script: what is said, what goes wrong, which keys are made, what is waited for, what is cleared.

A scenario is TOML: a `title`, what it `says` about itself, and `[[step]]` tables with one verb each. HSMs are counted
from 1 in the order of a sync check's columns, so that a script fits every lab. Refuses to know where scripts lie.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, assert_never

from hsmctl.domain.key import SIZES, KeyKind, KeySpec, check_spec
from hsmctl.errors import Conflict, Unreachable, UsageError
from hsmctl.ports import Clock, LabControl, LabFault, LabFaults
from hsmctl.services.lab_tools import LabTools

WAIT_SECONDS = 120.0
"""How long a step waits for replication."""
_LOOK_SECONDS = 0.5
_KEY_SECONDS = 30.0
_ABOUT = ("key", "user", "region", "seconds")
"""What a step hands to a fault as it stands."""


@dataclass(frozen=True, slots=True)
class Say:
    """Tell the audience something."""

    text: str


@dataclass(frozen=True, slots=True)
class Inject:
    """Have something go wrong."""

    fault: LabFault
    hsm: int | None
    heal: float | None


@dataclass(frozen=True, slots=True)
class Generate:
    """Make a key on an HSM."""

    spec: KeySpec
    hsm: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Let time pass; without seconds, until every change has reached every HSM."""

    seconds: float | None


@dataclass(frozen=True, slots=True)
class Clear:
    """End the faults of a name; without one, all of them."""

    name: str | None


Step = Say | Inject | Generate | Wait | Clear


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One script."""

    title: str
    says: str
    steps: tuple[Step, ...]


def parse(text: str) -> Scenario:
    """The scenario of a TOML text.

    Raises:
        UsageError: it is none; the message names the step.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError("no scenario", str(error), "hsmctl lab scenario list") from error
    steps = document.pop("step", [])
    title, says = str(document.pop("title", "")), str(document.pop("says", ""))
    if document or not title or not isinstance(steps, list):
        raise UsageError("no scenario", "it has a title, says, and [[step]] tables", "hsmctl lab scenario list")
    read = tuple(_step(number, dict(step)) for number, step in enumerate(steps, 1))
    return Scenario(title=title, says=says, steps=read)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioService:
    """Plays scenarios on the lab of this machine."""

    clock: Clock
    control: LabControl
    faults: LabFaults
    tools: LabTools

    def play(self, scenario: Scenario) -> Iterator[str]:
        """Do one step after the other and say what happens.

        Raises:
            HsmctlError: a step cannot be done; what went wrong before it stays.
        """
        for step in scenario.steps:
            match step:
                case Say(text):
                    yield text.strip()
                case Inject(fault, number, heal):
                    hsm = None if number is None else self._hsm(number)
                    injected = self.faults.inject(replace(fault, hsm=hsm), heal)
                    yield " ".join(filter(None, ("fault", injected.fault_id, fault.name, hsm, fault.key)))
                case Generate(spec, number):
                    yield self._generate(spec, number)
                case Wait(seconds):
                    yield self._wait(seconds)
                case Clear(name):
                    yield from self._clear(name)
                case _:
                    assert_never(step)

    def _hsm(self, number: int) -> str:
        """The id of the HSM that stands there in a sync check.

        Raises:
            Conflict: there are not so many.
        """
        nodes = sorted(self.control.status().nodes, key=lambda node: (node.zone, node.hsm_id))
        if not 1 <= number <= len(nodes):
            raise Conflict(f"no HSM {number}", f"the lab has {len(nodes)}", f"hsmctl lab up --hsms {number}")
        return nodes[number - 1].hsm_id

    def _generate(self, spec: KeySpec, number: int) -> str:
        """Make the key on that HSM.

        Raises:
            Conflict: no cluster has the HSM.
        """
        hsm, tools = self._hsm(number), self.tools
        there = (replica for cluster in tools.cluster.list() for replica in tools.replicas(cluster))
        replica = next((replica for replica in there if replica.name == hsm), None)
        if replica is None:
            raise Conflict(f"no key made on {hsm}", "no cluster has it", "hsmctl lab status")
        with tools.tokens.open(replica, tools.login(replica), self.clock.monotonic() + _KEY_SECONDS) as token:
            token.generate(spec)
        return f"key {spec.label.decode()} made on {hsm}"

    def _wait(self, seconds: float | None) -> str:
        if seconds is not None:
            self.clock.sleep(seconds)
            return f"{seconds:g} s later"
        deadline = self.clock.monotonic() + WAIT_SECONDS
        while any(node.waiting for node in self.control.status().nodes):
            if self.clock.monotonic() > deadline:
                raise Unreachable("replication did not end", f"not within {WAIT_SECONDS:g} s", "hsmctl lab fault list")
            self.clock.sleep(_LOOK_SECONDS)
        return "every change is on every HSM"

    def _clear(self, name: str | None) -> Iterator[str]:
        if name is None:
            cleared = self.faults.clear(None)
        else:
            there = [fault.fault_id for fault in self.faults.faults() if fault.name == name]
            cleared = tuple(each for fault_id in there for each in self.faults.clear(fault_id))
        yield from (f"fault {fault.fault_id} {fault.name} cleared" for fault in cleared)


def _step(number: int, table: dict[str, Any]) -> Step:
    """One step.

    Raises:
        UsageError: it is none.
    """
    try:
        step = _known(table)
    except (KeyError, TypeError, ValueError, UsageError) as error:
        raise UsageError(f"step {number} of the scenario", f"it makes no sense: {error}", "read it again") from error
    if step is None or table:
        why = f"it does not know {', '.join(table)}" if table else "it says nothing"
        raise UsageError(f"step {number} of the scenario", why, "say, fault, generate, wait or clear")
    return step


def _known(table: dict[str, Any]) -> Step | None:
    """The step a table describes, whose entries are taken out of it."""
    if "say" in table:
        return Say(str(table.pop("say")))
    if "fault" in table:
        about: Mapping[str, Any] = {name: table.pop(name) for name in _ABOUT if name in table}
        hsm = int(table.pop("hsm")) if "hsm" in table else None
        return Inject(LabFault(name=table.pop("fault"), **about), hsm, table.pop("heal", None))
    if "generate" in table:
        return Generate(_spec(table), int(table.pop("hsm", 1)))
    if "wait" in table:
        wanted = table.pop("wait")
        return Wait(None if wanted == "replicated" else float(wanted))
    if "clear" in table:
        wanted = str(table.pop("clear"))
        return Clear(None if wanted == "all" else wanted)
    return None


def _spec(table: dict[str, Any]) -> KeySpec:
    kind, label = KeyKind(table.pop("generate")), str(table.pop("label")).encode()
    spec = KeySpec(kind=kind, size=str(table.pop("size", SIZES[kind][0])), label=label, key_id=label)
    check_spec(spec)
    return spec
