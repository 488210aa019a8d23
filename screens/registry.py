"""Which place belongs to which noun; each is imported when it is first gone to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .survey import Survey

if TYPE_CHECKING:
    from hsmctl.domain.cluster import Cluster

    from .place import Place


def place_for(noun: str, survey: Survey, cluster: Cluster | None) -> Place | None:
    """The place, or None where it is one about a cluster and there is none."""
    if cluster is None:
        return _of_estate(noun, survey)
    return _of_estate(noun, survey) or _of_cluster(noun, survey, cluster)


def _of_estate(noun: str, survey: Survey) -> Place | None:
    match noun:
        case "operation":
            from .operation import OperationScreen

            return OperationScreen(survey)
        case "lab":
            from .lab import LabScreen

            return LabScreen(survey)
        case "log":
            from .log import LogScreen

            return LogScreen(survey)
        case _:
            return None


def _of_cluster(noun: str, survey: Survey, cluster: Cluster) -> Place:
    match noun:
        case "sync" if survey.by_coverage:
            from .coverage import CoverageScreen

            return CoverageScreen(survey, cluster)
        case "sync":
            from .sync import SyncScreen

            return SyncScreen(survey, cluster)
        case "key":
            from .key import KeyScreen

            return KeyScreen(survey, cluster)
        case "net":
            from .net import NetScreen

            return NetScreen(survey, cluster)
        case "ceremony":
            from .ceremony import CeremonyScreen

            return CeremonyScreen(survey, cluster)
        case "timeline":
            from .timeline import TimelineScreen

            return TimelineScreen(survey, cluster)
        case "user":
            from .user import UserScreen

            return UserScreen(survey, cluster)
        case _:
            from .cluster import ClusterScreen

            return ClusterScreen(survey, cluster)
