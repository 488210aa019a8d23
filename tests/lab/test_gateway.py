"""Proves who is let into the lab, that each service's client can read its refusals, and that none is tried again."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from urllib.error import HTTPError

import pytest
from aws_lab import ACCOUNT, CONTROL_TOKEN, KEY_ID, EmulatedAws
from botocore import UNSIGNED
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError

from hsmctl.errors import Conflict
from hsmctl.lab.gateway import CONTROL_HEADER, Credentials, Gateway, serve
from hsmctl.lab.routing import Router

FOREIGN = "AKIAIOSFODNN7EXAMPLE"


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatedAws]:
    with EmulatedAws(tmp_path_factory.mktemp("lab"), control={"echo": lambda asked: asked}) as aws:
        yield aws


def control(aws: EmulatedAws, name: str, body: object = None, token: str = CONTROL_TOKEN) -> tuple[int, object]:
    """A control call's status and answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{aws.url}/_hsmctl/{name}", data, {CONTROL_HEADER: token})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        with error:
            return error.status or 0, json.load(error)


def error_of(call: Callable[[], object]) -> tuple[str, int, int]:
    """Code, status and number of retries of a refused call."""
    with pytest.raises(ClientError) as refused:
        call()
    response = refused.value.response
    metadata = response["ResponseMetadata"]
    return response["Error"]["Code"], metadata["HTTPStatusCode"], metadata["RetryAttempts"]


def test_only_the_access_key_of_the_lab_is_let_in(aws: EmulatedAws) -> None:
    aws.client().describe_clusters()
    hsms = aws.client(key_id=FOREIGN)
    assert error_of(hsms.describe_clusters) == ("UnrecognizedClientException", 400, 0)
    identity = aws.client("sts", key_id=FOREIGN)
    assert error_of(identity.get_caller_identity) == ("InvalidClientTokenId", 403, 0)
    machines = aws.client("ec2", key_id=FOREIGN)
    assert error_of(machines.describe_vpcs) == ("AuthFailure", 401, 0)


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("cloudhsmv2", "describe_clusters", "MissingAuthenticationTokenException"),
        ("sts", "get_caller_identity", "MissingAuthenticationToken"),
    ],
)
def test_who_does_not_sign_is_not_let_in(aws: EmulatedAws, service: str, operation: str, code: str) -> None:
    client = aws.client(service)
    client.meta.events.register("choose-signer", lambda **_: UNSIGNED)
    assert error_of(getattr(client, operation)) == (code, 403, 0)


@pytest.mark.parametrize(
    ("service", "operation", "asked"),
    [
        ("ec2", "describe_vpcs", {}),
        ("logs", "describe_log_groups", {}),
        ("iam", "list_users", {}),
        ("s3", "list_buckets", {}),
        ("lambda", "list_functions", {}),
        ("sts", "get_session_token", {}),
    ],
)
def test_what_is_not_emulated_is_refused_in_the_shape_of_its_protocol_and_not_tried_again(
    aws: EmulatedAws, service: str, operation: str, asked: dict[str, str]
) -> None:
    client = aws.client(service)
    assert error_of(lambda: getattr(client, operation)(**asked)) == ("NotImplementedInLab", 501, 0)


def test_an_operation_the_service_does_not_have_is_refused_and_not_tried_again(aws: EmulatedAws) -> None:
    def rename(request: AWSRequest, **_: object) -> None:
        request.headers.replace_header("X-Amz-Target", "BaldrApiService.CreateBackup")

    hsms = aws.client()
    hsms.meta.events.register("before-sign", rename)
    assert error_of(hsms.describe_clusters) == ("UnknownOperationException", 400, 0)


def test_the_caller_is_the_only_user_of_the_lab(aws: EmulatedAws) -> None:
    identity = aws.client("sts").get_caller_identity()
    assert identity["Account"] == ACCOUNT
    assert identity["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/lab"
    assert len(identity["ResponseMetadata"]["RequestId"]) == 36


def test_health_tells_anybody_which_process_answers(aws: EmulatedAws) -> None:
    assert control(aws, "health", token="") == (HTTPStatus.OK, {"pid": os.getpid()})


def test_control_calls_need_the_token_and_a_handler(aws: EmulatedAws) -> None:
    assert control(aws, "echo", {"a": [1]}) == (HTTPStatus.OK, {"a": [1]})
    assert control(aws, "echo", {}, token="guessed")[0] == HTTPStatus.FORBIDDEN
    assert control(aws, "nothing", {}, token="")[0] == HTTPStatus.FORBIDDEN
    assert control(aws, "nothing", {})[0] == HTTPStatus.NOT_FOUND


def test_an_error_of_ours_travels_whole(tmp_path: Path) -> None:
    def refuse(_: object) -> dict[str, object]:
        raise Conflict("no", "because", "do this")

    credentials = Credentials(access_key_id=KEY_ID, control_token=CONTROL_TOKEN)
    with EmulatedAws(tmp_path, control={"refuse": refuse}) as aws:
        error = {"what": "no", "why": "because", "hint": "do this", "exit_code": 5}
        assert control(aws, "refuse", {}) == (HTTPStatus.CONFLICT, {"error": error})
        with pytest.raises(OSError, match="in use"):
            serve(Gateway(Router(), credentials, {}), "127.0.0.1", int(aws.url.rpartition(":")[2]))
