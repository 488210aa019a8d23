"""Proves that anchors reach every HSM or say so, and that mTLS is enforced in the one order that locks nobody out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import certificates
import pytest
from transcript import Ran, hsmctl
from world import CLUSTER, HSMS, NOW, World

from hsmctl.domain.interlock import KeyStore
from hsmctl.errors import ExitCode

END = CLUSTER[-6:]
CA = certificates.root("clients", NOW)
CLIENT = CA.below("app", NOW, ca=False).pem
WAIVED = ("--allow-sources", "a test")


@pytest.fixture
def anchor(tmp_path: Path) -> Path:
    path = tmp_path / "clients-ca.pem"
    path.write_text(CA.pem)
    return path


def ready() -> World:
    """A world in which nothing stands against enforcing."""
    world = World()
    cluster = world.consoles.cluster
    cluster.anchors["0x01"] = (CA.pem, set(HSMS))
    cluster.client_certificate = "/client.pem"
    world.consoles = type(world.consoles)(cluster, "app1", "app2")
    world.clients.certificates = {"app1": CLIENT, "app2": CLIENT}
    return world


def enforce(world: World, folder: Path, *more: str) -> Ran:
    return hsmctl(world, "mtls", "enforce", "--confirm", END, *more, folder=folder)


def test_an_anchor_is_registered_on_every_hsm_and_mended_where_it_is_missing(anchor: Path, tmp_path: Path) -> None:
    world = World()
    assert hsmctl(world, "mtls", "register", str(anchor), folder=tmp_path).code == ExitCode.OK
    world.consoles.cluster.anchors["0x01"][1].discard(HSMS[1])
    status = hsmctl(world, "mtls", "status")
    assert (status.code, "✖  0x01    inconsistent" in status.out) == (ExitCode.NO, True)
    assert hsmctl(world, "mtls", "register", str(anchor), folder=tmp_path).code == ExitCode.OK
    assert hsmctl(world, "mtls", "status").code == ExitCode.OK


def test_what_is_no_anchor_is_not_registered(tmp_path: Path) -> None:
    world = World()
    for text in ("nothing", CLIENT, CA.pem + "x" * 7000):
        (tmp_path / "file.pem").write_text(text)
        ran = hsmctl(world, "mtls", "register", str(tmp_path / "file.pem"), folder=tmp_path)
        assert ran.code == ExitCode.USAGE
    world.consoles.cluster.anchors = {"0x01": ("a", set(HSMS)), "0x02": ("b", set(HSMS))}
    (tmp_path / "file.pem").write_text(CA.pem)
    assert hsmctl(world, "mtls", "register", str(tmp_path / "file.pem"), folder=tmp_path).code == ExitCode.CONFLICT


def test_enforcing_where_everything_holds_and_releasing(tmp_path: Path) -> None:
    world = ready()
    ran = enforce(world, tmp_path, *WAIVED)
    assert (ran.code, world.consoles.cluster.enforced) == (ExitCode.OK, "cluster")
    assert hsmctl(world, "mtls", "release", folder=tmp_path).code == ExitCode.OK
    assert world.consoles.cluster.enforced == "none"


@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        ("sources", "nobody but registered clients reaches the HSMs"),
        ("key store", "no KMS key store is on the cluster (reported): prod-store"),
        ("no anchor", "none is registered"),
        ("coverage", "0x01 is inconsistent"),
        ("ending", "0x01 ends 2026-12-23"),
        ("one host", "1 do (app2:"),
        ("other CA", "no registered trust anchor issued it"),
        ("admin", "the user admin can act (reported): locked on some HSM"),
    ],
)
def test_each_interlock_alone_refuses(trouble: str, says: str, tmp_path: Path) -> None:
    world = ready()
    cluster = world.consoles.cluster
    other = certificates.root("other", NOW).below("app", NOW, ca=False).pem
    users = cluster.users[HSMS[0]]
    store = KeyStore(store_id="cks-1", name="prod-store", cluster_id=CLUSTER, state="connected")
    bends = {
        "sources": lambda: None,
        "key store": lambda: setattr(world.estate, "stores", (store,)),
        "no anchor": lambda: cluster.anchors.clear(),
        "coverage": lambda: cluster.anchors["0x01"][1].discard(HSMS[0]),
        "ending": lambda: cluster.anchors.update({"0x01": (certificates.root("c", NOW, days=(-1, 30)).pem, set(HSMS))}),
        "one host": lambda: world.clients.certificates.update({"app2": "nothing"}),
        "other CA": lambda: world.clients.certificates.update({"app2": other}),
        "admin": lambda: users.update(admin=replace(users["admin"], failures=5)),
    }
    bends[trouble]()
    ran = enforce(world, tmp_path, *(() if trouble == "sources" else WAIVED))
    assert (ran.code, cluster.enforced) == (ExitCode.CONFLICT, "none")
    assert says in ran.err


def test_only_the_user_admin_enforces_and_only_confirmed(tmp_path: Path) -> None:
    assert enforce(ready(), tmp_path, *WAIVED, "--admin", "alice").code == ExitCode.USAGE
    assert hsmctl(ready(), "mtls", "enforce", *WAIVED, folder=tmp_path).code == ExitCode.USAGE


def test_an_anchor_is_taken_away_by_its_reference(tmp_path: Path) -> None:
    world = ready()
    words = ("mtls", "deregister")
    assert hsmctl(world, *words, "0x09", "--confirm", END, folder=tmp_path).code == ExitCode.CONFLICT
    assert hsmctl(world, *words, "0x01", "--confirm", END, folder=tmp_path).code == ExitCode.OK
    assert world.consoles.cluster.anchors == {}
