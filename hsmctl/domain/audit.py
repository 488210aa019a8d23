"""An HSM's audit log: what its entries say, and whether any is missing (user guide, interpreting audit logs).

A stream is one HSM's; its entries are numbered from 0 without gaps, so that a number that is not there is data that
was lost or is late. Only management is logged, never the use of a key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

SUCCESS = 0
_USECS = re.compile(r"usecs:\s*(\d+)")

OPCODES: Mapping[str, str] = {
    "CN_LOGIN": "login",
    "CN_LOGOUT": "logout",
    "CN_APP_FINALIZE": "session ended",
    "CN_CLOSE_SESSION": "session ended",
    "CN_SESSION_CLOSE": "session ended",
    "CN_CLOSE_PARTITION_SESSIONS": "all sessions ended",
    "CN_ENCRYPT_SESSION_V2": "secure channel opened",
    "CN_CREATE_USER": "crypto user created",
    "CN_CREATE_CO": "admin created",
    "CN_CREATE_APPLIANCE_USER": "appliance user created",
    "CN_DELETE_USER": "user deleted",
    "CN_CHANGE_PSWD": "password changed",
    "CN_SET_M_VALUE": "quorum value set",
    "CN_GET_TOKEN": "quorum token requested",
    "CN_APPROVE_TOKEN": "quorum token approved",
    "CN_DELETE_TOKEN": "quorum token deleted",
    "CN_GENERATE_KEY": "key generated",
    "CN_GENERATE_KEY_PAIR": "key pair generated",
    "CN_CREATE_OBJECT": "public key imported",
    "CN_MODIFY_OBJECT": "key attribute changed",
    "CN_DESTROY_OBJECT": "session key destroyed",
    "CN_TOMBSTONE_OBJECT": "token key deleted",
    "CN_SHARE_OBJECT": "key shared or unshared",
    "CN_WRAP_KEY": "key wrapped: it left the HSM",
    "CN_NIST_AES_WRAP": "key wrapped: it left the HSM",
    "CN_UNWRAP_KEY": "key unwrapped: it came in",
    "CN_DERIVE_KEY": "key derived",
    "CN_EXTRACT_MASKED_OBJECT_USER": "key handed to another HSM",
    "CN_INSERT_MASKED_OBJECT_USER": "key arrived from another HSM",
    "CN_CLONE_SOURCE_STAGE1": "cloning to another HSM",
    "CN_CLONE_TARGET_INIT": "being cloned from another HSM",
    "CN_CLONE_TARGET_STAGE1": "being cloned from another HSM",
    "CN_BACKUP_BEGIN": "backup begun",
    "CN_BACKUP_END": "backup done",
    "CN_RESTORE_BEGIN": "restore begun",
    "CN_RESTORE_END": "restore done",
    "CN_CERT_AUTH_STORE_CERT": "certificate stored",
    "CN_INIT_TOKEN": "HSM initialized",
    "CN_INIT_DONE": "HSM initialization done",
    "CN_ZEROIZE": "ZEROIZED: everything on it is gone",
}
"""What an opcode is in words (user guide, audit log reference); others are shown as they are."""

SESSIONS = frozenset(
    {
        *("CN_LOGIN", "CN_LOGOUT", "CN_APP_FINALIZE", "CN_CLOSE_SESSION", "CN_SESSION_CLOSE"),
        "CN_ENCRYPT_SESSION_V2",
    }
)
"""Opcodes that come with every connection and change nothing."""

ALARMING = frozenset(
    {
        *("CN_ZEROIZE", "CN_CREATE_CO", "CN_DELETE_USER", "CN_CHANGE_PSWD", "CN_SET_M_VALUE"),
        *("CN_WRAP_KEY", "CN_NIST_AES_WRAP", "CN_SHARE_OBJECT", "CN_TOMBSTONE_OBJECT"),
    }
)
"""Opcodes somebody should be able to explain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One entry of an HSM's audit log."""

    at: datetime
    sequence: int
    opcode: str
    """Without its number: CN_LOGIN."""
    code: int
    """What the HSM answered; 0 is success."""
    response: str
    user: str = ""
    user_type: str = ""
    handles: tuple[int, ...] = ()
    """Of the keys it is about; cloudhsm-cli shows the same numbers in hexadecimal as key references."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Entries that are not there."""

    first: int
    last: int
    after: datetime
    """When the entry before them was made."""
    before: datetime
    """When the entry after them was made."""


def entry(text: str) -> AuditEntry:
    """An entry as CloudWatch Logs delivers it: lines of `Name<separator>Value`, the first colon counts.

    Raises:
        ValueError: it is none.
    """
    said = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}
    usecs = _USECS.search(said.get("Time", ""))
    if usecs is None or "Sequence No" not in said or "Opcode" not in said:
        raise ValueError("no audit log entry")
    code, _, response = said.get("Response", "").partition(":")
    handles = (said.get(f"{half} Key Handle", "0") for half in ("Priv/Secret", "Public"))
    return AuditEntry(
        at=datetime.fromtimestamp(int(usecs[1]) / 1_000_000, UTC),
        sequence=int(said["Sequence No"], 16),
        opcode=said["Opcode"].partition(" ")[0],
        code=int(code) if code.isdecimal() else -1,
        response=response.removeprefix("HSM Error:").removeprefix("HSM Return:").strip(),
        user=said.get("User Name", ""),
        user_type=said.get("User Type", "").partition(" ")[0],
        handles=tuple(int(each) for each in handles if each.isdecimal() and int(each)),
    )


def gaps(entries: Sequence[AuditEntry]) -> Iterator[Gap]:
    """Where numbers are missing between the entries of one stream; what is before the first was not asked for."""
    ordered = sorted(entries, key=lambda each: each.sequence)
    for earlier, later in pairwise(ordered):
        if later.sequence > earlier.sequence + 1:
            yield Gap(earlier.sequence + 1, later.sequence - 1, earlier.at, later.at)
