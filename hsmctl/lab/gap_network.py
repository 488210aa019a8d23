"""EC2's and Direct Connect's describing operations as the gateway calls them, over the lab's network document.

The home region's network is the document's; what somebody made beside it in moto is added to EC2's answers. Whatever
belongs to a VPC of the document comes from the document alone. Refuses to know what is in the document.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from xml.etree import ElementTree

from hsmctl.domain.network import APART, NetworkKind
from hsmctl.lab.describe import DIRECT_CONNECT, EC2, ROWS, Question
from hsmctl.lab.ec2_wire import NAMESPACE, Ec2Model, form, question
from hsmctl.lab.routing import Gap
from hsmctl.lab.shapes import JsonModel
from hsmctl.lab.topology_part import Document
from hsmctl.lab.wire import Answer, AwsError, Call, Service


def network_gaps(
    document: Callable[[], Document], region: str, rest: Service, *, beside: Callable[[], bool]
) -> Mapping[tuple[str, str], Gap]:
    """A handler for each operation, by signing name and operation.

    `rest` answers for other regions, and in the home region for what is beside the document, if `beside` says that
    anything may be.
    """
    machines, lines = _Ec2(document, region, rest, beside), _DirectConnect(document, region)
    return {
        **{("ec2", name): partial(machines.answer, name) for name in EC2},
        **{("directconnect", name): partial(lines.answer, name) for name in DIRECT_CONNECT},
    }


class _Ec2:
    def __init__(
        self, document: Callable[[], Document], region: str, rest: Service, beside: Callable[[], bool]
    ) -> None:
        self._document = document
        self._region = region
        self._rest = rest
        self._beside = beside
        self._model = Ec2Model()

    def answer(self, operation: str, call: Call) -> Answer:
        if call.region != self._region:
            return self._rest.answer(call)
        asked = question(form(call.body))
        self._model.check_filters(operation, ROWS[operation], asked)
        document = self._document()
        if operation in _OF_ONE:
            return self._of_one(operation, call, asked, document)
        if not self._beside():
            return self._ours(operation, asked, document)
        named = [name for names in asked.ids.values() for name in names]
        ours = _ids(document)
        if named and ours.isdisjoint(named):
            return self._rest.answer(call)
        found = self._ours(operation, asked, document)
        return found if named else _joined(found, self._rest.answer(call), ours)

    def _ours(self, operation: str, asked: Question, document: Document) -> Answer:
        return self._model.answer(operation, EC2[operation](document, asked))

    def _of_one(self, operation: str, call: Call, asked: Question, document: Document) -> Answer:
        """What belongs to one object, whoever has it."""
        try:
            return self._ours(operation, asked, document)
        except AwsError:
            if not self._beside():
                raise
            return self._rest.answer(call)


class _DirectConnect:
    def __init__(self, document: Callable[[], Document], region: str) -> None:
        self._document = document
        self._region = region
        self._model = JsonModel("directconnect", "2012-10-25", "DirectConnectClientException")

    def answer(self, operation: str, call: Call) -> Answer:
        given = self._model.request(operation, call.body)
        asked = Question(parameters={name: value for name, value in given.items() if isinstance(value, str)})
        document = self._document() if call.region == self._region else _NOTHING
        return self._model.answer(operation, DIRECT_CONNECT[operation](document, asked))


_OF_ONE = frozenset(
    {"SearchTransitGatewayRoutes", "GetTransitGatewayRouteTablePropagations", "GetManagedPrefixListEntries"}
)
_NOTHING: Document = {str(kind): {} if kind in APART else [] for kind in NetworkKind}


def _ids(document: Document) -> set[str]:
    """Every id of the document's own objects."""
    rows = [row for kind, section in document.items() if kind not in APART for row in section]
    own = {next(iter(row.values())) for row in rows}
    return {name for name in own if isinstance(name, str)}


def _joined(ours: Answer, others: Answer, own: set[str]) -> Answer:
    """Our answer, with those of the others' rows that are not ours and in none of our VPCs."""
    if others.status != 200:
        return ours
    document, other = ElementTree.fromstring(ours.body), ElementTree.fromstring(others.body)  # noqa: S314 - both ours
    rows = _rows(document)
    for row in _rows(other):
        if own.isdisjoint(text for element in row.iter() if _names_an_owner(element.tag) and (text := element.text)):
            rows.append(row)
    for element in document.iter():
        element.tag = element.tag.rpartition("}")[2]
    document.set("xmlns", NAMESPACE)
    return replace(ours, body=ElementTree.tostring(document, xml_declaration=True, encoding="UTF-8"))


def _rows(answer: ElementTree.Element) -> ElementTree.Element:
    """The list of an EC2 answer: the element whose name ends in Set, or the one list without that."""
    return next(element for element in answer if element.tag.rpartition("}")[2] not in ("requestId", "nextToken"))


def _names_an_owner(tag: str) -> bool:
    """Whether an element may hold the id of a row or of its VPC."""
    return tag.rpartition("}")[2].endswith("Id")
