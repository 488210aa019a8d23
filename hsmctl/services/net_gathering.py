"""The answers of one collection: asked in rounds, remembered by question, and filed as the sections of a snapshot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from hsmctl.domain.evidence import Failed
from hsmctl.domain.net_gap import ACTIONS
from hsmctl.domain.network import (
    APART,
    OLDEST,
    OLDEST_TELEMETRY,
    TELEMETRY,
    Chosen,
    JsonObject,
    NetworkAnswer,
    NetworkKind,
    NetworkQuery,
    Unreadable,
)
from hsmctl.ports import Clock, NetworkCache, NetworkReader
from hsmctl.services.fanout import each
from hsmctl.services.net_want import Want, text


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """Something that could not be read, or that AWS shows to another account only."""

    kind: NetworkKind
    region: str
    values: tuple[str, ...]
    """The ids it was asked by."""
    action: str
    """The IAM action it takes."""
    why: str
    denied: bool


class Gathering:
    """Asks what is wanted and was not asked yet; an answer that an earlier run kept and that is young will do."""

    def __init__(
        self, *, clock: Clock, reader: NetworkReader, cache: NetworkCache, scope: str, deadline: float, fresh: bool
    ) -> None:
        """Name who is asked; `scope` sets the cached answers of one account apart from those of others.

        `deadline` is a point on the monotonic clock, and `fresh` leaves the cache unread.
        """
        self.asked: set[Want] = set()
        self._clock = clock
        self._reader = reader
        self._cache = cache
        self._scope = scope
        self._deadline = deadline
        self._fresh = fresh
        self._answers: dict[NetworkQuery, NetworkAnswer | Unreadable] = {}

    def ask(self, wants: set[Want]) -> None:
        """One round: every question at once."""
        queries = [*_queries(wants, self.asked)]
        self.asked |= wants
        self._answers |= {query: answer for query in queries if (answer := self._young(query)) is not None}
        open_queries = [query for query in queries if query not in self._answers]
        for query, outcome in each(open_queries, self._reader.read, clock=self._clock, deadline=self._deadline):
            if isinstance(outcome, Failed):
                action = ACTIONS.get(query.kind, query.kind)
                self._answers[query] = Unreadable(action=action, why=str(outcome.error), denied=False)
            else:
                self._answers[query] = outcome.value

    def keep(self) -> None:
        """Hand the answers to the cache."""
        self._cache.keep({self._key(query): answer for query, answer in self._read()})

    def rows(self, kind: NetworkKind) -> Iterator[tuple[str, JsonObject]]:
        """The rows of a kind, each with the Region it was asked in."""
        return ((query.region, row) for query, answer in self._read() if query.kind is kind for row in answer.rows)

    def times(self) -> list[datetime]:
        """When each answer was given, oldest first."""
        return sorted(answer.fetched_at for _, answer in self._read())

    def holes(self) -> Iterator[Hole]:
        """The questions without an answer."""
        for query, answer in self._answers.items():
            if isinstance(answer, Unreadable):
                yield Hole(
                    kind=query.kind,
                    region=query.region,
                    values=query.values,
                    action=answer.action,
                    why=answer.why,
                    denied=answer.denied,
                )

    def sections(self) -> dict[str, object]:
        """The snapshot so far; a section is null where nothing was asked or some question has no answer."""
        return {str(kind): self._apart(kind) if kind in APART else self._together(kind) for kind in NetworkKind}

    def _together(self, kind: NetworkKind) -> list[JsonObject] | None:
        answers = [answer for query, answer in self._answers.items() if query.kind is kind]
        if not answers or any(isinstance(answer, Unreadable) for answer in answers):
            return None
        rows: list[JsonObject] = []
        for region, row in self.rows(kind):
            marked = {**row, "_region": region} if kind is NetworkKind.VPCS else row
            if marked not in rows:
                rows.append(marked)
        return rows

    def _apart(self, kind: NetworkKind) -> Mapping[str, object] | None:
        """The rows under the id they were asked by, null where they could not be read."""
        found = {
            query.values[0]: None if isinstance(answer, Unreadable) else _plain(kind, answer.rows)
            for query, answer in self._answers.items()
            if query.kind is kind
        }
        return found or None

    def _read(self) -> Iterator[tuple[NetworkQuery, NetworkAnswer]]:
        return ((query, answer) for query, answer in self._answers.items() if isinstance(answer, NetworkAnswer))

    def _young(self, query: NetworkQuery) -> NetworkAnswer | None:
        answer = None if self._fresh else self._cache.answer(self._key(query))
        if answer is None:
            return None
        age = (self._clock.now() - answer.fetched_at).total_seconds()
        oldest = OLDEST_TELEMETRY if query.kind in TELEMETRY else OLDEST
        return answer if 0 <= age <= oldest.total_seconds() else None

    def _key(self, query: NetworkQuery) -> str:
        return " ".join((self._scope, query.kind, query.region, query.chosen, *query.values))


def _queries(wants: set[Want], asked: set[Want]) -> Iterator[NetworkQuery]:
    """The questions for what was not asked, as few as can be."""
    for (kind, region, chosen), group in groupby(sorted(wants - asked), key=lambda want: want[:3]):
        values = tuple(value for *_, value in group if value)
        if chosen is Chosen.BETWEEN_VPCS:  # a new VPC may be joined to one that was asked about before
            values = tuple(sorted(value for *others, value in wants if others == [kind, region, chosen]))
        for some in [(value,) for value in values] if kind in APART else [values]:
            yield NetworkQuery(kind=kind, region=region, chosen=chosen, values=some)


def _plain(kind: NetworkKind, rows: tuple[JsonObject, ...]) -> list[JsonObject] | list[str]:
    """The rows of one id; of prefix lists and propagations only what each row is about."""
    if kind is NetworkKind.PREFIX_LISTS:
        return [text(row, "Cidr") for row in rows]
    if kind is NetworkKind.TRANSIT_PROPAGATIONS:
        return [text(row, "TransitGatewayAttachmentId") for row in rows if text(row, "State") == "enabled"]
    return [*rows]
