"""What a value of the configuration file may be: each key's check, and what it is turned into.

Knows the keys of contexts, tokens and clients; refuses to know where the file is and which context counts. A key nobody
knows is refused with the nearest known name, and every error names the file and the key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hsmctl.errors import UsageError
from hsmctl.secret import Source, SourceKind, parse_source
from hsmctl.settings import ContextKind

if TYPE_CHECKING:
    from hsmctl.settings_entry import ClientEntry, TokenEntry

_THIS_MACHINE = "local"
"""The name of the client that is this machine (`domain.probe`): it says only where its CloudHSM client is."""


def context_values(found: Mapping[str, object], what: str, path: Path, *, of_lab: bool) -> dict[str, Any]:
    """The values of a context's table by key; the lab's may say more."""
    return _values(found, _LAB_KEYS if of_lab else _KEYS, what, path)


def ui_values(found: Mapping[str, object], what: str, path: Path) -> dict[str, Any]:
    """The values of the table of the terminal UI by key."""
    return _values(found, _UI_KEYS, what, path)


def refuse_unknown(table: Iterable[str], known: Iterable[str], prefix: str) -> None:
    """Raise the error about a key that is not known."""
    for key in table:
        if key not in known:
            raise UsageError(f"{prefix}{key}", "unknown key", nearest(key, known) or f"known: {', '.join(known)}")


def nearest(word: str, known: Iterable[str]) -> str:
    """A question that offers the nearest known word, or nothing."""
    from difflib import get_close_matches

    near = get_close_matches(word, list(known), 1)
    return f"did you mean {near[0]}?" if near else ""


def table(raw: object, what: str, _: Path) -> dict[str, object]:
    """The value, which must be a table."""
    if not isinstance(raw, dict):
        raise UsageError(what, "not a table", f"[{what.rpartition(' ')[2]}]")
    return raw


def _tokens(raw: object, what: str, path: Path) -> tuple[TokenEntry, ...]:
    from hsmctl.settings_entry import TokenEntry

    rows = _entries(raw, what, path, _TOKEN_KEYS)
    _refuse_missing(rows, what, "name", "module")
    return tuple(TokenEntry(**row) for row in rows)


def _clients(raw: object, what: str, path: Path) -> tuple[ClientEntry, ...]:
    from hsmctl.settings_entry import ClientEntry

    rows = _entries(raw, what, path, _CLIENT_KEYS)
    _refuse_missing(rows, what, "name")
    for place, row in enumerate(rows):
        elsewhere = row.get("host") or row.get("source")
        if row["name"] == _THIS_MACHINE and elsewhere:
            raise UsageError(f"{what}[{place}].name", "local is this machine", "use another name")
        if row["name"] != _THIS_MACHINE and not elsewhere:
            raise UsageError(f"{what}[{place}]", "neither host nor source says who it is", 'host = "…"')
    return tuple(ClientEntry(**row) for row in rows)


def _entries(raw: object, what: str, path: Path, keys: Mapping[str, _Parser]) -> list[dict[str, Any]]:
    """The tables of a list, in which no name stands twice."""
    places = [(f"{what}[{place}]", entry) for place, entry in enumerate(_list(raw, what))]
    rows = [_values(table(entry, where, path), keys, where, path) for where, entry in places]
    names = [row["name"] for row in rows if "name" in row]
    if len(set(names)) < len(names):
        raise UsageError(what, "two of them have one name", "give each a name of its own")
    return rows


def _refuse_missing(rows: Iterable[Mapping[str, object]], what: str, *needed: str) -> None:
    for place, row in enumerate(rows):
        for key in needed:
            if not row.get(key):
                raise UsageError(f"{what}[{place}].{key}", "missing", f'{key} = "…"')


def _values(table: Mapping[str, object], keys: Mapping[str, _Parser], what: str, path: Path) -> dict[str, Any]:
    refuse_unknown(table, keys, f"{what}.")
    return {key: keys[key](value, f"{what}.{key}", path) for key, value in table.items()}


def _list(raw: object, what: str) -> list[object]:
    if not isinstance(raw, list):
        raise UsageError(what, "not a list", 'write ["…", "…"]')
    return raw


def _string(raw: object, what: str, _: Path) -> str:
    if not isinstance(raw, str):
        raise UsageError(what, "not a string", "write it in quotes")
    return raw


def _strings(raw: object, what: str, path: Path) -> tuple[str, ...]:
    return tuple(_string(entry, f"{what}[{place}]", path) for place, entry in enumerate(_list(raw, what)))


def _string_map(raw: object, what: str, path: Path) -> Mapping[str, str]:
    return {key: _string(value, f"{what}.{key}", path) for key, value in table(raw, what, path).items()}


def _port(raw: object, what: str, _: Path) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int) or not 0 < raw < 65536:
        raise UsageError(what, "not a TCP port", "write 22, without quotes")
    return raw


def _slot(raw: object, what: str, _: Path) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int) or raw < 0:
        raise UsageError(what, "not a slot", "write 0, without quotes")
    return raw


def _flag(raw: object, what: str, _: Path) -> bool:
    if not isinstance(raw, bool):
        raise UsageError(what, "not true or false", "write true or false, without quotes")
    return raw


def _price(raw: object, what: str, _: Path) -> Decimal:
    if isinstance(raw, bool) or not isinstance(raw, int | Decimal) or raw < 0:
        raise UsageError(what, "not an amount", "write 1.60, without quotes: USD per HSM and hour")
    return Decimal(raw)


def _account(raw: object, what: str, path: Path) -> str:
    if not re.fullmatch(r"\d{12}", _string(raw, what, path)):
        raise UsageError(what, "not an account id", "twelve digits in quotes")
    return str(raw)


def _kind(raw: object, what: str, path: Path) -> ContextKind:
    word = _string(raw, what, path)
    if word not in list(ContextKind):
        raise UsageError(what, f"no kind {word}", nearest(word, ContextKind) or "aws")
    return ContextKind(word)


def _path(raw: object, what: str, path: Path) -> Path:
    """A path, relative ones meant from the file's folder."""
    return path.parent / Path(_string(raw, what, path)).expanduser()


