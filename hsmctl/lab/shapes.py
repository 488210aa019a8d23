"""JSON 1.1 requests and answers checked against botocore's own description of a service.

Knows shapes: what is required, of which type, within which bounds, and AWS's words for what is not. Reads the
description as data, because botocore's own loader takes a fifth of a second to import. Refuses to know what an
operation does.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import botocore

from hsmctl.lab.wire import Answer, AwsError, Call

Members = Mapping[str, Any]
"""A structure on the wire, by member name."""

_DATA = Path(botocore.__file__).parent / "data"

_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "structure": dict,
    "map": dict,
    "list": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "timestamp": (int, float),
}


class JsonModel:
    """The shapes of one service, and its protocol."""

    def __init__(self, service: str, version: str, invalid: str) -> None:
        """Describe `service` in API `version`; `invalid` is the error code of its validation errors."""
        self._path = _DATA / service / version / "service-2.json.gz"
        self._invalid = invalid

    def operation(self, call: Call) -> str:
        """The operation's name.

        Raises:
            AwsError: the service has no such operation.
        """
        prefix, _, name = call.headers.get("x-amz-target", "").partition(".")
        if prefix != self._document["metadata"]["targetPrefix"] or name not in self._document["operations"]:
            raise AwsError("UnknownOperationException", f"Unknown operation {name or '(none)'}")
        return name

    def request(self, operation: str, body: bytes) -> Members:
        """The operation's input, valid as far as the shapes say; a null member is an absent one.

        Raises:
            AwsError: it is not what the shapes ask for; the message is AWS's.
        """
        shape = self._document["operations"][operation]["input"]["shape"]
        try:
            given = json.loads(body or b"{}")
        except ValueError as error:
            raise AwsError("SerializationException", "The request is not JSON") from error
        wrong = list(self._violations(shape, given, ""))
        if wrong:
            plural = "s" if len(wrong) > 1 else ""
            text = f"{len(wrong)} validation error{plural} detected: {'; '.join(wrong)}"
            raise AwsError(self._invalid, text)
        return {name: value for name, value in given.items() if value is not None}

    def answer(self, operation: str, result: Members) -> Answer:
        """The operation's output on the wire; what is None is left out, a member its shape lacks is a KeyError."""
        shape = self._document["operations"][operation]["output"]["shape"]
        return Answer(body=json.dumps(self._output(shape, result)).encode(), content_type="application/x-amz-json-1.1")

    @cached_property
    def _document(self) -> dict[str, Any]:
        with gzip.open(self._path) as stream:
            document: dict[str, Any] = json.load(stream)
        return document

    def _violations(self, name: str, value: object, path: str) -> Iterator[str]:
        """What is wrong with a value, in AWS's words."""
        shape = self._document["shapes"][name]
        _check_type(shape, value)
        match value:
            case dict() if shape["type"] == "structure":
                yield from self._member_violations(shape, value, path)
            case dict():
                yield from _size_violations(shape, value, path)
                for key, item in value.items():
                    yield from self._violations(shape["key"]["shape"], key, f"{path}.key")
                    yield from self._violations(shape["value"]["shape"], item, f"{path}.{key}")
            case list():
                yield from _size_violations(shape, value, path)
                for number, item in enumerate(value, 1):
                    yield from self._violations(shape["member"]["shape"], item, f"{path}.{number}.member")
            case str():
                yield from _string_violations(shape, value, path)
            case int():
                yield from _bound_violations(shape, value, "value", value, path)

    def _member_violations(self, shape: Members, value: Members, path: str) -> Iterator[str]:
        """What is wrong with a structure's members; members the shape lacks are ignored, as AWS does."""
        for name, member in shape["members"].items():
            place = f"{path}.{_camel(name)}".removeprefix(".")
            if value.get(name) is not None:
                yield from self._violations(member["shape"], value[name], place)
            elif name in shape.get("required", ()):
                yield f"Value null at '{place}' failed to satisfy constraint: Member must not be null"

    def _output(self, name: str, value: Any) -> Any:  # noqa: ANN401 - JSON
        """A value as its shape puts it on the wire."""
        shape = self._document["shapes"][name]
        if shape["type"] == "structure":
            members = shape["members"]
            return {key: self._output(members[key]["shape"], item) for key, item in value.items() if item is not None}
        if shape["type"] == "list":
            return [self._output(shape["member"]["shape"], item) for item in value]
        return value


def standard_regions() -> frozenset[str]:
    """The regions of AWS's standard partition, as botocore knows them."""
    partitions = json.loads((_DATA / "partitions.json").read_text())["partitions"]
    return frozenset(region for partition in partitions if partition["id"] == "aws" for region in partition["regions"])


def _check_type(shape: Members, value: object) -> None:
    """Refuse a JSON value of a type the shape does not have."""
    wanted = shape["type"]
    if not isinstance(value, _TYPES[wanted]) or (isinstance(value, bool) and wanted != "boolean"):
        raise AwsError("SerializationException", f"{type(value).__name__} can not be converted to {wanted}")


def _size_violations(shape: Members, value: Mapping[str, object] | list[object], path: str) -> Iterator[str]:
    """Too few or too many items."""
    shown = f"[{', '.join(map(str, value))}]"
    yield from _bound_violations(shape, len(value), "length", shown, path)


def _string_violations(shape: Members, value: str, path: str) -> Iterator[str]:
    """A string of the wrong length, not of its enumeration or not like its pattern."""
    failed = f"Value '{value}' at '{path}' failed to satisfy constraint: Member must satisfy"
    yield from _bound_violations(shape, len(value), "length", value, path)
    if "enum" in shape and value not in shape["enum"]:
        yield f"{failed} enum value set: [{', '.join(shape['enum'])}]"
    if "pattern" in shape and not _pattern(shape["pattern"]).fullmatch(value):
        yield f"{failed} regular expression pattern: {shape['pattern']}"


def _bound_violations(shape: Members, measure: int, noun: str, shown: object, path: str) -> Iterator[str]:
    """A length or value out of bounds."""
    failed = f"Value '{shown}' at '{path}' failed to satisfy constraint: Member must have {noun}"
    if measure < shape.get("min", measure):
        yield f"{failed} greater than or equal to {shape['min']}"
    if measure > shape.get("max", measure):
        yield f"{failed} less than or equal to {shape['max']}"


@cache
def _pattern(java: str) -> re.Pattern[str]:
    """A pattern of the model, with the Unicode classes Python lacks in its own words."""
    return re.compile(java.replace(r"\p{L}", r"\w").replace(r"\p{N}", r"\w").replace(r"\p{Z}", r"\s"))


def _camel(name: str) -> str:
    """A member's name as AWS's messages spell it: `clusterId`."""
    return name[:1].lower() + name[1:]
