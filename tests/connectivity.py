"""The connectivity scenarios of tests/data: documents to read, to change and to ask about."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from hsmctl.domain.net_code import Code
from hsmctl.domain.net_finding import Finding, Pair
from hsmctl.services.net import explain, load

FOLDER = Path(__file__).parent / "data" / "connectivity"
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("S*.json")))

Document = dict[str, Any]


def scenario(name: str) -> Document:
    """A scenario's document, to be changed at will."""
    document: Document = json.loads(_text(name))
    return document


def row(document: Document, section: str, identifier: str) -> Document:
    """The row of a section that has this id somewhere at its top."""
    found: Document = next(row for row in document["snapshot"][section] if identifier in row.values())
    return found


def ask(document: Document) -> Pair:
    """The answer about the HSM the document singles out."""
    asked = explain(load(document)).asked
    assert asked is not None
    return asked


def codes(pair: Pair) -> set[Code]:
    """The codes of everything found."""
    return {finding.code for finding in pair.findings}


def deciding(pair: Pair) -> set[Code]:
    """The codes of what made the verdict other than reachable."""
    return {finding.code for finding in pair.findings if finding.severity in ("block", "unknown", "degraded")}


def finding(pair: Pair, code: Code) -> Finding:
    """The first finding with this code."""
    return next(found for found in pair.findings if found.code is code)


@cache
def _text(name: str) -> str:
    return (FOLDER / f"{name}.json").read_text(encoding="utf-8")
