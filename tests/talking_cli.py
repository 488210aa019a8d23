"""A program that talks as cloudhsm-cli does and misbehaves on demand, run by path; it knows nobody's HSM.

The file named by its environment says how: each line is a user name with its password, or `echo`, `die`, `ask`.
"""

# ruff: noqa: T201
from __future__ import annotations

import json
import os
import sys
import termios
from itertools import pairwise
from pathlib import Path

HERE = Path(__file__).resolve().parent
STATE = Path(sys.argv[0]).parent / "state"


def said(data: object, *, failed: bool = False) -> None:
    print(json.dumps({"error_code": int(failed), "data": data}, indent=2), flush=True)


def asked(question: str, *, hidden: bool) -> str:
    """What is typed at the terminal, as rpassword reads it."""
    with Path("/dev/tty").open("r+b", buffering=0) as tty:
        mode = termios.tcgetattr(tty)
        mode[3] = mode[3] & ~termios.ECHO if hidden else mode[3] | termios.ECHO
        termios.tcsetattr(tty, termios.TCSANOW, mode)
        tty.write(question.encode())
        line = b""
        while not line.endswith(b"\n"):
            line += os.read(tty.fileno(), 1)
        tty.write(b"\r\n")
    return line.decode().rstrip("\n")


def users() -> list[str]:
    return [line for line in STATE.read_text().splitlines() if line]


def flags() -> set[str]:
    return {line for line in users() if ":" not in line}


def names() -> dict[str, str]:
    return dict(line.split(":", 1) for line in users() if ":" in line)


def listing() -> dict[str, object]:
    entries: list[dict[str, object]] = [
        {
            "username": name,
            "role": "admin" if name.startswith("admin") else "crypto-user",
            "locked": "true" if "lock" in flags() else "false",
            "mfa": [],
            "quorum": [],
            "cluster-coverage": "inconsistent" if "torn" in flags() else "full",
        }
        for name in names()
    ]
    return {"users": entries}


def obey(words: list[str]) -> None:
    """One command."""
    value = dict(pairwise(words))
    if words[:2] == ["user", "list"]:
        said(listing())
    elif words[0] == "login":
        (STATE.parent / "attempts").open("a").write("login\n")
        if "ask" in flags():
            asked("Enter the password and the phase of the moon and the file path: ", hidden=False)
        if "unknown" in flags():
            asked("Enter signed token file path (press enter if same as the unsigned token file):", hidden=False)
        right = asked("Enter password:", hidden="echo" not in flags()) == names().get(value["--username"])
        said({"username": value["--username"], "role": value["--role"]} if right else "Login failed", failed=not right)
    elif words[:2] == ["user", "create"]:
        first, second = asked("Enter password:", hidden=True), asked("Confirm password:", hidden=True)
        if "die" in flags():
            os._exit(3)
        with STATE.open("a") as state:
            state.write(f"{value['--username']}:{first}\n")
        said({"username": value["--username"], "role": value["--role"]}, failed=first != second)
    elif words[:3] == ["quorum", "token-sign", "generate"]:
        Path(value["--token"]).write_text(json.dumps({"version": "2.0", "tokens": [{"unsigned": "A" * 43 + "="}]}))
        said({"filepath": value["--token"]})
    elif words[:2] == ["user", "change-quorum"]:
        (STATE.parent / "signed").write_text(Path(value["--signed-token"]).read_text())
        said({"username": "admin", "role": "admin"})
    else:
        print('Error: "unknown command"', flush=True)


def main() -> None:
    if sys.argv[1:2] != ["interactive"]:
        obey(sys.argv[1:])
        return
    while True:
        print("\x1b[1maws-cloudhsm\x1b[0m > ", end="", flush=True)
        line = sys.stdin.readline()
        if line.strip() in ("", "quit"):
            return
        obey(line.split())


main()
