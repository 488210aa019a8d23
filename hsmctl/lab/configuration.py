"""What one lab was made with, in its lab.json: options, network, subnets, keys; made once and never changed.

A lab is disposable: one made by another version is refused, not converted.
"""

from __future__ import annotations

import errno
import hashlib
import json
import secrets
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from ipaddress import IPv4Network
from typing import Self

from hsmctl import __version__
from hsmctl.errors import Conflict, UsageError
from hsmctl.lab.folder import LabFolder, write_private
from hsmctl.lab.ground import Topology

REGION = "us-east-1"
SECRET_KEY_FILE = "aws_secret_access_key"  # noqa: S105 - a file's name
MAX_ZONES = 6
MAX_HSMS = 32
_NETWORKS = range(16, 251)
_CLAIM_PORT = 2220


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The lab that is wanted; the supervisor itself uses only zones and delay."""

    hsms: int
    zones: int
    hsm_type: str
    delay: float
    """Seconds each state transition of the emulated service takes."""
    seed_keys: int
    network: str = Topology.SAME_VPC
    """How the client host is connected."""

    def check(self) -> None:
        """Refuse what cannot be.

        Raises:
            UsageError: a number is out of its range.
        """
        for name, value, most in (("hsms", self.hsms, MAX_HSMS), ("zones", self.zones, MAX_ZONES)):
            if not 1 <= value <= most:
                raise UsageError(f"{name} {value} refused", f"a lab has 1 to {most}", f"choose 1 to {most}")
        if self.network not in set(Topology):
            raise UsageError(f"no network {self.network}", f"there are {', '.join(Topology)}", "--network same-vpc")
        if self.delay < 0 or self.seed_keys < 0:
            raise UsageError("negative number refused", "delay and seed keys count from 0", "choose 0 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """One lab."""

    version: str
    options: Options
    network: int
    """X of its 127.X.0.0/16."""
    account_id: str
    vpc_id: str
    subnets: Mapping[str, str]
    """Zone to subnet id."""
    access_key_id: str
    secret_access_key: str = field(repr=False)
    control_token: str = field(repr=False)
    """Opens the supervisor's control calls."""
    port: int = 0
    """Where the gateway listened last; 0 before it did."""

    @property
    def networks(self) -> Mapping[str, IPv4Network]:
        """Each zone's subnet: 127.X.i.0/24."""
        return {zone: IPv4Network(f"127.{self.network}.{i}.0/24") for i, zone in enumerate(self.subnets, 1)}

    def check(self, options: Options) -> None:
        """Refuse to be continued as another lab.

        Raises:
            Conflict: the lab was made with other options.
        """
        other = [name for name, value in asdict(options).items() if value != getattr(self.options, name)]
        if other:
            made = ", ".join(f"{name} {getattr(self.options, name)}" for name in other)
            raise Conflict("a lab with other options exists", f"it was made with {made}", "hsmctl lab reset --yes")

    @classmethod
    def read(cls, lab: LabFolder) -> Self | None:
        """The lab of a folder, or None if there is none yet.

        Raises:
            Conflict: another version of hsmctl made it.
        """
        if not lab.configuration.exists():
            return None
        loaded = json.loads(lab.configuration.read_text())
        if loaded["version"] != __version__:
            why = f"hsmctl {loaded['version']} made it, this is {__version__}"
            raise Conflict("the lab is of another version", why, "hsmctl lab reset --yes")
        return cls(options=Options(**loaded.pop("options")), **loaded)

    def write(self, lab: LabFolder) -> None:
        """Keep it, and the secret access key where the context's loader reads it."""
        write_private(lab.configuration, json.dumps(asdict(self), indent=1).encode())
        write_private(lab.secret(SECRET_KEY_FILE), self.secret_access_key.encode())

    @property
    def endpoint_url(self) -> str:
        """Where AWS clients reach the lab."""
        return f"http://127.0.0.1:{self.port}"

    def listening(self, port: int) -> Self:
        """The same lab with its gateway on this port."""
        return replace(self, port=port)


def make(lab: LabFolder, options: Options) -> tuple[Configuration, socket.socket]:
    """A new lab in a network nobody on this machine has claimed, and the claim, which lasts as long as the socket.

    Raises:
        Conflict: every network is taken.
    """
    # Starting at a place of its own, a lab that is down seldom loses its network to another.
    start = int(hashlib.sha256(str(lab.path.resolve()).encode()).hexdigest(), 16) % len(_NETWORKS)
    for network in (*_NETWORKS[start:], *_NETWORKS[:start]):
        if claim := _claim(network):
            return _new(options, network), claim
    raise Conflict("no network left", "every 127.16.0.0 to 127.250.0.0 has a lab", "hsmctl lab down in another lab")


def claim(configuration: Configuration) -> socket.socket:
    """The claim of a lab's network, which lasts as long as the socket.

    Raises:
        Conflict: another lab has taken it meanwhile.
    """
    held = _claim(configuration.network)
    if held is None:
        what = f"127.{configuration.network}.0.0/16 is taken"
        raise Conflict(what, "another lab on this machine uses it", "end that lab, or hsmctl lab reset --yes")
    return held


def _claim(network: int) -> socket.socket | None:
    claim = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        claim.bind((f"127.{network}.0.1", _CLAIM_PORT))
    except OSError as error:
        claim.close()
        if error.errno != errno.EADDRINUSE:
            raise
        return None
    return claim


def _new(options: Options, network: int) -> Configuration:
    return Configuration(
        version=__version__,
        options=options,
        network=network,
        account_id=str(10**11 + secrets.randbelow(9 * 10**11)),
        vpc_id=f"vpc-{secrets.token_hex(9)[:17]}",
        subnets={f"{REGION}{letter}": f"subnet-{secrets.token_hex(9)[:17]}" for letter in "abcdef"[: options.zones]},
        access_key_id=f"LAB{secrets.token_hex(8).upper()}L",
        secret_access_key=secrets.token_urlsafe(30),
        control_token=secrets.token_urlsafe(32),
    )
