"""Proves over a real sshd and living HSMs that drift is reported, repaired, and true of what the nodes hold."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path

import certificates
import pytest
from approval_files import write_key
from live import SECONDS, LiveLab

from hsmctl.bootstrap import Hsmctl
from hsmctl.cli.root import run
from hsmctl.domain.client import Level
from hsmctl.domain.coverage import Source
from hsmctl.domain.coverage_verdict import CoverageVerdict
from hsmctl.domain.evidence import Ok
from hsmctl.domain.key import KeyKind
from hsmctl.domain.plan import Plan
from hsmctl.domain.quorum import Service
from hsmctl.domain.user import Role
from hsmctl.errors import Denied
from hsmctl.ports import LabFault, LabOptions
from hsmctl.secret import Secret
from hsmctl.services.readiness import Way
from hsmctl.settings import Flags
from hsmctl.settings_loader import load as load_settings

ZONES = ("us-east-1a", "us-east-1b")
LEVELS = frozenset({Source.HOST})
FRESH = "planted-new-password"
KEY_FAULTS = {"key-missing": "not in sync", "key-different": "not in sync", "key-attribute": "attributes differ"}


class RealLab:
    """A living lab, changed as the commands change it, through its client host."""

    def __init__(self, folder: Path) -> None:
        self.live = LiveLab(folder / "lab", LabOptions(hsms=2, zones=2, seed_keys=0))
        self.live.start()
        self.live.create()
        self.live.generate(self.live.hsms()[0], KeyKind.AES, "256", "kek")
        self.live.generate(self.live.hsms()[0], KeyKind.EC, "P-256", "tls")
        self.live.add(ZONES[1])
        self.environ = {"HSMCTL_LAB_HOME": str(self.live.folder), "HSMCTL_STATE_HOME": str(folder / "state")}
        self.answers = {"password of admin": (self.live.folder / "secrets" / "admin").read_text()}
        self.hsmctl = Hsmctl(load_settings(Flags(lab=True), self.environ), self.ask)

    def ask(self, prompt: str) -> Secret:
        return Secret(self.answers.get(prompt, FRESH))

    @property
    def way(self) -> Way:
        return Way(cluster_id=self.live.cluster().cluster_id, host="app1")

    def carry_out(self, plan: Plan) -> None:
        assert plan.unmet == ()
        assert list(self.hsmctl.operations.apply(plan, self.hsmctl.playbook(plan.noun)))

    def verdict(self) -> CoverageVerdict:
        return self.hsmctl.evidence.check(self.live.cluster(), LEVELS, "app1").verdict

    def checked(self, via: str) -> str:
        """The verdict of `sync check`."""
        answer = io.StringIO()
        with redirect_stdout(answer), redirect_stderr(io.StringIO()):
            run(["sync", "check", "--via", via, "-o", "json"], None, self.environ)
        return str(json.loads(answer.getvalue())["data"]["verdict"])

    def on_nodes(self, name: str) -> list[tuple[str, int, bool] | None]:
        """Role, wrong passwords and second factor of a user on each node, by the node's own file."""
        files = sorted(self.live.folder.glob("nodes/*/users.json"))
        held = [{each["name"]: each for each in json.loads(file.read_text())} for file in files]
        return [
            (each[name]["role"], each[name]["failures"], each[name]["mfa"]) if name in each else None for each in held
        ]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealLab]:
    made = RealLab(tmp_path_factory.mktemp("real"))
    yield made
    made.live.program.reset()


def test_a_host_that_was_never_set_up_is_set_up(lab: RealLab) -> None:
    client, cluster = lab.hsmctl.client, lab.live.cluster()

    def wrong() -> set[str]:
        ((_, outcome),) = client.check(cluster, ["app1"], seconds=SECONDS)
        assert isinstance(outcome, Ok)
        return {finding.what for finding in outcome.value if finding.level is Level.BAD}

    assert "addresses" in wrong()
    lab.carry_out(client.plan_configure(cluster, "app1"))
    lab.carry_out(client.plan_install_ca(cluster, "app1"))
    assert wrong() == set()


def test_what_is_reported_of_keys_is_what_the_oracle_sees(lab: RealLab) -> None:
    for name, expected in KEY_FAULTS.items():
        injected = lab.live.program.inject(LabFault(name=name, hsm=lab.live.hsms()[1].hsm_id, key="kek"), None)
        assert [lab.checked(via) for via in ("login", "lab-node")] == [expected] * 2, name
        lab.live.program.clear(injected.fault_id)
    assert lab.checked("login") == "no difference seen"


def test_an_attribute_is_set_and_a_key_shared_on_every_node(lab: RealLab) -> None:
    hsmctl, cluster_id = lab.hsmctl, lab.live.cluster().cluster_id
    with (
        hsmctl.console.open(cluster_id, "app1") as console,
        console.login(lab.live.login(), Role.CRYPTO_USER) as session,
    ):
        ((key,), _) = session.keys({"label": "kek", "class": "secret-key"})
        session.set_attribute(key.reference, "wrap", "true")
        session.set_attribute(key.reference, "label", "kek-2")
        ((changed,), _) = session.keys({"key-reference": key.reference})
    assert (changed.label, changed.attributes["wrap"], changed.coverage) == ("kek-2", True, "full")
    assert lab.checked("lab-node") == "no difference seen"


