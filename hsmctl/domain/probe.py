"""What a client meets when it knocks at an HSM's own ports, and what that says beside the static verdict.

Pure values. Knows the words of the taxonomy and what the operating system's own sentences mean; refuses to know how the
knocking is done, and the static evaluator's types: a static verdict is one of four words here. Nothing but an HSM's
ports can be named as a target, so nothing that works on targets can become a scanner.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from math import ceil

from hsmctl.domain.cluster import Cluster, HsmState
from hsmctl.errors import UsageError

PORTS = range(2223, 2226)
"""The ports of an HSM's network interface (user guide, security groups: 2223 to 2225)."""
LOCAL = "local"
"""The client that is this machine; no registered client has this name."""


class Answer(StrEnum):
    """What a probe met."""

    OPEN_TLS_SERVER = "open_tls_server"
    """A TLS server that shows what CloudHSM shows; which cluster it is, only cloudhsm-cli on the client can prove."""
    OPEN_TLS_UNTRUSTED = "open_tls_untrusted"
    """A TLS server with a certificate of another kind: not an HSM, or somebody in between."""
    OPEN_TLS_TIMED_OUT = "open_tls_timed_out"
    """TCP opened and the TLS handshake stalled: path MTU, or a middlebox that only takes connections."""
    OPEN_NO_TLS = "open_no_tls"
    """TCP opened, and what answered does not speak TLS or hung up."""
    OPEN = "open"
    """TCP opened; more was not asked."""
    REFUSED = "refused"
    """The address answered that nobody listens."""
    TIMED_OUT = "timed_out"
    """Nothing came back."""
    UNREACHABLE = "unreachable"
    """The client has no route, or a router said so."""
    PROHIBITED = "prohibited"
    """The client host's sshd does not forward there; nothing was learnt about the HSM."""
    FAILED = "failed"
    """The probe itself went wrong; nothing was learnt about the HSM."""

    @property
    def is_open(self) -> bool:
        """Whether TCP opened."""
        return self.value.startswith("open")


class Method(StrEnum):
    """Who knocks."""

    CHANNEL = "channel"
    """The client host's sshd, for a direct-tcpip channel (RFC 4254, 7.2); TLS is spoken here, through it."""
    COMMAND = "command"
    """A shell on the client host; TCP only."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Why no connection was opened."""

    answer: Answer
    detail: str
    """The sentence of whoever said so."""


_SENTENCES = {
    "connection refused": Answer.REFUSED,
    "connection timed out": Answer.TIMED_OUT,
    "no route to host": Answer.UNREACHABLE,
    "network is unreachable": Answer.UNREACHABLE,
    "host is down": Answer.UNREACHABLE,
    "operation not permitted": Answer.UNREACHABLE,
}
"""strerror of connect(2) in the C locale; the last one is the client host's own firewall."""


def closed(sentence: str) -> Closed:
    """What the operating system's sentence about a connection means."""
    said = sentence.strip()
    return Closed(_SENTENCES.get(said.lower(), Answer.FAILED), said or "no reason was given")


@dataclass(frozen=True, slots=True, order=True)
class ProbeTarget:
    """One port of one HSM."""

    hsm_id: str
    address: str
    port: int

    def __post_init__(self) -> None:
        """Refuse what is no HSM's port.

        Raises:
            UsageError: the address is no IP address, or the port is none of an HSM's.
        """
        if not _is_address(self.address):
            raise UsageError(self.hsm_id, f"{self.address!r} is no IP address", "hsmctl hsm list")
        if self.port not in PORTS:
            raise UsageError(
                f"port {self.port}",
                f"an HSM has ports {PORTS[0]} to {PORTS[-1]}, and nothing else is probed",
                "--port 2223",
            )


def _is_address(text: str) -> bool:
    """Whether it is an IP address without a zone, for which Python takes anything."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return "%" not in text


@dataclass(frozen=True, slots=True, order=True)
class ProbePair:
    """One question: can this client reach that port?"""

    client: str
    target: ProbeTarget

    def __str__(self) -> str:
        target = self.target
        return f"{self.client} to {target.hsm_id} at {target.address} port {target.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """What one client met at one port of one HSM."""

    target: ProbeTarget
    answer: Answer
    detail: str = ""
    method: Method = Method.CHANNEL
    opens: tuple[float, ...] = ()
    """Seconds each connection took to open, without the way to the client host."""
    handshake: float | None = None
    """Seconds of the TLS handshake, with the way to the client host."""
    losses: int = 0
    """How many attempts to open failed."""
    fingerprint: str | None = None
    """SHA-256 of the certificate that was shown, in hex."""

    @property
    def intermittent(self) -> bool:
        """Whether some attempts opened and others did not."""
        return bool(self.opens) and self.losses > 0

    @property
    def p50(self) -> float | None:
        """The median of the opening times, in seconds."""
        return percentile(self.opens, 0.5)

    @property
    def p95(self) -> float | None:
        """The 95th percentile of the opening times, in seconds."""
        return percentile(self.opens, 0.95)


def percentile(values: Iterable[float], share: float) -> float | None:
    """The smallest value that `share` of all values do not exceed (nearest rank); None where there are none."""
    ranked = sorted(values)
    return ranked[max(0, ceil(share * len(ranked)) - 1)] if ranked else None


def probe_targets(cluster: Cluster, ports: Sequence[int] = PORTS[:1]) -> tuple[ProbeTarget, ...]:
    """Every port of every HSM that has an address, IPv4 and IPv6.

    Raises:
        UsageError: a port is none of an HSM's.
    """
    return tuple(
        ProbeTarget(hsm.hsm_id, address, port)
        for hsm in cluster.hsms
        if hsm.state not in (HsmState.CREATE_IN_PROGRESS, HsmState.DELETE_IN_PROGRESS, HsmState.DELETED)
        for address in (hsm.address, hsm.address6)
        if address
        for port in ports
    )
