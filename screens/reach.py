"""What is known of who reaches which HSM: what AWS configures, what a probe met, and what both say together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from hsmctl.domain.net_finding import WORST_FIRST, Pair, summary
from hsmctl.domain.probe import ProbeResult
from hsmctl.domain.probe_verdict import Agreement, Combined, Reach, combine
from hsmctl.errors import HsmctlError
from hsmctl.mark import REACHES, Mark
from hsmctl.words import counted

from .glyph import rank

Answer = ProbeResult | HsmctlError
"""What a client host met at an HSM, or why it could not try."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """One client's ways to every HSM over one port and family."""

    client: str
    name: str
    """What the context calls the client."""
    port: int
    family: int
    pairs: Mapping[str, Pair]
    """By HSM, zone by zone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Everything that was found so far."""

    pairs: tuple[Pair, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    """What the context calls its clients."""
    answers: Mapping[tuple[str, str], Answer] = field(default_factory=dict)
    """Of the probe, by client's name and HSM."""
    holes: int = 0
    """Answers of AWS that are missing."""

    def called(self, pair: Pair) -> str:
        """The pair's client as the context calls it."""
        return self.names.get(pair.client, pair.client)

    @property
    def hsms(self) -> Sequence[str]:
        """The HSMs, zone by zone; the command line numbers them alike."""
        return tuple(dict.fromkeys(pair.hsm for pair in self.pairs))

    @property
    def ways(self) -> Sequence[Ways]:
        """Client by client, the worst first."""
        found: dict[tuple[str, int, int], dict[str, Pair]] = {}
        for pair in self.pairs:
            found.setdefault((pair.client, pair.port, pair.family), {})[pair.hsm] = pair
        ways = [
            Ways(client=client, name=self.names.get(client, client), port=port, family=family, pairs=pairs)
            for (client, port, family), pairs in found.items()
        ]
        return sorted(ways, key=lambda each: (rank(self.mark(self.worst(each))), -self.amiss(each), each.name))

    def worst(self, ways: Ways) -> Pair:
        """The way to look at first."""
        return min(ways.pairs.values(), key=lambda pair: rank(self.mark(pair)))

    def drawn(self, ways: Ways, chosen: str) -> Pair:
        """The way to the chosen HSM; the worst while none is chosen."""
        return ways.pairs.get(chosen) or self.worst(ways)

    def amiss(self, ways: Ways) -> int:
        """How many HSMs are not reached as they should be, or by a probe's word only."""
        return sum(self.mark(pair) not in (Mark.REPORTED, Mark.PROVED) for pair in ways.pairs.values())

    def answer(self, pair: Pair) -> Answer | None:
        """What the probe met on this way, or why it met nothing; None where nobody tried."""
        return self.answers.get((self.called(pair), pair.hsm))

    def together(self, pair: Pair) -> Combined | None:
        """What AWS's word and the probe say together; None where the probe has no answer."""
        answer = self.answer(pair)
        return combine(pair.verdict.value, answer) if isinstance(answer, ProbeResult) else None

    def mark(self, pair: Pair) -> Mark:
        """The sign of a way: AWS's word, and proved where a probe has seen the same."""
        both = self.together(pair)
        if both is None:
            return REACHES[pair.verdict]
        if both.agreement is Agreement.CONTRADICTS:
            return Mark.ATTENTION
        return Mark.PROVED if both.verdict is Reach.REACHABLE else REACHES[both.verdict]

    def summed(self) -> tuple[Mark, str]:
        """How many ways are open, what a probe said to that, and what could not be read."""
        verdicts = [pair.verdict for pair in self.pairs]
        worst = next(verdict for verdict in WORST_FIRST if verdict in verdicts)
        both = [found for pair in self.pairs if (found := self.together(pair))]
        agreeing = sum(each.agreement is Agreement.AGREES for each in both)
        told = [summary(verdicts)]
        told += [f"static and probed agree: {agreeing} of {len(both)}"] if both else []
        told += [f"{counted(self.holes, 'answer')} of AWS could not be read"] if self.holes else []
        told += [] if both else ["by AWS's configuration: nobody knocked"]
        return REACHES[worst], " · ".join(told)

    def met(self, client: str, hsm: str, answer: Answer) -> Known:
        """The same with one more answer of the probe."""
        return replace(self, answers={**self.answers, (client, hsm): answer})
