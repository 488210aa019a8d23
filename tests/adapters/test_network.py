"""Proves that EC2 and Direct Connect are asked as their models want it, and that nothing secret survives being read."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from botocore.awsrequest import AWSResponse
from botocore.client import BaseClient
from botocore.compat import HTTPHeaders
from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.stub import Stubber
from botocore.validate import ParamValidator
from connectivity import Document, scenario
from network_world import REGION, collector
from world import FakeClock

from hsmctl.adapters.aws import Aws, CloudHsmPlane
from hsmctl.adapters.network import AwsNetwork
from hsmctl.adapters.network_cache import FileNetworkCache
from hsmctl.adapters.network_source import MAX_VALUES, SOURCES, Source
from hsmctl.domain.cluster import Cluster
from hsmctl.domain.net_gap import ACTIONS
from hsmctl.domain.network import Chosen, NetworkAnswer, NetworkKind, NetworkQuery, Unreadable
from hsmctl.secret import Secret
from hsmctl.services.net import load
from hsmctl.services.net_ends import Ends

SECRET_FIELDS = frozenset(
    {
        "CustomerGatewayConfiguration",
        "PreSharedKey",
        "PreSharedKeyArn",
        "CertificateArn",
        "authKey",
        "customerRouterConfig",
        "ckn",
        "secretARN",
        "KeyName",
        "PreCoPassword",
        "Tags",
        "tags",
        "Description",
    }
)
"""What holds a secret in some answer, names one, or is free text that somebody may have put one into."""


@pytest.fixture(scope="module")
def aws() -> Aws:
    return Aws(region=REGION, access_key_id="AKIAEXAMPLE", secret_access_key=Secret("secret"), tries=1)


@pytest.fixture(scope="module")
def clients(aws: Aws) -> Mapping[str, BaseClient]:
    return {service: aws.client(service, REGION) for service in ("ec2", "directconnect")}


@pytest.fixture
def reader(clients: Mapping[str, BaseClient]) -> AwsNetwork:
    return AwsNetwork(lambda service, _: clients[service], FakeClock())


@pytest.fixture
def ec2(clients: Mapping[str, BaseClient]) -> Iterator[Stubber]:
    with Stubber(clients["ec2"]) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def directconnect(clients: Mapping[str, BaseClient]) -> Iterator[Stubber]:
    with Stubber(clients["directconnect"]) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def query(kind: NetworkKind, chosen: Chosen = Chosen.BY_ID, *values: str) -> NetworkQuery:
    return NetworkQuery(kind=kind, region=REGION, chosen=chosen, values=values)


def rows(answer: NetworkAnswer | Unreadable) -> list[Any]:
    assert isinstance(answer, NetworkAnswer), answer
    return list(answer.rows)


def members(shape: Shape, seen: frozenset[str] = frozenset()) -> Iterator[tuple[str, Shape]]:
    """Every field at every depth of a shape."""
    if isinstance(shape, ListShape):
        yield from members(shape.member, seen)
    elif isinstance(shape, StructureShape) and shape.name not in seen:
        for name, member in shape.members.items():
            yield name, member
            yield from members(member, seen | {shape.name})


@pytest.mark.parametrize("kind", NetworkKind)
def test_every_call_and_every_kept_field_is_in_the_services_model(
    kind: NetworkKind, clients: Mapping[str, BaseClient]
) -> None:
    source = SOURCES[kind]
    model = clients[source.service].meta.service_model.operation_model(source.operation)
    assert model.input_shape
    assert model.output_shape
    for ask in source.ask.values():
        for request in ask(["vgw-1", "tgw-1", "10.0.0.1", "2600::1"]):
            report = ParamValidator().validate({**source.fixed, **request}, model.input_shape)
            assert not report.has_errors(), report.generate_report()
    names = {name for name, _ in members(model.output_shape)}
    assert source.kept <= names
    assert set(source.rows) <= names
    assert not source.kept & SECRET_FIELDS
    assert source.action == ACTIONS.get(kind, source.action)


@pytest.mark.parametrize("kind", NetworkKind)
def test_only_the_kept_fields_of_an_answer_are_read(
    kind: NetworkKind, clients: Mapping[str, BaseClient], reader: AwsNetwork
) -> None:
    source = SOURCES[kind]
    client = clients[source.service]
    secrets: dict[str, set[str]] = {}
    shape = client.meta.service_model.operation_model(source.operation).output_shape
    assert shape
    answer = filled(shape, secrets)
    answer = {key: value for key, value in answer.items() if "oken" not in key and key != "AdditionalRoutesAvailable"}
    with Stubber(client) as stubber:
        stubber.add_response(operation(source), answer)
        read = json.dumps(rows(reader.read(query(kind, next(iter(source.ask)), "vgw-1"))))
    assert {name for name, values in secrets.items() if any(value in read for value in values)} <= source.kept


def operation(source: Source) -> str:
    from botocore import xform_name

    name: str = xform_name(source.operation)
    return name


def filled(shape: Shape, secrets: dict[str, set[str]], name: str = "", depth: int = 0) -> Any:  # noqa: ANN401
    """A value for everything the shape has, with a text of its own in every field of text."""
    if isinstance(shape, StructureShape):
        return {key: filled(member, secrets, key, depth + 1) for key, member in shape.members.items() if depth < 9}
    if isinstance(shape, ListShape):
        return [filled(shape.member, secrets, name, depth + 1)]
    if isinstance(shape, MapShape):
        return {}
    plain: dict[str, object] = {"boolean": True, "timestamp": datetime(2026, 1, 1, tzinfo=UTC), "float": 1.0}
    if shape.type_name in ("integer", "long"):
        return 7
    if shape.type_name in plain:
        return plain[shape.type_name]
    secret = f"planted-{uuid4()}"
    secrets.setdefault(name, set()).add(secret)
    return secret


def test_pages_are_read_to_the_end_and_counted(reader: AwsNetwork, ec2: Stubber, directconnect: Stubber) -> None:
    asked = {"Filters": [{"Name": "vpc-id", "Values": ["vpc-1"]}]}
    ec2.add_response("describe_subnets", {"Subnets": [{"SubnetId": "subnet-1"}], "NextToken": "more"}, asked)
    ec2.add_response("describe_subnets", {"Subnets": [{"SubnetId": "subnet-2"}]}, {**asked, "NextToken": "more"})
    found = rows(reader.read(query(NetworkKind.SUBNETS, Chosen.BY_VPC, "vpc-1")))
    assert [row["SubnetId"] for row in found] == ["subnet-1", "subnet-2"]
    page = {"virtualInterfaces": [{"virtualInterfaceId": "dxvif-1"}], "nextToken": "more"}
    directconnect.add_response("describe_virtual_interfaces", page, {})
    directconnect.add_response("describe_virtual_interfaces", {"virtualInterfaces": []}, {"nextToken": "more"})
    assert len(rows(reader.read(query(NetworkKind.VIRTUAL_INTERFACES, Chosen.ALL)))) == 1
    assert reader.calls == 4


def test_many_ids_are_asked_for_in_as_few_filters_as_ec2_takes(reader: AwsNetwork, ec2: Stubber) -> None:
    ids = [f"eni-{index}" for index in range(MAX_VALUES + 1)]
    for chunk in (ids[:MAX_VALUES], ids[MAX_VALUES:]):
        asked = {"Filters": [{"Name": "network-interface-id", "Values": chunk}]}
        ec2.add_response("describe_network_interfaces", {"NetworkInterfaces": []}, asked)
    assert rows(reader.read(query(NetworkKind.INTERFACES, Chosen.BY_ID, *ids))) == []


def test_the_two_families_and_the_two_kinds_of_gateways_have_filters_of_their_own(
    reader: AwsNetwork, ec2: Stubber
) -> None:
    for name, value in (("addresses.private-ip-address", "10.0.0.1"), ("ipv6-addresses.ipv6-address", "2600::1")):
        asked = {"Filters": [{"Name": name, "Values": [value]}]}
        ec2.add_response("describe_network_interfaces", {"NetworkInterfaces": []}, asked)
    for name, value in (("vpn-gateway-id", "vgw-1"), ("transit-gateway-id", "tgw-1")):
        ec2.add_response(
            "describe_vpn_connections", {"VpnConnections": []}, {"Filters": [{"Name": name, "Values": [value]}]}
        )
    reader.read(query(NetworkKind.INTERFACES, Chosen.BY_ADDRESS, "10.0.0.1", "2600::1"))
    reader.read(query(NetworkKind.VPNS, Chosen.BY_GATEWAY, "tgw-1", "vgw-1"))


def test_instances_are_taken_out_of_their_reservations(reader: AwsNetwork, ec2: Stubber) -> None:
    reservations = [
        {"Instances": [{"InstanceId": "i-1"}, {"InstanceId": "i-2"}]},
        {"Instances": [{"InstanceId": "i-3"}]},
    ]
    ec2.add_response("describe_instances", {"Reservations": reservations})
    found = rows(reader.read(query(NetworkKind.INSTANCES, Chosen.BY_ID, "i-1")))
    assert [row["InstanceId"] for row in found] == ["i-1", "i-2", "i-3"]


def test_a_denied_call_names_the_action_and_spares_us_the_encoded_message(reader: AwsNetwork, ec2: Stubber) -> None:
    message = "You are not authorized to perform this operation. Encoded authorization failure message: 4w5x6y7z"
    ec2.add_client_error("describe_vpn_connections", "UnauthorizedOperation", message, 403)
    answer = reader.read(query(NetworkKind.VPNS, Chosen.BY_GATEWAY, "vgw-1"))
    assert isinstance(answer, Unreadable)
    assert (answer.action, answer.denied) == ("ec2:DescribeVpnConnections", True)
    assert answer.why.endswith("not authorized to perform this operation.")


@pytest.mark.parametrize("code", ["RequestLimitExceeded", "InternalError", "InvalidRouteTableId.Malformed"])
def test_another_failure_is_no_denial(reader: AwsNetwork, ec2: Stubber, code: str) -> None:
    ec2.add_client_error("describe_vpcs", code, "not now", 503)
    answer = reader.read(query(NetworkKind.VPCS, Chosen.BY_ID, "vpc-1"))
    assert isinstance(answer, Unreadable)
    assert not answer.denied
    assert code in answer.why


def test_an_answer_that_is_not_whole_is_none(reader: AwsNetwork, ec2: Stubber) -> None:
    wanted = query(NetworkKind.TRANSIT_ROUTES, Chosen.BY_ID, "tgw-rtb-1")
    more: Document = {"Routes": [{"DestinationCidrBlock": "10.0.0.0/8"}], "AdditionalRoutesAvailable": True}
    ec2.add_response("search_transit_gateway_routes", more)
    for token in ("again", "again"):
        ec2.add_response("search_transit_gateway_routes", {**more, "NextToken": token})
    for _ in range(2):
        answer = reader.read(wanted)
        assert isinstance(answer, Unreadable)
        assert "whole" in answer.why


def test_an_operation_that_botocore_does_not_know_is_unreadable() -> None:
    class Old:
        """A client of a botocore before 1.44."""

    old: Any = Old()
    answer = AwsNetwork(lambda *_: old, FakeClock()).read(query(NetworkKind.VIRTUAL_INTERFACE_ROUTES))
    assert answer == NetworkAnswer(rows=(), fetched_at=FakeClock().now())
    answer = AwsNetwork(lambda *_: old, FakeClock()).read(
        query(NetworkKind.VIRTUAL_INTERFACE_ROUTES, Chosen.BY_ID, "dxvif-1")
    )
    assert isinstance(answer, Unreadable)
    assert answer.action == "directconnect:ListVirtualInterfaceRoutes"


def test_an_answer_that_cannot_be_parsed_is_quoted_nowhere(aws: Aws, caplog: pytest.LogCaptureFixture) -> None:
    secret = f"planted-{uuid4()}"
    body = f"<DescribeVpnConnectionsResponse><preSharedKey>{secret}</preSharedKey>".encode()

    class Raw:
        def stream(self) -> Iterator[bytes]:
            yield body

    def cut_short(request: Any, **_: object) -> AWSResponse:  # noqa: ANN401
        return AWSResponse(request.url, 200, HTTPHeaders(), Raw())

    client = aws.client("ec2", REGION)
    hooks: Any = client.meta.events
    hooks.register("before-send.ec2.DescribeVpnConnections", cut_short)
    caplog.set_level(logging.INFO)
    answer = AwsNetwork(lambda *_: client, FakeClock()).read(query(NetworkKind.VPNS, Chosen.BY_GATEWAY, "vgw-1"))
    assert isinstance(answer, Unreadable)
    assert not answer.denied
    assert secret not in repr(answer) + caplog.text


class Planted:
    """AWS with a scenario's network in it, and a secret of its own in every field that may hold one."""

    def __init__(self, name: str) -> None:
        self.document = scenario(name)
        self.secrets: list[str] = []
        self._kinds = {source.operation: kind for kind, source in SOURCES.items()}

    def serve(self, client: BaseClient) -> BaseClient:
        """Answer what the client asks; what it is asked for matters only where rows are filed by it."""
        hooks: Any = client.meta.events
        hooks.register("before-parameter-build.*.*", self._remember)
        hooks.register("before-call.*.*", self._answer)
        return client

    def plant(self) -> str:
        self.secrets.append(f"planted-{uuid4()}")
        return self.secrets[-1]

    def _remember(self, params: Mapping[str, Any], context: dict[str, Any], **_: object) -> None:
        context["asked"] = params

    def _answer(self, model: Any, context: Mapping[str, Any], **_: object) -> tuple[AWSResponse, Document]:  # noqa: ANN401
        kind = self._kinds[model.name]
        asked: Mapping[str, Any] = context["asked"]
        here = self.document["snapshot"].get(kind) or []
        if isinstance(here, dict):
            here = here.get(next(value for value in asked.values() if isinstance(value, str)), [])
        planted = [self._planted(row) for row in here if isinstance(row, dict)]
        answer = {SOURCES[kind].rows[0]: planted}
        return AWSResponse("", 200, HTTPHeaders(), None), answer

    def _planted(self, row: Document) -> Document:
        row = {**row, "Tags": [{"Key": self.plant(), "Value": self.plant()}], "Description": self.plant()}
        row["VpcId"] = row.get("VpcId", "vpc-h")
        if "VpnConnectionId" in row:
            row |= {"CustomerGatewayConfiguration": self.plant(), "PreSharedKeyArn": self.plant()}
            row["Options"] = {**row["Options"], "TunnelOptions": [{"PreSharedKey": self.plant()} for _ in range(2)]}
        if "virtualInterfaceId" in row:
            row |= {"authKey": self.plant(), "customerRouterConfig": self.plant()}
            row["bgpPeers"] = [{**peer, "authKey": self.plant()} for peer in row["bgpPeers"]]
        return row


