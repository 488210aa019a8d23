"""The HSMs that the emulated client is connected to, asked one after another, and what it makes of their answers.

A change is made on every connected HSM in turn; one that is not connected misses it, and nobody brings it there later
(user guide, cluster synchronization: users and policies). Coverage is relative to the connected HSMs. The real client
finds further HSMs of the cluster by itself (INFERRED, nowhere described); this one has only those it is configured for.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

from hsmctl.lab.cli_answer import Early, Failed
from hsmctl.lab.cli_config import Cluster
from hsmctl.lab.cli_line import Disconnected, Refusal

FULL, INCONSISTENT = "full", "inconsistent"


class Hsm(Protocol):
    """One HSM that is connected; methods raise Refusal and Disconnected."""

    @property
    def host(self) -> str:
        """Its address."""
        ...

    def ask(self, op: str, **args: object) -> dict[str, Any]:
        """The answer to one operation."""
        ...

    def stream(self, op: str, **args: object) -> Iterator[dict[str, Any]]:
        """The answers to one operation, one at a time."""
        ...

    def close(self) -> None:
        """End the connection."""
        ...


Dial = Callable[[str, int, Cluster, float], Hsm]
"""Connects to an address within these seconds, or raises Disconnected."""
Arguments = Callable[[Hsm], Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who wants to log in."""

    username: str
    role: str
    password: str = field(repr=False)
    tokens: Sequence[Mapping[str, str]] = ()
    """The signed entries of a token file, for users with a second factor."""


class Connected:
    """One cluster as far as it is reached."""

    def __init__(self, cluster: Cluster, dial: Dial, seconds: float) -> None:
        """Connect to every address of the configuration at once.

        Raises:
            Early: no HSM is reached.
        """
        self.cluster = cluster
        with ThreadPoolExecutor(max(1, len(cluster.addresses))) as pool:
            tried = list(pool.map(lambda address: _tried(dial, address, cluster, seconds), cluster.addresses))
        self.lines = [line for line in tried if line]
        self.numbers: dict[str, str] = {}
        """The numbers that HSMs gave to be signed, by the HSM's address."""
        self._check_reached()

    def ask_all(self, op: str, **args: object) -> list[dict[str, Any]]:
        """What every HSM answers.

        Raises:
            Failed: one refuses.
            Early: no HSM is reached any more.
        """
        return self.each(op, lambda _: args)

    def each(self, op: str, args: Arguments) -> list[dict[str, Any]]:
        """What every HSM answers to a question of its own.

        Raises:
            Failed: one refuses.
            Early: no HSM is reached any more.
        """
        answers = []
        for line in tuple(self.lines):
            try:
                answers.append(line.ask(op, **args(line)))
            except Refusal as refusal:
                raise Failed(refusal.sentence) from refusal
            except Disconnected:
                self.lines.remove(line)
        self._check_reached()
        return answers

    def streamed(self, line: Hsm, op: str, **args: object) -> Iterator[dict[str, Any]]:
        """What one HSM answers, a part at a time.

        Raises:
            Failed: it refuses, or is gone.
        """
        try:
            yield from line.stream(op, **args)
        except Refusal as refusal:
            raise Failed(refusal.sentence) from refusal
        except Disconnected as error:
            self.lines.remove(line)
            raise Failed("HSM is disconnected") from error

    def change(self, op: str, args: Mapping[str, object] | Arguments, settled: str = "") -> list[str]:
        """Make a change on every HSM in turn; where it was made already (`settled`), by their addresses.

        Raises:
            Failed: an HSM refuses for another reason, or all because there is nothing to change; the others are
                changed all the same.
            Early: no HSM is reached any more.
        """
        before, sentences, there = len(self.lines), list[str](), list[str]()
        sentence = ""
        for line in tuple(self.lines):
            try:
                line.ask(op, **(args(line) if callable(args) else args))
            except Refusal as refusal:
                if settled and refusal.code == settled:
                    there.append(line.host)
                    sentence = refusal.sentence
                else:
                    sentences.append(refusal.sentence)
            except Disconnected:
                self.lines.remove(line)
        self._check_reached()
        lost = before - len(self.lines)
        if sentences or len(there) == len(self.lines):
            raise Failed(sentences[0] if sentences else sentence)
        if lost:
            raise Failed(f"Operation failed on {lost} of {before} connections")
        return there

    def login(self, who: Credentials) -> None:
        """Log in, to a first HSM that is chosen at random and then to the others.

        A wrong password costs one attempt on one HSM; an HSM that refuses later stays without a login.

        Raises:
            Failed: the first HSM refuses.
            Early: no HSM is reached any more.
        """
        start = random.randrange(len(self.lines))  # noqa: S311 - it balances load
        for number, line in enumerate((*self.lines[start:], *self.lines[:start])):
            try:
                _log_in(line, who, self.numbers.get(line.host))
            except Refusal as refusal:
                if number == 0:
                    raise Failed(refusal.sentence) from refusal
            except Disconnected:
                self.lines.remove(line)
        self._check_reached()

    def logout(self) -> None:
        """Log out everywhere."""
        self.ask_all("sign out")

    def challenge(self, username: str) -> list[str]:
        """A number from every HSM for a user to sign, base64."""
        answers = self.ask_all("challenge", username=username)
        self.numbers = {line.host: answer["number"] for line, answer in zip(self.lines, answers, strict=True)}
        return list(self.numbers.values())

    def signed(self, tokens: Iterable[Mapping[str, str]]) -> Arguments:
        """Of the entries of a signed token file, the one for each HSM."""
        entries = list(tokens)
        return lambda line: {"tokens": _own(entries, self.numbers.get(line.host))}

    def close(self) -> None:
        """End every connection."""
        for line in self.lines:
            line.close()

    def _check_reached(self) -> None:
        if not self.lines:
            raise Early("HSM is disconnected")


def coverage(there: int, of: int) -> str:
    """What is said of something that so many of the connected HSMs have."""
    return FULL if there == of else INCONSISTENT


def same(values: Sequence[Any]) -> Any:  # noqa: ANN401 - whatever HSMs say
    """The value they all have, or the word for none."""
    return values[0] if all(value == values[0] for value in values) else INCONSISTENT


def _tried(dial: Dial, address: tuple[str, int], cluster: Cluster, seconds: float) -> Hsm | None:
    try:
        return dial(*address, cluster, seconds)
    except Disconnected:
        return None


def _log_in(line: Hsm, who: Credentials, number: str | None) -> None:
    tokens = _own(who.tokens, number)
    if who.role == "admin":
        line.ask("sign in", username=who.username, password=who.password, tokens=tokens)
    else:
        line.ask("login", user=who.username, password=who.password, token={"tokens": tokens})


def _own(entries: Iterable[Mapping[str, str]], number: str | None) -> list[Mapping[str, str]]:
    return [entry for entry in entries if entry.get("unsigned") == number]
