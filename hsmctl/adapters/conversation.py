"""An interactive session of cloudhsm-cli: a command is typed, its questions are answered, its answer is read.

Knows the prompt and the questions (user guide, CloudHSM CLI modes). A secret is sent only after the question for it,
and must not come back in what is printed. A question nobody expected ends the conversation instead of being guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from hsmctl.adapters.cloudhsm_message import Answer, answer, cleaned, envelopes
from hsmctl.adapters.terminal import Terminal
from hsmctl.errors import Conflict, Denied, Unreachable
from hsmctl.ports import Clock
from hsmctl.secret import Secret

Reply = Secret | Callable[[], str]
"""What answers a question: a secret, or something made at that moment, such as the path of a file signed by then."""

PASSWORD = "password"  # noqa: S105 - a word of the question
SIGNED_TOKEN = "signed token file path"  # noqa: S105
PUBLIC_KEY = "public key PEM file path"

_PROMPT = re.compile(r"(?:\A|\n)[^\n\"{}]{0,200}>[ ]?\Z")
"""`aws-cloudhsm > `; with several clusters it names user and cluster (third parties), so only its end is fixed."""
_QUESTION = re.compile(r"(?:\A|\n)([^\n\"{}]{0,200}(?:password|file path)[^\n\"{}]{0,200}):[ ]?\Z", re.IGNORECASE)
_MISSING = re.compile(r": (?:not found|No such file or directory|Permission denied)\s*\Z")
"""How a shell says that there is no such program."""
_LINE = re.compile(r"[\w ./:=@+-]+")
_MOST_QUESTIONS = 4


class Conversation:
    """One interactive session; not shared between threads."""

    def __init__(self, terminal: Terminal, clock: Clock, seconds: float) -> None:
        """Wait for the first prompt; no command takes longer than `seconds`.

        Raises:
            Unreachable: the program did not get that far.
            UsageError: it ended with a complaint about its configuration.
        """
        self._terminal = terminal
        self._clock = clock
        self._seconds = seconds
        self._read("cloudhsm-cli interactive", self._deadline())

    def ask(self, line: str, replies: Mapping[str, Reply] | None = None) -> Answer:
        """What a command answers; `replies` are what its questions may be answered with, by a part of the question.

        Raises:
            Unreachable: no answer came, so whether it was carried out is not known; or it asks what nobody expected.
            Denied: a secret was printed by the terminal.
            HsmctlError: the command failed.
        """
        if not _LINE.fullmatch(line):
            raise ValueError("a command has words, paths and options only")
        what = " ".join(word for word in line.split(" --")[0].split())
        deadline = self._deadline()
        self._terminal.send(line.encode() + b"\n")
        printed, asked = self._read(what, deadline), 0
        while question := _question(printed):
            asked += 1
            if asked > _MOST_QUESTIONS:
                raise Unreachable(what, f"it goes on asking: {question}", "hsmctl client check")
            printed = self._reply(what, question, replies or {}, deadline)
        return answer(what, _PROMPT.sub("", printed))

    def close(self) -> None:
        """Leave; a token that was made here dies with it."""
        self._terminal.send(b"quit\n")
        self._terminal.close()

    def _reply(self, what: str, question: str, replies: Mapping[str, Reply], deadline: float) -> str:
        """Answer a question; what is printed then."""
        reply = next((reply for part, reply in replies.items() if part.casefold() in question.casefold()), None)
        if reply is None:
            raise Unreachable(what, f"it asks: {question}", "hsmctl does not know this question: update hsmctl")
        text = reply.reveal() if isinstance(reply, Secret) else reply()
        self._terminal.send(text.encode() + b"\n")
        printed = self._read(what, deadline)
        if isinstance(reply, Secret) and text in printed:
            raise Denied(what, "the terminal printed the password", "change that password: somebody may have read it")
        return printed

    def _read(self, what: str, deadline: float) -> str:
        """What is printed until the prompt or a question.

        Raises:
            Unreachable: the program ended, or nothing came in time.
        """
        printed = bytearray()
        while part := self._terminal.receive(deadline):
            printed += part
            text = cleaned(printed.decode("utf-8", "replace"))
            if _PROMPT.search(text) or _question(text):
                return text
        text = cleaned(printed.decode("utf-8", "replace"))
        if _MISSING.search(text):
            raise Conflict("no cloudhsm-cli on this host", text.strip(), "install it, or name it in the context: cli")
        if "Error:" in text:
            answer(what, text)
        raise Unreachable(
            what, "the connection ended before its answer", "whether it was done is not known: look first"
        )

    def _deadline(self) -> float:
        return self._clock.monotonic() + self._seconds


def _question(text: str) -> str:
    """The question at the end of what was printed, if there is one and no answer yet."""
    found = _QUESTION.search(text)
    return found[1].strip() if found and not any(envelopes(text)) else ""
