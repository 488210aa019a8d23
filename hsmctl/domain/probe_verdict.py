"""Static verdict and probe together: one verdict, and whether the two agree.

A pure table. Neither side overwrites the other: where they contradict each other, the sentence says so, and an opened
connection that the model calls impossible is unknown until the model is corrected, never silently reachable.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hsmctl.domain.probe import Answer, ProbeResult


class Reach(StrEnum):
    """A verdict on one client and one port; the static evaluator uses the same four words."""

    REACHABLE = "reachable"
    DEGRADED = "degraded"
    UNKNOWN = "unknown"
    BLOCKED = "blocked"


class Agreement(StrEnum):
    """How the static verdict and the probe stand to each other."""

    AGREES = "agrees"
    CONTRADICTS = "contradicts"
    PROBE_DECIDES = "probe_decides"
    """The static verdict is unknown."""
    STATIC_DECIDES = "static_decides"
    """The probe learnt nothing, or there was none."""


@dataclass(frozen=True, slots=True)
class Combined:
    """The verdict on one pair, and why."""

    verdict: Reach
    agreement: Agreement
    sentence: str


def combine(static: str | None, probe: ProbeResult | None) -> Combined:
    """The verdict that follows from both; `static` is one of Reach's words, None where nobody asked."""
    believed = Reach.UNKNOWN if static is None else Reach(static)
    met = _Met.NOTHING if probe is None else _met(probe)
    if met is _Met.NOTHING:
        why = f"the probe learnt nothing: {probe.detail or probe.answer}" if probe else "not probed"
        return Combined(believed, Agreement.STATIC_DECIDES, why)
    if believed is Reach.UNKNOWN:
        doubt = "there is no static view" if static is None else "the static view is incomplete"
        return Combined(_ALONE[met], Agreement.PROBE_DECIDES, f"{_SAID[met]}; {doubt}")
    verdict, agreement, sentence = _TOGETHER[believed, met]
    return Combined(verdict, agreement, f"{_SAID[met]}: {sentence}")


class _Met(StrEnum):
    """Answers that mean the same for the path."""

    SERVER = "server"
    STRANGER = "stranger"
    STALLED = "stalled"
    REFUSED = "refused"
    LOST = "lost"
    SOMETIMES = "sometimes"
    NOTHING = "nothing"


_ANSWERS = {
    Answer.OPEN_TLS_SERVER: _Met.SERVER,
    Answer.OPEN: _Met.SERVER,
    Answer.OPEN_TLS_UNTRUSTED: _Met.STRANGER,
    Answer.OPEN_NO_TLS: _Met.STRANGER,
    Answer.OPEN_TLS_TIMED_OUT: _Met.STALLED,
    Answer.REFUSED: _Met.REFUSED,
    Answer.TIMED_OUT: _Met.LOST,
    Answer.UNREACHABLE: _Met.LOST,
    Answer.PROHIBITED: _Met.NOTHING,
    Answer.FAILED: _Met.NOTHING,
}


def _met(probe: ProbeResult) -> _Met:
    """What a result means for the path; some lost attempts matter more than a server that was met in between."""
    met = _ANSWERS[probe.answer]
    return _Met.SOMETIMES if met is _Met.SERVER and probe.intermittent else met


_SAID = {
    _Met.SERVER: "the probe got through",
    _Met.STRANGER: "something answers that is not recognised as an HSM",
    _Met.STALLED: "the connection opens and the TLS handshake stalls",
    _Met.REFUSED: "the connection is refused",
    _Met.LOST: "the probe got no connection",
    _Met.SOMETIMES: "some connections open and some do not",
}
_ALONE = {
    _Met.SERVER: Reach.REACHABLE,
    _Met.STRANGER: Reach.UNKNOWN,
    _Met.STALLED: Reach.BLOCKED,
    _Met.REFUSED: Reach.BLOCKED,
    _Met.LOST: Reach.BLOCKED,
    _Met.SOMETIMES: Reach.DEGRADED,
}

_MODEL = "the static model is wrong here: report it with the output of hsmctl net collect"
_INTERCEPTED = "compare the certificate's fingerprint; it may be another service or a device in between"
_STUCK = "the HSM hangs or large packets are lost, look at the HSM, at the path MTU and at filtered ICMP"

_TOGETHER = {
    (Reach.REACHABLE, _Met.SERVER): (Reach.REACHABLE, Agreement.AGREES, "as the routes and filters say"),
    (Reach.REACHABLE, _Met.STRANGER): (Reach.UNKNOWN, Agreement.CONTRADICTS, _INTERCEPTED),
    (Reach.REACHABLE, _Met.STALLED): (
        Reach.BLOCKED,
        Agreement.CONTRADICTS,
        _STUCK,
    ),
    (Reach.REACHABLE, _Met.REFUSED): (
        Reach.BLOCKED,
        Agreement.AGREES,
        "the path is open and nothing listens, the HSM is being replaced or the port is not its own",
    ),
    (Reach.REACHABLE, _Met.LOST): (
        Reach.BLOCKED,
        Agreement.CONTRADICTS,
        "AWS lets it pass, look at what AWS does not see: the client's firewall and its own routes (ip route get), "
        "on-premises firewalls",
    ),
    (Reach.REACHABLE, _Met.SOMETIMES): (
        Reach.DEGRADED,
        Agreement.CONTRADICTS,
        "AWS lets all of them pass, look at redundant paths outside AWS",
    ),
    (Reach.DEGRADED, _Met.SERVER): (Reach.DEGRADED, Agreement.AGREES, "the weakness was not hit this time"),
    (Reach.DEGRADED, _Met.STRANGER): (Reach.UNKNOWN, Agreement.CONTRADICTS, _INTERCEPTED),
    (Reach.DEGRADED, _Met.STALLED): (Reach.BLOCKED, Agreement.CONTRADICTS, _STUCK),
    (Reach.DEGRADED, _Met.REFUSED): (Reach.BLOCKED, Agreement.AGREES, "the path is open and nothing listens"),
    (Reach.DEGRADED, _Met.LOST): (
        Reach.BLOCKED,
        Agreement.CONTRADICTS,
        "the static view expects some connections to pass",
    ),
    (Reach.DEGRADED, _Met.SOMETIMES): (Reach.DEGRADED, Agreement.AGREES, "as the static view expects"),
    (Reach.BLOCKED, _Met.SERVER): (Reach.UNKNOWN, Agreement.CONTRADICTS, _MODEL),
    (Reach.BLOCKED, _Met.STRANGER): (Reach.UNKNOWN, Agreement.CONTRADICTS, _INTERCEPTED),
    (Reach.BLOCKED, _Met.STALLED): (Reach.UNKNOWN, Agreement.CONTRADICTS, _MODEL),
    (Reach.BLOCKED, _Met.REFUSED): (
        Reach.BLOCKED,
        Agreement.CONTRADICTS,
        "something answers where nothing should pass, a firewall that rejects, or the static model is wrong",
    ),
    (Reach.BLOCKED, _Met.LOST): (Reach.BLOCKED, Agreement.AGREES, "as the static findings say"),
    (Reach.BLOCKED, _Met.SOMETIMES): (Reach.UNKNOWN, Agreement.CONTRADICTS, _MODEL),
}
"""Reference: connectivity, correlation of static verdict and probe."""