def test_a_user_is_made_on_every_node(lab: RealLab) -> None:
    cluster = lab.live.cluster()
    lab.carry_out(lab.hsmctl.user.plan_create(cluster, lab.way, "alice", Role.CRYPTO_USER))
    assert lab.on_nodes("alice") == [("crypto-user", 0, False)] * 2
    assert lab.verdict() is CoverageVerdict.NO_DIFFERENCE_SEEN


@pytest.mark.parametrize("fault", ["user-locked", "user-role", "user-mfa"])
def test_drift_is_reported_and_repaired_and_the_nodes_agree(lab: RealLab, fault: str) -> None:
    hsm = lab.live.hsms()[0].hsm_id
    before = lab.on_nodes("ops_cu")
    injected = lab.live.program.inject(LabFault(name=fault, hsm=hsm, user="ops_cu"), None)
    assert lab.on_nodes("ops_cu") != before
    assert lab.verdict() is CoverageVerdict.NOT_IN_SYNC
    lab.carry_out(lab.hsmctl.user.plan_repair(lab.live.cluster(), lab.way, "ops_cu", Role.CRYPTO_USER))
    lab.live.program.clear(injected.fault_id)
    assert lab.verdict() is CoverageVerdict.NO_DIFFERENCE_SEEN
    assert lab.on_nodes("ops_cu") == [("crypto-user", 0, False)] * 2


def test_a_registration_that_differs_is_mended_by_registering_again(lab: RealLab, tmp_path: Path) -> None:
    cluster, hsm = lab.live.cluster(), lab.live.hsms()[0].hsm_id
    injected = lab.live.program.inject(LabFault(name="user-quorum", hsm=hsm, user="admin"), None)
    assert lab.verdict() is CoverageVerdict.NOT_IN_SYNC
    lab.carry_out(lab.hsmctl.quorum.plan_register(cluster, lab.way, str(write_key(tmp_path / "admin.pem"))))
    assert lab.verdict() is CoverageVerdict.NO_DIFFERENCE_SEEN
    lab.live.program.clear(injected.fault_id)


def test_policies_that_differ_are_reported_and_repaired(lab: RealLab, tmp_path: Path) -> None:
    hsm, cluster, facade = lab.live.hsms()[0].hsm_id, lab.live.cluster(), lab.hsmctl
    anchor = tmp_path / "clients.pem"
    anchor.write_text(certificates.root("clients", datetime.now(UTC)).pem)
    lab.carry_out(facade.mtls.plan_register(cluster, lab.way, str(anchor)))
    repairs: dict[str, Callable[[], Plan]] = {
        "quorum-value": lambda: facade.quorum.plan_set(cluster, lab.way, Service.USER, 0),
        "anchor-missing": lambda: facade.mtls.plan_register(cluster, lab.way, str(anchor)),
    }
    for fault, repair in repairs.items():
        injected = lab.live.program.inject(LabFault(name=fault, hsm=hsm), None)
        assert lab.verdict() is CoverageVerdict.NOT_IN_SYNC, fault
        lab.carry_out(repair())
        assert lab.verdict() is CoverageVerdict.NO_DIFFERENCE_SEEN, fault
        lab.live.program.clear(injected.fault_id)


def test_a_configuration_of_another_time_is_found_and_nothing_is_written_through_it(lab: RealLab) -> None:
    cluster, client = lab.live.cluster(), lab.hsmctl.client
    injected = lab.live.program.inject(LabFault(name="client-stale", hsm=lab.live.hsms()[0].hsm_id), None)
    plan = lab.hsmctl.user.plan_create(cluster, lab.way, "bob", Role.CRYPTO_USER)
    assert {each.key for each in plan.unmet} == {"every-hsm-connected", "addresses-configured"}
    assert lab.verdict() is CoverageVerdict.INCOMPLETE
    lab.carry_out(client.plan_configure(cluster, "app1"))
    assert lab.verdict() is CoverageVerdict.NO_DIFFERENCE_SEEN
    lab.live.program.clear(injected.fault_id)


def test_a_wrong_password_costs_one_attempt(lab: RealLab) -> None:
    wrong = {"password of alice": "no such password"}
    for _ in range(2):
        facade = Hsmctl(lab.hsmctl.settings, lambda prompt: Secret(wrong.get(prompt, "no such password")))
        plan = facade.user.plan_password(lab.live.cluster(), lab.way, "alice")
        with pytest.raises(Denied):
            list(facade.operations.apply(plan, facade.playbook("user")))
    assert sum(failures for _, failures, _ in filter(None, lab.on_nodes("admin"))) == 1


def test_the_passwords_are_nowhere_but_in_the_labs_secrets(lab: RealLab) -> None:
    planted = [lab.answers["password of admin"].encode(), FRESH.encode(), b"no such password"]
    files = [path for path in lab.live.folder.parent.rglob("*") if path.is_file() and path.parent.name != "secrets"]
    found = [path for path in files if any(secret in path.read_bytes() for secret in planted)]
    assert (found, len(files) > 20) == ([], True)
