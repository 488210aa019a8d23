"""`python -m hsmctl.lab COMMAND --home FOLDER`: the lab's commands for its adapter, one JSON object on standard output.

Exit code 0 and the answer, or the error's exit code and `{"error": {"what", "why", "hint", "exit_code"}}`.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from hsmctl.errors import HsmctlError
from hsmctl.lab import command
from hsmctl.lab.configuration import Options
from hsmctl.lab.fault import Parameter, asked
from hsmctl.lab.folder import LabFolder


def main(words: list[str]) -> int:
    """Run one command; its exit code."""
    os.umask(0o077)
    arguments = _parser().parse_args(words)
    lab = LabFolder(Path(arguments.home).absolute())
    try:
        _run(lab, arguments)
    except HsmctlError as error:
        _answer({"error": error.describe()})
        return int(error.exit_code)
    return 0


def _run(lab: LabFolder, arguments: argparse.Namespace) -> None:
    match arguments.command:
        case "start":
            _answer(command.start(lab, _options(arguments)))
        case "status":
            _answer(command.status(lab))
        case "activate":
            command.activate(lab, arguments.cluster_id)
        case "equip":
            command.equip(lab, arguments.cluster_id)
        case "stop":
            command.stop(lab)
        case "reset":
            command.reset(lab)
        case "logs":
            _copy_log(lab)
        case "fault":
            _answer(_fault(lab, arguments))
        case "clone-for":
            _answer(command.clone_for(lab, arguments.name, arguments.out))
        case "serve":
            _serve(lab, _options(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hsmctl.lab", description="The lab's own commands.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("start", "serve", "status", "activate", "equip", "stop", "reset", "logs", "fault", "clone-for"):
        each = commands.add_parser(name)
        each.add_argument("--home", required=True, help="the lab's folder")
        if name in ("start", "serve"):
            each.add_argument("--hsms", type=int, required=True)
            each.add_argument("--zones", type=int, required=True)
            each.add_argument("--hsm-type", required=True)
            each.add_argument("--delay", type=float, required=True)
            each.add_argument("--seed-keys", type=int, required=True)
            each.add_argument("--network", required=True)
        if name in ("activate", "equip"):
            each.add_argument("cluster_id")
        if name == "clone-for":
            each.add_argument("name")
            each.add_argument("--out")
        if name == "fault":
            _add_fault_verbs(each)
    return parser


def _add_fault_verbs(fault: argparse.ArgumentParser) -> None:
    verbs = fault.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list")
    inject = verbs.add_parser("inject")
    inject.add_argument("name")
    for parameter in Parameter:
        inject.add_argument(f"--{parameter}", type=float if parameter is Parameter.SECONDS else str)
    inject.add_argument("--heal", type=float, help="seconds after which it clears by itself")
    clear = verbs.add_parser("clear")
    one_or_all = clear.add_mutually_exclusive_group(required=True)
    one_or_all.add_argument("fault_id", nargs="?")
    one_or_all.add_argument("--all", action="store_true")


def _fault(lab: LabFolder, arguments: argparse.Namespace) -> Mapping[str, object]:
    match arguments.verb:
        case "list":
            return command.faults(lab)
        case "inject":
            about = {parameter: getattr(arguments, parameter) for parameter in Parameter}
            return command.inject(lab, asked(arguments.name, **about), arguments.heal)
        case _:
            return command.clear(lab, arguments.fault_id)


def _options(arguments: argparse.Namespace) -> Options:
    return Options(
        hsms=arguments.hsms,
        zones=arguments.zones,
        hsm_type=arguments.hsm_type,
        delay=arguments.delay,
        seed_keys=arguments.seed_keys,
        network=arguments.network,
    )


def _serve(lab: LabFolder, options: Options) -> None:
    """Be the supervisor; one line on standard output says that the lab is up, the rest is the log."""
    from hsmctl.lab.supervisor import run

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # this process holds passwords
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO)
    run(lab, options, _announce)


def _announce() -> None:
    """Say that the lab is up to whoever started it, who then stops listening."""
    _answer({"up": True})
    os.dup2(2, 1)


def _copy_log(lab: LabFolder) -> None:
    if lab.log.exists():
        with lab.log.open("rb") as log:
            shutil.copyfileobj(log, sys.stdout.buffer)


def _answer(answer: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
