"""Two unrelated SoftHSM tokens, and the command line over them through the real agent: nothing here is a fake."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import jsonschema
from softhsm_token import MODULE, PASSWORD, USER, make_token
from transcript import Ran, hsmctl
from world import World

from hsmctl.bootstrap import Hsmctl
from hsmctl.secret import Secret, Source, SourceKind
from hsmctl.settings import Context, Settings, TokenEntry

SCHEMAS = Path(__file__).parent / "data" / "schemas"


class TokenWorld(World):
    """No world in memory: the façade as it is shipped, over the tokens of one SoftHSM folder."""

    def __init__(self, folder: Path, names: tuple[str, ...] = ("alpha", "beta")) -> None:
        super().__init__()
        self.folder = folder
        self.configuration = make_token(folder / "softhsm", *names)
        (folder / "pin").write_text(PASSWORD)
        (folder / "pin").chmod(0o600)
        self.context = Context(name="onprem", tokens=tuple(map(self._entry, names)))

    def hsmctl(
        self,
        context: Context | None = None,
        *,
        folder: Path = Path("/nonexistent/hsmctl"),
        ask: Callable[[str], Secret] = lambda _: Secret("correct horse"),
    ) -> Hsmctl:
        chosen = context or self.context
        return Hsmctl(Settings(context=chosen, state_folder=self.folder / "state", lab_home=folder / "lab"), ask)

    def run(self, *words: str, context: Context | None = None, terminal: bool = False) -> Ran:
        """Run a command; a JSON document is held against its schema."""
        ran = hsmctl(self, *words, context=context, folder=self.folder, terminal=terminal)
        if "json" in words and ran.out:
            name = ran.document["schema"].removeprefix("hsmctl/")
            jsonschema.validate(ran.document, json.loads((SCHEMAS / f"{name}.json").read_text()))
        return ran

    def ok(self, *words: str) -> Ran:
        """Run a command that works, on the first token unless it says which."""
        ran = self.run(*words, *(() if "--on" in words else ("--on", "alpha")))
        assert ran.code == 0, ran.err
        return ran

    def recorded(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in (self.folder / "state" / "journal.jsonl").read_text().splitlines()]

    def _entry(self, name: str) -> TokenEntry:
        source = Source(SourceKind.FILE, (str(self.folder / "pin"),))
        return TokenEntry(name=name, module=MODULE, label=name, user=USER, password=source)


def tool(folder: Path, *words: str, stdin: bytes = b"") -> bytes:
    """What another program prints; it must succeed."""
    run = subprocess.run(words, cwd=folder, input=stdin, capture_output=True, check=False)
    assert run.returncode == 0, (words, run.stdout[-600:], run.stderr[-600:])
    return run.stdout
