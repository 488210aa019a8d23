"""The configuration of the emulated client: cloudhsm-cli.cfg and its siblings, read and written as SDK 5 has them.

One file a component (user guide, configure-sdk-5). A file nobody configured has the literal host name
`%%HSM_IP_ADDRESS%%`. Members nobody here knows are kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hsmctl.lab.cli_answer import Early
from hsmctl.lab.folder import write_private

UNCONFIGURED = "%%HSM_IP_ADDRESS%%"
PORT = 2223
COMPONENTS = ("cli", "pkcs11")
"""The components that are installed on the lab's client host."""


@dataclass(frozen=True, slots=True)
class Installation:
    """A folder like /opt/cloudhsm."""

    root: Path

    @property
    def etc(self) -> Path:
        """Configurations and the customer CA's certificate."""
        return self.root / "etc"

    @property
    def bin(self) -> Path:
        """Programs."""
        return self.root / "bin"

    @property
    def run(self) -> Path:
        """Logs."""
        return self.root / "run"

    @property
    def customer_ca(self) -> Path:
        """The certificate that HSMs are verified with, unless a configuration says another."""
        return self.etc / "customerCA.crt"

    def configuration(self, component: str) -> Path:
        """The configuration of a component."""
        return self.etc / f"cloudhsm-{component}.cfg"

    def log(self, component: str) -> Path:
        """The log of a component."""
        return self.run / f"cloudhsm-{component}.log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """One cluster of a configuration."""

    cluster_id: str | None
    addresses: tuple[tuple[str, int], ...]
    ca: Path
    certificate: Path | None
    key: Path | None
    availability_check: bool


def read(path: Path) -> dict[str, Any]:
    """The document of a configuration file.

    Raises:
        Early: it cannot be read, or is no JSON.
    """
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise Early(f"Could not read configuration file at location {path}: {error}") from error
    if not isinstance(document, dict) or not document.get("clusters"):
        raise Early(f"Config key clusters is missing in {path}")
    return document


def write(path: Path, document: Mapping[str, Any]) -> None:
    """Keep a configuration."""
    write_private(path, json.dumps(document, indent=2).encode() + b"\n")


def servers(addresses: Sequence[str]) -> list[dict[str, Any]]:
    """Addresses as a configuration lists them."""
    return [{"hostname": address, "port": PORT, "enable": True} for address in addresses]


def chosen(document: Mapping[str, Any], cluster_id: str) -> Cluster:
    """The cluster that is meant: the only one where none is named.

    Raises:
        Early: there is none of this id, or several and none is named; or it says what cannot be.
    """
    found = [each.get("cluster", {}) for each in document["clusters"]]
    if cluster_id:
        found = [each for each in found if each.get("cluster_id") == cluster_id]
        if not found:
            raise Early(f"Cluster {cluster_id} is not in the configuration file")
    elif len(found) > 1:
        raise Early("multiple clusters provided in configuration file. Please specify `cluster-id`")
    return _cluster(found[0])


def _cluster(entry: Mapping[str, Any]) -> Cluster:
    enabled = [each for each in entry.get("servers", ()) if each.get("enable", True)]
    for server in enabled:
        if server["hostname"] == UNCONFIGURED:
            raise Early(f"Config key hostname has invalid value {UNCONFIGURED}")
    options = entry.get("options", {})
    return Cluster(
        cluster_id=entry.get("cluster_id"),
        addresses=tuple((each["hostname"], int(each.get("port", PORT))) for each in enabled),
        ca=_referenced(entry, "hsm_ca_file") or Path("/opt/cloudhsm/etc/customerCA.crt"),
        certificate=_referenced(entry, "client_cert_hsm_tls_path"),
        key=_referenced(entry, "client_key_hsm_tls_path"),
        availability_check=not options.get("disable_key_availability_check", False),
    )


def _referenced(entry: Mapping[str, Any], name: str) -> Path | None:
    """A file the configuration names.

    Raises:
        Early: it is not there.
    """
    if name not in entry:
        return None
    path = Path(entry[name])
    if not path.is_file():
        raise Early(f"Could not read configuration-referenced file {name} at location {path}")
    return path
