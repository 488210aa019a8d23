"""The bad days the lab can have: every fault by name, what it takes, and the book of those that last.

A fault is data; what is real is made to follow the book. Each fault belongs to a family, and the family's handler (see
`trouble`) brings its part of the lab to where the faults in the book want it, so injecting, clearing and a restart
are the same thing. Refuses to know how.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from hsmctl.errors import Conflict, UsageError
from hsmctl.lab.folder import write_private


class Family(StrEnum):
    """Which part of the lab a fault bends."""

    PROCESS = "process"
    """The process of an HSM."""
    SERVICE = "service"
    """What CloudHSMv2 says of an HSM or a cluster."""
    KEYS = "keys"
    """Objects in the folder of an HSM, below PKCS#11."""
    REPLICATION = "replication"
    """What travels between HSMs."""
    USERS = "users"
    """The users of one HSM."""
    POLICIES = "policies"
    """Quorum values, trust anchors and mTLS of HSMs."""
    CLIENT = "client"
    """What the client host knows of the cluster."""
    CERTIFICATE = "certificate"
    """The certificate an HSM shows."""
    CLOUD = "cloud"
    """The control plane, as its callers feel it."""
    NETWORK = "network"
    """The way from the client host to the HSMs."""


class Parameter(StrEnum):
    """What a fault can be about; named as on the command line."""

    HSM = "hsm"
    KEY = "key"
    USER = "user"
    REGION = "region"
    SECONDS = "seconds"


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One kind of fault."""

    name: str
    family: Family
    takes: tuple[Parameter, ...]
    """What it is about; a user, a region and seconds have defaults."""
    says: str
    """What it does, a line of help."""
    seconds: float = 0.0
    """How long, where that is not said."""
    lasts: bool = True
    """Whether there is anything to clear; if not, it happens once and is over."""
    anywhere: bool = False
    """Whether it is everywhere at once where no HSM is named."""


_HSM, _KEY, _USER = (Parameter.HSM,), (Parameter.HSM, Parameter.KEY), (Parameter.HSM, Parameter.USER)
_TIMED = (Parameter.HSM, Parameter.SECONDS)
_PROCESS, _KEYS, _USERS, _CLOUD = Family.PROCESS, Family.KEYS, Family.USERS, Family.CLOUD
_NETWORK = Family.NETWORK

_KINDS = (
    FaultKind("node-down", _PROCESS, _HSM, "The HSM is switched off."),
    FaultKind("node-killed", _PROCESS, _HSM, "The HSM dies in the middle of its work."),
    FaultKind("node-frozen", _PROCESS, _HSM, "The HSM accepts connections and never answers."),
    FaultKind("node-slow", _PROCESS, _TIMED, "Every answer of the HSM is late.", 2),
    FaultKind("hsm-replaced", Family.SERVICE, _HSM, "AWS replaces the HSM: new id, same address.", lasts=False),
    FaultKind("hsm-moved", Family.SERVICE, _HSM, "AWS replaces the HSM: new id, new address.", lasts=False),
    FaultKind("hsm-stuck", Family.SERVICE, (), "HSMs that are created stay CREATE_IN_PROGRESS."),
    FaultKind("hsm-degraded", Family.SERVICE, _HSM, "AWS calls the HSM DEGRADED."),
    FaultKind("csr-swapped", Family.SERVICE, (), "An unclaimed cluster shows a CSR its HSM did not make."),
    FaultKind("key-missing", _KEYS, _KEY, "The HSM has lost the key."),
    FaultKind("key-different", _KEYS, _KEY, "The HSM has other material under the key's label."),
    FaultKind("key-attribute", _KEYS, _KEY, "The key is extractable on the HSM, or just there not."),
    FaultKind("key-sole", _KEYS, _KEY, "The HSM has the only copy of the key."),
    FaultKind("replication-slow", Family.REPLICATION, _TIMED, "New keys reach the HSM late.", 30),
    FaultKind("replication-cut", Family.REPLICATION, _HSM, "No new key reaches the HSM or comes from it."),
    FaultKind("user-missing", _USERS, _USER, "The HSM does not know the user."),
    FaultKind("user-locked", _USERS, _USER, "The HSM has locked the user out."),
    FaultKind("user-role", _USERS, _USER, "The HSM knows the user in another role."),
    FaultKind("user-password", _USERS, _USER, "The HSM knows another password of the user."),
    FaultKind("user-mfa", _USERS, _USER, "The HSM asks the user for a second factor."),
    FaultKind("user-quorum", _USERS, _USER, "The HSM alone has, or has not, registered the user for quorum."),
    FaultKind("quorum-value", Family.POLICIES, _HSM, "The HSM asks for another number of approvals."),
    FaultKind("quorum-expired", Family.POLICIES, (), "Every open quorum token has run out of time.", lasts=False),
    FaultKind("anchor-missing", Family.POLICIES, _HSM, "The HSM has lost its trust anchors."),
    FaultKind("mtls-demanded", Family.POLICIES, _HSM, "The HSMs demand client certificates.", anywhere=True),
    FaultKind("client-stale", Family.CLIENT, _HSM, "The client's configuration lacks HSMs.", anywhere=True),
    FaultKind("client-ca", Family.CLIENT, (), "The client trusts another CA than the customer's."),
    FaultKind("certificate-wrong", Family.CERTIFICATE, _HSM, "The HSM's certificate is not the customer CA's."),
    FaultKind("certificate-expired", Family.CERTIFICATE, _HSM, "The HSM's certificate has expired."),
    FaultKind("cloud-throttled", _CLOUD, (), "AWS refuses every call: too many of them."),
    FaultKind("cloud-failing", _CLOUD, (), "AWS answers every call with an internal error."),
    FaultKind("cloud-slow", _CLOUD, (Parameter.SECONDS,), "AWS takes its time over every call.", 5),
    FaultKind("region-down", _CLOUD, (Parameter.REGION,), "Nothing answers in one region of AWS."),
    FaultKind("kms-denied", _CLOUD, (), "IAM denies every call of KMS."),
    FaultKind("metrics-denied", _CLOUD, (), "IAM denies every call of CloudWatch."),
    FaultKind("trail-denied", _CLOUD, (), "IAM denies every call of CloudTrail."),
    FaultKind("logs-denied", _CLOUD, (), "IAM denies every call of CloudWatch Logs."),
    FaultKind("net-route", _NETWORK, _HSM, "The HSMs' subnets have no route to the client.", anywhere=True),
    FaultKind("net-acl", _NETWORK, _HSM, "A network ACL denies the HSMs' ports.", anywhere=True),
    FaultKind("net-acl-replies", _NETWORK, _HSM, "A network ACL denies the HSMs' replies.", anywhere=True),
    FaultKind("net-group", _NETWORK, (), "The cluster's security group no longer admits the client."),
    FaultKind("net-peering-deleted", _NETWORK, (), "The peering is deleted, its routes are black holes."),
    FaultKind("net-zone-detached", _NETWORK, _HSM, "The transit gateway's attachment lacks the HSM's zone."),
    FaultKind("net-propagation", _NETWORK, (), "The transit gateway's table does not learn the HSMs' VPC."),
    FaultKind("net-tunnel", _NETWORK, (), "One tunnel of the VPN is down: no redundancy is left."),
    FaultKind("net-tunnels", _NETWORK, (), "Both tunnels of the VPN are down."),
    FaultKind("net-bgp", _NETWORK, (), "BGP is down on the VPN or the virtual interface."),
    FaultKind("net-prefixes", _NETWORK, (), "Direct Connect announces one subnet of the VPC only."),
    FaultKind("net-certificate", _NETWORK, _HSM, "The HSM's port shows another certificate than AWS's."),
)

KINDS: Mapping[str, FaultKind] = {kind.name: kind for kind in _KINDS}
"""Every kind by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault: as it is asked for, and, once it is in the book, with what its family needs to do and undo it."""

    name: str
    hsm: str | None = None
    key: str | None = None
    """A label."""
    user: str | None = None
    region: str | None = None
    seconds: float | None = None
    fault_id: str = ""
    since: float = 0.0
    """Seconds since the epoch, as everywhere in the lab's state."""
    heals: float | None = None
    """When it clears by itself."""
    detail: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The family's own, plain JSON."""

    @property
    def kind(self) -> FaultKind:
        """Its kind."""
        return KINDS[self.name]

    @property
    def number(self) -> int:
        """Its place in the book."""
        return int(self.fault_id[1:])

    @property
    def hsms(self) -> tuple[str, ...]:
        """The HSMs that are other than they should be."""
        return tuple(self.detail.get("edits", (self.hsm,) if self.hsm else ()))

    def described(self) -> dict[str, object]:
        """What is told about it."""
        return {name: value for name, value in asdict(self).items() if name != "detail"}


