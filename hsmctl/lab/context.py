"""How others find the lab: the context that hsmctl's settings loader reads, and the environment of any AWS client."""

from __future__ import annotations

import json
from collections.abc import Mapping

from hsmctl.lab.cli_config import Installation
from hsmctl.lab.client_host import NAME, available
from hsmctl.lab.configuration import REGION, SECRET_KEY_FILE, Configuration
from hsmctl.lab.folder import LabFolder, write_private

CRYPTO_USER = "ops_cu"
"""The crypto user every lab cluster has; its password is in the lab's secrets."""


def write_context(lab: LabFolder, configuration: Configuration, client: str, installation: Installation) -> None:
    """Write the lab's context, in which AWS knows the client host by this name; paths are relative to its folder.

    This machine has the client host's software too, so that whoever has no sshd has a client host all the same.
    """
    values: Mapping[str, object] = {
        "kind": "lab",
        "region": REGION,
        "account_id": configuration.account_id,
        "endpoint_url": configuration.endpoint_url,
        "access_key_id": configuration.access_key_id,
        "secret_access_key_file": f"secrets/{SECRET_KEY_FILE}",
        "user": CRYPTO_USER,
        "customer_ca": "ca/customer-ca.pem",
        "ssh_config": "client/ssh_config",
        "hardware_roots": ["pki/aws-root.pem", "pki/manufacturer-root.pem"],
    }
    software = {"cli": str(installation.bin / "cloudhsm-cli"), "config_folder": str(installation.etc)}
    client_host = {"name": NAME, **({"host": NAME} if available() else {}), "source": client, **software}
    lines = [
        "# Written by the lab each time it starts.",
        "[context.lab]",
        *(f"{key} = {json.dumps(value)}" for key, value in values.items()),
        f'password = {{ file = "secrets/{CRYPTO_USER}" }}',
        "",
        "[context.lab.subnets]",
        *(f"{json.dumps(zone)} = {json.dumps(subnet)}" for zone, subnet in configuration.subnets.items()),
        "",
        *_client(client_host),
        "",
        *_client({"name": "local", **software}),
    ]
    write_private(lab.context, "\n".join([*lines, ""]).encode())


def _client(values: Mapping[str, str]) -> list[str]:
    return ["[[context.lab.clients]]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]


def environment(lab: LabFolder, configuration: Configuration) -> Mapping[str, str]:
    """The variables that make any AWS client, and hsmctl, talk to the lab."""
    return {
        "AWS_ENDPOINT_URL": configuration.endpoint_url,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": configuration.access_key_id,
        "AWS_SECRET_ACCESS_KEY": configuration.secret_access_key,
        "HSMCTL_LAB_HOME": str(lab.path),
        "HSMCTL_CONTEXT": "lab",
    }
