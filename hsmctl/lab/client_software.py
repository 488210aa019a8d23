"""What is installed on the lab's client host: a folder like /opt/cloudhsm with the emulated tools, and its AWS role.

The tools are this Python's own modules behind small launchers, so that they are run by path, locally and over SSH. A
configuration that is there already is its operator's and stays. Refuses to know HSMs: configuring finds them.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from hsmctl.lab.cli_config import COMPONENTS, PORT, UNCONFIGURED, Installation, read, servers, write
from hsmctl.lab.folder import write_private

_PROGRAM_MODE = 0o700
_PUBLIC_MODE = 0o644
"""Every process that loads the library reads the certificate."""


def install(folder: Path) -> Installation:
    """The installation below the client host's folder, its launchers written anew."""
    installation = Installation(folder / "opt" / "cloudhsm")
    for each in (installation.bin, installation.etc, installation.run):
        each.mkdir(mode=0o700, parents=True, exist_ok=True)
    root, role = str(installation.root), _role(folder)
    _launcher(installation.bin / "cloudhsm-cli", "", "hsmctl.lab.cli_main", root)
    for component in COMPONENTS:
        _launcher(installation.bin / f"configure-{component}", role, "hsmctl.lab.cli_configure", root, component)
        if not installation.configuration(component).exists():
            write(installation.configuration(component), unconfigured(installation, component))
    return installation


def configure(installation: Installation, cluster_id: str, addresses: Sequence[str], authority: bytes) -> None:
    """Have every component know a cluster's HSMs and its CA, unless somebody has configured it already."""
    if not installation.customer_ca.exists():
        write_private(installation.customer_ca, authority)
        installation.customer_ca.chmod(_PUBLIC_MODE)
    for component in COMPONENTS:
        document = read(installation.configuration(component))
        entry = document["clusters"][0]["cluster"]
        if [each["hostname"] for each in entry["servers"]] == [UNCONFIGURED]:
            entry |= {"cluster_id": cluster_id, "servers": servers(addresses)}
            write(installation.configuration(component), document)


def write_role(folder: Path, region: str, endpoint_url: str, access_key_id: str, secret: str) -> None:
    """What the host's role gives it: the configure tools ask AWS for addresses, as whom nothing else says."""
    config = f"[default]\nregion = {region}\nendpoint_url = {endpoint_url}\n"
    credentials = f"[default]\naws_access_key_id = {access_key_id}\naws_secret_access_key = {secret}\n"
    write_private(folder / "role" / "config", config.encode())
    write_private(folder / "role" / "credentials", credentials.encode())


def _role(folder: Path) -> str:
    """Shell variables that lead to the host's role, unless the caller has others."""
    names = {"AWS_CONFIG_FILE": "config", "AWS_SHARED_CREDENTIALS_FILE": "credentials"}
    files = (f"{name}=${{{name}:-{shlex.quote(str(folder / 'role' / file))}}}" for name, file in names.items())
    return f"export {' '.join(files)}\n"


def unconfigured(installation: Installation, component: str) -> dict[str, object]:
    """The configuration of a component that nobody has configured yet."""
    return {
        "clusters": [
            {
                "type": "hsm1",
                "cluster": {
                    "hsm_ca_file": str(installation.customer_ca),
                    "servers": [{"hostname": UNCONFIGURED, "port": PORT, "enable": True}],
                    "options": {"disable_key_availability_check": False},
                },
            }
        ],
        "logging": {
            "log_type": "file",
            "log_file": str(installation.log(component)),
            "log_level": "info",
            "log_interval": "daily",
        },
    }


def _launcher(path: Path, before: str, module: str, *words: str) -> None:
    # Whoever stands in a folder called hsmctl still runs this installation's own modules (-P).
    command = shlex.join((sys.executable, "-P", "-m", module, *words))
    write_private(path, f'#!/bin/sh\n{before}exec {command} "$@"\n'.encode())
    path.chmod(_PROGRAM_MODE)
