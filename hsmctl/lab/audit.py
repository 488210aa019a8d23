"""The HSMs' audit logs, as CloudHSM delivers them: one stream for each HSM, numbered without gaps, never shortened.

Knows the entries (user guide, interpreting audit logs) and what each of the lab's events is in them; the operations
that use a key are not logged, as they are not by CloudHSM. Refuses to know who reads the streams.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hsmctl.lab.keylist import reference
from hsmctl.lab.machines import Place
from hsmctl.lab.user import Role

_NO_LOG, _KEY_LOG, _USER_LOG = "MINIMAL_LOG_ENTRY (0)", "MGMT_KEY_DETAILS_LOG (1)", "MGMT_USER_DETAILS_LOG (2)"
_CRYPTO_USER = "CN_CRYPTO_USER (1)"
_ADMIN = "CN_CRYPTO_OFFICER (2)"
_APPLIANCE = "CN_APPLIANCE_USER (5)"
_UNACTIVATED = "CN_CRYPTO_PRE_OFFICER (6)"
_TYPES: Mapping[str, str] = {
    Role.CRYPTO_USER: _CRYPTO_USER,
    Role.ADMIN: _ADMIN,
    Role.APPLIANCE: _APPLIANCE,
    Role.UNACTIVATED: _UNACTIVATED,
}
_SUCCESS = "0:HSM Return: SUCCESS"
_RESPONSES: Mapping[str, str] = {
    "CKR_OK": _SUCCESS,
    "CKR_PIN_INCORRECT": "163:HSM Error: RET_USER_LOGIN_FAILURE",
    "CKR_PIN_LOCKED": "163:HSM Error: RET_USER_LOGIN_FAILURE",
}
_HEADS: Mapping[str, str] = {
    "init": "CN_INIT_TOKEN (0x1)",
    "password key": "CN_GEN_PSWD_ENC_KEY (0x1d)",
    "appliance user": "CN_CREATE_APPLIANCE_USER (0xfc)",
    "init done": "CN_INIT_DONE (0x95)",
    "login": "CN_LOGIN (0xd)",
    "change password": "CN_CHANGE_PSWD (0x9)",
    "create user": "CN_CREATE_USER (0x3)",
    "create admin": "CN_CREATE_CO (0x4)",
    "delete user": "CN_DELETE_USER (0xa1)",
    "set value": "CN_SET_M_VALUE",
    "get token": "CN_GET_TOKEN",
    "approve token": "CN_APPROVE_TOKEN",
    "modify": "CN_MODIFY_OBJECT",
    "share": "CN_SHARE_OBJECT (0x12)",
    "wrap": "CN_WRAP_KEY (0x1a)",
    "unwrap": "CN_UNWRAP_KEY (0x1b)",
    "generate key": "CN_GENERATE_KEY (0x17)",
    "generate pair": "CN_GENERATE_KEY_PAIR (0x19)",
    "destroy": "CN_TOMBSTONE_OBJECT",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One delivered entry."""

    milliseconds: int
    """When, since the epoch."""
    text: str


class AuditTrail:
    """The audit streams of one lab, a file each: `CLUSTER/HSM.jsonl`."""

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self._folder = folder
        self._clock = clock
        self._lock = threading.Lock()
        self._next: dict[Path, int] = {}

    def streams(self) -> Iterator[tuple[str, str]]:
        """Every stream as cluster id and HSM id."""
        for path in sorted(self._folder.glob("*/*.jsonl")):
            yield path.parent.name, path.stem

    def entries(self, cluster_id: str, hsm_id: str) -> list[Entry]:
        """The entries of a stream, oldest first."""
        with self._lock:
            lines = self._path(cluster_id, hsm_id).read_text().splitlines()
        return [Entry(**json.loads(line)) for line in lines]

    def initialized(self, place: Place) -> None:
        """Note the birth of a cluster's first HSM."""
        self._append(place, _HEADS["init"])
        self._append(place, _HEADS["password key"])
        self._append(place, _HEADS["appliance user"], _user("app_user", _APPLIANCE))
        self._append(place, _HEADS["init done"])

    def activated(self, place: Place, users: tuple[str, ...]) -> None:
        """Note that the admin got a password and made crypto users."""
        self._append(place, _HEADS["change password"], _user("admin", _UNACTIVATED))
        self._append(place, _HEADS["login"], _user("admin", _ADMIN))
        for user in users:
            self._append(place, _HEADS["create user"], _user(user, _CRYPTO_USER))

    def heard(self, place: Place, event: Mapping[str, Any]) -> None:
        """Note what an HSM's process reports, if it is something that HSMs log."""
        match event["event"]:
            case "login":
                response = _RESPONSES[event["response"]]
                self._append(place, _HEADS["login"], _user(event["user"], _TYPES[event["role"]]), response)
            case "user":
                admin = event["what"] == "create user" and event["role"] == Role.ADMIN
                head = _HEADS["create admin" if admin else event["what"]]
                self._append(place, head, _user(event["user"], _TYPES[event["role"]]))
            case "key":
                self._append(place, _HEADS[event["what"]], _keys(event["names"]))
            case "activated":
                self.activated(place, ())
            case "created":
                kind = "generate pair" if len(event["names"]) > 1 else "generate key"
                self._append(place, _HEADS[kind], _keys(event["names"]))
            case "destroyed":
                for name in event["names"]:
                    self._append(place, _HEADS["destroy"], _keys([name]))

    def _append(self, place: Place, opcode: str, details: str = "", response: str = _SUCCESS) -> None:
        path = self._path(place.cluster_id, place.hsm_id)
        now = self._clock()
        with self._lock:
            number = self._number(path)
            text = _entry(now, number, opcode, response, details or f"Log type : {_NO_LOG}")
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            line = json.dumps({"milliseconds": int(now * 1000), "text": text}) + "\n"
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "a") as stream:
                stream.write(line)
            self._next[path] = number + 1

    def _number(self, path: Path) -> int:
        """The next entry's sequence number."""
        if path not in self._next:
            self._next[path] = len(path.read_text().splitlines()) if path.exists() else 0
        return self._next[path]

    def _path(self, cluster_id: str, hsm_id: str) -> Path:
        return self._folder / cluster_id / f"{hsm_id}.jsonl"


def _entry(now: float, number: int, opcode: str, response: str, details: str) -> str:
    """An entry's lines."""
    moment = datetime.fromtimestamp(now, UTC)
    return "\n".join(
        (
            f"Time: {moment:%m/%d/%y %H:%M:%S.%f}, usecs:{int(now * 1_000_000)}",
            f"Sequence No : {number:#x}",
            "Reboot counter : 0x1",
            "Command Type(hex) : CN_MGMT_CMD (0x0)",
            f"Opcode : {opcode}",
            "Session Handle : 0x1004001",
            f"Response : {response}",
            details,
        )
    )


def _user(name: str, user_type: str) -> str:
    return f"Log type : {_USER_LOG}\nUser Name : {name}\nUser Type : {user_type}"


def _keys(names: list[str]) -> str:
    """The handles of a key or a pair; they are the key-references of cloudhsm-cli."""
    first, second = ([_handle(name) for name in names] + [0])[:2]
    return f"Log type : {_KEY_LOG}\nPriv/Secret Key Handle : {first}\nPublic Key Handle : {second}"


def _handle(name: str) -> int:
    return int(reference(name), 16)
