"""`sync`: the verdict on whether the replicas of a key set agree, with its scope, its proof and an exit code."""

from __future__ import annotations

from pathlib import Path

import click

from hsmctl.cli.session import Session
from hsmctl.cli.sync_bundle import evidence_sync
from hsmctl.cli.sync_canary import canary_sync
from hsmctl.cli.sync_diff import diff_sync
from hsmctl.cli.sync_document import Demand, document
from hsmctl.cli.sync_evidence import LAB_NODE, Wanted, check_evidence, levels
from hsmctl.cli.sync_history import report_history, show_history
from hsmctl.cli.sync_hold import noun as hold
from hsmctl.cli.sync_repair import repair_key
from hsmctl.cli.sync_run import checked
from hsmctl.cli.sync_view import CHECK
from hsmctl.cli.sync_watch import watch_sync
from hsmctl.cli.verb import Noun, Seconds, typed, verb
from hsmctl.domain.sync import Report
from hsmctl.domain.sync_baseline import Baseline, Since, baseline, since
from hsmctl.errors import Unreachable, UsageError
from hsmctl.settings import ContextKind


@verb(
    "check",
    "hsmctl --lab sync check --via lab-node",
    "hsmctl -c prod sync check cluster-a2b3c4d5e6f --deadline 20s -o nagios",
    "hsmctl --lab sync check --deep -o wide",
    "hsmctl -c prod sync check --deep --yes --require proved",
    "hsmctl -c prod sync check --min-copies 3 --save-baseline keys.json",
    "hsmctl -c prod sync check --baseline keys.json",
    "hsmctl -c prod sync check --via host --client app1",
    "hsmctl --lab sync check --replica CLUSTER --replica nginx=module:/usr/lib/softhsm/libsofthsm2.so?token=nginx",
    checks=True,
)
@click.argument("cluster", required=False)
@click.option(
    "--replica",
    "names",
    metavar="NAME|NAME=ADDRESS",
    multiple=True,
    help="Compare only these: HSMs, tokens, clusters, or any other token by its address.",
)
@click.option(
    "--via",
    type=click.Choice(["control", "host", "login", LAB_NODE]),
    help="Ask AWS alone, a client host too, or as the crypto user as well; or the lab's HSMs one by one.",
)
@click.option("--client", metavar="NAME", help="The client host that speaks for a cluster.")
@click.option("--deadline", type=Seconds(), default="10s", show_default=True, help="Give up on who has not answered.")
@click.option("--deep", is_flag=True, help="Use each key once, so that it proves itself.")
@click.option("--yes", is_flag=True, help="Use the keys that deep_allow names; needed outside the lab.")
@click.option("--require", type=click.Choice(["proved"]), help="Exit 6 where keys agree but are not all proved.")
@click.option("--require-scope", type=click.Choice(["full"]), help="Exit 6 where not every object could be seen.")
@click.option("--min-copies", type=click.IntRange(min=1), help="Exit 1 where fewer replicas than this hold a key.")
@click.option("--baseline", "then", metavar="FILE", type=click.Path(path_type=Path), help="Compare with this, too.")
@click.option("--save-baseline", "keep", metavar="FILE", type=click.Path(path_type=Path), help="Write what was seen.")
def check_sync(
    session: Session,
    cluster: str | None,
    names: tuple[str, ...],
    deadline: float,
    require: str | None,
    require_scope: str | None,
    min_copies: int | None,
    then: Path | None,
    keep: Path | None,
    via: str | None,
    client: str | None,
    *,
    deep: bool,
    yes: bool,
) -> int:
    """Say whether all HSMs hold the same keys, and name those that differ.

    A cluster cannot be asked HSM by HSM: AWS's counts, a client host's word on users, quorum and trust anchors, and
    the service's word on the keys that the crypto user sees are judged instead, and called reported. The lab is looked
    at in the same way; --via lab-node asks its HSMs one by one, which only a lab can answer.
    Attributes and check values tell what HSMs report. With --deep the keys prove it: each signs, encrypts or decrypts
    a number made for this run. HSMs log that and may count it.
    """
    replicas = any((names, deep, require, min_copies, then, keep))
    wanted = Wanted(via=via, client=client, full_scope=bool(require_scope), replicas=replicas)
    if asked := levels(session, wanted):
        return check_evidence(session, cluster, asked, wanted, deadline if typed("deadline") else None)
    earlier = _baseline(then)
    report = checked(
        session, cluster, names, deadline, lambda: _nonce(session, yes=yes) if deep else None, spent=session.lived()
    )
    drift = _since(earlier, report)
    if keep:
        _save(keep, report, session)
    demand = Demand(proved=bool(require), full_scope=bool(require_scope), copies=min_copies or 0)
    answer = document(report, demand, drift, session.hsmctl.aws.requests)
    return session.show(CHECK, answer, warnings=answer.warnings, code=answer.exit)


noun = Noun(
    "sync",
    "Whether all HSMs hold the same keys.",
    check_sync,
    watch_sync,
    diff_sync,
    show_history,
    report_history,
    evidence_sync,
    canary_sync,
    repair_key,
    hold,
)


def _nonce(session: Session, *, yes: bool) -> bytes:
    """What the run's proofs are about.

    Raises:
        Denied: the context allows no key to be used.
        UsageError: nobody has said that keys may be used now.
    """
    context = session.hsmctl.context
    nonce = session.hsmctl.sync.nonce()
    if context.kind is not ContextKind.LAB and not yes:
        named = ", ".join(context.deep_allow)
        raise UsageError(
            "sync check --deep",
            f"every replica will use each key named {named} once; HSMs log that and may count it",
            "hsmctl sync check --deep --yes",
        )
    return nonce


def _baseline(file: Path | None) -> Baseline | None:
    """What was saved in the file."""
    if file is None:
        return None
    from hsmctl.cli.sync_baseline import load

    return load(file)


def _since(earlier: Baseline | None, report: Report) -> Since | None:
    return since(earlier, report.readings) if earlier else None


def _save(file: Path, report: Report, session: Session) -> None:
    """Keep what was seen, which must be everything.

    Raises:
        Unreachable: a replica could not be read: what only it holds would be missing later.
    """
    from hsmctl.cli.sync_baseline import save

    if report.unreadable:
        silent = ", ".join(reading.replica.name for reading in report.unreadable)
        raise Unreachable("--save-baseline", f"{silent} could not be read", "try again when all can be")
    save(file, baseline(report.readings, session.hsmctl.clock.now()))
