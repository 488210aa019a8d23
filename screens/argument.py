"""What may follow a command after `:`, for its completion."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from .command import Takes
from .several import ALL

if TYPE_CHECKING:
    from hsmctl.domain.key import Key

    from .place import Place


def candidates(place: Place, takes: Takes) -> Sequence[str]:
    """Everything a command that takes this can be told here."""
    match takes:
        case Takes.THEME:
            return sorted(place.app.available_themes, key=lambda name: (not name.startswith("hsmctl"), name))
        case Takes.CLUSTER:
            return sorted(_clusters(place))
        case Takes.COLUMN:
            return [name.lower() for name in place.table.rows.names if name]
        case Takes.ZONE:
            return sorted(place.cluster.subnets) if place.cluster else ()
        case Takes.TIME:
            return ("1h", "24h", "7d", "30d", f"{place.survey.hsmctl.clock.now():%Y-%m-%dT%H:%M}")
        case Takes.SECONDS:
            return ("5", "15", "30", "60", "off")
        case Takes.CONTEXT:
            return place.hsmctl_app.elsewhere.contexts()
        case Takes.REGION:
            return (*place.hsmctl_app.elsewhere.regions(), ALL)
        case Takes.FILE:
            from .export import FORMATS, file_name

            return [file_name(place.path, _moment(place), form) for form in FORMATS]
        case Takes.KEY:
            return sorted({str(key.identity) for key in _keys(place)})
        case Takes.KEY_ID:
            return sorted({key.identity.key_id.hex() for key in _keys(place) if key.identity.key_id})
        case Takes.TOKEN:
            hsms = place.cluster.hsms if place.cluster else ()
            return [*(each.name for each in place.survey.hsmctl.context.tokens), *(hsm.hsm_id for hsm in hsms)]
        case Takes.CLIENT:
            return [each.name for each in place.survey.hsmctl.context.clients]
        case Takes.BUNDLE:
            return [f"evidence-{place.cluster.cluster_id}-{_moment(place)}.json"] if place.cluster else ()
        case _:
            return ()


def _keys(place: Place) -> Iterable[Key]:
    """The keys of the place's cluster that its last check saw."""
    judged = place.estate.check(place.cluster).judgement if place.cluster else None
    return (key for keys in judged.listed.values() for key in keys) if judged else ()


def _moment(place: Place) -> str:
    return f"{place.survey.hsmctl.clock.now():%Y%m%dT%H%M%SZ}"


def _clusters(place: Place) -> Iterable[str]:
    clusters = place.hsmctl_app.several.estate.clusters or ()
    return (name for cluster in clusters for name in (cluster.tags.get("Name"), cluster.cluster_id) if name)
