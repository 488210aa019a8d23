"""The lab's commands' end of the supervisor: finds it, and makes its control calls.

Knows how a supervisor that is gone, or hangs, is told from one that serves. Refuses to start or end processes.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hsmctl.errors import Unreachable, described
from hsmctl.lab.folder import LabFolder

_HEALTH_SECONDS = 10.0
_CALL_SECONDS = 120.0
_HINT = "hsmctl lab logs"


@dataclass(frozen=True, slots=True)
class Client:
    """A supervisor that serves."""

    pid: int
    port: int
    token: str

    def call(self, name: str, /, **arguments: object) -> Mapping[str, Any]:
        """The answer to a control call.

        Raises:
            HsmctlError: what the supervisor raised.
            Unreachable: it does not answer.
        """
        try:
            status, answer = _request(
                self.port, "POST", name, _CALL_SECONDS, {"X-Hsmctl-Token": self.token}, json.dumps(arguments)
            )
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unreachable("the lab's supervisor did not answer", str(error), _HINT) from error
        if status != http.client.OK:
            raise described(answer["error"])
        return answer


def find(lab: LabFolder) -> Client | None:
    """The lab's supervisor, if one serves: the process that wrote supervisor.json must answer with its own pid."""
    try:
        found = json.loads(lab.supervisor.read_text())
        token = json.loads(lab.configuration.read_text())["control_token"]
        status, answer = _request(found["port"], "GET", "health", _HEALTH_SECONDS, {})
    except (OSError, http.client.HTTPException, ValueError):
        return None
    if status != http.client.OK or answer.get("pid") != found["pid"]:
        return None
    return Client(found["pid"], found["port"], token)


def _request(
    port: int, method: str, name: str, seconds: float, headers: Mapping[str, str], body: str | None = None
) -> tuple[int, Mapping[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request(method, f"/_hsmctl/{name}", body, headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()