def _paths(raw: object, what: str, path: Path) -> tuple[Path, ...]:
    return tuple(_path(entry, f"{what}[{place}]", path) for place, entry in enumerate(_list(raw, what)))


def _module(raw: object, what: str, path: Path) -> str:
    return str(_path(raw, what, path))


def _source(raw: object, what: str, path: Path) -> Source:
    return parse_source(raw, what, path.parent)


def _file_source(raw: object, what: str, path: Path) -> Source:
    return Source(SourceKind.FILE, (_module(raw, what, path),))


_Parser = Callable[[object, str, Path], object]
"""Checks a value of the file and turns it into ours; gets the key's full name for errors, and the file's path."""

_KEYS: Mapping[str, _Parser] = {
    "kind": _kind,
    "profile": _string,
    "region": _string,
    "endpoint_url": _string,
    "account_id": _account,
    "clusters": _strings,
    "user": _string,
    "password": _source,
    "customer_ca": _path,
    "hardware_roots": _paths,
    "subnets": _string_map,
    "tokens": _tokens,
    "clients": _clients,
    "ssh_config": _path,
    "deep_allow": _strings,
    "canary": _flag,
    "protect": _flag,
    "read_only": _flag,
    "price_per_hour": _price,
}
_LAB_KEYS: Mapping[str, _Parser] = {**_KEYS, "access_key_id": _string, "secret_access_key_file": _file_source}
_TOKEN_KEYS: Mapping[str, _Parser] = {
    "name": _string,
    "module": _module,
    "label": _string,
    "serial": _string,
    "slot": _slot,
    "environment": _string_map,
    "host": _string,
    "cluster": _string,
    "site": _string,
    "user": _string,
    "password": _source,
}
_CLIENT_KEYS: Mapping[str, _Parser] = {
    "name": _string,
    "host": _string,
    "user": _string,
    "port": _port,
    "source": _string,
    "cli": _string,
    "config_folder": _string,
}
_UI_KEYS: Mapping[str, _Parser] = {"theme": _string, "keys": _string_map}
