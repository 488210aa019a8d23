"""Proves that users are listed with what is wrong with them and how far the answer goes."""

from __future__ import annotations

from dataclasses import replace

from transcript import hsmctl
from world import HSMS, World

from hsmctl.errors import Denied, ExitCode, Unreachable


def test_a_healthy_cluster() -> None:
    ran = hsmctl(World(), "user", "list")
    assert ran.code == ExitCode.OK
    assert ran.out.splitlines() == [
        "   USER         ROLE                      LOCKED  COVERAGE",
        "◍  admin        admin                     no      full",
        "◍  app_user     internal(APPLIANCE_USER)  no      full",
        "◍  crypto_user  crypto-user               no      full",
        "seen from app1, on 3 of 3 ACTIVE HSMs",
    ]


def test_drift_of_every_kind_is_named_and_exits_1() -> None:
    world = World()
    cluster = world.consoles.cluster
    del cluster.users[HSMS[1]]["crypto_user"]
    cluster.users[HSMS[2]]["admin"] = replace(cluster.users[HSMS[2]]["admin"], failures=5, mfa=True, quorum=True)
    ran = hsmctl(world, "user", "list", "-o", "json")
    troubles = {user["name"]: user["troubles"] for user in ran.document["data"]["users"]}
    assert ran.code == ExitCode.NO
    assert troubles == {
        "admin": ["locked on some HSM", "second factor differs", "quorum registration differs"],
        "app_user": [],
        "crypto_user": ["missing on some HSM"],
    }


def test_a_host_that_does_not_reach_every_hsm_is_no_word_about_all() -> None:
    world = World()
    world.consoles.cluster.connected.discard(HSMS[0])
    ran = hsmctl(world, "user", "list")
    assert ran.code == ExitCode.PARTIAL
    assert "warning: app1 is connected to 2 of 3 ACTIVE HSMs: full is about those" in ran.err


def test_a_changed_host_key_is_denied() -> None:
    world = World()
    world.consoles.cluster.down["app1"] = Denied("app1", "its host key has changed", "ssh-keygen -R app1")
    assert hsmctl(world, "user", "list").code == ExitCode.DENIED


def test_a_host_that_is_gone_is_passed_over_only_where_nobody_named_it() -> None:
    world = World()
    world.consoles = type(world.consoles)(world.consoles.cluster, "app1", "app2")
    world.consoles.cluster.down["app1"] = Unreachable("app1", "no answer")
    assert hsmctl(world, "user", "list", "-o", "json").document["data"]["host"] == "app2"
    assert hsmctl(world, "user", "list", "--client", "app1").code == ExitCode.UNKNOWN
