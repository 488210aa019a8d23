"""Copies between two SoftHSM tokens by processes that kill -9 themselves after so many calls of a token.

`python mortal.py CALLS WORDS...` is the command line of such a process.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Made:
    """How the key to copy is made."""

    words: tuple[str, ...]
    private: bool = False
    """It has a public half, which comes along."""


KINDS = {
    "aes": Made(("aes",)),
    "hmac": Made(("generic", "--for", "hmac")),
    "rsa": Made(("rsa",), private=True),
    "ec": Made(("ec", "--size", "P-256"), private=True),
}
Listed = dict[str, set[tuple[str, str | None]]]
"""What each token holds: every object's URI and material."""
Run = Callable[[Sequence[str], int, Mapping[str, str]], tuple[int, str, str]]
"""Runs hsmctl as a process that ends itself after so many calls (0 lives): exit code, standard output and error."""


def spawned(words: Sequence[str], calls: int, environ: Mapping[str, str]) -> tuple[int, str, str]:
    """A command as a new process."""
    command = [sys.executable, __file__, str(calls), *words]
    ran = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    return ran.returncode, ran.stdout, ran.stderr


class Copies:
    """Two tokens, a key to copy and bystanders, and commands over them as processes."""

    words: tuple[str, ...] = ()
    """What chooses the context of a copy."""

    def __init__(self, folder: Path, kind: str = "aes", *, run: Run = spawned) -> None:
        self.folder, self.kind, self._run = folder, KINDS[kind], run
        configuration = make_token(folder / "softhsm", "alpha", "beta")
        (folder / "pin").write_text(PASSWORD)
        (folder / "pin").chmod(0o600)
        state = {"SOFTHSM2_CONF": str(configuration), "HSMCTL_CONFIG": str(folder / "config.toml")}
        self.environ = {**os.environ, **state, "HSMCTL_STATE_HOME": str(folder / "state"), "HSMCTL_CONTEXT": "two"}
        self._configure({"alpha": "", "beta": ""})
        self._configure({name: self._serial(name) for name in ("alpha", "beta")})
        for token in ("alpha", "beta"):
            self.generate(token, KINDS["aes"], STRANGER)
        self.source, self.target, self.confirmed = "alpha", "beta", "beta"
        self.prepare()
        self.generate(self.source, self.kind, "data", "--extractable")
        self.before = self.listed()

    def prepare(self) -> None:
        """Set both ends of the copy, where they are not alpha and beta."""

    def places(self) -> dict[str, tuple[str, ...]]:
        """Every place whose objects are compared, and the words that lead there."""
        return {name: ("--context", "two", "--on", name) for name in ("alpha", "beta")}

    def hsmctl(self, *words: str, calls: int = 0) -> str:
        """What a command prints, which must succeed."""
        code, out, err = self._run(words, calls, self.environ)
        assert code == 0, err
        return out

    def listed(self) -> Listed:
        """What all places hold."""
        shown = ("-o", "json", "--query", "keys[].[uri, fingerprint]")
        found = {name: json.loads(self.hsmctl("key", "list", *at, *shown)) for name, at in self.places().items()}
        return {name: {(_plain(uri), material) for uri, material in rows} for name, rows in found.items()}

    def killed(self, calls: int, *words: str) -> bool:
        """Whether a command, the copy, was killed after so many calls; else it came to its end before."""
        code, _, err = self._run(words or self._copy(), calls, self.environ)
        assert code in (0, -signal.SIGKILL), err
        return code != 0

    def finished(self) -> None:
        """The next run: afterwards every place holds what it held, and the target the copy, and nothing else."""
        begun = self.hsmctl("operation", "list", *self.words, "-o", "name").split()
        again = ("operation", "resume", *begun, "--confirm", self.confirmed, *self.words) if begun else self._copy()
        self.hsmctl(*again)
        now = self.listed()
        for place, before in self.before.items():
            came = now[place] - before
            assert now[place] >= before, f"{place} lost {before - now[place]}"
            # SoftHSM computes no check value of what it unwraps; that the copy is the same both keys have proved.
            copied = {uri for uri, _ in self.before[self.source] if "object=data;" in uri}
            assert {uri for uri, _ in came} == (copied if place in self.copied_to() else set())

    def copied_to(self) -> tuple[str, ...]:
        """The places that show the copy."""
        return (self.target,)

    def forget(self) -> None:
        """Take the copy away again."""
        at = self.places()[self.target]
        halves = ("data", *(("pkcs11:object=data;type=public",) if self.kind.private else ()))
        for half in halves[::-1]:
            self.hsmctl("key", "delete", half, *at, "--now", "once more", "--confirm", self.confirmed)

    def generate(self, token: str, made: Made, label: str, *more: str) -> None:
        """Make a key there."""
        self.hsmctl("key", "generate", *made.words, "--label", label, *self.places()[token], *more)

    def _copy(self) -> tuple[str, ...]:
        ends = ("--from", self.source, "--to", self.target, "--confirm", self.confirmed)
        return "key", "copy", "data", *ends, *self.words

    def _serial(self, name: str) -> str:
        return str(json.loads(self.hsmctl("token", "show", "--on", name, "-o", "json", "--query", "facts.serial")))

    def _configure(self, serials: dict[str, str]) -> None:
        entries = (ENTRY.format(name=name, serial=serial, folder=self.folder) for name, serial in serials.items())
        self.tokens = "".join(entries)
        (self.folder / "config.toml").write_text("[context.two]\n" + self.tokens)


def _plain(uri: str) -> str:
    """A key's URI without the token's."""
    return re.sub(r"token=[^;]*;", "", uri)


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