def asked(
    name: str,
    *,
    hsm: str | None = None,
    key: str | None = None,
    user: str | None = None,
    region: str | None = None,
    seconds: float | None = None,
) -> Fault:
    """The fault somebody asks for, if it makes sense.

    Raises:
        UsageError: there is no such fault, or it takes something else.
    """
    if name not in KINDS:
        raise UsageError(f"no fault {name}", "the lab does not know it", "hsmctl lab fault list")
    kind = KINDS[name]
    given = {"hsm": hsm, "key": key, "user": user, "region": region, "seconds": seconds}
    for parameter, value in given.items():
        if value is not None and parameter not in kind.takes:
            raise UsageError(f"{name} takes no {parameter}", kind.says, "hsmctl lab fault list")
        must = parameter in kind.takes and parameter in (Parameter.HSM, Parameter.KEY) and not kind.anywhere
        if value is None and must:
            raise UsageError(f"{name} needs --{parameter}", kind.says, "hsmctl lab fault list")
    if seconds is not None and seconds <= 0:
        raise UsageError(f"{seconds} seconds refused", "time passes forwards", "--seconds 5")
    if Parameter.SECONDS in kind.takes:
        seconds = seconds or kind.seconds
    return Fault(name=name, hsm=hsm, key=key, user=user, region=region, seconds=seconds)


