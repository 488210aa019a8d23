"""Two unrelated SoftHSM tokens, and the command line over them through the real agent: no answer here is made up.

An agent is started once for each token and kept: what a start costs, and what it promises, is the business of the tests
of the port Tokens.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Lock

import jsonschema
import pytest
from softhsm_token import MODULE, PASSWORD, USER, make_token
from transcript import SCRATCH, Ran, hsmctl
from world import World

from hsmctl.adapters.clock import SystemClock
from hsmctl.adapters.token import AgentTokens
from hsmctl.bootstrap import Hsmctl
from hsmctl.domain.sync import Replica
from hsmctl.ports import Login, Token
from hsmctl.secret import Secret, Source, SourceKind
from hsmctl.settings import Context, Settings
from hsmctl.settings_entry import TokenEntry

SCHEMAS = Path(__file__).parent / "data" / "schemas"
LOGIN = Login(USER, Secret(PASSWORD))
_LONG = 600.0


class HeldTokens:
    """ports.Tokens whose conversations go on from one opening to the next."""

    def __init__(self, folder: Path, names: tuple[str, ...], *, fresh: bool = True) -> None:
        self.stack = ExitStack()
        self._held: dict[str, Token] = {}
        self._alone = {name: Lock() for name in names}
        for name in names:
            with pytest.MonkeyPatch.context() as patch:
                made = make_token(folder / name, name) if fresh else folder / name / "softhsm2.conf"
                patch.setenv("SOFTHSM2_CONF", str(made))
                replica = Replica(name=name, address=f"module:{MODULE}?token={name}")
                opened = AgentTokens(SystemClock(), folder / "locks").open(replica, LOGIN, time.monotonic() + _LONG)
                self._held[name] = self.stack.enter_context(opened)

    def mirror(self, name: str, original: str) -> None:
        """Have one token be another from now on, as the HSMs of a cluster are; they are talked to in turn."""
        self._held[name], self._alone[name] = self._held[original], self._alone[original]

    @contextmanager
    def open(self, replica: Replica, login: Login, deadline: float) -> Iterator[Token]:
        with self._alone[replica.name]:
            yield self._held[replica.name]

    def __getitem__(self, name: str) -> Token:
        return self._held[name]


class TokenWorld(World):
    """No world in memory: the façade as it is shipped, over two tokens."""

    def __init__(self, folder: Path, names: tuple[str, ...] = ("alpha", "beta")) -> None:
        super().__init__()
        self.folder = folder
        self.real = HeldTokens(folder, names)
        (folder / "pin").write_text(PASSWORD)
        (folder / "pin").chmod(0o600)
        self.context = Context(name="onprem", tokens=tuple(map(self._entry, names)))

    def hsmctl(
        self,
        context: Context | None = None,
        *,
        folder: Path = SCRATCH,
        ask: Callable[[str], Secret] = lambda _: Secret("correct horse"),
    ) -> Hsmctl:
        chosen = context or self.context
        facade = Hsmctl(Settings(context=chosen, state_folder=self.folder / "state", lab_home=self.folder / "lab"), ask)
        vars(facade).update(tokens=self.real)
        return facade

    def run(self, *words: str, context: Context | None = None, terminal: bool = False) -> Ran:
        """Run a command; a JSON document is held against its schema."""
        ran = hsmctl(self, *words, context=context, folder=self.folder, terminal=terminal)
        if "json" in words and ran.out:
            name = ran.document["schema"].removeprefix("hsmctl/")
            jsonschema.validate(ran.document, json.loads((SCHEMAS / f"{name}.json").read_text()))
        return ran

    def ok(self, *words: str) -> Ran:
        """Run a command that works, on the first token unless it says which."""
        ran = self.run(*words, *(() if {"--on", "--from"} & {*words} else ("--on", "alpha")))
        assert ran.code == 0, ran.err
        return ran

    def recorded(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in (self.folder / "state" / "journal.jsonl").read_text().splitlines()]

    def _entry(self, name: str) -> TokenEntry:
        source = Source(SourceKind.FILE, (str(self.folder / "pin"),))
        serial = self.real[name].objects.describe().serial
        return TokenEntry(name=name, module=MODULE, label=name, user=USER, password=source, serial=serial)


def tool(folder: Path, *words: str, stdin: bytes = b"") -> bytes:
    """What another program prints; it must succeed."""
    run = subprocess.run(words, cwd=folder, input=stdin, capture_output=True, check=False)
    assert run.returncode == 0, (words, run.stdout[-600:], run.stderr[-600:])
    return run.stdout
