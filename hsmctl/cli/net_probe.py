"""`net probe`: whether client hosts reach the HSMs, by trying, beside what the static view says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click

from hsmctl.cli import net_question as ask
from hsmctl.cli.net_probed import PROBE, ProbeRow, mark, met, probed
from hsmctl.cli.session import Session
from hsmctl.cli.verb import Seconds, verb
from hsmctl.domain.cluster import Cluster, ClusterState
from hsmctl.domain.evidence import Failed, Outcome
from hsmctl.domain.net_finding import Pair
from hsmctl.domain.probe import LOCAL, PORTS, Answer, Method, ProbePair, ProbeResult, ProbeTarget, probe_targets
from hsmctl.domain.probe_verdict import Agreement, Reach, combine
from hsmctl.errors import Conflict, Denied, HsmctlError
from hsmctl.services.net import explain, load

_Key = tuple[str, str, int, int]
"""Client, HSM, port and address family."""


@verb(
    "probe",
    "hsmctl -c prod net probe --local",
    "hsmctl -c prod net probe cluster-a2b3c4d5e6f --client app1 --client app2 --deadline 1m",
    "hsmctl -c prod net probe --client app1 --from-snapshot net.json -o nagios",
    checks=True,
)
@click.argument("cluster", required=False)
@click.option(
    "--client", "words", metavar="NAME", multiple=True, help="Try from this registered client; else from all."
)
@click.option("--local", is_flag=True, help="Try from this machine.")
@ask.port_option
@click.option(
    "--method",
    type=click.Choice([str(method) for method in Method]),
    default=str(Method.CHANNEL),
    show_default=True,
    help="Through a channel of the client's sshd, or by a shell there, TCP only.",
)
@click.option("--deadline", type=Seconds(), default="30s", show_default=True, help="Give up on who has not answered.")
@ask.snapshot_option
@ask.fresh_option
def probe(
    session: Session,
    *,
    cluster: str | None,
    words: tuple[str, ...],
    local: bool,
    ports: tuple[int, ...] | None,
    method: str,
    deadline: float,
    from_snapshot: Path | None,
    fresh: bool,
) -> int:
    """Try from client hosts whether the HSMs answer; only the HSMs' own ports are touched, and nobody logs in."""
    question = ask.Question(cluster=cluster, words=words, ports=ports or (PORTS[0],), file=from_snapshot, fresh=fresh)
    clients = _clients(session, words, local=local)
    estate, static, warnings = _from_file(session, question) if from_snapshot else _from_aws(session, question, clients)
    targets = probe_targets(estate, question.ports or ())
    if not targets:
        raise Conflict("nothing to probe", "no HSM has an address", "hsmctl hsm list")
    rows = _tried(session, clients, targets, static, (Method(method), deadline))
    document = probed(rows)
    return session.show(PROBE, document, region=estate.region or None, warnings=warnings, code=document.exit)


def _clients(session: Session, words: Sequence[str], *, local: bool) -> tuple[str, ...]:
    """The clients that were named; else every one that has a host, unless it is this machine that is meant.

    Raises:
        Conflict: the context has no such client, or none at all.
    """
    known = [entry.name for entry in session.hsmctl.context.clients if entry.host]
    chosen = tuple(dict.fromkeys(words)) or (() if local else tuple(known))
    for name in chosen:
        if name not in known:
            raise Conflict(f"no client {name}", f"the context has {', '.join(known) or 'none'}", _REGISTER)
    if not (chosen or local):
        raise Conflict("no client host", "the context registers none", f"--local, or {_REGISTER}")
    return (*([LOCAL] if local else []), *chosen)


_REGISTER = "add it to [[context.NAME.clients]] with its host"


def _from_file(session: Session, question: ask.Question) -> tuple[Cluster, Mapping[_Key, Pair], tuple[str, ...]]:
    """The HSMs of a snapshot, and what it says about the clients it was collected for."""
    inquiry = ask.from_file(replace(question, words=())).inquiry
    estate = Cluster(cluster_id="", state=ClusterState.ACTIVE, region="", hsms=inquiry.hsms)
    asked = replace(inquiry, ports=question.ports or inquiry.ports, families=(4, 6), asked=None)
    return estate, _by_name(session, explain(asked).pairs), ()


