"""How the emulated cloudhsm-cli answers: an envelope on standard output, or a line of its own where it got nowhere.

`{"error_code": 0, "data": …}` and 1 are the only codes there are (user guide, cloudhsm_cli-reference); what goes wrong
before a command runs is `Error: "…"` on standard error, which is no JSON. UNCONFIRMED: the exit codes and the stream.
"""

from __future__ import annotations

import json
from typing import TextIO

Data = object


class Early(Exception):
    """The tool did not get as far as the command: configuration, connection."""


class Failed(Exception):
    """The command failed with this sentence."""


def envelope(code: int, data: Data) -> str:
    """The answer to one command, as it is printed."""
    return json.dumps({"error_code": code, "data": data}, indent=2) + "\n"


def early(error: Early) -> str:
    """What is printed where the tool gets nowhere."""
    return f"Error: {json.dumps(str(error))}\n"


def put(stream: TextIO, text: str) -> None:
    """Print at once."""
    stream.write(text)
    stream.flush()
