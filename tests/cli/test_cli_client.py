"""Proves that client hosts are compared with the cluster there is, and set up by plans that look afterwards."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import certificates
import pytest
from transcript import hsmctl
from world import CLUSTER, NOW, World, lab_context

from hsmctl.errors import ExitCode, Unreachable
from hsmctl.settings import Context
from hsmctl.settings_entry import ClientEntry

CA = certificates.root("customer", NOW).pem
SOON = certificates.root("customer", NOW, days=(-1, 30)).pem


def world(ca: str = CA) -> World:
    made = World()
    made.clients.ca = ca
    return made


def context(ca: Path) -> Context:
    return Context(**{**{f: getattr(lab_context(), f) for f in Context.__slots__}, "customer_ca": ca})


def test_hosts_that_are_set_up_for_the_cluster() -> None:
    ran = hsmctl(world(), "client", "check")
    assert (ran.code, ran.out) == (ExitCode.OK, f"◍ 2 clients set up for {CLUSTER}\n")
    wide = hsmctl(world(), "client", "check", "app1", "-o", "wide").out
    assert "◍  app1    pkcs11     addresses           all 3" in wide


@pytest.mark.parametrize(
    ("addresses", "says", "code"),
    [
        (("127.16.1.10", "127.16.2.10", "10.9.9.9"), "10.9.9.9 no longer exist; lacks 127.16.3.10", ExitCode.OK),
        (("10.9.9.9",), "none is an HSM of the cluster: 10.9.9.9", ExitCode.NO),
        (("%%HSM_IP_ADDRESS%%",), "never configured", ExitCode.NO),
    ],
)
def test_addresses_of_another_time(addresses: tuple[str, ...], says: str, code: ExitCode) -> None:
    made = world()
    made.clients.hosts["app1"] = addresses
    ran = hsmctl(made, "client", "check")
    assert (ran.code, says in ran.out) == (code, True)
    assert "fix: hsmctl client configure app1\nall of it: hsmctl client fix app1" in ran.out


def test_what_else_may_be_wrong_with_a_host() -> None:
    made = world("no certificate")
    made.clients.check, made.clients.mode, made.clients.skew = False, 0o666, timedelta(minutes=5)
    rows = hsmctl(made, "client", "check", "app1", "-o", "json").document["data"]["findings"]
    wrong = {(row["component"], row["what"]): row["level"] for row in rows if row["level"] != "ok"}
    assert wrong == {
        ("host", "clock"): "warn",
        ("cli", "CA"): "bad",
        ("cli", "availability check"): "warn",
        ("cli", "mode"): "bad",
        ("pkcs11", "CA"): "bad",
        ("pkcs11", "availability check"): "warn",
        ("pkcs11", "mode"): "bad",
    }


def test_a_ca_that_ends_soon_is_looked_at() -> None:
    assert "ends 2026-12-23" in hsmctl(world(SOON), "client", "check").out


def test_a_host_that_is_gone_hides_none_of_the_others() -> None:
    made = world()
    made.clients.errors["app1"] = Unreachable("app1", "no answer")
    ran = hsmctl(made, "client", "check")
    assert ran.code == ExitCode.PARTIAL
    assert "▒  app1" in ran.out
    nagios = hsmctl(made, "client", "check", "-o", "nagios")
    assert nagios.code == 3
    made.clients.errors["app2"] = made.clients.errors["app1"]
    assert hsmctl(made, "client", "check").code == ExitCode.UNKNOWN


def test_configure_writes_every_component_and_looks_again(tmp_path: Path) -> None:
    made = world()
    made.clients.hosts["app1"] = ("10.9.9.9",)
    ran = hsmctl(made, "client", "configure", "app1", folder=tmp_path)
    assert ran.code == ExitCode.OK
    assert "configure-pkcs11 -a 127.16.1.10 127.16.2.10 127.16.3.10" in ran.err
    assert made.clients.hosts["app1"] == made.consoles.cluster.addresses


def test_a_client_certificate_is_configured_after_the_addresses(tmp_path: Path) -> None:
    made = world()
    made.clients.certificates["app1"] = certificates.root("client", NOW).pem
    words = ("client", "configure", "app1", "--client-cert", "/c", "--client-key")
    ran = hsmctl(made, *words, "/k", folder=tmp_path)
    assert (ran.code, made.clients.shown) == (ExitCode.OK, {"app1": "/c"})
    assert ran.err.index("configure-cli -a") < ran.err.index("configure-cli --client-cert-hsm-tls-file /c")
    assert hsmctl(made, *words, "/sealed", folder=tmp_path).code == ExitCode.CONFLICT
    assert hsmctl(made, *words[:-1], folder=tmp_path).code == ExitCode.USAGE


def test_what_is_wrong_with_a_host_is_mended_by_one_plan(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text(CA)
    made = world("another")
    made.clients.hosts["app1"], made.clients.mode, made.clients.retry = ("10.9.9.9",), 0o666, "off"
    words = ("client", "fix", "app1")
    assert hsmctl(made, *words, folder=tmp_path, context=context(ca)).code == ExitCode.OK
    assert hsmctl(made, "client", "check", "app1").code == ExitCode.OK
    again = hsmctl(made, *words, folder=tmp_path, context=context(ca))
    assert (again.code, "nothing is wrong" in again.err) == (ExitCode.CONFLICT, True)


def test_the_ca_is_installed_only_if_it_is_one(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text("nothing")
    made = world("another")
    words = ("client", "install-ca", "app1")
    assert hsmctl(made, *words, folder=tmp_path, context=context(ca)).code == ExitCode.CONFLICT
    ca.write_text(CA)
    assert hsmctl(made, *words, folder=tmp_path, context=context(ca)).code == ExitCode.OK
    assert made.clients.ca == CA


def test_the_hosts_of_the_context_are_listed() -> None:
    listed = Context(name="prod", clients=(ClientEntry(name="app1", host="app1.internal", source="i-1"),))
    assert hsmctl(World(), "client", "list", context=listed).out.splitlines() == [
        "CLIENT  HOST           SOURCE",
        "app1    app1.internal  i-1",
    ]
