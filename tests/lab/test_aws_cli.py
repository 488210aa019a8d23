"""Proves that the real AWS CLI leads a cluster through its whole life in the lab: all 18 operations, and its errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from aws_lab import ACCOUNT, KEY_ID, OTHER_REGION, REGION, SUBNET_IDS, ZONES, EmulatedAws
from certificates import root

from hsmctl.lab.cloudhsm import OPERATIONS

Shown = Any
"""What the CLI printed."""


PRELOADED = """
import json, os, sys
from awscli.clidriver import create_clidriver
driver = create_clidriver()
driver.session.create_client("cloudhsmv2", region_name="eu-central-1")
for line in sys.stdin:
    child = os.fork()
    if not child:
        for number, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
        code = driver.main(json.loads(line))
        sys.stdout.flush()
        os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""What the program `aws` does, with its imports and service descriptions read once: they take most of its time."""


class Cli:
    """`aws cloudhsmv2`, one process a call, against the lab's endpoint."""

    def __init__(self, aws: EmulatedAws, folder: Path) -> None:
        self.folder = folder
        self.used: set[str] = set()
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "AWS_ENDPOINT_URL": aws.url,
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_MAX_ATTEMPTS": "1",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-c", PRELOADED],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=30)

    def __call__(self, operation: str, *arguments: str, region: str = REGION) -> Shown:
        """What the operation printed, parsed."""
        code, printed, said = self.run(operation, *arguments, region=region)
        assert code == 0, said
        self.used.add(operation)
        return json.loads(printed) if printed.strip() else {}

    def refused(self, operation: str, *arguments: str) -> str:
        """What the CLI said about an operation that failed."""
        code, printed, said = self.run(operation, *arguments)
        assert code != 0, printed
        return said

    def run(self, operation: str, *arguments: str, region: str = REGION) -> tuple[int, str, str]:
        """Exit code, standard output and standard error."""
        assert self._process.stdin
        assert self._process.stdout
        call = ["--region", region, "--output", "json", "cloudhsmv2", operation, *arguments]
        self._process.stdin.write(json.dumps(call) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        return code, (self.folder / "out").read_text(), (self.folder / "err").read_text()

    def file(self, name: str, text: str) -> str:
        """A parameter that the CLI reads from a file."""
        path = self.folder / name
        path.write_text(text)
        return f"file://{path}"


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[EmulatedAws]:
    with EmulatedAws(tmp_path / "lab") as aws:
        yield aws


@pytest.fixture
def cli(aws: EmulatedAws, tmp_path: Path) -> Iterator[Cli]:
    with Cli(aws, tmp_path) as cli:
        yield cli


def test_a_cluster_lives_by_the_aws_cli(aws: EmulatedAws, cli: Cli) -> None:
    cluster_id, first = claimed(cli, aws)
    code = "(CloudHsmInvalidRequestException) when calling the CreateHsm operation"
    place = ("--cluster-id", cluster_id, "--availability-zone")
    refused = cli.refused("create-hsm", *place, ZONES[1])
    assert code in refused
    assert "has not yet been fully activated" in refused
    aws.cloudhsm.activate(cluster_id)
    second = cli("create-hsm", *place, ZONES[1], "--ip-address", "127.16.2.77")["Hsm"]
    assert second["EniIp"] == "127.16.2.77"
    days = ("--backup-retention-policy", "Type=DAYS,Value=30")
    modified = cli("modify-cluster", "--cluster-id", cluster_id, *days)["Cluster"]
    assert modified["BackupRetentionPolicy"] == {"Type": "DAYS", "Value": "30"}

    backup = kept(cli, cluster_id)
    restored = cli(*creation(), "--source-backup-id", backup["BackupArn"])["Cluster"]
    assert (restored["SourceBackupId"], restored["Certificates"].keys()) == (backup["BackupId"], {"ClusterCertificate"})

    refused = cli.refused("delete-cluster", "--cluster-id", cluster_id)
    assert "(CloudHsmInvalidRequestException)" in refused
    assert "still has HSMs" in refused
    cli("delete-hsm", "--cluster-id", cluster_id, "--hsm-id", first)
    cli("delete-hsm", "--cluster-id", cluster_id, "--eni-ip", second["EniIp"])
    deleted = cli("delete-cluster", "--cluster-id", cluster_id)["Cluster"]
    assert deleted["State"] == "DELETE_IN_PROGRESS"
    assert {operation.replace("-", "") for operation in cli.used} == {name.lower() for name in OPERATIONS}


def creation() -> tuple[str, ...]:
    return ("create-cluster", "--hsm-type", "hsm2m.medium", "--mode", "FIPS", "--subnet-ids", *SUBNET_IDS)


def claimed(cli: Cli, aws: EmulatedAws) -> tuple[str, str]:
    """The ids of a new cluster, initialized and tagged, and of its only HSM."""
    cluster_id = cli(*creation(), "--tag-list", "Key=stage,Value=test")["Cluster"]["ClusterId"]
    hsm = cli("create-hsm", "--cluster-id", cluster_id, "--availability-zone", ZONES[0])["Hsm"]
    [shown] = cli("describe-clusters", "--filters", f"clusterIds={cluster_id}")["Clusters"]
    assert (shown["State"], shown["Hsms"][0]["State"]) == ("UNINITIALIZED", "ACTIVE")
    authority = root("customer CA", aws.now.moment)
    signed = authority.sign(shown["Certificates"]["ClusterCsr"], aws.now.moment)
    initialization = ("initialize-cluster", "--cluster-id", cluster_id)
    anchor = ("--trust-anchor", cli.file("ca.pem", authority.pem))
    refused = cli.refused(*initialization, "--signed-cert", cli.file("junk.pem", "junk"), *anchor)
    assert "(CloudHsmInvalidRequestException)" in refused
    assert "SignedCert is not a PEM certificate" in refused
    cli(*initialization, "--signed-cert", cli.file("cluster.pem", signed), *anchor)
    cli("tag-resource", "--resource-id", cluster_id, "--tag-list", "Key=owner,Value=me")
    cli("untag-resource", "--resource-id", cluster_id, "--tag-key-list", "stage")
    tags = cli("list-tags", "--resource-id", cluster_id)["TagList"]
    assert tags == [{"Key": "owner", "Value": "me"}]
    return cluster_id, hsm["HsmId"]


def kept(cli: Cli, cluster_id: str) -> Shown:
    """The cluster's newest backup, which was shared, copied, deleted and taken back."""
    filters = ("--filters", f"clusterIds={cluster_id}")
    backup, _ = cli("describe-backups", *filters, "--no-sort-ascending", "--page-size", "1")["Backups"]
    named = ("--backup-id", backup["BackupId"])
    cli("copy-backup-to-region", *named, "--destination-region", OTHER_REGION)
    [copy] = cli("describe-backups", region=OTHER_REGION)["Backups"]
    assert (copy["SourceBackup"], copy["BackupState"]) == (backup["BackupId"], "READY")
    assert cli("modify-backup-attributes", *named, "--never-expires")["Backup"]["NeverExpires"] is True
    resource = ("--resource-arn", backup["BackupArn"])
    policy = json.dumps({"Statement": [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}}]})
    cli("put-resource-policy", *resource, "--policy", policy)
    assert cli("get-resource-policy", *resource)["Policy"] == policy
    cli("delete-resource-policy", *resource)
    assert cli("delete-backup", *named)["Backup"]["BackupState"] == "PENDING_DELETION"
    assert "(CloudHsmResourceNotFoundException)" in cli.refused("get-resource-policy", *resource)
    assert cli("restore-backup", *named)["Backup"]["BackupState"] == "READY"
    return backup


def test_wrong_input_gets_the_modelled_error(cli: Cli) -> None:
    for arguments, expected in (
        (("delete-cluster", "--cluster-id", "cluster-aaaaaaaaaaa"), "(CloudHsmResourceNotFoundException)"),
        (("delete-cluster", "--cluster-id", "!!"), "failed to satisfy constraint"),
        (("describe-clusters", "--filters", "names=x"), "(CloudHsmInvalidRequestException)"),
        ((*creation()[:2], "hsm1.medium", *creation()[3:]), "Provided HsmType is not supported"),
        (("tag-resource", "--resource-id", "backup-aaaaaaaaaaa", "--tag-list", "Key=aws:a,Value=b"), "CloudHsm"),
    ):
        assert expected in cli.refused(*arguments)


def test_the_installed_program_reaches_the_lab(aws: EmulatedAws, tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("aws")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_ENDPOINT_URL": aws.url,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    command = [sys.executable, str(program), "cloudhsmv2", "describe-clusters", "--output", "json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout) == {"Clusters": []}
