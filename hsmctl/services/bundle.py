"""Evidence for AWS Support in one file: what differs where, without the names of keys and people.

Keys are numbered and users are not named. It holds no certificate, no key material and no account.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from hsmctl import __version__
from hsmctl.domain.cluster import Cluster
from hsmctl.domain.evidence import Failed
from hsmctl.domain.key import Identity, Key
from hsmctl.domain.sync import Reading, Report, Row
from hsmctl.domain.sync_history import Past
from hsmctl.encoding import encoded
from hsmctl.errors import Denied, UsageError
from hsmctl.private import write_private

HISTORY = timedelta(days=7)
"""How far back it tells of earlier checks."""
_SCHEMA = "hsmctl/sync.evidence-bundle@1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What is known beside the report."""

    at: datetime
    environment: str
    region: str
    clusters: tuple[Cluster, ...]
    history: tuple[Past, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A bundle that was written."""

    sha256: str
    """Of the file, so that both sides know they speak of the same."""
    keys: int
    """Keys in it: those in which something is wrong or has not settled."""


def check_new(file: Path) -> None:
    """Refuse a file that is there.

    Raises:
        UsageError: it exists; evidence is never overwritten.
    """
    if file.exists():
        raise UsageError(str(file), "it exists; evidence is never overwritten", "name another file")


def write(file: Path, report: Report, made: Made, *, names: bool) -> Written:
    """Write the bundle; `names` leaves labels and ids of the keys in it.

    Raises:
        UsageError: the file exists.
        Denied: it cannot be written there.
    """
    check_new(file)
    keys = list(_keys(report, names=names))
    content = json.dumps(encoded(_document(report, made, keys)), indent=1).encode() + b"\n"
    try:
        write_private(file, content)
    except OSError as error:
        raise Denied(str(file), error.strerror or str(error), "choose another place") from error
    return Written(sha256=hashlib.sha256(content).hexdigest(), keys=len(keys))


def _document(report: Report, made: Made, keys: Sequence[Mapping[str, object]]) -> Mapping[str, object]:
    return {
        "schema": _SCHEMA,
        "hsmctl": __version__,
        "made_at": made.at,
        "environment": made.environment,
        "region": made.region or None,
        "clusters": [_cluster(each) for each in made.clusters],
        "verdict": report.verdict,
        "says": report.words,
        "reads": report.reads,
        "scope": {"visible": report.scope.visible, "total": report.scope.total, "full": report.scope.full},
        "replicas": [_replica(reading) for reading in report.readings],
        "keys": keys,
        "history": [_past(check) for check in made.history],
    }


def _replica(reading: Reading) -> Mapping[str, object]:
    """One replica and what became of asking it."""
    replica, outcome = reading.replica, reading.outcome
    return {
        "name": replica.name,
        "group": replica.group or None,
        "address": replica.address or None,
        "keys": None if isinstance(outcome, Failed) else len(outcome.value.keys),
        "error": str(outcome.error).removeprefix(f"{replica.name}: ") if isinstance(outcome, Failed) else None,
    }


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
