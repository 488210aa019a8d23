"""How fast a token does what keys are for: always with session keys made for it, never with anybody's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

from hsmctl.domain.key_bench import BENCHES, Bench, together
from hsmctl.domain.key_transport import is_software
from hsmctl.domain.mechanism import Speed, TokenFacts
from hsmctl.domain.sync import Replica
from hsmctl.errors import Conflict
from hsmctl.ports import Journal, Token
from hsmctl.services.key_door import KeyDoor


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyBench:
    """Measures tokens."""

    door: KeyDoor
    journal: Journal
    guard: Callable[[], str | None]

    def facts(self, replicas: Sequence[Replica], seconds: float) -> TokenFacts:
        """What the token says of itself."""
        return self.door.look(replicas, seconds, lambda _, token: token.objects.describe())

    def choose(self, facts: TokenFacts, names: Sequence[str]) -> tuple[Bench, ...]:
        """The benches of these names, or all that the token offers.

        Raises:
            Conflict: the token does not offer one, or none.
        """
        chosen = [BENCHES[name] for name in names] or [each for each in BENCHES.values() if each.offered(facts)]
        missing = next((each for each in chosen if not each.offered(facts)), None)
        if missing or not chosen:
            what = f"{missing.name} with {missing.mechanism.name}" if missing else "anything that is measured"
            raise Conflict("no bench", f"{facts.label} does not offer {what}", "hsmctl token show")
        return tuple(chosen)

    def measure(
        self,
        replicas: Sequence[Replica],
        benches: Sequence[Bench],
        *,
        seconds: float,
        processes: int,
        threads: int,
        patience: float,
    ) -> Iterator[tuple[Bench, Speed]]:
        """Each bench for so many seconds, in as many processes with as many sessions each; `patience` is for the rest.

        Raises:
            Denied: the context refuses changes: a bench keeps an HSM from its work.
            Conflict: it is SoftHSM, which stands no two processes in one folder.
            DeviceError: the token refused.
        """
        asked = {"benches": [each.name for each in benches], "processes": processes, "threads": threads}
        self.journal.append("key-bench", {**asked, "on": [each.name for each in replicas], "break_glass": self.guard()})
        whole = patience + seconds * len(benches)
        with ExitStack() as stack:
            replica, first = stack.enter_context(self.door.opened(replicas, whole))
            if processes > 1 and is_software(first.objects.describe()):
                raise Conflict("no bench", "SoftHSM stands no two processes in one folder", "--threads N")
            opened = [stack.enter_context(self.door.opened([replica], whole))[1] for _ in range(processes - 1)]
            pool = stack.enter_context(ThreadPoolExecutor(processes))
            for bench in benches:
                yield bench, _measured(pool, [first, *opened], bench, seconds, threads)


def _measured(pool: ThreadPoolExecutor, tokens: Sequence[Token], bench: Bench, seconds: float, threads: int) -> Speed:
    """All conversations make their key first, so that they begin together."""
    list(pool.map(lambda token: token.speed.prepare(bench), tokens))
    return together(list(pool.map(lambda token: token.speed.measure(bench, seconds, threads), tokens)))