def cluster(aws: Aws, planted: Planted) -> Cluster:
    """The scenario's cluster as the adapter reads it of an answer with a PRECO password."""
    client: Any = aws.client("cloudhsmv2", REGION)
    ours: Document = {"ClusterId": "cluster-a2b3c4d5e6f", "VpcId": "vpc-h", "SecurityGroup": "sg-hsm"}
    planted.secrets.append(uuid4().hex)
    ours |= {"Hsms": planted.document["hsms"], "PreCoPassword": planted.secrets[-1]}
    with Stubber(client) as stubber:
        stubber.add_response("describe_clusters", {"Clusters": [ours]})
        [known] = CloudHsmPlane(lambda: REGION, lambda: client, lambda: client).clusters()
    return known


@pytest.mark.parametrize("name", ["S34", "S36", "S44", "S48"])
def test_planted_secrets_are_nowhere(name: str, aws: Aws, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    planted = Planted(name)
    found_clients = {service: planted.serve(aws.client(service, REGION)) for service in ("ec2", "directconnect")}
    clock = FakeClock()
    reader = AwsNetwork(lambda service, _: found_clients[service], clock)
    cache = FileNetworkCache(tmp_path / "network.json", clock)
    known = cluster(aws, planted)
    found = collector(reader, cache, clock).collect(Ends(cluster=known, clients=load(planted.document).clients))
    assert len(planted.secrets) > 20
    said = json.dumps(found.document) + repr(found) + caplog.text + (tmp_path / "network.json").read_text()
    assert [secret for secret in planted.secrets if secret in said] == []
    assert not any(field in said for field in ("PreSharedKey", "authKey", "PreCoPassword", "GatewayConfiguration"))
