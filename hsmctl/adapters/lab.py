"""The port LabControl over the lab's own program: `python -m hsmctl.lab`, one JSON object back for each command.

Knows the program's words and its answers. Refuses to import anything of the lab, which is a program like any other.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hsmctl.errors import ExitCode, HsmctlError, described
from hsmctl.ports import LabNode, LabOptions, LabStatus

_PROGRAM = (sys.executable, "-P", "-m", "hsmctl.lab")


class LabProgram:
    """ports.LabControl for the lab in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def start(self, options: LabOptions) -> LabStatus:
        """The running lab, started or repaired."""
        words = [f"--{name.replace('_', '-')}={value}" for name, value in asdict(options).items()]
        return _status(self._run("start", *words))

    def activate(self, cluster_id: str) -> None:
        """Do what `cloudhsm-cli cluster activate` does, and make the lab's crypto user."""
        self._run("activate", cluster_id)

    def status(self) -> LabStatus:
        """The lab as it is; only reports."""
        return _status(self._run("status"))

    def stop(self) -> None:
        """End every process of the lab and keep its state."""
        self._run("stop")

    def reset(self) -> None:
        """Stop the lab and remove its folder."""
        self._run("reset")

    def logs(self) -> Iterator[str]:
        """The lab's log, line by line."""
        with subprocess.Popen(  # noqa: S603 - our own program
            self._command("logs"), stdout=subprocess.PIPE, text=True, errors="backslashreplace"
        ) as program:
            for line in program.stdout or ():
                yield line.rstrip("\n")

    def _run(self, name: str, *words: str) -> Mapping[str, Any]:
        """The program's answer.

        Raises:
            HsmctlError: what the program answered instead, or that it did not answer.
        """
        done = subprocess.run(  # noqa: S603 - our own program
            self._command(name, *words), capture_output=True, text=True, check=False
        )
        answer: Mapping[str, Any] = json.loads(done.stdout or "{}")
        if "error" in answer:
            raise described(answer["error"])
        if done.returncode != ExitCode.OK:
            said = done.stderr.strip().rpartition("\n")[2]
            raise HsmctlError(f"the lab's program failed to {name}", said, "hsmctl lab logs")
        return answer

    def _command(self, name: str, *words: str) -> list[str]:
        return [*_PROGRAM, name, "--home", str(self._folder), *words]


def _status(answer: Mapping[str, Any]) -> LabStatus:
    return LabStatus(
        running=answer["running"],
        healthy=answer["healthy"],
        folder=answer["folder"],
        endpoint_url=answer["endpoint_url"],
        env=answer["env"],
        clusters=tuple(answer["clusters"]),
        nodes=tuple(LabNode(**node) for node in answer["nodes"]),
        options=LabOptions(**answer["options"]) if answer["options"] else None,
        pid=answer["pid"],
        subnets=answer["subnets"],
    )
