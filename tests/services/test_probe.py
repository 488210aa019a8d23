"""Proves that every client is asked about every HSM once, and that a dead client or silent HSM spoils only its own."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence

from hsmctl.adapters.clock import SystemClock
from hsmctl.domain.evidence import Failed, Ok, Outcome
from hsmctl.domain.probe import Answer, Closed, Method, ProbePair, ProbeResult, ProbeTarget
from hsmctl.errors import Denied, Unreachable
from hsmctl.ports_host import ByteStream, ClientHost, Finished
from hsmctl.services.probe import ProbeService

CLIENTS = tuple(f"app{number}" for number in range(1, 9))
TARGETS = tuple(ProbeTarget(f"hsm-{number}", f"10.0.1.{number}", 2223) for number in range(1, 13))


class FakeHost:
    """ports.ClientHost that remembers whether it was closed."""

    round_trip = 0.0

    def __init__(self, name: str) -> None:
        self.name = name
        self.closed = threading.Event()

    def run(self, command: Sequence[str], stdin: bytes, deadline: float) -> Finished:
        raise NotImplementedError

    def open_stream(self, address: str, port: int, deadline: float) -> ByteStream | Closed:
        raise NotImplementedError

    def close(self) -> None:
        self.closed.set()


class FakeHosts:
    """ports.ClientHosts of which some refuse and some take their time."""

    def __init__(self) -> None:
        self.connected: list[str] = []
        self.hosts = {name: FakeHost(name) for name in CLIENTS}
        self.refusing: set[str] = set()
        self.slow: dict[str, threading.Event] = {}

    def connect(self, name: str, deadline: float) -> ClientHost:
        self.connected.append(name)
        if name in self.slow:
            self.slow[name].wait()
        if name in self.refusing:
            raise Denied(f"{name} is not trusted", "it shows another key")
        return self.hosts[name]

    def closed(self) -> set[str]:
        """The clients whose connections have ended."""
        return {name for name, host in self.hosts.items() if host.closed.is_set()}


class FakeProber:
    """ports.Prober whose answers say who was asked about what."""

    def __init__(self) -> None:
        self.silent: set[str] = set()
        self.release = threading.Event()

    def probe(self, host: ClientHost, target: ProbeTarget, deadline: float) -> ProbeResult:
        if target.hsm_id in self.silent:
            self.release.wait()
        return ProbeResult(target=target, answer=Answer.OPEN_TLS_SERVER, detail=host.name)

    def probe_by_command(
        self, host: ClientHost, targets: Sequence[ProbeTarget], deadline: float
    ) -> tuple[ProbeResult, ...]:
        return tuple(
            ProbeResult(target=target, answer=Answer.OPEN, detail=host.name, method=Method.COMMAND)
            for target in targets
        )


def ask(
    hosts: FakeHosts, prober: FakeProber, seconds: float = 10.0, method: Method = Method.CHANNEL
) -> dict[ProbePair, Outcome[ProbeResult]]:
    clock = SystemClock()
    service = ProbeService(clock=clock, hosts=hosts, prober=prober)
    answers = list(service.probe(CLIENTS, TARGETS, deadline=clock.monotonic() + seconds, method=method))
    assert len(answers) == len(CLIENTS) * len(TARGETS)
    return dict(answers)


def names(outcome: Outcome[ProbeResult]) -> tuple[str, str]:
    assert isinstance(outcome, Ok)
    return outcome.value.detail, outcome.value.target.hsm_id


def test_each_pair_is_asked_once_over_one_connection_for_each_client() -> None:
    for method in Method:
        hosts = FakeHosts()
        answers = ask(hosts, FakeProber(), method=method)
        assert {pair: names(outcome) for pair, outcome in answers.items()} == {
            ProbePair(client, target): (client, target.hsm_id) for client in CLIENTS for target in TARGETS
        }
        assert Counter(hosts.connected) == Counter(CLIENTS)
        assert hosts.closed() == set(CLIENTS)


def test_a_client_that_refuses_fails_for_all_its_hsms_and_is_tried_once() -> None:
    for method in Method:
        hosts = FakeHosts()
        hosts.refusing = {"app3"}
        answers = ask(hosts, FakeProber(), method=method)
        failed = {pair.client for pair, outcome in answers.items() if isinstance(outcome, Failed)}
        assert failed == {"app3"}
        assert all(
            isinstance(outcome, Failed) and isinstance(outcome.error, Denied)
            for pair, outcome in answers.items()
            if pair.client == "app3"
        )
        assert hosts.connected.count("app3") == 1


def test_a_silent_hsm_costs_its_own_answers_and_the_deadline() -> None:
    prober = FakeProber()
    prober.silent = {"hsm-5"}
    hosts = FakeHosts()
    began = time.monotonic()
    answers = ask(hosts, prober, seconds=0.4)
    took = time.monotonic() - began
    prober.release.set()

    failed = {pair: outcome for pair, outcome in answers.items() if isinstance(outcome, Failed)}
    assert {pair.target.hsm_id for pair in failed} == {"hsm-5"}
    assert all(isinstance(outcome.error, Unreachable) for outcome in failed.values())
    assert took < 3
    assert hosts.closed() == set(CLIENTS)


def test_a_client_that_connects_too_late_is_given_up_and_its_connection_ended() -> None:
    hosts = FakeHosts()
    hosts.slow = {"app2": threading.Event()}
    answers = ask(hosts, FakeProber(), seconds=0.4)
    failed = {pair.client for pair, outcome in answers.items() if isinstance(outcome, Failed)}
    assert failed == {"app2"}

    assert hosts.closed() == set(CLIENTS) - {"app2"}
    hosts.slow["app2"].set()
    assert hosts.hosts["app2"].closed.wait(5)


def test_who_stops_listening_ends_the_connections() -> None:
    hosts = FakeHosts()
    clock = SystemClock()
    answers = ProbeService(clock=clock, hosts=hosts, prober=FakeProber()).probe(
        CLIENTS, TARGETS, deadline=clock.monotonic() + 10
    )
    next(answers)
    assert hasattr(answers, "close")
    answers.close()
    assert all(hosts.hosts[name].closed.wait(5) for name in hosts.connected)


def test_nothing_to_ask_is_no_answer_and_no_connection() -> None:
    hosts = FakeHosts()
    clock = SystemClock()
    service = ProbeService(clock=clock, hosts=hosts, prober=FakeProber())
    for method in Method:
        assert list(service.probe(CLIENTS, (), deadline=clock.monotonic() + 10, method=method)) == []
        assert list(service.probe((), TARGETS, deadline=clock.monotonic() + 10, method=method)) == []
    assert hosts.connected == []
