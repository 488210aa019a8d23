"""JSON Schemas (draft 2020-12) of the documents, derived from their dataclasses: the types are the only description."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

from hsmctl.cli.view import View

_PLAIN: Mapping[object, Mapping[str, object]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    datetime: {"type": "string", "format": "date-time"},
    bytes: {"type": "string", "pattern": "^([0-9a-f]{2})*$"},
}


def of_view(view: View[Any]) -> dict[str, object]:
    """The schema of everything `-o json` writes for this view."""
    envelope = {
        "schema": {"const": f"hsmctl/{view.schema}"},
        "generated_at": _PLAIN[datetime],
        "environment": {"enum": ["aws", "lab"]},
        "account": _schema(str | None),
        "region": _schema(str | None),
        "data": _schema(view.document),
        "warnings": _schema(tuple[str, ...]),
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": view.schema, **_object(envelope)}


def _schema(hint: Any) -> Mapping[str, object]:  # noqa: ANN401 - a type, of any kind
    """The schema of one type.

    Raises:
        TypeError: documents have no such type.
    """
    if hint in _PLAIN:
        return _PLAIN[hint]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return {"anyOf": [_schema(argument) for argument in arguments]}
    if origin is tuple and arguments[1:] == (...,):
        return {"type": "array", "items": _schema(arguments[0])}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _schema(arguments[1])}
    if isinstance(hint, type) and issubclass(hint, Enum):
        return {"enum": [str(member.value).lower() for member in hint]}
    if is_dataclass(hint):
        hints = get_type_hints(hint)
        return _object({field.name: _schema(hints[field.name]) for field in fields(hint)})
    raise TypeError(f"no schema for {hint}")


def _object(properties: Mapping[str, object]) -> dict[str, object]:
    """An object with exactly these properties."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }
