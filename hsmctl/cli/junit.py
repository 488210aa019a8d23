"""A check as JUnit XML, which CI systems show: the verdict and every case as a test case.

What is critical or a warning is a failure, what is unknown is an error. Characters that XML does not have are escaped
as everywhere else, and the document is ASCII.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from hsmctl.cli.view import Case, Check, Level, Origin
from hsmctl.words import printable

_TAGS = {Level.CRITICAL: "failure", Level.WARNING: "failure", Level.UNKNOWN: "error"}


def report(name: str, check: Check, origin: Origin, now: datetime) -> str:
    """The document of the check called `noun.verb`; its first test case is the verdict."""
    cases = (Case(labels={"": "verdict"}, level=check.level, says=check.says), *check.cases)
    top = Element("testsuites", {"name": "hsmctl", **_counts(cases)})
    suite = SubElement(top, "testsuite", {"name": name, "timestamp": f"{now:%Y-%m-%dT%H:%M:%S}", **_counts(cases)})
    properties = SubElement(suite, "properties")
    of = {"environment": origin.environment, "account": origin.account, "region": origin.region, **check.figures}
    for label, value in of.items():
        if value is not None:
            SubElement(properties, "property", {"name": label, "value": printable(str(value))})
    for case in cases:
        _write(suite, name, case)
    indent(top)
    written: bytes = tostring(top, encoding="us-ascii", xml_declaration=True)
    return written.decode("ascii")


def _write(suite: Element, name: str, case: Case) -> None:
    words = " ".join(printable(text) for text in case.labels.values())
    element = SubElement(suite, "testcase", {"classname": name, "name": words})
    tag = _TAGS.get(case.level)
    if tag is not None:
        lines = [printable(line) for line in case.says.splitlines()]
        about = {"type": case.level.name.lower(), "message": lines[0] if lines else case.level.name.lower()}
        SubElement(element, tag, about).text = "\n".join(lines)


def _counts(cases: Sequence[Case]) -> Mapping[str, str]:
    tags = [_TAGS.get(case.level) for case in cases]
    return {"tests": str(len(tags)), "failures": str(tags.count("failure")), "errors": str(tags.count("error"))}
