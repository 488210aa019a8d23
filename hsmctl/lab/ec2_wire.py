"""EC2's query protocol: a form in, XML out, both by botocore's description of EC2.

Knows how filters and lists of ids are written in the form, and what an answer's members are called in the XML. Refuses
to know what an operation does.
"""

from __future__ import annotations

import gzip
import json
import re
import uuid
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

import botocore

from hsmctl.lab.describe import Question, members
from hsmctl.lab.wire import Answer, AwsError

_VERSION = "2016-11-15"
NAMESPACE = f"http://ec2.amazonaws.com/doc/{_VERSION}/"
_MODEL = Path(botocore.__file__).parent / "data" / "ec2" / _VERSION / "service-2.json.gz"
_FILTER_NAME = re.compile(r"Filter\.(\d+)\.Name")
_FILTER_VALUE = re.compile(r"Filter\.(\d+)\.Value\.\d+")
_LISTED_ID = re.compile(r"(\w+Id)\.\d+")

Form = Mapping[str, str]


def form(body: bytes) -> Form:
    """The parameters of a request."""
    return dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))


def question(given: Form) -> Question:
    """What the parameters of a describing operation ask for."""
    names, filters, ids = {}, dict[str, list[str]](), dict[str, list[str]]()
    for key, value in given.items():
        if match := _FILTER_NAME.fullmatch(key):
            names[match[1]] = value
            filters[value] = []
    for key, value in given.items():
        if (match := _FILTER_VALUE.fullmatch(key)) and match[1] in names:
            filters[names[match[1]]].append(value)
        elif match := _LISTED_ID.fullmatch(key):
            ids.setdefault(match[1], []).append(value)
    single = {key: value for key, value in given.items() if "." not in key}
    return Question(parameters=single, ids=ids, filters=filters)


class Ec2Model:
    """The shapes of EC2's answers."""

    def check_filters(self, operation: str, row: tuple[str, ...], asked: Question) -> None:
        """Refuse a filter that names no member of the rows, which are below these members of the answer.

        Raises:
            AwsError: as EC2 puts it.
        """
        for name in asked.filters:
            known = any(self._has(self._output(operation), (*row, *path)) for path in members(name))
            if not known and not name.startswith("tag"):
                raise AwsError("InvalidParameterValue", f"The filter '{name}' is invalid")

    def answer(self, operation: str, result: Mapping[str, Any]) -> Answer:
        """An answer on the wire; a member its shape lacks is a KeyError."""
        body = "".join(self._members(self._output(operation), result))
        head = f'<?xml version="1.0" encoding="UTF-8"?>\n<{operation}Response xmlns="{NAMESPACE}">'
        text = f"{head}<requestId>{uuid.uuid4()}</requestId>{body}</{operation}Response>"
        return Answer(body=text.encode(), content_type="text/xml")

    @cached_property
    def _document(self) -> Mapping[str, Any]:
        with gzip.open(_MODEL) as stream:
            document: dict[str, Any] = json.load(stream)
        return document

    def _output(self, operation: str) -> Mapping[str, Any]:
        return self._shape(self._document["operations"][operation]["output"])

    def _shape(self, member: Mapping[str, Any]) -> Mapping[str, Any]:
        shape: Mapping[str, Any] = self._document["shapes"][member["shape"]]
        return shape

    def _has(self, shape: Mapping[str, Any], path: tuple[str, ...]) -> bool:
        """Whether a path of members leads anywhere, through every list on the way."""
        if shape["type"] == "list":
            return self._has(self._shape(shape["member"]), path)
        if not path:
            return True
        member = shape.get("members", {}).get(path[0])
        return member is not None and self._has(self._shape(member), path[1:])

    def _members(self, shape: Mapping[str, Any], value: Mapping[str, Any]) -> Iterator[str]:
        for name, item in value.items():
            member = shape["members"][name]
            tag = member.get("locationName", name)
            yield f"<{tag}>{self._content(self._shape(member), item)}</{tag}>"

    def _content(self, shape: Mapping[str, Any], value: Any) -> str:  # noqa: ANN401 - JSON
        match shape["type"]:
            case "structure":
                return "".join(self._members(shape, value))
            case "list":
                inner = self._shape(shape["member"])
                return "".join(f"<item>{self._content(inner, item)}</item>" for item in value)
            case "boolean":
                return "true" if value else "false"
            case _:
                return escape(str(value))
