"""The error tree and the exit codes, which are an interface and are never renumbered.

    HsmctlError            .what  .why  .hint  .exit_code
    ├── UsageError     2   the request makes no sense: flag, configuration, context
    ├── Unreachable    3   could not find out: network, time-out, throttling; trying again may work
    ├── Denied         4   credentials, IAM, PIN, quorum, host key, wrong account
    │   └── PinRefused     the HSM itself said no to a PIN: it is not tried again
    ├── Conflict       5   not found, exists already, wrong state
    ├── Partial        6   some targets answered or obeyed, some did not
    └── DeviceError    7   the HSM or its PKCS#11 library refused; keeps the CKR name

An error prints as `what: why`, lower case and without a full stop, followed by one hint that is a next step.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any


class ExitCode(IntEnum):
    """What a run of hsmctl answers to the shell; where several apply NO beats PARTIAL beats UNKNOWN."""

    OK = 0
    NO = 1
    USAGE = 2
    UNKNOWN = 3
    DENIED = 4
    CONFLICT = 5
    PARTIAL = 6
    DEVICE = 7
    BUG = 70
    INTERRUPTED = 130


class HsmctlError(Exception):
    """Something hsmctl can explain; the base of all errors it raises on purpose."""

    exit_code = ExitCode.UNKNOWN

    def __init__(self, what: str, why: str = "", hint: str = "") -> None:
        super().__init__(f"{what}: {why}" if why else what)
        self.what = what
        self.why = why
        self.hint = hint

    def describe(self) -> dict[str, str | int]:
        """The error for another process, which makes it again with `described`."""
        return {"what": self.what, "why": self.why, "hint": self.hint, "exit_code": int(self.exit_code)}


class UsageError(HsmctlError):
    """The request makes no sense as it stands."""

    exit_code = ExitCode.USAGE


class Unreachable(HsmctlError):
    """The answer could not be found out; trying again may work."""

    exit_code = ExitCode.UNKNOWN


class Denied(HsmctlError):
    """Credentials, IAM, a PIN, a quorum or a host key said no."""

    exit_code = ExitCode.DENIED


class PinRefused(Denied):
    """The HSM or token itself refused a PIN, which costs the user one of a few attempts (CKR_PIN_*)."""


class Conflict(HsmctlError):
    """The thing is not there, is there already, or is in the wrong state."""

    exit_code = ExitCode.CONFLICT


class Partial(HsmctlError):
    """Some targets answered or obeyed and some did not."""

    exit_code = ExitCode.PARTIAL


class DeviceError(HsmctlError):
    """The HSM or its PKCS#11 library refused; `ckr` is the return value's name (PKCS#11 section 5.1)."""

    exit_code = ExitCode.DEVICE

    def __init__(self, what: str, why: str = "", hint: str = "", *, ckr: str = "") -> None:
        super().__init__(what, why, hint)
        self.ckr = ckr


def described(description: Mapping[str, Any]) -> HsmctlError:
    """The error that another process of hsmctl described."""
    kinds: tuple[type[HsmctlError], ...] = (UsageError, Unreachable, Denied, Conflict, Partial, DeviceError)
    kind = next((kind for kind in kinds if kind.exit_code == description.get("exit_code")), HsmctlError)
    return kind(description["what"], description.get("why", ""), description.get("hint", ""))
