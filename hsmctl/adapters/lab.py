"""The ports LabControl and LabFaults over the lab's own program: `python -m hsmctl.lab`, a JSON object each command.

Knows the program's words and its answers. Refuses to import anything of the lab, which is a program like any other.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

from hsmctl.errors import ExitCode, HsmctlError, described
from hsmctl.ports import LabClientHost, LabClone, LabFault, LabFaultKind, LabNode, LabOptions, LabStatus

_PROGRAM = (sys.executable, "-P", "-m", "hsmctl.lab")


class LabProgram:
    """ports.LabControl and ports.LabFaults for the lab in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def start(self, options: LabOptions) -> LabStatus:
        """The running lab, started or repaired."""
        words = [f"--{name.replace('_', '-')}={value}" for name, value in asdict(options).items()]
        return _status(self._run("start", *words))

    def activate(self, cluster_id: str) -> None:
        """Do what `cloudhsm-cli cluster activate` does, and make the lab's crypto user."""
        self._run("activate", cluster_id)

    def equip(self, cluster_id: str) -> None:
        """Configure the client host's CloudHSM client for a cluster, if nobody has configured it."""
        self._run("equip", cluster_id)

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

    def clone_for(self, name: str, folder: str | None) -> LabClone:
        """A clone of an HSM for an outside program."""
        where = [] if folder is None else ["--out", str(Path(folder).absolute())]
        return LabClone(**self._run("clone-for", name, *where))

    def kinds(self) -> tuple[LabFaultKind, ...]:
        """Every kind of fault there is."""
        return tuple(_kind(kind) for kind in self._run("fault", "list")["kinds"])

    def faults(self) -> tuple[LabFault, ...]:
        """The faults in force, oldest first."""
        return tuple(LabFault(**fault) for fault in self._run("fault", "list")["faults"])

    def inject(self, fault: LabFault, heal: float | None) -> LabFault:
        """The fault as it is in force now."""
        about = {name: getattr(fault, name) for name in ("hsm", "key", "user", "region", "seconds")} | {"heal": heal}
        words = [f"--{name}={value}" for name, value in about.items() if value is not None]
        return LabFault(**self._run("fault", "inject", fault.name, *words))

    def clear(self, fault_id: str | None) -> tuple[LabFault, ...]:
        """The faults that were cleared."""
        which = "--all" if fault_id is None else fault_id
        return tuple(LabFault(**fault) for fault in self._run("fault", "clear", which)["cleared"])

    def scenarios(self) -> Mapping[str, str]:
        """The scripts that come with the lab, by name."""
        shipped = files("hsmctl") / "lab" / "scenarios"
        scripts = sorted(
            (path for path in shipped.iterdir() if path.name.endswith(".toml")), key=lambda path: path.name
        )
        return {path.name.removesuffix(".toml"): path.read_text() for path in scripts}

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
        nodes=tuple(LabNode(**{**node, "faults": tuple(node["faults"])}) for node in answer["nodes"]),
        options=LabOptions(**answer["options"]) if answer["options"] else None,
        pid=answer["pid"],
        subnets=answer["subnets"],
        client_host=LabClientHost(**answer["client_host"]) if answer["client_host"] else None,
        faults=tuple(LabFault(**fault) for fault in answer["faults"]),
    )


def _kind(answer: Mapping[str, Any]) -> LabFaultKind:
    return LabFaultKind(**{**answer, "takes": tuple(answer["takes"])})
