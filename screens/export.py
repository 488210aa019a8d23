"""A view as a file: what a table shows, filtered and sorted as it stands there, as CSV or JSON; or the screen, as SVG.

An existing file is never written over. A cell that a spreadsheet would take for a formula starts with an apostrophe in
CSV, because labels of keys are anybody's text (OWASP, CSV Injection).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hsmctl.errors import Conflict, UsageError
from hsmctl.private import write_whole

from .lines import Lines
from .offload import call
from .shot import svg

if TYPE_CHECKING:
    from .place import Place

FORMATS = ("csv", "json", "svg")
_FORMULA = ("=", "+", "@", "\t", "\r")


async def save_view(place: Place, name: str) -> Path:
    """Write what a place shows to a file of this name; its whole path.

    Raises:
        UsageError: the name says no format.
        Conflict: there is such a file, or there can be none.
    """
    path = await call(lambda: Path(name.strip()).expanduser().absolute())
    form = ending(path)
    text = svg(place.hsmctl_app, "hsmctl") if form == "svg" else None
    table = place.table
    await call(lambda: save(path, text if text is not None else written(form, records(table))))
    return path


def file_name(path: Sequence[str], moment: str, ending: str) -> str:
    """`lab-sync-20261123T021000Z.csv`: where it was seen and when."""
    place = "-".join("".join(char if char.isalnum() else "-" for char in name) for name in path[-2:])
    return f"{place}-{moment}.{ending}"


def ending(path: Path) -> str:
    """The format a file's name asks for.

    Raises:
        UsageError: it asks for none of ours.
    """
    found = path.suffix.removeprefix(".").lower()
    if found not in FORMATS:
        raise UsageError(str(path), "its name says no format", f"end it in .{', .'.join(FORMATS)}")
    return found


def records(table: Lines[Any]) -> list[dict[str, str]]:
    """What the table shows, a record a row; columns that stand for several things tell each of them."""
    columns = [column for column in table.rows.columns if column.name not in table.hidden]
    return [
        {name: value for column in columns for name, value in _cells(column.told, column.name, column.text, item)}
        for item in table.rows.shown
    ]


def written(form: str, found: Sequence[Mapping[str, str]]) -> str:
    """The records as CSV or JSON."""
    if form == "json":
        return json.dumps(found, ensure_ascii=False, indent=1) + "\n"
    names = list(dict.fromkeys(name for record in found for name in record))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _harmless(value) for name, value in record.items()} for record in found)
    return text.getvalue()


def save(path: Path, text: str) -> None:
    """Write a new file for its owner alone.

    Raises:
        Conflict: there is one already, or it cannot be written there.
    """
    if path.exists():
        raise Conflict(str(path), "it exists", "name another file")
    try:
        write_whole(path, text.encode("utf-8", "backslashreplace"), 0o600)
    except OSError as error:
        raise Conflict(str(path), error.strerror or str(error), "name another folder") from error


def _cells(told: Any, name: str, text: Any, item: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - of any table
    if told is not None:
        return list(told(item).items())
    return [(name.lower(), text(item))] if name else []


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
