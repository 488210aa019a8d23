"""How the operator arranges a place's table: sorted by a column, without some, or saved to a file."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from hsmctl.errors import HsmctlError

from .argument import candidates
from .command import Takes
from .lines import Lines
from .rows import Order

if TYPE_CHECKING:
    from .app import HsmctlApp
    from .place import Place


def as_remembered(place: Place) -> None:
    """Sort and hide as the operator did the last time."""
    remembered = place.hsmctl_app.remembered
    for table in place.query(Lines):
        name = str(table.id)
        table.rows.order = Order.parse(remembered.orders.get(name, ""))
        table.hidden = frozenset(remembered.hidden.get(name, ()))
        table.arranged = partial(_remember, place.hsmctl_app)


def _remember(app: HsmctlApp, table: Lines[Any]) -> None:
    """Keep how a table is sorted and what it hides."""
    name, remembered = str(table.id), app.remembered
    orders = {**remembered.orders, name: str(table.rows.order or "")}
    hidden = {**remembered.hidden, name: tuple(sorted(table.hidden))}
    app.remember(replace(remembered, orders=orders, hidden=hidden))


async def sort(place: Place, name: str) -> None:
    """Sort by this column, or by the one after that it is sorted by."""
    names, order = place.table.rows.sortable, place.table.rows.order
    if not name:
        following = names[names.index(order.column) + 1 :] if order and order.column in names else names
        await place.table.sort(Order(following[0]) if following else None)
    elif (wanted := Order.parse(name)) and wanted.column in names:
        await place.table.sort(wanted)
    else:
        place.complain(f"no column {name} to sort by: there are {', '.join(names).lower()}")


async def turn(place: Place) -> None:
    """Sort the other way, if it is sorted at all."""
    order = place.table.rows.order
    await place.table.sort(order._replace(descending=not order.descending) if order else None)


def hide(place: Place, name: str) -> None:
    """Hide a column, or show it again; the first one stays, or nothing would say what the rows are."""
    table, wanted = place.table, name.strip().upper()
    names = [name for name in table.rows.names[1:] if name]
    if wanted in names:
        table.hide(table.hidden ^ {wanted})
    else:
        place.complain(f"hide which column? {', '.join(names).lower()}")


async def save(place: Place, name: str) -> None:
    """Save what is shown; without a name, ask for one and offer some."""
    if not name:
        await place.ask_line(f"save {candidates(place, Takes.FILE)[0]}")
        return
    from .export import save_view

    try:
        where = await save_view(place, name)
    except HsmctlError as error:
        place.complain(f"{error}: {error.hint}")
    else:
        place.notify(f"saved {where}", markup=False)
