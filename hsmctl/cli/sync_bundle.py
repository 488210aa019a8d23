"""`sync evidence`: one file for AWS Support, which shows what differs where without the names of keys and people."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import click

from hsmctl import __version__
from hsmctl.cli.encoding import encoded
from hsmctl.cli.session import Session
from hsmctl.cli.sync_document import replica_row
from hsmctl.cli.sync_run import checked
from hsmctl.cli.verb import Seconds, verb
from hsmctl.cli.view import Page, View
from hsmctl.domain.cluster import Cluster
from hsmctl.domain.key import Identity, Key
from hsmctl.domain.sync import Report, Row
from hsmctl.domain.sync_history import Past
from hsmctl.errors import Denied, HsmctlError, UsageError
from hsmctl.mark import Mark
from hsmctl.private import write_private
from hsmctl.settings import ContextKind
from hsmctl.words import counted

_SCHEMA = "hsmctl/sync.evidence-bundle@1"
_HISTORY = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncEvidence:
    """A bundle that was written."""

    file: str
    sha256: str
    """Of the file, so that both sides know they speak of the same."""
    verdict: str
    keys: int
    """Keys in it: those in which something is wrong or has not settled."""
    names: bool
    """Whether the labels and ids of those keys are in it."""


@verb(
    "evidence",
    "hsmctl -c prod sync evidence cluster-a2b3c4d5e6f --file case-1234.json",
    "hsmctl --lab sync evidence --file bundle.json --with-names",
)
@click.argument("cluster", required=False)
@click.option("--file", metavar="FILE", required=True, type=click.Path(path_type=Path), help="Where to write it.")
@click.option("--with-names", is_flag=True, help="Leave labels and ids of the keys in it.")
@click.option("--deadline", type=Seconds(), default="10s", show_default=True, help="Give up on who has not answered.")
def evidence_sync(session: Session, cluster: str | None, file: Path, deadline: float, *, with_names: bool) -> int:
    """Check, and write down for AWS Support what differs where, with the state of the cluster and the checks before.

    Keys are numbered and users are not named. It holds no certificate, no key material and no account.
    """
    if file.exists():
        raise UsageError(str(file), "it exists; evidence is never overwritten", "name another file")
    report = checked(session, cluster, (), deadline)
    content = json.dumps(encoded(_bundle(session, cluster, report, names=with_names)), indent=1).encode() + b"\n"
    try:
        write_private(file.absolute(), content)
    except OSError as error:
        raise Denied(str(file), error.strerror or str(error), "choose another place") from error
    wrong = (*report.differences, *report.unsettled)
    digest = hashlib.sha256(content).hexdigest()
    written = SyncEvidence(file=str(file), sha256=digest, verdict=report.verdict, keys=len(wrong), names=with_names)
    return session.show(EVIDENCE, written)


def _bundle(session: Session, cluster: str | None, report: Report, *, names: bool) -> Mapping[str, object]:
    facade = session.hsmctl
    now = facade.clock.now()
    realms = {reading.replica.realm for reading in report.readings} | ({cluster} if cluster else set())
    return {
        "schema": _SCHEMA,
        "hsmctl": __version__,
        "made_at": now,
        "environment": facade.context.kind,
        "region": facade.context.region,
        "clusters": [_cluster(each) for each in _clusters(session) if each.cluster_id in realms],
        "verdict": report.verdict,
        "says": report.words,
        "reads": report.reads,
        "scope": {"visible": report.scope.visible, "total": report.scope.total, "full": report.scope.full},
        "replicas": [replica_row(reading) for reading in report.readings],
        "keys": list(_keys(report, names=names)),
        "history": [_past(check) for check in facade.history.checks(None, now - _HISTORY)],
    }


def _clusters(session: Session) -> Sequence[Cluster]:
    """The clusters as AWS describes them, where it can be asked."""
    if session.hsmctl.context.kind is not ContextKind.LAB and session.hsmctl.context.account_id is None:
        return ()
    try:
        return session.hsmctl.cluster.list()
    except HsmctlError as error:
        session.out.say(f"warning: the clusters are not in it: {error}")
        return ()


def _cluster(cluster: Cluster) -> Mapping[str, object]:
    """What identifies a cluster and its HSMs to AWS; no certificate and no tag."""
    return {
        "cluster_id": cluster.cluster_id,
        "state": cluster.state,
        "message": cluster.message or None,
        "hsm_type": cluster.hsm_type,
        "mode": cluster.mode,
        "hsms": [
            {
                "hsm_id": hsm.hsm_id,
                "state": hsm.state,
                "zone": hsm.zone,
                "eni": hsm.eni_id,
                "message": hsm.message or None,
            }
            for hsm in cluster.hsms
        ],
    }


def _keys(report: Report, *, names: bool) -> Iterator[Mapping[str, object]]:
    """The keys in which something is wrong or has not settled, numbered."""
    replicas = [reading.replica.name for reading in report.readings]
    for number, row in enumerate((*report.differences, *report.unsettled), 1):
        yield {
            "key": number,
            **(_named(row.identity) if names else {}),
            "class": row.identity.object_class,
            "algorithm": row.algorithm,
            "cells": dict(zip(replicas, row.cells, strict=True)),
            "drift": row.drift,
            "held": dict(zip(replicas, map(_held, _holdings(row)), strict=True)),
        }


def _holdings(row: Row) -> Sequence[tuple[Key, ...]]:
    return row.holdings or [() for _ in row.cells]


def _held(held: tuple[Key, ...]) -> list[Mapping[str, object]]:
    """What one replica holds: its attributes, and by a digest of the fingerprint which copies are alike."""
    return [
        {
            "attributes": sorted(key.attributes),
            "not_told": sorted(key.unknown),
            "fingerprint": None if key.material is None else hashlib.sha256(key.material.digest).hexdigest()[:8],
        }
        for key in held
    ]


def _named(name: Identity) -> Mapping[str, object]:
    return {"label": name.label, "id": name.key_id}


def _past(check: Past) -> Mapping[str, object]:
    """An earlier check without the names of its keys."""
    return {
        "at": check.at,
        "scope": check.scope,
        "verdict": check.verdict,
        "keys": check.keys,
        "wrong": {replica.name: replica.wrong for replica in check.replicas if replica.wrong},
        "unreadable": [replica.name for replica in check.replicas if replica.keys is None],
    }


def _lines(written: SyncEvidence, _: Page) -> Iterator[str]:
    names = "labels and ids are in it" if written.names else "no label, id or user is in it"
    yield f"{Mark.REPORTED.glyph} {written.file}: {written.verdict}, {counted(written.keys, 'key')}; {names}"
    yield f"  SHA-256 {written.sha256}"


EVIDENCE: View[SyncEvidence] = View(
    schema="sync.evidence@1", document=SyncEvidence, lines=_lines, names=lambda written: [written.file]
)
