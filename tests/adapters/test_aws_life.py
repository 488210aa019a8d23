"""Proves that what interlocks, backups and edits ask of AWS is asked and understood right, over HTTP with boto3."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aws_lab import (
    KEY_ID,
    OTHER_REGION,
    REGION,
    SUBNET_IDS,
    ZONES,
    BotoClient,
    EmulatedAws,
    active,
    add_hsm,
    claim,
    create,
)
from aws_lab import cluster as described
from world import NOW, FakeClock

from hsmctl.adapters.aws import Aws
from hsmctl.adapters.aws_backup import AwsBackups
from hsmctl.adapters.aws_cluster import AwsGrounds
from hsmctl.adapters.aws_edit import AwsClusterEdits
from hsmctl.adapters.aws_kms import AwsKeyStores
from hsmctl.adapters.aws_metric import AwsMetrics
from hsmctl.adapters.customer_ca import FileCustomerCa
from hsmctl.adapters.hold import FileHolds
from hsmctl.domain.backup import shared_with, sharing_policy
from hsmctl.domain.cluster import BackupState
from hsmctl.domain.hold import Hold
from hsmctl.domain.preflight import DOCUMENTED_CLUSTERS
from hsmctl.errors import Conflict
from hsmctl.lab.gap_kms import kms_gaps
from hsmctl.lab.routing import Router
from hsmctl.lab.sts import Sts
from hsmctl.secret import Secret

ANCHOR, PASSWORD = "anchor", "kmsuserpassword"


class WithKms(EmulatedAws):
    """The emulated AWS with custom key stores."""

    def make_router(self) -> Router:
        stores = kms_gaps(self.folder.path / "kms.json", REGION, self.cloudhsm.clusters, self.now)
        return Router(services={"cloudhsm": self}, gaps={("sts", "GetCallerIdentity"): Sts("1").answer, **stores})


@pytest.fixture
def emulated(tmp_path: Path) -> Iterator[EmulatedAws]:
    with WithKms(tmp_path) as emulated:
        yield emulated


@pytest.fixture
def hsms(emulated: EmulatedAws) -> BotoClient:
    return emulated.client("cloudhsmv2")


@pytest.fixture
def aws(emulated: EmulatedAws) -> Aws:
    return Aws(
        region=REGION, endpoint_url=emulated.url, access_key_id=KEY_ID, secret_access_key=Secret("secret"), tries=1
    )


def stored(aws: Aws) -> AwsKeyStores:
    return AwsKeyStores(lambda: aws.client("kms", REGION))


def test_a_key_store_is_linked_connected_found_and_deleted(emulated: EmulatedAws, hsms: BotoClient, aws: Aws) -> None:
    cluster_id = active(emulated, hsms)
    kms = emulated.client("kms")
    wanted = {
        "CustomKeyStoreName": "orders",
        "CloudHsmClusterId": cluster_id,
        "TrustAnchorCertificate": ANCHOR,
        "KeyStorePassword": PASSWORD,
    }
    with pytest.raises(kms.exceptions.CloudHsmClusterInvalidConfigurationException):
        kms.create_custom_key_store(**wanted)
    add_hsm(hsms, cluster_id, ZONES[1])
    described(hsms, cluster_id)
    assert stored(aws).all() == ()
    store_id = kms.create_custom_key_store(**wanted)["CustomKeyStoreId"]
    (found,) = stored(aws).all()
    assert (found.name, found.cluster_id, found.state) == ("orders", cluster_id, "disconnected")
    with pytest.raises(kms.exceptions.CloudHsmClusterInUseException):
        kms.create_custom_key_store(**{**wanted, "CustomKeyStoreName": "others"})
    kms.connect_custom_key_store(CustomKeyStoreId=store_id)
    assert stored(aws).all()[0].state == "connected"
    with pytest.raises(kms.exceptions.CustomKeyStoreInvalidStateException):
        kms.delete_custom_key_store(CustomKeyStoreId=store_id)
    kms.disconnect_custom_key_store(CustomKeyStoreId=store_id)
    kms.delete_custom_key_store(CustomKeyStoreId=store_id)
    assert stored(aws).all() == ()


def backups_of(aws: Aws) -> AwsBackups:
    return AwsBackups(lambda: REGION, lambda region: aws.client("cloudhsmv2", region), aws.changing)


def test_a_backup_is_copied_kept_let_go_restored_and_shared(emulated: EmulatedAws, hsms: BotoClient, aws: Aws) -> None:
    cluster_id = active(emulated, hsms)
    backups, plane = backups_of(aws), aws.plane
    (backup,) = plane.backups(cluster_id)
    assert backup.arn.endswith(backup.backup_id)
    assert backups.copies(backup.backup_id, OTHER_REGION) == ()
    backups.copy(backup.backup_id, OTHER_REGION)
    (copy,) = backups.copies(backup.backup_id, OTHER_REGION)
    assert (copy.source_backup, copy.source_cluster, copy.source_region) == (backup.backup_id, cluster_id, REGION)
    backups.retain(backup.backup_id, for_ever=True)
    assert plane.backups(cluster_id)[0].never_expires
    assert backups.policy(backup.arn) is None
    backups.share(backup.arn, sharing_policy(backup.arn, ["111122223333"]))
    assert shared_with(backups.policy(backup.arn)) == ("111122223333",)
    backups.share(backup.arn, None)
    assert shared_with(backups.policy(backup.arn)) == ()
    backups.delete(backup.backup_id)
    deleted = plane.backups(cluster_id)[0]
    assert deleted.state is BackupState.PENDING_DELETION
    assert deleted.deleted is not None
    backups.restore(backup.backup_id)
    assert plane.backups(cluster_id)[0].state is BackupState.READY
    assert backups.shared() == ()


def test_clusters_are_created_with_all_that_was_asked_and_edited(
    emulated: EmulatedAws, hsms: BotoClient, aws: Aws
) -> None:
    made = aws.plane.create_cluster(
        hsm_type="hsm2m.medium", subnets=SUBNET_IDS, mode="FIPS", tags={"a": "b"}, retention_days=30
    )
    assert aws.plane.clusters([made.cluster_id])[0].backup_retention_days == 30
    cluster_id = active(emulated, hsms)
    edits = AwsClusterEdits(aws.changing)
    edits.tag(cluster_id, {"owner": "ops", "env": "test"})
    edits.untag(cluster_id, ["env"])
    edits.keep_backups(cluster_id, 120)
    (cluster,) = aws.plane.clusters([cluster_id])
    assert (cluster.tags, cluster.backup_retention_days) == ({"owner": "ops"}, 120)
    with pytest.raises(Conflict, match="ModifyCluster refused"):
        edits.change_type(cluster_id, "hsm1.medium")


def test_a_restored_cluster_names_its_backup(emulated: EmulatedAws, hsms: BotoClient, aws: Aws) -> None:
    cluster_id = active(emulated, hsms)
    (backup,) = aws.plane.backups(cluster_id)
    restored = aws.plane.create_cluster(
        hsm_type="hsm2m.medium", subnets=SUBNET_IDS, mode="FIPS", tags={}, source_backup=backup.backup_id
    )
    assert aws.plane.clusters([restored.cluster_id])[0].source_backup_id == backup.backup_id


def test_another_region_has_its_own_clusters(hsms: BotoClient, aws: Aws) -> None:
    create(hsms)
    assert aws.plane_in(OTHER_REGION, 1).clusters() == ()
    assert len(aws.plane_in(REGION, 1).clusters()) == 1
    assert {REGION, OTHER_REGION} <= set(aws.regions())


def test_counts_and_quotas_are_read_or_said_to_be_missing(tmp_path: Path) -> None:
    with EmulatedAws(tmp_path, whole=True) as emulated:
        hsms = emulated.client("cloudhsmv2")
        emulated.now.seconds = time.time()
        cluster_id = active(emulated, hsms)
        (hsm,) = described(hsms, cluster_id)["Hsms"]
        aws = Aws(region=REGION, endpoint_url=emulated.url, access_key_id=KEY_ID, secret_access_key=Secret("secret"))
        clock = FakeClock()
        clock.sleep((datetime.now(UTC) - NOW).total_seconds())
        metrics = AwsMetrics(lambda: aws.client("cloudwatch", REGION), clock)
        found = metrics.samples(
            cluster_id, [hsm["HsmId"], "hsm-aaaaaaaaaaa"], "HsmKeysTokenOccupied", timedelta(minutes=5)
        )
        assert [sample.value for sample in found[hsm["HsmId"]]] == [7.0]
        assert found["hsm-aaaaaaaaaaa"] == []
        quota = AwsGrounds(lambda service: aws.client(service, REGION)).quota()
        assert (quota.value, quota.documented) == (DOCUMENTED_CLUSTERS, True)


def test_a_hold_survives_and_one_that_cannot_be_read_is_no_permission(tmp_path: Path) -> None:
    holds = FileHolds(tmp_path / "holds")
    hold = Hold(cluster_id="cluster-a2b3c4d5e6f", reason="key lost", set_at=NOW, set_by="ops")
    assert holds.of(hold.cluster_id) is None
    holds.put(hold)
    assert FileHolds(tmp_path / "holds").all() == (hold,)
    assert (tmp_path / "holds" / f"{hold.cluster_id}.json").stat().st_mode & 0o777 == 0o600
    holds.release(hold.cluster_id)
    holds.release(hold.cluster_id)
    assert holds.all() == ()
    for text in ("torn", '{"v": 9}', '{"v": 1}'):
        (tmp_path / "holds" / f"{hold.cluster_id}.json").write_text(text)
        with pytest.raises(Conflict):
            holds.of(hold.cluster_id)


def test_the_customer_ca_is_the_clusters_or_it_is_not_located(
    emulated: EmulatedAws, hsms: BotoClient, aws: Aws, tmp_path: Path
) -> None:
    cluster_id = create(hsms)
    add_hsm(hsms, cluster_id)
    path = tmp_path / "ca.pem"
    path.write_text(claim(emulated, hsms, cluster_id))
    (cluster,) = aws.plane.clusters([cluster_id])
    with pytest.raises(Conflict, match="did not issue"):
        FileCustomerCa(path).located(cluster)
    with pytest.raises(Conflict, match="names no customer_ca"):
        FileCustomerCa(None).located(cluster)
    with pytest.raises(Conflict):
        FileCustomerCa(tmp_path / "none").located(cluster)