def _from_aws(
    session: Session, question: ask.Question, clients: Sequence[str]
) -> tuple[Cluster, Mapping[_Key, Pair], tuple[str, ...]]:
    """The cluster, and the static view of the clients that are something to AWS; without it a warning says why."""
    estate = ask.cluster_of(session, question)
    sources = [entry.name for entry in session.hsmctl.context.clients if entry.source and entry.name in clients]
    if not sources:
        return estate, {}, ()
    try:
        ends, _ = ask.ends_of(session, estate, replace(question, words=tuple(sources), family="both"))
        inquiry = load(ask.collected(session, ends, question).document)
    except HsmctlError as error:
        return estate, {}, (f"no static view: {error}",)
    asked = replace(inquiry, ports=question.ports or inquiry.ports, families=ends.families, asked=None)
    return estate, _by_name(session, explain(asked).pairs), ()


def _by_name(session: Session, pairs: Sequence[Pair]) -> Mapping[_Key, Pair]:
    """The static verdicts under the names of the registered clients."""
    names = {entry.source: entry.name for entry in session.hsmctl.context.clients if entry.source}
    return {(names[pair.client], pair.hsm, pair.port, pair.family): pair for pair in pairs if pair.client in names}


def _tried(
    session: Session,
    clients: Sequence[str],
    targets: Sequence[ProbeTarget],
    static: Mapping[_Key, Pair],
    how: tuple[Method, float],
) -> tuple[ProbeRow, ...]:
    """Each client at each target in their order; told as they come to whoever watches."""
    method, seconds = how
    facade = session.hsmctl
    until = facade.clock.monotonic() + seconds
    rows: dict[ProbePair, ProbeRow] = {}
    for pair, outcome in facade.probe.probe(clients, targets, deadline=until, method=method):
        target = pair.target
        known = static.get((pair.client, target.hsm_id, target.port, _family(target)))
        rows[pair] = _row(pair, outcome, known, method)
        if session.out.interactive:
            session.out.say(f"{mark(rows[pair]).glyph} {pair}: {met(rows[pair])}")
    return tuple(rows[ProbePair(client, target)] for client in clients for target in targets)


def _family(target: ProbeTarget) -> int:
    return 6 if ":" in target.address else 4


def _row(pair: ProbePair, outcome: Outcome[ProbeResult], static: Pair | None, method: Method) -> ProbeRow:
    error = outcome.error if isinstance(outcome, Failed) else None
    result = None if isinstance(outcome, Failed) else outcome.value
    both = combine(static.verdict.value if static else None, result)
    # What a probe did not see, it does not vouch for; that a way is blocked needs no probe.
    unseen = both.agreement is Agreement.STATIC_DECIDES and both.verdict is not Reach.BLOCKED
    codes = tuple(dict.fromkeys(found.code.value for found in static.findings if found.decides)) if static else ()
    return ProbeRow(
        client=pair.client,
        hsm=pair.target.hsm_id,
        address=pair.target.address,
        port=pair.target.port,
        family=_family(pair.target),
        method=method.value,
        answer=result.answer.value if result else None,
        detail=(result.detail or None) if result else None,
        p50=result.p50 if result else None,
        p95=result.p95 if result else None,
        handshake=result.handshake if result else None,
        losses=result.losses if result else 0,
        fingerprint=result.fingerprint if result else None,
        static=static.verdict.value if static else None,
        codes=codes,
        agreement=both.agreement.value,
        verdict=Reach.UNKNOWN.value if unseen else both.verdict.value,
        says=_says(both.sentence, codes, result),
        error=str(error) if error else None,
        hint=(error.hint or None) if error else None,
        denied=isinstance(error, Denied),
    )


def _says(sentence: str, codes: Sequence[str], result: ProbeResult | None) -> str:
    """The sentence with what is behind it; that HSMs listen on the other ports is not confirmed by AWS."""
    spare = result and result.answer is Answer.REFUSED and result.target.port != PORTS[0]
    more = [*codes, *([f"clients of SDK 5 need {PORTS[0]} only"] if spare else [])]
    return f"{sentence} ({', '.join(more)})" if more else sentence
