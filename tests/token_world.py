"""A SoftHSM token behind an agent of any manners, in a child process or behind TLS, for tests of the port Tokens."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

from softhsm_token import LABEL, MODULE, PASSWORD, USER
from tls_files import Authority

from hsmctl.adapters.token import AgentTokens
from hsmctl.domain.sync import Replica
from hsmctl.ports import Login, Token
from hsmctl.secret import Secret

PEER = str(Path(__file__).parent / "adapters" / "peer.py")
NOW = datetime(2026, 1, 2, tzinfo=UTC)
LOGIN = Login(USER, Secret(PASSWORD))
PATIENCE = 30.0


class FixedClock:
    """Tells one time."""

    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        raise AssertionError(f"slept for {seconds} s")


class World:
    """A SoftHSM token and an agent of any mode in front of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._logins = Path(os.environ["PEER_LOGINS"])

    def open(self, mode: str = "", login: Login = LOGIN, seconds: float = PATIENCE) -> AbstractContextManager[Token]:
        """A conversation with an agent that behaves as it should, or in a mode of peer.py."""
        raise NotImplementedError

    def logins(self) -> int:
        return len(self._logins.read_text().splitlines())


class ModuleWorld(World):
    """The agent is a child."""

    def open(self, mode: str = "", login: Login = LOGIN, seconds: float = PATIENCE) -> AbstractContextManager[Token]:
        locks = self.folder / "locks"
        tokens = (
            AgentTokens(FixedClock(), locks, command=(sys.executable, PEER, mode), grace=0.2)
            if mode
            else AgentTokens(FixedClock(), locks)
        )
        return tokens.open(module_replica(), login, time.monotonic() + seconds)


class ProxyWorld(World):
    """As in ModuleWorld, through p11-kit, whose every C_GetFunctionList makes a module of its own."""

    def open(self, mode: str = "", login: Login = LOGIN, seconds: float = PATIENCE) -> AbstractContextManager[Token]:
        (proxy,) = Path("/usr/lib").glob("*/p11-kit-proxy.so")
        replica = module_replica(module=str(proxy))
        return AgentTokens(FixedClock(), self.folder / "locks").open(replica, login, time.monotonic() + seconds)


class NodeWorld(World):
    """The agent listens, as a lab node does."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.authority = Authority(folder, "customer-ca")
        self._certificates = [str(Authority(folder, "aws").issue("outer")), str(self.authority.issue("hsm"))]
        self._peer: subprocess.Popen[str] | None = None

    def open(self, mode: str = "", login: Login = LOGIN, seconds: float = PATIENCE) -> AbstractContextManager[Token]:
        tokens = AgentTokens(FixedClock(), self.folder / "locks", self.authority.path)
        return tokens.open(self.replica(mode), login, time.monotonic() + seconds)

    def replica(self, mode: str = "") -> Replica:
        """A new peer, the only one: two processes on one SoftHSM folder spoil it."""
        self.end()
        self._peer = subprocess.Popen(
            [sys.executable, PEER, mode, MODULE, "", *self._certificates], stdout=subprocess.PIPE, text=True
        )
        assert self._peer.stdout
        return Replica(name="hsm-1", address=f"tls:127.0.0.1:{self._peer.stdout.readline().strip()}")

    def end(self) -> None:
        peer, self._peer = self._peer, None
        if peer:
            peer.kill()
            peer.communicate()


def module_replica(token: str = f"token={LABEL}", module: str = MODULE) -> Replica:
    return Replica(name="hsm-1", address=f"module:{module}?{token}")
