"""The port Prober: connections to an HSM's ports from a client host, timed, with one TLS handshake.

Knows how often to knock and how long to wait. Refuses to log in to an HSM, to touch any other port, and to call a
connection timed out when it was given too little time.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from hsmctl.adapters.outer_tls import Shown, look_at
from hsmctl.domain.probe import Answer, Closed, Method, ProbeResult, ProbeTarget, closed
from hsmctl.errors import Unreachable, UsageError
from hsmctl.ports import Clock
from hsmctl.ports_host import ByteStream, ClientHost


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long and how often."""

    open: float = 5.0
    """Seconds a connection may take to open."""
    handshake: float = 5.0
    """Seconds the TLS handshake may take."""
    opens: int = 3
    """Connections to an HSM that answers; only the first does a handshake, because AWS limits an HSM's clients."""
    losses: int = 2
    """Connections that may time out before the HSM is given up."""


_PATIENCE = Patience()


class TlsProber:
    """ports.Prober."""

    def __init__(self, clock: Clock, customer_ca: Path | None, patience: Patience = _PATIENCE) -> None:
        """Read the customer's CA certificates, PEM.

        Raises:
            UsageError: there are none in the file.
        """
        self._clock = clock
        self._patience = patience
        self._anchors = _certificates(customer_ca) if customer_ca else []

    def probe(self, host: ClientHost, target: ProbeTarget, deadline: float) -> ProbeResult:
        """What is met at one port, TLS included."""
        losses = 0
        while isinstance(way := self._open(host, target, deadline), Closed):
            losses += 1
            if way.answer is not Answer.TIMED_OUT or losses >= self._patience.losses:
                return ProbeResult(target=target, answer=way.answer, detail=way.detail, losses=losses)
        with closing(way.stream):
            shown, seconds = self._look(host, target, way.stream, deadline)
        opens = [way.seconds]
        for _ in range(self._patience.opens - 1):
            if isinstance(again := self._open(host, target, deadline), Closed):
                losses += 1
            else:
                again.stream.close()
                opens.append(again.seconds)
        return ProbeResult(
            target=target,
            answer=shown.answer,
            detail=shown.detail,
            opens=tuple(opens),
            handshake=seconds,
            losses=losses,
            fingerprint=shown.fingerprint,
        )

    def probe_by_command(
        self, host: ClientHost, targets: Sequence[ProbeTarget], deadline: float
    ) -> tuple[ProbeResult, ...]:
        """What bash on the host meets at each port, TCP only."""
        data = [f"{self._patience.open:g}", *(f"{target.address} {target.port}" for target in targets)]
        finished = host.run(_COMMAND, (_SCRIPT + "\n".join(data) + "\n").encode(), deadline)
        greeting, *lines = finished.stdout.decode(errors="replace").splitlines() or [""]
        if greeting != _GREETING:
            why = finished.stderr.decode(errors="backslashreplace").strip().rpartition("\n")[2] or "no answer"
            raise Unreachable(f"{host.name} cannot probe by command", why, "it needs bash, and timeout of coreutils")
        answers = {place: rest for place, _, rest in (line.partition("\t") for line in lines)}
        return tuple(_told(target, answers.get(str(place), "")) for place, target in enumerate(targets))

    def _open(self, host: ClientHost, target: ProbeTarget, deadline: float) -> _Opened | Closed:
        """One connection; a time-out that the deadline cut short is no answer."""
        began = time.monotonic()
        way = host.open_stream(target.address, target.port, min(deadline, began + self._patience.open))
        ended = time.monotonic()
        if not isinstance(way, Closed):
            return _Opened(way, max(0.0, ended - began - host.round_trip))
        if way.answer is Answer.TIMED_OUT and ended >= deadline:
            raise _too_late(host, target)
        return way

    def _look(self, host: ClientHost, target: ProbeTarget, stream: ByteStream, deadline: float) -> tuple[Shown, float]:
        """What the server shows, and the seconds that took."""
        began = time.monotonic()
        shown = look_at(stream, self._anchors, self._clock.now(), min(deadline, began + self._patience.handshake))
        ended = time.monotonic()
        if shown.answer is Answer.OPEN_TLS_TIMED_OUT and ended >= deadline:
            raise _too_late(host, target)
        return shown, ended - began


@dataclass(frozen=True, slots=True)
class _Opened:
    """A connection, and the seconds it took to open without the way to the client host."""

    stream: ByteStream
    seconds: float


_COMMAND = ("env", "LC_ALL=C", "bash", "-s")
_GREETING = "hsmctl-probe 1"
_SCRIPT = f"""\
probe() {{
    local began=$EPOCHREALTIME said status
    said=$(timeout "$limit" bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$2" "$3" 2>&1 </dev/null)
    status=$?
    printf '%s\\t%s\\t%s\\t%s\\t%s\\n' "$1" "$status" "$began" "$EPOCHREALTIME" "${{said##*: }}"
}}
main() {{
    echo '{_GREETING}'
    local limit address port place=0
    read -r limit
    while read -r address port; do
        probe "$place" "$address" "$port" &
        place=$((place + 1))
    done
    wait
}}
main
"""
"""What bash is fed: the script, then the time-out in seconds, then an address and a port a line. Bash reads no further
than it has to, so `read` gets what follows. EPOCHREALTIME is of bash 5; an older one answers without times."""
_TIMEOUT_STATUS = 124
"""How timeout(1) says that it had to end the command."""


def _too_late(host: ClientHost, target: ProbeTarget) -> Unreachable:
    what = f"no answer about {target.hsm_id} from {host.name}"
    return Unreachable(what, "the deadline leaves too little time to tell", "try again with --deadline")


def _told(target: ProbeTarget, line: str) -> ProbeResult:
    """The result in a line of the script's answer: status, begin, end, the last words of the complaint."""
    match line.split("\t"):
        case ["0", began, ended, _]:
            return ProbeResult(target=target, answer=Answer.OPEN, method=Method.COMMAND, opens=_seconds(began, ended))
        case [status, _, _, said]:
            late = Closed(Answer.TIMED_OUT, "no answer in time")
            way = late if status == str(_TIMEOUT_STATUS) else closed(said)
            return ProbeResult(target=target, answer=way.answer, detail=way.detail, method=Method.COMMAND, losses=1)
        case _:
            return ProbeResult(
                target=target,
                answer=Answer.FAILED,
                detail="the host's shell said nothing about it",
                method=Method.COMMAND,
            )


def _seconds(began: str, ended: str) -> tuple[float, ...]:
    """The time between, if the host's shell can tell it."""
    try:
        return (max(0.0, float(ended) - float(began)),)
    except ValueError:
        return ()


def _certificates(file: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(file.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(f"no certificate of the customer's CA in {file}", str(error), "hsmctl config show") from error
