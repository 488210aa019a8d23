"""What the lab's commands do: start, stop and reset the supervisor, say how the lab is, activate a cluster.

Each runs in a short-lived process of its own and speaks to the supervisor over its control calls. Imports nothing
heavy: the supervisor is a program that is started.
"""

from __future__ import annotations

import json
import select
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hsmctl.errors import Conflict, Unreachable, described
from hsmctl.lab.client import find
from hsmctl.lab.configuration import Configuration, Options
from hsmctl.lab.context import environment
from hsmctl.lab.folder import LabFolder, NodeFolder
from hsmctl.lab.owner import alone, end_owner, wait_free
from hsmctl.lab.record import NodeRecord
from hsmctl.lab.softhsm import module_path

_START_SECONDS = 120.0
_STOP_SECONDS = 15.0


def start(lab: LabFolder, options: Options) -> Mapping[str, Any]:
    """The status of the lab, which runs now: started, or its dead HSMs started again.

    Raises:
        UsageError: the options make no sense.
        Conflict: a lab with other options exists in this folder, or the machine lacks something.
        Unreachable: the supervisor does not come up.
    """
    options.check()
    check_machine()
    lab.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    with alone(lab.start_lock):
        if known := Configuration.read(lab):
            known.check(options)
        if running := find(lab):
            running.call("repair")
        else:
            _launch(lab, options)
    return status(lab)


def check_machine() -> None:
    """Refuse a machine that cannot run a lab, before anything is made.

    Raises:
        Conflict: SoftHSM or the extra `lab` is not installed.
    """
    module_path()
    if find_spec("werkzeug") is None:
        raise Conflict("werkzeug not found", "hsmctl is installed without its extra lab", "pip install 'hsmctl[lab]'")


def status(lab: LabFolder) -> Mapping[str, Any]:
    """The lab as its supervisor, or its folder, describes it; only reports.

    Raises:
        Conflict: another version of hsmctl made it.
    """
    configuration = Configuration.read(lab)
    running = find(lab)
    nodes = [_measured(node) for node in running.call("status")["nodes"]] if running else _stopped(lab)
    return {
        "running": running is not None,
        "healthy": running is not None and all(node["state"] != "dead" for node in nodes),
        "folder": str(lab.path),
        "endpoint_url": configuration.endpoint_url if configuration and running else None,
        "env": dict(environment(lab, configuration)) if configuration and running else {},
        "clusters": sorted({node["cluster_id"] for node in nodes}),
        "nodes": nodes,
        "options": asdict(configuration.options) if configuration else None,
        "pid": running.pid if running else None,
        "subnets": dict(configuration.subnets) if configuration else None,
    }


def activate(lab: LabFolder, cluster_id: str) -> None:
    """Do what `cloudhsm-cli cluster activate` does, and make the lab's crypto user.

    Raises:
        Conflict: the lab is down, or the cluster is not INITIALIZED.
    """
    running = find(lab)
    if running is None:
        raise Conflict("the lab is down", "activation needs its HSMs", "hsmctl lab up")
    running.call("activate", cluster_id=cluster_id)


def stop(lab: LabFolder) -> None:
    """End every process of the lab and keep its state; nothing to do is fine.

    Raises:
        Unreachable: a process does not end.
    """
    if not lab.path.exists():
        return
    if running := find(lab):
        running.call("stop")
        wait_free(lab.lock, _STOP_SECONDS)
    for lock in (lab.lock, *(NodeFolder(path).lock for path in lab.nodes.glob("*"))):
        end_owner(lock)
        if not wait_free(lock, 1.0):
            raise Unreachable("a process of the lab does not end", f"it holds {lock}", "try again, then kill it")


def reset(lab: LabFolder) -> None:
    """Stop the lab and remove what it made, and its folder unless something else is in it.

    Raises:
        Unreachable: a process does not end.
    """
    stop(lab)
    for path in lab.everything():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    if lab.path.exists() and not any(lab.path.iterdir()):
        lab.path.rmdir()


def _launch(lab: LabFolder, options: Options) -> None:
    """Start the supervisor in a session of its own, and wait until it says that it is up."""
    words = [f"--{name.replace('_', '-')}={value}" for name, value in asdict(options).items()]
    with lab.log.open("ab") as log:
        supervisor = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-P", "-m", "hsmctl.lab", "serve", "--home", str(lab.path), *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    first = _first_line(supervisor)
    if not first:
        why = f"the supervisor (pid {supervisor.pid}) said nothing, its exit code is {supervisor.poll()}"
        raise Unreachable("the lab did not start", why, "hsmctl lab logs")
    said = json.loads(first)
    if "error" in said:
        raise described(said["error"])


def _first_line(supervisor: subprocess.Popen[bytes]) -> bytes:
    """The first line the supervisor writes; nothing if it ends or takes too long."""
    if supervisor.stdout is None:
        raise AssertionError("the supervisor was started without a pipe")
    with supervisor.stdout as answers:
        readable, _, _ = select.select([answers], [], [], _START_SECONDS)
        return answers.readline() if readable else b""


def _measured(node: Mapping[str, Any]) -> dict[str, Any]:
    """A node with the proportional set size of its process, KiB."""
    return {**node, "pss_kib": _pss_kib(node["pid"]) if node["pid"] else None}


def _pss_kib(pid: int) -> int | None:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return None
    line = next((line for line in text.splitlines() if line.startswith("Pss:")), None)
    return int(line.split()[1]) if line else None


def _stopped(lab: LabFolder) -> list[dict[str, Any]]:
    """The nodes of a lab that is down."""
    places = [NodeRecord.read(NodeFolder(path.parent)).place for path in sorted(lab.nodes.glob("*/node.json"))]
    return [{**asdict(place), "state": "stopped", "pid": None, "pss_kib": None} for place in places]
