"""AWS requests and answers on the wire: for which service a request is signed, and errors as its client reads them.

Knows the SigV4 credential scope and the shape of an error in each of AWS's protocols. Verifies no signature and knows
no service: whoever holds the lab's access key id is let in, everybody else is not.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Protocol
from urllib.parse import parse_qs

_SCOPE = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/,\s]+)/\d{8}/([^/,\s]+)/([^/,\s]+)/aws4_request")
"""Access key id, region and signing name in an Authorization header (IAM user guide, SigV4 request elements)."""

_REST_XML = frozenset({"s3", "route53", "cloudfront"})
"""Signing names of services whose errors are XML without their requests showing it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One signed request."""

    access_key_id: str
    region: str
    service: str
    """The signing name: `cloudhsm`, `sts`, `ec2`, ..."""
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes
    method: str = "POST"
    path: str = "/"
    query: str = ""

    @property
    def operation(self) -> str:
        """The operation's name; of services that speak REST, method and path."""
        if target := self.headers.get("x-amz-target"):
            return target.rpartition(".")[2]
        if _is_query(self.headers):
            return parse_qs(self.body.decode(errors="replace")).get("Action", ["(none)"])[0]
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What goes back to the client."""

    body: bytes
    content_type: str
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class Service(Protocol):
    """An emulated AWS service."""

    def answer(self, call: Call) -> Answer:
        """The answer to a call.

        Raises:
            AwsError: the service refuses.
        """
        ...


class AwsError(Exception):
    """A refusal in AWS's words: an error code, a message and an HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def not_implemented(what: str) -> AwsError:
    """The refusal of something the lab does not emulate; no AWS client tries a 501 again."""
    return AwsError("NotImplementedInLab", f"{what} is not emulated by the hsmctl lab.", 501)


def signed_call(
    headers: Mapping[str, str], body: bytes, *, method: str = "POST", path: str = "/", query: str = ""
) -> Call | None:
    """The call, or None where the request is not signed with SigV4 in its Authorization header."""
    scope = _SCOPE.match(headers.get("authorization", ""))
    if scope is None:
        return None
    access_key_id, region, service = scope.groups()
    return Call(
        access_key_id=access_key_id,
        region=region,
        service=service,
        headers=headers,
        body=body,
        method=method,
        path=path,
        query=query,
    )


def unsigned(headers: Mapping[str, str]) -> AwsError:
    """The refusal of a request without a signature, by the name its protocol has for it."""
    suffix = "" if _is_query(headers) else "Exception"
    return AwsError(f"MissingAuthenticationToken{suffix}", "Missing Authentication Token", 403)


def foreign_key(call: Call) -> AwsError:
    """The refusal of an access key that is not the lab's, by the name the service's protocol has for it."""
    message = "The security token included in the request is invalid."
    if call.service == "ec2":
        return AwsError("AuthFailure", "AWS was not able to validate the provided access credentials", 401)
    if _is_query(call.headers):
        return AwsError("InvalidClientTokenId", message, 403)
    return AwsError("UnrecognizedClientException", message, 400)


def refusal(error: AwsError, headers: Mapping[str, str], service: str = "") -> Answer:
    """An error as the client of this service reads it."""
    if _is_query(headers) or service in _REST_XML:
        text, content_type = _xml(error, service), "text/xml"
    else:
        text = json.dumps({"__type": error.code, "Message": error.message})
        content_type = "application/x-amz-json-1.1"
    return Answer(
        body=text.encode(),
        content_type=content_type,
        status=error.status,
        headers={"x-amzn-ErrorType": error.code},
    )


def _is_query(headers: Mapping[str, str]) -> bool:
    """Whether the request speaks the query protocol: a form, and XML back."""
    return headers.get("content-type", "").startswith("application/x-www-form-urlencoded")


def _xml(error: AwsError, service: str) -> str:
    """The error in EC2's own envelope or in that of every other XML service."""
    body = f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
    if service == "ec2":
        return f"<Response><Errors><Error>{body}</Error></Errors><RequestID>{uuid.uuid4()}</RequestID></Response>"
    kind = "Sender" if error.status < 500 else "Receiver"
    request_id = f"<RequestId>{uuid.uuid4()}</RequestId>"
    return f"<ErrorResponse><Error><Type>{kind}</Type>{body}</Error>{request_id}</ErrorResponse>"
