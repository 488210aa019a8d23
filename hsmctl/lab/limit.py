"""What an HSM refuses though SoftHSM would do it: keys of other sizes, and more keys or users than its type holds.

The numbers are CloudHSM's (user guide, AWS CloudHSM quotas), for a cluster, which is for each of its HSMs: all hold the
same. Each half of a pair counts, because each has a handle; AWS does not say. There is no operation that changes an
attribute, as CloudHSM's library has no C_SetAttributeValue, and every session is read/write, as it refuses the other
kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hsmctl.agent.inventory import Refused
from hsmctl.domain.key import PAIRED, SIZES, KeyKind
from hsmctl.domain.limit import Limits as Limits
from hsmctl.domain.limit import limits as limits
from hsmctl.errors import Conflict
from hsmctl.lab.objectfile import CKA_CLASS, CKO_PRIVATE_KEY, CKO_PUBLIC_KEY, Torn
from hsmctl.lab.softhsm import object_files, read_object
from hsmctl.lab.user import Users


def check_size(wanted: Mapping[str, Any]) -> None:
    """Refuse a key of a size that CloudHSM does not make (user guide, PKCS#11 key types); `wanted` is as in `generate`.

    Raises:
        Refused: the size is none of its kind's.
    """
    kind, size = wanted.get("kind"), wanted.get("size")
    if kind == KeyKind.X25519:
        raise Refused("CKR_CURVE_NOT_SUPPORTED", "CloudHSM makes no X25519 keys")
    if kind in set(KeyKind) and size not in SIZES[KeyKind(kind)]:
        raise Refused("CKR_KEY_SIZE_RANGE", f"CloudHSM makes no {kind} key of size {size}")


def check_user_fits(users: Users, most: Limits) -> None:
    """Refuse one user too many.

    Raises:
        Conflict: the HSM holds as many as it can.
    """
    if len(users.all()) >= most.users:
        raise Conflict("no user added", f"an HSM of this type holds {most.users} users", "delete one first")


class Room:
    """The room for keys on one HSM."""

    def __init__(self, tokens: Path, most: Limits) -> None:
        self._tokens = tokens
        self.most = most
        """How much the HSM holds."""
        self._pairs: dict[str, bool] = {}
        """By object file, whether it is half of a pair; what a file is never changes."""

    def check(self, wanted: Mapping[str, Any]) -> None:
        """Refuse a key that has no room; `wanted` is as in `generate`.

        Raises:
            Refused: the HSM holds as many as it can.
        """
        paired = wanted.get("kind") in PAIRED
        new = 2 if paired else 1
        names = [path for token in self._tokens.iterdir() for path in _objects(token)]
        if len(names) + new > self.most.keys:
            raise Refused("CKR_DEVICE_MEMORY", f"the HSM holds {self.most.keys} keys")
        # Only an HSM that is nearly full of pairs has to know what each file is.
        if paired and len(names) + new > self.most.asymmetric and self._halves(names) + new > self.most.asymmetric:
            raise Refused("CKR_DEVICE_MEMORY", f"the HSM holds {self.most.asymmetric} asymmetric keys")

    def _halves(self, paths: list[Path]) -> int:
        known = self._pairs
        self._pairs = {path.name: known[path.name] if path.name in known else _is_half(path) for path in paths}
        return sum(self._pairs.values())


def _objects(token: Path) -> list[Path]:
    return [token / name for name in object_files(token)]


def _is_half(path: Path) -> bool:
    try:
        return read_object(path.parent, path.name).number(CKA_CLASS) in (CKO_PUBLIC_KEY, CKO_PRIVATE_KEY)
    except (FileNotFoundError, Torn):
        return False
