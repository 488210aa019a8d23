"""What may be typed into a field of a form, for its completion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from hsmctl.domain.form import Field, Form, Kind

from .command import Takes
from .completing import paths

if TYPE_CHECKING:
    from .place import Place


def of_field(form: Form, field: Field) -> Takes:
    """What a field of a form takes, by what commands call it."""
    if field.kind is Kind.FILE or field.name == "bundle":
        return Takes.PATH
    if field.name in ("name", "user", "admin") and form.path[0] in ("user", "quorum"):
        return Takes.USER
    return _FIELDS.get(field.name, Takes.NOTHING)


def suggested(place: Place, form: Form, field: Field) -> Callable[[str], Sequence[str]]:
    """Completes what is typed into a field: with what is known here, or the files there are."""
    takes = of_field(form, field)
    if takes is Takes.PATH:
        return paths
    known = place.arguments(takes)
    return lambda typed: tuple(each for each in known if each.startswith(typed))


_FIELDS = {
    "cluster": Takes.CLUSTER,
    "zones": Takes.ZONE,
    "client": Takes.CLIENT,
    "key": Takes.KEY,
    "keys": Takes.KEY,
    "by": Takes.KEY,
    "label": Takes.KEY,
    "key_id": Takes.KEY_ID,
    "host": Takes.CLIENT,
    "backup": Takes.BACKUP,
    "from_backup": Takes.BACKUP,
    "on": Takes.TOKEN,
    "replica": Takes.TOKEN,
    "source": Takes.TOKEN,
    "target": Takes.TOKEN,
    "ca_token": Takes.TOKEN,
}
