"""The lab's one HTTP endpoint: signed AWS requests go to the emulated services, the lab's own calls to handlers.

An AWS request is let in by its access key and answered by the router, every refusal in AWS's shape. Below `/_hsmctl/`
the lab's own commands speak: `health` answers anybody, the rest holders of the control token. Knows no service.
"""

from __future__ import annotations

import hmac
import json
import logging
import os
import socket
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from hsmctl.errors import HsmctlError
from hsmctl.lab.routing import Router
from hsmctl.lab.wire import (
    Answer,
    AwsError,
    Call,
    foreign_key,
    refusal,
    signed_call,
    unsigned,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CONTROL = "/_hsmctl/"
"""The path below which the lab's own calls are."""

CONTROL_HEADER = "X-Hsmctl-Token"
"""Carries the lab's control token."""

Control = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Handles a control call: the JSON object of its body in, that of its answer out; an HsmctlError is passed on."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What opens the lab's two doors."""

    access_key_id: str
    """The only access key id that AWS requests are accepted from."""
    control_token: str


class Gateway:
    """A WSGI application over the emulated services and these control handlers, by name.

    `GET /_hsmctl/health` answers `{"pid": ...}`. `POST /_hsmctl/NAME` with the header X-Hsmctl-Token and a JSON object
    calls the handler NAME: its answer comes with status 200, an HsmctlError as
    `{"error": {"what", "why", "hint", "exit_code"}}` with status 409.
    """

    def __init__(self, router: Router, credentials: Credentials, control: Mapping[str, Control]) -> None:
        self._router = router
        self._credentials = credentials
        self.last_call = time.monotonic()
        """When somebody last asked for something."""
        self._control = control

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """The answer to one HTTP request (PEP 3333)."""
        self.last_call = time.monotonic()
        headers = _headers(environ)
        body = environ["wsgi.input"].read(int(headers.get("content-length") or 0))
        path = environ["PATH_INFO"]
        if path.startswith(CONTROL):
            answer = self._controlled(path.removeprefix(CONTROL), headers, body)
        else:
            query = environ.get("QUERY_STRING", "")
            call = signed_call(headers, body, method=environ["REQUEST_METHOD"], path=path, query=query)
            answer = self._aws(call) if call else refusal(unsigned(headers), headers)
        status = HTTPStatus(answer.status)
        start_response(
            f"{status.value} {status.phrase}",
            [
                ("Content-Type", answer.content_type),
                ("Content-Length", str(len(answer.body))),
                ("x-amzn-RequestId", str(uuid.uuid4())),
                *answer.headers.items(),
            ],
        )
        return [answer.body]

    def _aws(self, call: Call) -> Answer:
        """The answer to a call, or why there is none."""
        try:
            if not _same(call.access_key_id, self._credentials.access_key_id) and not self._router.issued(call):
                raise foreign_key(call)
            return self._router.answer(call)
        except AwsError as error:
            _log.info("%s refused: %s", call.service, error)
            return refusal(error, call.headers, call.service)

    def _controlled(self, name: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """The answer to one of the lab's own calls."""
        if name == "health":
            return _json({"pid": os.getpid()})
        if not _same(headers.get(CONTROL_HEADER.lower(), ""), self._credentials.control_token):
            return _json({"error": {"what": "control call refused", "why": "wrong control token"}}, 403)
        if name not in self._control:
            return _json({"error": {"what": f"no control call {name}"}}, 404)
        try:
            return _json(self._control[name](json.loads(body or b"{}")))
        except HsmctlError as error:
            described = {"what": error.what, "why": error.why, "hint": error.hint, "exit_code": int(error.exit_code)}
            return _json({"error": described}, 409)


def serve(app: WSGIApplication, host: str, port: int = 0) -> BaseWSGIServer:
    """A server that listens already; its `port` is the real one, `serve_forever()` answers until `shutdown()`.

    Raises:
        OSError: the address cannot be bound.
    """
    with socket.create_server((host, port)) as listener:
        return make_server(host, port, app, threaded=True, request_handler=_Handler, fd=listener.fileno())


class _Handler(WSGIRequestHandler):
    """Logs requests for whoever debugs the lab and sends no banner to standard error."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: object) -> None:
        _log.log(logging.ERROR if type == "error" else logging.DEBUG, message, *args)


def _headers(environ: WSGIEnvironment) -> dict[str, str]:
    """The request's headers by lower-case name."""
    named = {key[5:].replace("_", "-").lower(): value for key, value in environ.items() if key.startswith("HTTP_")}
    return named | {
        "content-type": environ.get("CONTENT_TYPE", ""),
        "content-length": environ.get("CONTENT_LENGTH", ""),
    }


def _same(given: str, expected: str) -> bool:
    """Whether two credentials are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(given.encode(), expected.encode())


def _json(answer: Mapping[str, Any], status: int = 200) -> Answer:
    """An answer of the lab's own."""
    return Answer(body=json.dumps(answer).encode(), content_type="application/json", status=status)
