"""paramiko's Transport with what a probe needs and paramiko lacks: whose failure it was, and why.

paramiko reports failed channel opens through one variable of the whole connection, so that parallel opens take each
other's errors, and it drops the server's sentence, which alone tells refused from timed out. Two of its private methods
are overridden for that, hence the upper bound on its version in pyproject.toml; tests/adapters/test_ssh.py fails where
they are no longer called.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import paramiko

from hsmctl.adapters.host_key import HostKey
from hsmctl.domain.probe import Answer, Closed, closed

BANNER_SECONDS = 10.0
AUTH_SECONDS = 15.0
_PROHIBITED = 1
"""SSH_OPEN_ADMINISTRATIVELY_PROHIBITED (RFC 4254, 5.1)."""
_KEEPALIVE_SECONDS = 15

_WEAK = {
    "ciphers": ["aes128-cbc", "aes192-cbc", "aes256-cbc", "3des-cbc"],
    "macs": ["hmac-sha1", "hmac-md5", "hmac-sha1-96", "hmac-md5-96"],
}
"""What paramiko still offers and OpenSSH has given up."""

# paramiko logs every refused channel as an error; here it is an answer.
logging.getLogger("paramiko").setLevel(logging.CRITICAL)


class SshTransport(paramiko.Transport):
    """One SSH connection; `open_tcp` may be called by many threads at once."""

    def __init__(self, sock: socket.socket | paramiko.Channel) -> None:
        super().__init__(sock, disabled_algorithms=_WEAK)
        self._mine = threading.local()
        self._reasons: dict[int, tuple[int, str]] = {}

    def shake_hands(self, known_types: Sequence[str], deadline: float) -> HostKey:
        """The host key that the server has proved to have.

        Raises:
            paramiko.SSHException: the server speaks no SSH that we speak, or not before the deadline.
        """
        self.banner_timeout = min(BANNER_SECONDS, _left(deadline))
        self.handshake_timeout = self.banner_timeout
        options = self.get_security_options()
        # A server has several keys and shows the kind we like best, so what is known must be what we like best.
        options.key_types = sorted(options.key_types, key=lambda name: _key_type(name) not in known_types)
        self.start_client(timeout=_left(deadline))
        if not self.initial_kex_done:  # start_client returns as if all were well when its time is over
            raise paramiko.SSHException("no SSH handshake in time")
        key = self.get_remote_server_key()
        return HostKey(key.get_name(), key.asbytes())

    def settle(self) -> float:
        """Keep the logged-in connection alive; returns the shortest of three round trips, in seconds."""
        self.set_keepalive(_KEEPALIVE_SECONDS)
        return min(self._round_trip() for _ in range(3))  # some answers wait 40 ms for a delayed acknowledgement

    def open_tcp(self, host: str, port: int, deadline: float) -> paramiko.Channel | Closed:
        """A connection made by the server, or why there is none.

        Raises:
            paramiko.SSHException: the SSH connection itself is gone.
        """
        self._mine.number = None
        try:
            # Without a time-out paramiko waits an hour; after one, sshd goes on trying and a late success is ignored.
            return self.open_channel("direct-tcpip", (host, port), ("127.0.0.1", 0), timeout=_left(deadline))
        except paramiko.SSHException as error:  # perhaps another thread's, so only a sign
            if (reason := self._reasons.pop(self._mine.number, None)) is not None:
                return _meaning(*reason)
            if not self.is_active():
                raise paramiko.SSHException("the SSH connection ended") from error
            if time.monotonic() < deadline:
                return Closed(Answer.FAILED, str(error))
            return Closed(Answer.TIMED_OUT, "no answer in time")

    def get_exception(self) -> Exception | None:
        """What ended the connection, always an SSHException: paramiko raises here whatever a lying server provoked."""
        error = super().get_exception()
        if error is None or isinstance(error, paramiko.SSHException):
            return error
        return paramiko.SSHException(str(error) or "the server ended the connection")

    def _next_channel(self) -> int:
        """The number of the channel that this thread is opening; overrides paramiko's."""
        number: int = super()._next_channel()  # type: ignore[misc] # private, so not in the stubs
        self._mine.number = number
        return number

    def _parse_channel_open_failure(self, message: paramiko.Message) -> None:
        """Keep the server's code and sentence by channel before paramiko forgets them; overrides paramiko's."""
        number, code, sentence = message.get_int(), message.get_int(), message.get_text()
        self._reasons[number] = code, sentence
        message.rewind()
        super()._parse_channel_open_failure(message)  # type: ignore[misc]

    def _round_trip(self) -> float:
        """Seconds of one question that every server answers, with a yes or a no."""
        began = time.monotonic()
        self.global_request("keepalive@openssh.com")
        return time.monotonic() - began


def _meaning(code: int, sentence: str) -> Closed:
    """What a failure to open says (RFC 4254, 5.1): policy, or the sentence of connect(2) on the host."""
    if code == _PROHIBITED:
        return Closed(Answer.PROHIBITED, "the host's sshd does not forward there (AllowTcpForwarding, PermitOpen)")
    if sentence == "open failed":  # OpenSSH has no better sentence where connect(2) fails at once
        return Closed(Answer.UNREACHABLE, "the host's kernel refused at once, for want of a route")
    return closed(sentence)


def _key_type(algorithm: str) -> str:
    """The type of key that signs with an algorithm (RFC 8332)."""
    return "ssh-rsa" if algorithm.startswith("rsa-sha2-") else algorithm


def _left(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())


@contextmanager
def closing_at(deadline: float, closable: paramiko.Transport | paramiko.Channel) -> Iterator[None]:
    """Closes it at the deadline: some of paramiko's waits know no time-out, and all end with what they wait for."""
    timer = threading.Timer(_left(deadline), closable.close)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
