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
from hsmctl.lab.client import Client, find
from hsmctl.lab.client_host import ClientHost, check_available
from hsmctl.lab.configuration import Configuration, Options
from hsmctl.lab.context import environment
from hsmctl.lab.fault import KINDS, Fault, FaultBook
from hsmctl.lab.folder import LabFolder, NodeFolder
from hsmctl.lab.ground import Topology
from hsmctl.lab.machine import Machine
from hsmctl.lab.machines import MachineState
from hsmctl.lab.outside import OutsideClones
from hsmctl.lab.owner import alone, end_owner, wait_free
from hsmctl.lab.record import NodeRecord
from hsmctl.lab.softhsm import module_path

_START_SECONDS = 120.0
_STOP_SECONDS = 15.0
_BROKEN = {"dead", "unresponsive"}
_GIVEN_BY_THE_LAB = ("fault_id", "since", "heals")
"""What a fault gets only when it is injected."""


def start(lab: LabFolder, options: Options) -> Mapping[str, Any]:
    """The status of the lab, which runs now: started, or its dead HSMs started again.

    Raises:
        UsageError: the options make no sense.
        Conflict: a lab with other options exists in this folder, or the machine lacks something.
        Unreachable: the supervisor does not come up.
    """
    options.check()
    check_machine()
    if options.network != Topology.SAME_VPC:
        check_available()
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
    for package in ("werkzeug", "moto", "flask"):
        if find_spec(package) is None:
            why = "hsmctl is installed without its extra lab"
            raise Conflict(f"{package} not found", why, "pip install 'hsmctl[lab]'")


def status(lab: LabFolder) -> Mapping[str, Any]:
    """The lab as its supervisor, or its folder, describes it; only reports.

    Raises:
        Conflict: another version of hsmctl made it.
    """
    configuration = Configuration.read(lab)
    running = find(lab)
    said = running.call("status") if running else {}
    nodes = [_measured(node) for node in said["nodes"]] if running else _stopped(lab)
    client = said.get("client_host") or {**ClientHost(lab.client).described(), "state": "stopped"}
    return {
        "running": running is not None,
        "healthy": running is not None and not _BROKEN & {part["state"] for part in (*nodes, client)},
        "folder": str(lab.path),
        "endpoint_url": configuration.endpoint_url if configuration and running else None,
        "env": dict(environment(lab, configuration)) if configuration and running else {},
        "clusters": sorted({node["cluster_id"] for node in nodes}),
        "nodes": nodes,
        "options": asdict(configuration.options) if configuration else None,
        "pid": running.pid if running else None,
        "subnets": dict(configuration.subnets) if configuration else None,
        "client_host": client if configuration else None,
        "faults": _faults(lab),
    }


def activate(lab: LabFolder, cluster_id: str) -> None:
    """Do what `cloudhsm-cli cluster activate` does, and make the lab's crypto user.

    Raises:
        Conflict: the lab is down, or the cluster is not INITIALIZED.
    """
    _running(lab).call("activate", cluster_id=cluster_id)


def equip(lab: LabFolder, cluster_id: str) -> None:
    """Configure the client host's CloudHSM client for a cluster, if nobody has configured it.

    Raises:
        Conflict: the lab is down.
    """
    _running(lab).call("equip", cluster_id=cluster_id)


def faults(lab: LabFolder) -> Mapping[str, Any]:
    """Every fault there can be, and those that are in force or will be when the lab is up."""
    return {
        "kinds": [
            {"name": kind.name, "family": kind.family, "takes": kind.takes, "lasts": kind.lasts, "says": kind.says}
            for kind in KINDS.values()
        ],
        "faults": _faults(lab),
    }


def inject(lab: LabFolder, fault: Fault, heal: float | None) -> Mapping[str, Any]:
    """The fault that is in force now.

    Raises:
        HsmctlError: the lab is down, or the fault makes no sense as things are.
    """
    wanted = {name: value for name, value in fault.described().items() if name not in _GIVEN_BY_THE_LAB}
    return _running(lab).call("inject", **wanted, heal=heal)


def clear(lab: LabFolder, fault_id: str | None) -> Mapping[str, Any]:
    """The faults that were cleared: one, or all.

    Raises:
        HsmctlError: the lab is down, there is no such fault, or it cannot be undone now.
    """
    return _running(lab).call("clear", fault_id=fault_id)


def clone_for(lab: LabFolder, name: str, out: str | None) -> Mapping[str, Any]:
    """Where an outside program finds its own clone of an HSM.

    Raises:
        HsmctlError: the lab is down, or the clone cannot be made.
    """
    return _running(lab).call("clone_for", name=name, out=out)


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
    OutsideClones(lab).remove_all()
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
    book, found = FaultBook(lab.faults), []
    for path in sorted(lab.nodes.glob("*/node.json")):
        machine = Machine(NodeRecord.read(NodeFolder(path.parent)).place, NodeFolder(path.parent))
        about = [fault.name for fault in book.all() if machine.place.hsm_id in fault.hsms]
        found.append({**machine.described(MachineState.STOPPED), "pss_kib": None, "waiting": 0, "faults": about})
    return found


def _faults(lab: LabFolder) -> list[dict[str, Any]]:
    """The faults that are in force or will be when the lab is up, oldest first."""
    return [fault.described() for fault in FaultBook(lab.faults).all()]


def _running(lab: LabFolder) -> Client:
    """The lab's supervisor.

    Raises:
        Conflict: none serves.
    """
    running = find(lab)
    if running is None:
        raise Conflict("the lab is down", "its HSMs have to run for this", "hsmctl lab up")
    return running
