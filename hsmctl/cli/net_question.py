"""What `net` commands are asked: their common options, the clients that are meant, and a snapshot of AWS or a file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import click

from hsmctl.cli.session import Session
from hsmctl.cli.view import View
from hsmctl.domain.cluster import Cluster, Hsm
from hsmctl.domain.net_endpoint import Client, parse_client
from hsmctl.domain.probe import PORTS
from hsmctl.errors import Conflict, UsageError
from hsmctl.services.net import Inquiry, load
from hsmctl.services.net_collect import Collection
from hsmctl.services.net_ends import Ends
from hsmctl.settings_entry import ClientEntry

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


class Ports(click.ParamType[tuple[int, ...]]):
    """Ports of an HSM: 2223, 2223-2225 or 2223,2225; nothing listens on others (`domain.probe.PORTS`)."""

    name = "ports"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """The ports in their order."""
        found: list[int] = []
        for part in str(value).split(","):
            match = re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", part)
            ends = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
            if ends[0] > ends[1] or ends[0] not in PORTS or ends[1] not in PORTS:
                self.fail(f"an HSM has ports {PORTS[0]} to {PORTS[-1]}, such as 2223-2225", param, ctx)
            found += range(ends[0], ends[1] + 1)
        return tuple(dict.fromkeys(found))


client_option = click.option(
    "--client",
    "words",
    metavar="ID|IP|CIDR",
    multiple=True,
    help="A registered client, instance, interface or address.",
)
snapshot_option = click.option(
    "--from-snapshot", metavar="FILE", type=click.Path(path_type=Path), help="Ask this file and not AWS."
)
port_option = click.option("--port", "ports", type=Ports(), metavar="PORTS", help="2223, or 2223-2225.")
family_option = click.option("--family", type=click.Choice(["4", "6", "both"]), help="IPv4, IPv6 or both.")
fresh_option = click.option(
    "--fresh", is_flag=True, help="Ask AWS again where the answers of the last minute would do."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What was typed; nothing typed leaves it to the snapshot or to the usual."""

    cluster: str | None = None
    words: tuple[str, ...] = ()
    hsm: str | None = None
    ports: tuple[int, ...] | None = None
    family: str | None = None
    file: Path | None = None
    fresh: bool = False

    @property
    def families(self) -> tuple[int, ...] | None:
        """The address families that were asked for."""
        return {"4": (4,), "6": (6,), "both": (4, 6)}.get(self.family or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question with its snapshot."""

    inquiry: Inquiry
    names: Mapping[str, str] = field(default_factory=dict)
    """What a client is to AWS, and the name it is registered under."""
    region: str | None = None
    """Where AWS was asked; None where a file was."""
    warnings: tuple[str, ...] = ()

    def show(self, session: Session, view: View[T], document: T, code: int) -> int:
        """Write the answer: the context's, or this machine's where a file was asked."""
        if self.region is None:
            return session.show_local(view, document, code=code, warnings=self.warnings)
        return session.show(view, document, region=self.region, warnings=self.warnings, code=code)


def asked(session: Session, question: Question) -> Asked:
    """The inquiry that was typed.

    Raises:
        UsageError: the file is no snapshot, or a client is none.
        Conflict: there is no such HSM.
    """
    found = from_file(question) if question.file else _from_aws(session, question)
    return replace(found, inquiry=_narrowed(found.inquiry, question))


def from_file(question: Question) -> Asked:
    """The inquiry of a file; its own clients unless others were typed."""
    inquiry = load(read_document(question.file or Path()))
    if not question.words:
        return Asked(inquiry=inquiry)
    clients = tuple(map(parsed, question.words))
    strange = [client.name for client in clients if client.name not in {known.name for known in inquiry.clients}]
    warnings = (f"the snapshot was not collected for {', '.join(strange)}",) if strange else ()
    return with_clients(Asked(inquiry=inquiry, warnings=warnings), clients)


def with_clients(found: Asked, clients: tuple[Client, ...]) -> Asked:
    """The same question about other clients."""
    return replace(found, inquiry=replace(found.inquiry, clients=clients))


def read_document(file: Path) -> object:
    """The JSON of a file.

    Raises:
        UsageError: it cannot be read, or is not JSON.
    """
    try:
        document: object = json.loads(file.read_bytes())
    except OSError as error:
        raise UsageError(str(file), error.strerror or str(error), "hsmctl net collect -o FILE") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(str(file), "not a snapshot: it is no JSON", "hsmctl net collect -o FILE") from error
    return document


def collected(session: Session, ends: Ends, question: Question) -> Collection:
    """What AWS says about the network between these ends."""
    port = question.ports[0] if question.ports else PORTS[0]
    return session.hsmctl.net.collect(ends, port=port, hsm_id=question.hsm, fresh=question.fresh)


def ends_of(
    session: Session, cluster: Cluster, question: Question, also: Sequence[str] = ()
) -> tuple[Ends, Mapping[str, str]]:
    """The cluster and the clients that were typed, or are registered; and what these are called."""
    entries = session.hsmctl.context.clients
    words = question.words or [entry.name for entry in entries if entry.source]
    clients = tuple(_client(word, entries) for word in (*words, *also))
    own = dict.fromkeys(family for client in clients for family in client.families or (4,))
    names = {entry.source: entry.name for entry in entries if entry.source}
    return Ends(cluster=cluster, clients=clients, families=question.families or tuple(own) or (4,)), names


def cluster_of(session: Session, question: Question) -> Cluster:
    """The cluster that is meant, once the account is the right one."""
    session.check_account(question.cluster)
    return session.hsmctl.cluster.only(question.cluster)


def parsed(word: str, name: str = "") -> Client:
    """The client a word names.

    Raises:
        UsageError: it is no instance, interface, address or prefix.
    """
    try:
        return parse_client(word)
    except ValueError as error:
        what = f"client {name or word}"
        raise UsageError(what, f"{word} is no instance, interface, address or prefix", "--client 10.0.1.7") from error


def _from_aws(session: Session, question: Question) -> Asked:
    cluster = cluster_of(session, question)
    ends, names = ends_of(session, cluster, question)
    collection = collected(session, ends, question)
    inquiry = load(collection.document)
    mixed = () if collection.consistent else ("the answers of AWS are more than half a minute apart: --fresh",)
    return Asked(
        inquiry=replace(inquiry, families=ends.families, asked=inquiry.asked if question.hsm else None),
        names=names,
        region=cluster.region,
        warnings=mixed,
    )


def _client(word: str, entries: Sequence[ClientEntry]) -> Client:
    """The client of a word: registered under it, or what it says."""
    entry = next((entry for entry in entries if entry.name == word), None)
    if entry is not None and not entry.source:
        raise UsageError(f"client {word}", "the context does not say what it is to AWS", 'source = "i-…"')
    return parsed(entry.source, word) if entry else parsed(word)


def _narrowed(inquiry: Inquiry, question: Question) -> Inquiry:
    """The inquiry about what was typed only."""
    narrow = replace(inquiry, ports=question.ports or inquiry.ports, families=question.families or inquiry.families)
    if question.hsm is None:
        return narrow
    hsm = _hsm(inquiry, question.hsm)
    return replace(narrow, hsms=(hsm,), asked=hsm)


def _hsm(inquiry: Inquiry, hsm_id: str) -> Hsm:
    known = {hsm.hsm_id: hsm for hsm in (*inquiry.hsms, *([inquiry.asked] if inquiry.asked else []))}
    if hsm_id not in known:
        raise Conflict(f"no HSM {hsm_id}", f"there are {', '.join(known)}", "name one of them")
    return known[hsm_id]
