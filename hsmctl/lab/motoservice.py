"""Every AWS service that is not our own, answered by moto: imported when it is first needed or all is quiet.

Knows how a call reaches moto, that calls run one at a time, and that what changed something is journaled and replayed.
moto's state belongs to the process: whoever opens it starts from nothing. Refuses to know what any service means.
"""

from __future__ import annotations

import io
import logging
import secrets
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from wsgiref.util import setup_testing_defaults

from hsmctl.lab.motojournal import Entry, MotoJournal, changes
from hsmctl.lab.wire import Answer, AwsError, Call, not_implemented

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_ACCOUNT_HEADER = "HTTP_X_MOTO_ACCOUNT_ID"
"""How moto is told whose resources a call is about."""

_log = logging.getLogger(__name__)

Preparation = Callable[[str], None]
"""Brings our own state into a service of moto's, for a call in this region; "" before the journal is replayed."""


class MotoService:
    """A lab.routing.Rest over moto."""

    def __init__(
        self, account_id: str, access_key_id: str, journal: MotoJournal, preparations: Mapping[str, Preparation]
    ) -> None:
        """Answer for this account, whose own key is given; `preparations` run before calls, by signing name."""
        self._account_id = account_id
        self._access_key_id = access_key_id
        self._journal = journal
        self._preparations = preparations
        self._lock = threading.RLock()
        self._dispatcher: Any = None

    def warm(self) -> None:
        """Import moto and replay the journal now, so that the first call need not wait for it."""
        with self._lock:
            if self._dispatcher is None:
                self._open()

    @property
    def changed(self) -> bool:
        """Whether anything was ever done to it."""
        return bool(self._journal)

    def issued(self, access_key_id: str) -> bool:
        """Whether IAM or STS gave out this access key; asks moto only if something was ever done to it."""
        if self._dispatcher is None and not self._journal:
            return False
        self.warm()
        from moto.iam.models import iam_backends

        with self._lock:
            return any(access_key_id in account["aws"].access_keys for account in list(iam_backends.values()))

    def answer(self, call: Call) -> Answer:
        """The answer to a call.

        Raises:
            AwsError: moto has no such service or operation.
        """
        with self._lock:
            self.warm()
            entry = Entry(call, secrets.randbits(64))
            answer = self._run(entry)
            if changes(call) and answer.status < 400:
                self._journal.add(entry)
            return answer

    def _open(self) -> None:
        """Import moto, empty it, and do again what was done."""
        from moto.moto_api._internal import moto_api_backends
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication

        moto_api_backends["global"].reset()
        self._dispatcher = DomainDispatcherApplication(_application)
        for preparation in self._preparations.values():
            preparation("")
        for entry in self._journal.entries():
            self._repeat(entry)

    def _repeat(self, entry: Entry) -> None:
        """Do again what was done; what it was done to may be gone, such as an HSM's interface."""
        try:
            answer = self._run(entry)
        except AwsError as error:
            _log.warning("not repeated: %s", error)
            return
        if answer.status >= 400:
            _log.warning("%s of %s not repeated: %s", entry.call.operation, entry.call.service, answer.body[:200])

    def _run(self, entry: Entry) -> Answer:
        """Moto's answer to a call, with the random numbers of its seed.

        Raises:
            AwsError: moto has no such service or operation, or breaks on the request.
        """
        from moto.moto_api._internal import mock_random
        from werkzeug.test import run_wsgi_app

        call, environ = entry.call, self._environ(entry.call)
        if not self._has(environ):
            raise not_implemented(f"The service {call.service}")
        if preparation := self._preparations.get(call.service):
            preparation(call.region)
        application = self._dispatcher.get_application(environ)
        mock_random.seed(entry.seed)  # last, because a service that moto sets up draws numbers too
        body, status, headers = run_wsgi_app(application, environ, buffered=True)
        answer = _answer(b"".join(body), int(status.split()[0]), dict(headers))
        # moto's own errors are JSON or XML; a page of HTML is its web server's.
        if answer.status >= 400 and answer.content_type.startswith("text/html"):
            raise not_implemented(f"The operation {call.operation} of {call.service}")
        return answer

    def _has(self, environ: WSGIEnvironment) -> bool:
        """Whether moto has the service; its own dispatcher would print that it has not."""
        host = self._dispatcher.infer_service_region_host(environ, environ["PATH_INFO"])
        return host is not None and any(
            pattern.match(f"http://{host}") for _, pattern in self._dispatcher.backend_url_patterns
        )

    def _environ(self, call: Call) -> WSGIEnvironment:
        """The call as a WSGI request."""
        environ: WSGIEnvironment = {
            "REQUEST_METHOD": call.method,
            "PATH_INFO": call.path,
            "QUERY_STRING": call.query,
            "CONTENT_TYPE": call.headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(call.body)),
            "wsgi.input": io.BytesIO(call.body),
        }
        for name, value in call.headers.items():
            if name not in ("content-type", "content-length"):
                environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
        if call.access_key_id == self._access_key_id:
            environ[_ACCOUNT_HEADER] = self._account_id
        setup_testing_defaults(environ)
        return environ


def _answer(body: bytes, status: int, headers: dict[str, str]) -> Answer:
    """An answer of moto's, without the headers that the gateway writes itself."""
    own = ("content-type", "content-length", "x-amzn-requestid")
    others = {name: value for name, value in headers.items() if name.lower() not in own}
    return Answer(body=body, content_type=headers.get("Content-Type", ""), status=status, headers=others)


def _application(service: Any) -> Any:  # noqa: ANN401 - moto's own types
    """Moto's application of one service, which shows what it lacks, and where it breaks, as a web server's page."""
    from moto.moto_server.werkzeug_app import create_backend_app

    application = create_backend_app(service)
    application.debug = False
    application.register_error_handler(NotImplementedError, lambda _: ("", 501, {"Content-Type": "text/html"}))
    application.config["PROPAGATE_EXCEPTIONS"] = False
    return application
