"""What cloudhsm-cli prints, as answers and errors: the envelope, whatever stands around it.

Knows that prompts and log lines may precede the JSON, that releases differ in what they leave out, and that some
failures come as `Error: "..."` without any JSON. Refuses to guess: text without an envelope is a failure in its own
words, and an envelope that makes no sense is unreadable, never empty.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hsmctl.domain.message import as_error
from hsmctl.errors import HsmctlError, Unreachable

_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][0-9A-Za-z]|[=>78cDEHMNOZ])")
"""What terminals obey and do not show: CSI, OSC and short sequences (ECMA-48)."""
_EARLY = re.compile(r"^\s*Error: *(.*)$", re.MULTILINE)
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Answer:
    """The data of a success: a sentence, an object, or nothing."""

    data: Any = None

    @property
    def members(self) -> dict[str, Any]:
        """The members of an object; none where the answer is a sentence or nothing."""
        return self.data if isinstance(self.data, dict) else {}

    @property
    def says(self) -> str:
        """The sentence that comes with it, as a string or as the member `message`."""
        said = self.data if isinstance(self.data, str) else self.members.get("message")
        return said if isinstance(said, str) else ""


def answer(what: str, stdout: str, stderr: str = "") -> Answer:
    """What a command answered; `what` names it in errors.

    Raises:
        Unreachable: there is no answer in the text, or none that can be read.
        HsmctlError: the command failed; the kind follows from its message.
    """
    envelope = next(envelopes(stdout), None) or next(envelopes(stderr), None)
    if envelope is None:
        raise _without_envelope(what, stdout, stderr)
    code, data = envelope["error_code"], envelope.get("data")
    if isinstance(code, bool) or not isinstance(code, int):
        raise Unreachable(f"{what}: its answer cannot be read", f"error_code is {code!r}", "update hsmctl")
    if code != 0:
        raise as_error(what, _sentence(data) or f"error_code {code}")
    return Answer(data)


def envelopes(text: str) -> Iterator[dict[str, Any]]:
    """Every JSON object with an error_code in a text, in order; what stands between them is left out."""
    plain = cleaned(text)
    place = plain.find("{")
    while place >= 0:
        found, end = _object_at(plain, place)
        if isinstance(found, dict) and "error_code" in found:
            yield found
            place = plain.find("{", end)
        else:
            place = plain.find("{", place + 1)


def cleaned(text: str) -> str:
    """The text as a terminal would show it, without its orders to the terminal."""
    return _ESCAPE.sub("", text).replace("\r\n", "\n").replace("\r", "\n")


def _object_at(text: str, place: int) -> tuple[object, int]:
    """The JSON value that begins there and where it ends, or None."""
    try:
        return _DECODER.raw_decode(text, place)
    except (ValueError, RecursionError):
        return None, place


def _sentence(data: object) -> str:
    """A failure's words."""
    if isinstance(data, str):
        return data
    return "" if data is None else json.dumps(data)


def _without_envelope(what: str, stdout: str, stderr: str) -> HsmctlError:
    """The failure of a command that printed no JSON: its configuration, its connection or its arguments."""
    said = [line.strip() for line in cleaned(f"{stderr}\n{stdout}").splitlines() if line.strip()]
    early = _EARLY.search("\n".join(said))
    if early:
        return as_error(what, early[1].strip().strip('"'))
    if not said:
        return Unreachable(what, "it printed nothing", "hsmctl client check")
    error = as_error(what, " ".join(said[:5]))
    # Whoever answers without an envelope did not get as far as an HSM.
    return error if error.exit_code != 7 else Unreachable(what, error.why, "hsmctl client check")
