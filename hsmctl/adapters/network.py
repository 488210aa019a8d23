"""AWS's describe_* answers about networks behind the port, without anything secret in them.

Knows how an operation is called page by page, how calls are counted and what is kept of an answer. Refuses to say what
an answer means, and keeps nothing of one but the fields `network_source` names.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hsmctl.adapters.aws_error import translated
from hsmctl.adapters.network_source import SOURCES, Request, Source
from hsmctl.domain.network import JsonObject, NetworkAnswer, NetworkQuery, Unreadable
from hsmctl.errors import Denied, HsmctlError, Unreachable, UsageError
from hsmctl.ports import Clock

if TYPE_CHECKING:
    from botocore.client import BaseClient

_TOKENS = ("NextToken", "nextToken")


class AwsNetwork:
    """ports.NetworkReader over EC2 and Direct Connect; several threads may read at once."""

    def __init__(self, client: Callable[[str, str], BaseClient], clock: Clock) -> None:
        """Name what makes a client of a service in a Region; each is made once."""
        self._new_client = client
        self._clock = clock
        self._clients: dict[tuple[str, str], BaseClient] = {}
        self._lock = threading.Lock()
        self._calls = 0

    @property
    def calls(self) -> int:
        """The requests sent so far, every page counted; a retry of botocore's is the same request."""
        return self._calls

    def read(self, query: NetworkQuery) -> NetworkAnswer | Unreadable:
        """The whole answer, all its pages, or the reason why there is none; ids that are unknown are left out."""
        source = SOURCES[query.kind]
        try:
            client = self._client(source.service, query.region)
            requests = source.ask[query.chosen](query.values)
            rows = tuple(row for request in requests for row in self._rows(client, source, request))
        except HsmctlError as error:
            why = str(error).partition(" Encoded authorization failure message")[0]
            return Unreadable(action=source.action, why=why, denied=isinstance(error, Denied))
        return NetworkAnswer(rows=rows, fetched_at=self._clock.now())

    def _client(self, service: str, region: str) -> BaseClient:
        with self._lock:  # making clients of one session is not safe in several threads
            if (service, region) not in self._clients:
                self._clients[service, region] = self._new_client(service, region)
            return self._clients[service, region]

    def _rows(self, client: BaseClient, source: Source, request: Request) -> Iterator[JsonObject]:
        """The rows of every page.

        Raises:
            Unreachable: there are more rows than AWS hands out.
        """
        token: Mapping[str, str] = {}
        while True:
            answer = self._call(client, source, {**source.fixed, **request, **token})
            yield from _kept_rows(answer, source)
            following = {name: answer[name] for name in _TOKENS if answer.get(name)}
            # An older botocore knows no token of SearchTransitGatewayRoutes and passes on only that there is more.
            if not following and not answer.get("AdditionalRoutesAvailable"):
                return
            if not following or following == token:
                raise Unreachable(source.action, "AWS did not give the whole answer", "update boto3, then try again")
            token = following

    def _call(self, client: BaseClient, source: Source, parameters: Request) -> Mapping[str, Any]:
        """One page.

        Raises:
            UsageError: this botocore does not know the operation.
            Unreachable, Denied, Conflict: as in `translated`.
        """
        from botocore import xform_name

        method = getattr(client, xform_name(source.operation), None)
        if method is None:
            raise UsageError(source.action, "the installed botocore does not know it", "update boto3")
        with self._lock:
            self._calls += 1
        with translated(source.action):
            answer: Mapping[str, Any] | None = _parsed(method, parameters)
        if answer is None:
            raise Unreachable(source.action, "the answer is not what AWS sends", "check the endpoint")
        return answer


def _parsed(method: Callable[..., Mapping[str, Any]], parameters: Request) -> Mapping[str, Any] | None:
    """The answer, or None where it cannot be parsed: botocore's error quotes it, pre-shared keys and all."""
    from botocore.parsers import ResponseParserError

    try:
        return method(**parameters)
    except ResponseParserError:
        return None


def _kept_rows(answer: Mapping[str, Any], source: Source) -> Iterator[JsonObject]:
    """The rows of one page, with the fields the source keeps."""
    found: list[Mapping[str, Any]] = [answer]
    for key in source.rows:
        found = [inner for item in found for inner in item.get(key) or ()]
    return (_kept_fields(row, source.kept) for row in found)


def _kept_fields(row: Mapping[str, object], names: frozenset[str]) -> dict[str, object]:
    return {key: _kept(value, names) for key, value in row.items() if key in names}


def _kept(value: object, names: frozenset[str]) -> object:
    """A value as JSON holds it, without the fields that have other names."""
    if isinstance(value, Mapping):
        return _kept_fields(value, names)
    if isinstance(value, list):
        return [_kept(inner, names) for inner in value]
    return value.isoformat() if isinstance(value, datetime) else value
