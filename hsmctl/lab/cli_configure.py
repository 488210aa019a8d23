"""`python -m hsmctl.lab.cli_configure ROOT COMPONENT WORDS…`: the emulated configure-cli and configure-pkcs11.

Writes the component's configuration as SDK 5's tools do (user guide, configure-sdk-5, configure-tool-params5): the
addresses that are given, or those DescribeClusters has, asked with the credentials of whoever runs it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from hsmctl.lab.cli_answer import Early, early
from hsmctl.lab.cli_config import Installation, read, servers, write

Entry = dict[str, Any]
_MUTUAL = {"client_cert_hsm_tls_file": "client_cert_hsm_tls_path", "client_key_hsm_tls_file": "client_key_hsm_tls_path"}
"""Options, as they are parsed, and the members they set."""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """End with the exit code of a usage error."""
        self.exit(2, f"error: {message}\n\nFor more information, try '--help'.\n")


def main(words: Sequence[str]) -> int:
    """Configure a component of the installation whose folder is the first word."""
    os.umask(0o077)
    installation, component = Installation(Path(words[0])), words[1]
    arguments = _parser(component).parse_args(words[2:])
    path = installation.configuration(component)
    try:
        document = read(path)
        _apply(document, installation, arguments)
    except Early as error:
        sys.stderr.write(early(error))
        return 1
    write(path, document)
    return 0


def _parser(component: str) -> argparse.ArgumentParser:
    parser = _Parser(prog=f"configure-{component}", allow_abbrev=False)
    parser.add_argument("-a", nargs="+", metavar="IP", dest="addresses")
    _add_cluster_options(parser)
    for name in ("key-availability-check", "validate-key-at-init"):
        parser.add_argument(f"--disable-{name}", dest=name.replace("-", "_"), action="store_false", default=None)
        parser.add_argument(f"--enable-{name}", dest=name.replace("-", "_"), action="store_true")
    parser.add_argument("--default-retry-mode", choices=("off", "standard"))
    parser.add_argument("--log-level", choices=("error", "warn", "info", "debug", "trace"))
    parser.add_argument("--log-type", choices=("term", "file"))
    parser.add_argument("--log-file")
    parser.add_argument("--log-rotation", dest="log_interval", choices=("never", "hourly", "daily", "weekly"))
    verbs = parser.add_subparsers(dest="verb")
    _add_cluster_options(verbs.add_parser("add-cluster", allow_abbrev=False))
    verbs.add_parser("remove-cluster", allow_abbrev=False).add_argument("--cluster-id", required=True)
    return parser


def _add_cluster_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cluster-id")
    for name in ("region", "endpoint", "hsm-ca-cert", "client-cert-hsm-tls-file", "client-key-hsm-tls-file"):
        parser.add_argument(f"--{name}")


def _apply(document: dict[str, Any], installation: Installation, asked: argparse.Namespace) -> None:
    """Change the configuration as it was asked for.

    Raises:
        Early: it cannot be.
    """
    clusters: list[Entry] = document["clusters"]
    if asked.verb == "remove-cluster":
        document["clusters"] = [each for each in clusters if each["cluster"].get("cluster_id") != asked.cluster_id]
        return
    if asked.verb == "add-cluster":
        entry = _new(installation)
        document["clusters"] = [*(each for each in clusters if _is_other(each, asked.cluster_id)), entry]
    elif len(clusters) > 1:
        raise Early("multiple clusters provided in configuration file. Use add-cluster and remove-cluster")
    else:
        entry = clusters[0]
    _set(entry["cluster"], asked)
    if asked.verb is None:
        _set_logging(document.setdefault("logging", {}), asked)


def _is_other(entry: Entry, cluster_id: str) -> bool:
    """Whether it is a configured cluster of another id; what nobody configured makes room."""
    return "cluster_id" in entry["cluster"] and entry["cluster"]["cluster_id"] != cluster_id


def _new(installation: Installation) -> Entry:
    options = {"disable_key_availability_check": False}
    return {
        "type": "hsm1",
        "cluster": {"hsm_ca_file": str(installation.customer_ca), "servers": [], "options": options},
    }


def _set(cluster: Entry, asked: argparse.Namespace) -> None:
    if asked.cluster_id:
        cluster["cluster_id"] = asked.cluster_id
        cluster["servers"] = servers(_described(asked))
    elif getattr(asked, "addresses", None):
        cluster["servers"] = servers(asked.addresses)
    if asked.hsm_ca_cert:
        cluster["hsm_ca_file"] = asked.hsm_ca_cert
    given = {member: getattr(asked, option) for option, member in _MUTUAL.items() if getattr(asked, option)}
    if len(given) == 1:
        raise Early("--client-cert-hsm-tls-file and --client-key-hsm-tls-file must be given together")
    cluster.update(given)
    options = cluster.setdefault("options", {})
    if getattr(asked, "key_availability_check", None) is not None:
        options["disable_key_availability_check"] = not asked.key_availability_check
    if getattr(asked, "default_retry_mode", None):
        cluster["retry_mode"] = asked.default_retry_mode


def _set_logging(logging: Entry, asked: argparse.Namespace) -> None:
    names = ("log_level", "log_type", "log_file", "log_interval")
    logging.update({name: getattr(asked, name) for name in names if getattr(asked, name)})


def _described(asked: argparse.Namespace) -> list[str]:
    """Every address of the cluster, from DescribeClusters.

    Raises:
        Early: AWS does not answer, or knows no such cluster.
    """
    import botocore.session
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

    try:
        session = botocore.session.Session()
        client: Any = session.create_client("cloudhsmv2", region_name=asked.region, endpoint_url=asked.endpoint)
        found = client.describe_clusters(Filters={"clusterIds": [asked.cluster_id]})["Clusters"]
    except NoCredentialsError as error:
        raise Early("No credentials in the property bag") from error
    except (BotoCoreError, ClientError) as error:
        raise Early(f"Failed to describe cluster {asked.cluster_id}: {error}") from error
    addresses = [hsm["EniIp"] for each in found for hsm in each["Hsms"] if hsm.get("EniIp")]
    if not addresses:
        raise Early(f"Cluster {asked.cluster_id} has no HSM")
    return addresses


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
