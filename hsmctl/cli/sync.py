"""`sync`: the verdict on whether the replicas of a key set agree, with its scope, its proof and an exit code."""

from __future__ import annotations

from collections.abc import Sequence

import click

from hsmctl.cli.session import Session
from hsmctl.cli.sync_view import CHECK, document, progress
from hsmctl.cli.verb import Noun, Seconds, verb
from hsmctl.domain.sync import Reading, Replica, Report, compare
from hsmctl.errors import ExitCode, UsageError
from hsmctl.settings import ContextKind
from hsmctl.words import counted


@verb(
    "check",
    "hsmctl --lab sync check",
    "hsmctl -c prod sync check cluster-a2b3c4d5e6f --deadline 20s -o nagios",
    "hsmctl --lab sync check --deep -o wide",
    "hsmctl -c prod sync check --deep --yes --require proved",
    checks=True,
)
@click.argument("cluster", required=False)
@click.option("--replica", "names", metavar="NAME", multiple=True, help="Compare only these HSMs or tokens.")
@click.option("--deadline", type=Seconds(), default="10s", show_default=True, help="Give up on who has not answered.")
@click.option("--deep", is_flag=True, help="Use each key once, so that it proves itself.")
@click.option("--yes", is_flag=True, help="Use the keys that deep_allow names; needed outside the lab.")
@click.option("--require", type=click.Choice(["proved"]), help="Exit 6 where keys agree but are not all proved.")
@click.option("--require-scope", type=click.Choice(["full"]), help="Exit 6 where not every object could be seen.")
def check_sync(
    session: Session,
    cluster: str | None,
    names: tuple[str, ...],
    deadline: float,
    require: str | None,
    require_scope: str | None,
    *,
    deep: bool,
    yes: bool,
) -> int:
    """Say whether all HSMs hold the same keys, and name those that differ.

    Attributes and check values tell what HSMs report. With --deep the keys prove it: each signs, encrypts or decrypts
    a number made for this run. HSMs log that and may count it.
    """
    session.check_account(cluster)
    replicas = session.replicas(cluster, names)
    nonce = _nonce(session, yes=yes) if deep else None
    report = compare(_readings(session, replicas, deadline, nonce))
    lacking = (require and report.unproven) or (require_scope and not report.scope.full)
    code = ExitCode.PARTIAL if lacking and report.exit_code is ExitCode.OK else report.exit_code
    return session.show(CHECK, document(report, code), warnings=_hidden(report), code=code)


noun = Noun("sync", "Whether all HSMs hold the same keys.", check_sync)


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


def _readings(session: Session, replicas: Sequence[Replica], seconds: float, nonce: bytes | None) -> Sequence[Reading]:
    """What each replica answered, in their order; told as it comes to whoever watches."""
    found = {}
    for reading in session.hsmctl.sync.readings(replicas, seconds=seconds, nonce=nonce):
        found[reading.replica.name] = reading
        if session.out.interactive:
            session.out.say(progress(reading))
    readings = [found[replica.name] for replica in replicas]
    return session.hsmctl.sync.settled(readings, nonce) if nonce else readings


def _hidden(report: Report) -> tuple[str, ...]:
    """What the verdict does not speak of."""
    scope = report.scope
    if scope.total is None or scope.total <= scope.visible:
        return ()
    return (f"{counted(scope.total - scope.visible, 'object')} not visible to {' and '.join(scope.users)}: unproven",)
