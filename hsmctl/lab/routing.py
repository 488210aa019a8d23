"""Who answers a call: one of our own services, else a handler of just this operation, else moto, else nobody.

Knows the order, asks the weather first and tells the trail afterwards. Refuses to know what anybody answers.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from hsmctl.lab.wire import Answer, AwsError, Call, Service, not_implemented

Gap = Callable[[Call], Answer]
"""Answers one operation where the service behind it is missing or wrong; an AwsError is a refusal."""

Before = Callable[[str, str, str], None]
"""Told service, operation and region of every call before it is answered; an AwsError takes the answer's place."""


class Rest(Service, Protocol):
    """What answers for every service that is not our own."""

    def issued(self, access_key_id: str) -> bool:
        """Whether it gave out this access key."""
        ...


After = Callable[[Call, "Answer | AwsError"], None]
"""Told every call with its answer or its refusal."""


def fair_weather(service: str, operation: str, region: str) -> None:
    """Let every call through."""


def unheard(call: Call, outcome: Answer | AwsError) -> None:
    """Note nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    """The emulated AWS behind one endpoint."""

    services: Mapping[str, Service] = field(default_factory=dict)
    """Our own, by signing name."""
    gaps: Mapping[tuple[str, str], Gap] = field(default_factory=dict)
    """By signing name and operation."""
    rest: Rest | None = None
    before: Before = fair_weather
    after: After = unheard
    asked: Counter[str] = field(default_factory=Counter)
    """How often each operation was called, by signing name and operation."""
    _counting: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def issued(self, call: Call) -> bool:
        """Whether the call's access key was given out by an emulated service."""
        return self.rest is not None and self.rest.issued(call.access_key_id)

    def answer(self, call: Call) -> Answer:
        """The answer to a call.

        Raises:
            AwsError: it is refused, or nobody answers it.
        """
        with self._counting:
            self.asked[f"{call.service}:{call.operation}"] += 1
        try:
            answer = self._answered(call)
        except AwsError as error:
            self.after(call, error)
            raise
        self.after(call, answer)
        return answer

    def _answered(self, call: Call) -> Answer:
        self.before(call.service, call.operation, call.region)
        if service := self.services.get(call.service):
            return service.answer(call)
        if gap := self.gaps.get((call.service, call.operation)):
            return gap(call)
        if self.rest is None:
            raise not_implemented(f"The service {call.service}")
        return self.rest.answer(call)
