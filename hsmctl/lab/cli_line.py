"""The emulated client's connection to one HSM: two TLS layers, frames inside, as hsmctl's own client has it.

Reaches an HSM over the network alone, from wherever it stands: an address that is filtered or dead is not reached.
"""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Iterator
from typing import Any

from hsmctl import __version__
from hsmctl.agent.frame import LIMIT, PROTOCOL, Malformed, read_frame, write_frame
from hsmctl.agent.stream import Stream, connect
from hsmctl.lab.cli_config import Cluster

_ANSWER_SECONDS = 60.0

_log = logging.getLogger(__name__)


class Refusal(Exception):
    """The HSM said no; `code` says of what kind, where that matters."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


class Disconnected(Exception):
    """The HSM cannot be reached, or no longer."""


class Line:
    """One HSM that is connected."""

    def __init__(self, host: str, port: int, cluster: Cluster, seconds: float) -> None:
        """Connect.

        Raises:
            Disconnected: nobody answers there in time, or not the HSM the customer CA knows.
        """
        self.host = host
        self._number = 0
        outer = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        outer.check_hostname = False
        outer.verify_mode = ssl.CERT_NONE  # AWS's certificate is self-signed; the inner layer says who it is
        try:
            self._stream: Stream = connect(host, port, outer, _inner(cluster), time.monotonic() + seconds)
            self.ask("hello", protocol=PROTOCOL, version=__version__)
        except OSError as error:
            _log.error("Tls connection to %s failed: %s", host, error)
            raise Disconnected(f"{host}: {error}") from error

    def ask(self, op: str, **args: object) -> dict[str, Any]:
        """The answer to one operation.

        Raises:
            Refusal: the HSM refuses.
            Disconnected: it is gone.
        """
        *_, answer = self.stream(op, **args)
        return answer

    def stream(self, op: str, **args: object) -> Iterator[dict[str, Any]]:
        """The answers to one operation, one at a time.

        Raises:
            Refusal: the HSM refuses.
            Disconnected: it is gone.
        """
        self._number += 1
        request = {"id": self._number, "op": op, "args": args, "deadline_ms": int(_ANSWER_SECONDS * 1000)}
        try:
            self._stream.deadline = time.monotonic() + _ANSWER_SECONDS
            write_frame(self._stream.write, request)
            while True:
                reply = read_frame(self._stream.read_exactly, LIMIT)
                if reply is None:
                    raise ConnectionResetError("closed by the HSM")
                if "error" in reply:
                    raise Refusal(reply["error"]["ckr"], reply["error"]["what"])
                yield reply["ok"]
                if not reply.get("more"):
                    return
        except (OSError, Malformed) as error:
            _log.error("Tls disconnected from %s: %s", self.host, error)
            self.close()
            raise Disconnected(f"{self.host}: {error}") from error

    def close(self) -> None:
        """End the connection."""
        self._stream.close()


def _inner(cluster: Cluster) -> ssl.SSLContext:
    """Trust in the cluster's CA alone, with the client's certificate if it has one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(cluster.ca)
    if cluster.certificate and cluster.key:
        context.load_cert_chain(cluster.certificate, cluster.key)
    return context
