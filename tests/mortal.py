"""Copies between two SoftHSM tokens by processes that kill -9 themselves after so many calls of a token.

`python mortal.py CALLS WORDS...` is the command line of such a process.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from softhsm_token import MODULE, PASSWORD, USER, make_token

from hsmctl.bootstrap import Hsmctl
from hsmctl.cli.root import run
from hsmctl.domain.sync import Replica
from hsmctl.ports import Login, Tokens
from hsmctl.secret import Secret
from hsmctl.settings import Settings

STRANGER = "hsmctl-transport-of-somebody-else"
"""The label of a key that looks like hsmctl's own and is not on record."""
COPY = ("key", "copy", "data", "--from", "alpha", "--to", "beta", "--confirm", "beta")


class Mortal:
    """Whatever it stands for, counting calls; the last ends the process once it is done."""

    def __init__(self, real: Any, life: list[int]) -> None:  # noqa: ANN401 - it stands for anything
        self._real, self._life = real, life

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - it stands for anything
        found = getattr(self._real, name)
        if not callable(found):
            return Mortal(found, self._life)

        def call(*values: object, **named: object) -> object:
            answer = found(*values, **named)
            self._life[0] -= 1
            if self._life[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return answer

        return call


class MortalTokens:
    """ports.Tokens of a process that is killed."""

    def __init__(self, real: Tokens, life: list[int]) -> None:
        self._real, self._life = real, life

    @contextmanager
    def open(self, replica: Replica, login: Login, deadline: float) -> Iterator[Any]:
        with self._real.open(replica, login, deadline) as token:
            yield Mortal(token, self._life)


class Copies:
    """Two tokens, a key to copy and bystanders, and commands over them as processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        configuration = make_token(folder / "softhsm", "alpha", "beta")
        (folder / "pin").write_text(PASSWORD)
        (folder / "pin").chmod(0o600)
        state = {"SOFTHSM2_CONF": str(configuration), "HSMCTL_CONFIG": str(folder / "config.toml")}
        self.environ = {**os.environ, **state, "HSMCTL_STATE_HOME": str(folder / "state"), "HSMCTL_CONTEXT": "two"}
        self._configure({"alpha": "", "beta": ""})
        self._configure({name: self._serial(name) for name in ("alpha", "beta")})
        for token in ("alpha", "beta"):
            self._generate(token, STRANGER)
        self._generate("alpha", "data", "--extractable")
        self.before = {token: self.listed(token) for token in ("alpha", "beta")}

    def run(self, *words: str, calls: int = 0) -> subprocess.CompletedProcess[str]:
        """A command, which kills itself after so many calls; 0 lives."""
        command = [sys.executable, __file__, str(calls), *words]
        return subprocess.run(command, env=self.environ, capture_output=True, text=True, check=False)

    def listed(self, token: str) -> set[tuple[str, str | None]]:
        """What a token holds: every object's URI and material."""
        ran = self.run("key", "list", "--on", token, "-o", "json", "--query", "keys[].[uri, fingerprint]")
        assert ran.returncode == 0, ran.stderr
        return {(uri.replace(f"token={token};", ""), material) for uri, material in json.loads(ran.stdout)}

    def killed(self, calls: int) -> bool:
        """Whether a copy was killed after so many calls; else it came to its end before."""
        return self.run(*COPY, calls=calls).returncode == -signal.SIGKILL

    def finished(self) -> None:
        """The next run: afterwards the tokens hold what they held, and the copy, and nothing else."""
        begun = self.run("operation", "list", "-o", "name").stdout.split()
        again = ("operation", "resume", *begun, "--confirm", "beta") if begun else COPY
        ran = self.run(*again)
        assert ran.returncode == 0, ran.stderr
        assert self.listed("alpha") == self.before["alpha"]
        now, before = self.listed("beta"), self.before["beta"]
        # SoftHSM computes no check value of what it unwraps; that the copy is the same both keys have proved.
        assert now >= before
        assert {uri for uri, _ in now - before} == {uri for uri, _ in self.before["alpha"] if "object=data;" in uri}

    def forget(self) -> None:
        """Take the copy away again."""
        ran = self.run("key", "delete", "data", "--on", "beta", "--now", "once more", "--confirm", "beta")
        assert ran.returncode == 0, ran.stderr

    def _generate(self, token: str, label: str, *more: str) -> None:
        ran = self.run("key", "generate", "aes", "--label", label, "--on", token, *more)
        assert ran.returncode == 0, ran.stderr

    def _serial(self, token: str) -> str:
        ran = self.run("token", "show", "--on", token, "-o", "json", "--query", "facts.serial")
        return str(json.loads(ran.stdout))

    def _configure(self, serials: dict[str, str]) -> None:
        entries = (ENTRY.format(name=name, serial=serial, folder=self.folder) for name, serial in serials.items())
        (self.folder / "config.toml").write_text("[context.two]\n" + "".join(entries))


ENTRY = f"""
[[context.two.tokens]]
name = "{{name}}"
label = "{{name}}"
serial = "{{serial}}"
module = "{MODULE}"
user = "{USER}"
password = {{{{ file = "{{folder}}/pin" }}}}
"""


def main(calls: int, words: list[str]) -> int:
    """A command line of a process that lives for so many calls of a token, or, with 0, as long as others."""

    def connect(settings: Settings, ask: Callable[[str], Secret]) -> Hsmctl:
        facade = Hsmctl(settings, ask)
        if calls:
            vars(facade).update(tokens=MortalTokens(facade.tokens, [calls]))
        return facade

    return run(words, connect)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
