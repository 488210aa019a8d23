"""Several places looked at together: each region of each context keeps its own services, arming and journal.

What they know is shown as one estate; one that could not be read is a problem with its name, and hides nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from hsmctl.bootstrap import Hsmctl
from hsmctl.errors import HsmctlError
from hsmctl.mark import Mark

from .elsewhere import Elsewhere
from .estate import Estate
from .survey import Survey

if TYPE_CHECKING:
    from hsmctl.domain.cluster import Cluster

    from .problem import Problem

T = TypeVar("T")
ALL = "all"
"""Stands for every region that CloudHSM is in."""


class Closed(NamedTuple):
    """A place that could not even be asked, because its context makes no sense."""

    name: str
    error: HsmctlError


class Opened(NamedTuple):
    """The services of the places that were asked for."""

    facades: tuple[Hsmctl, ...]
    closed: tuple[Closed, ...] = ()


def open_places(elsewhere: Elsewhere, contexts: Sequence[str | None], regions: Sequence[str]) -> Opened:
    """These regions of these contexts, or their own ones where none is named; None is the context at hand.

    Raises:
        HsmctlError: none of them can be opened.
    """
    facades, closed = list[Hsmctl](), list[Closed]()
    for context in contexts:
        try:
            facades += [elsewhere.open(context, region) for region in _named(elsewhere, context, regions)]
        except HsmctlError as error:
            closed.append(Closed(context or "this context", error))
    if not facades:
        raise closed[0].error
    return Opened(tuple(facades), tuple(closed))


def _named(elsewhere: Elsewhere, context: str | None, regions: Sequence[str]) -> Sequence[str | None]:
    if list(regions) == [ALL]:
        return elsewhere.open(context, None).aws.regions()
    return regions or [None]


class Several:
    """The surveys of the places that are looked at together; there is always one."""

    def __init__(self, surveys: Sequence[Survey], closed: Sequence[Closed] = ()) -> None:
        self.surveys = tuple(surveys)
        self.closed = tuple(closed)
        self._merged: tuple[tuple[Estate, ...], Estate] | None = None
        self._whose: Mapping[str, Survey] = {}

    @property
    def many(self) -> bool:
        """Whether there is more than one place."""
        return len(self.surveys) + len(self.closed) > 1

    @property
    def contexts(self) -> int:
        """How many contexts have a part in it."""
        return len({survey.hsmctl.context.name for survey in self.surveys}) + len(self.closed)

    @property
    def estate(self) -> Estate:
        """What all of them know; of the first alone where there is no other."""
        if not self.many:
            return self.surveys[0].estate
        known = tuple(survey.estate for survey in self.surveys)
        if self._merged is None or any(one is not other for one, other in zip(known, self._merged[0], strict=True)):
            self._merged = known, self._merge(known)
        return self._merged[1]

    def of(self, cluster: Cluster) -> Survey | None:
        """Whose cluster it is; of two contexts that show the same one, the first."""
        return self._whose.get(cluster.cluster_id) if self.many and self.estate else self.surveys[0]

    def told(self) -> str:
        """How many places there are, and how many of them were read; nothing for a single one."""
        if not self.many:
            return ""
        read = sum(survey.estate.clusters is not None and survey.estate.error is None for survey in self.surveys)
        places = len(self.surveys) + len(self.closed)
        return f"{places} places" if read == places else f"{read} of {places} places read"

    def _merge(self, known: Sequence[Estate]) -> Estate:
        """One estate; a cluster that two contexts show is in it once, as the first of them sees it."""
        pairs = [(survey, cluster) for survey in self.surveys for cluster in survey.estate.clusters or ()]
        self._whose = {cluster.cluster_id: survey for survey, cluster in reversed(pairs)}
        clusters = tuple(cluster for survey, cluster in pairs if self._whose[cluster.cluster_id] is survey)
        silent = not self.closed and all(estate.clusters is None for estate in known)
        return known[0]._replace(
            clusters=None if silent else clusters,
            read_at=min(filter(None, (estate.read_at for estate in known)), default=None),
            reading=any(estate.reading for estate in known),
            error=None,
            unstanding=None,
            checks=_first(estate.checks for estate in known),
            holds=_first(estate.holds for estate in known),
            standings=_first(estate.standings for estate in known),
            runs=tuple(sorted(chain.from_iterable(estate.runs for estate in known), key=lambda run: run.began)),
            unread=tuple(self._unread()),
        )

    def _unread(self) -> Iterable[Problem]:
        for survey in self.surveys:
            for error in filter(None, (survey.estate.error, None if survey.estate.error else survey.estate.unstanding)):
                yield _problem(place_name(survey), error)
        yield from (_problem(each.name, each.error) for each in self.closed)


def place_name(survey: Survey) -> str:
    """A place as it is called: its context, and its region."""
    context, region = survey.hsmctl.context, survey.estate.region
    return "/".join(part for part in (context.name, region or context.region) if part) or "AWS"


def surveys_of(opened: Opened, publish: Callable[[Estate], None]) -> Several:
    """What looks at these places."""
    return Several([Survey(facade, publish) for facade in opened.facades], opened.closed)


def _problem(where: str, error: HsmctlError) -> Problem:
    from .problem import Problem

    return Problem(mark=Mark.UNREADABLE, brief="not read", text=f"not read: {error}", error=error, where=where)


def _first(parts: Iterable[Mapping[str, T]]) -> Mapping[str, T]:
    """All of it; what is named twice as it stands first."""
    found: Mapping[str, T] = {}
    for part in parts:
        found = {**part, **found}
    return found