class FaultBook:
    """The faults that last, oldest first, in a file; every change is in the file before it counts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"last": 0, "faults": []}
        self._last: int = kept["last"]
        self._faults = tuple(Fault(**fault) for fault in kept["faults"])

    def all(self) -> tuple[Fault, ...]:
        """Every fault."""
        return self._faults

    def of(self, *names: str, hsm: str | None = None) -> tuple[Fault, ...]:
        """The faults of these kinds, of one HSM if it is given."""
        return tuple(fault for fault in self._faults if fault.name in names and hsm in (None, fault.hsm))

    def family(self, family: Family) -> tuple[Fault, ...]:
        """The faults of a family."""
        return tuple(fault for fault in self._faults if fault.kind.family is family)

    def get(self, fault_id: str) -> Fault:
        """The fault of this id.

        Raises:
            Conflict: there is none.
        """
        for fault in self._faults:
            if fault.fault_id == fault_id:
                return fault
        raise Conflict(f"no fault {fault_id}", "it is not in the book", "hsmctl lab fault list")

    def add(self, fault: Fault) -> Fault:
        """The fault with the id it has from now on."""
        with self._lock:
            self._last += 1
            numbered = replace(fault, fault_id=f"f{self._last}")
            self._keep((*self._faults, numbered))
            return numbered

    def put(self, fault: Fault) -> None:
        """Have the fault in the book, in its place and instead of the one of the same id."""
        with self._lock:
            others = [each for each in self._faults if each.fault_id != fault.fault_id]
            self._keep(tuple(sorted([*others, fault], key=lambda each: each.number)))

    def remove(self, fault_id: str) -> None:
        """Strike a fault out."""
        with self._lock:
            self._keep(tuple(each for each in self._faults if each.fault_id != fault_id))

    def _keep(self, faults: tuple[Fault, ...]) -> None:
        kept = {"last": self._last, "faults": [asdict(fault) for fault in faults]}
        write_private(self._path, json.dumps(kept, indent=1).encode())
        self._faults = faults
