"""The steps that set a client host up: its configure tools with their own options, its CA file, its modes.

A tool that is given addresses writes the whole list of servers, so certificates are set by a run of their own after it
(user guide, configure-sdk-5; the order is ours).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hsmctl.domain.client import ClientFinding, ClientState
from hsmctl.domain.plan import Action, Effect, Step

ADDRESSED = ("addresses", "configuration", "cluster")
"""Findings that another list of addresses mends."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A client certificate and its private key, by their paths on the client host."""

    certificate: str
    key: str


def addressing(host: str, component: str, addresses: Sequence[str]) -> Step:
    """These addresses in the place of all others."""
    return _configuring(host, component, f"-a {' '.join(addresses)}")


def showing(host: str, component: str, pair: Pair | None) -> tuple[Step, ...]:
    """The certificate that the component shows to HSMs, where one is meant."""
    if pair is None:
        return ()
    options = f"--client-cert-hsm-tls-file {pair.certificate} --client-key-hsm-tls-file {pair.key}"
    return (_configuring(host, component, options),)


def installing(host: str, path: str, ca: str) -> Step:
    """The customer CA of a file of this machine, or of the context, at a path of the host."""
    return _step(Action.INSTALL_CA, f"put the cluster's CA at {path}", host=host, path=path, ca=ca)


def looking(host: str, addresses: Sequence[str], pair: Pair | None) -> Step:
    """Another look, and what has to be seen."""
    shown = pair.certificate if pair else ""
    says = f"look at {host} again"
    return _step(Action.CHECK_CLIENT, says, Effect.WAIT, host=host, addresses=" ".join(addresses), certificate=shown)


def mending(state: ClientState, findings: Sequence[ClientFinding], addresses: Sequence[str], ca: str) -> list[Step]:
    """The steps for what was found wrong, each once; the availability check is a choice, and clocks are not ours."""
    paths = {component.name: component.path for component in state.components}
    files = {
        component.name: [each.ca_file for each in component.configuration.clusters if each.ca_file]
        for component in state.components
        if component.configuration
    }
    known: Mapping[str, Callable[[str], Sequence[Step]]] = {
        **dict.fromkeys(ADDRESSED, lambda name: [addressing(state.host, name, addresses)]),
        "CA": lambda name: [installing(state.host, path, ca) for path in files.get(name, ())],
        "retry mode": lambda name: [_configuring(state.host, name, "--default-retry-mode standard")],
        "mode": lambda name: [_closing(state.host, paths[name])],
    }
    steps: list[Step] = []
    for finding in findings:
        if finding.fix and finding.what in known:
            steps += [step for step in known[finding.what](finding.component) if step not in steps]
    return steps


def _configuring(host: str, component: str, options: str) -> Step:
    says = f"configure-{component} {options}"
    return _step(Action.CONFIGURE_CLIENT, says, host=host, component=component, options=options)


def _closing(host: str, path: str) -> Step:
    return _step(Action.CLOSE_FILE, f"let nobody but its owner change {path}", host=host, path=path)


def _step(action: Action, says: str, effect: Effect = Effect.CHANGE, **inputs: str) -> Step:
    return Step(action=action, says=says, effect=effect, inputs=inputs)
