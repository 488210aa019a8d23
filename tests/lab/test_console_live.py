"""Proves over a real sshd and living HSMs that drift of users is reported, repaired, and true of the nodes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from live import SECONDS, LiveLab

from hsmctl.bootstrap import Hsmctl
from hsmctl.domain.client import Level
from hsmctl.domain.coverage import CoverageVerdict, Source
from hsmctl.domain.evidence import Ok
from hsmctl.domain.plan import Plan
from hsmctl.domain.user import Role
from hsmctl.errors import Denied
from hsmctl.ports import LabFault, LabOptions
from hsmctl.secret import Secret
from hsmctl.services.readiness import Way
from hsmctl.settings import Flags
from hsmctl.settings_loader import load as load_settings

ZONES = ("us-east-1a", "us-east-1b")
LEVELS = frozenset({Source.HOST})


class RealLab:
    """A living lab, changed as the commands change it, through its client host."""

    def __init__(self, folder: Path) -> None:
        self.live = LiveLab(folder / "lab", LabOptions(hsms=2, zones=2, seed_keys=0))
        self.live.start()
        self.live.create()
        self.live.add(ZONES[1])
        environ = {"HSMCTL_LAB_HOME": str(self.live.folder), "HSMCTL_STATE_HOME": str(folder / "state")}
        self.answers = {"password of admin": (self.live.folder / "secrets" / "admin").read_text()}
        self.hsmctl = Hsmctl(load_settings(Flags(lab=True), environ), self.ask)

    def ask(self, prompt: str) -> Secret:
        return Secret(self.answers.get(prompt, "a new password"))

    @property
    def way(self) -> Way:
        return Way(cluster_id=self.live.cluster().cluster_id, host="app1")

    def carry_out(self, plan: Plan) -> None:
        assert plan.unmet == ()
        assert list(self.hsmctl.operations.apply(plan, self.hsmctl.playbook(plan.noun)))

    def verdict(self) -> CoverageVerdict:
        return self.hsmctl.evidence.check(self.live.cluster(), LEVELS, "app1").verdict

    def on_nodes(self, name: str) -> list[tuple[str, int] | None]:
        """Role and wrong passwords of a user on each node, by the node's own file."""
        files = sorted(self.live.folder.glob("nodes/*/users.json"))
        held = [{each["name"]: each for each in json.loads(file.read_text())} for file in files]
        return [(each[name]["role"], each[name]["failures"]) if name in each else None for each in held]


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


def test_a_user_is_made_on_every_node(lab: RealLab) -> None:
    cluster = lab.live.cluster()
    lab.carry_out(lab.hsmctl.user.plan_create(cluster, lab.way, "alice", Role.CRYPTO_USER))
    assert lab.on_nodes("alice") == [("crypto-user", 0)] * 2
    assert lab.verdict() is CoverageVerdict.NO_DIFFERENCE_SEEN


@pytest.mark.parametrize("fault", ["user-missing", "user-locked", "user-role"])
def test_drift_is_reported_and_repaired_and_the_nodes_agree(lab: RealLab, fault: str) -> None:
    hsm = lab.live.hsms()[0].hsm_id
    before = lab.on_nodes("ops_cu")
    injected = lab.live.program.inject(LabFault(name=fault, hsm=hsm, user="ops_cu"), None)
    assert lab.on_nodes("ops_cu") != before
    assert lab.verdict() is CoverageVerdict.NOT_IN_SYNC
    lab.carry_out(lab.hsmctl.user.plan_repair(lab.live.cluster(), lab.way, "ops_cu", Role.CRYPTO_USER))
    lab.live.program.clear(injected.fault_id)
    assert lab.verdict() is CoverageVerdict.NO_DIFFERENCE_SEEN
    assert lab.on_nodes("ops_cu") == [("crypto-user", 0)] * 2


def test_a_wrong_password_costs_one_attempt(lab: RealLab) -> None:
    wrong = {"password of alice": "no such password"}
    for _ in range(3):
        facade = Hsmctl(lab.hsmctl.settings, lambda prompt: Secret(wrong.get(prompt, "no such password")))
        plan = facade.user.plan_password(lab.live.cluster(), lab.way, "alice")
        with pytest.raises(Denied):
            list(facade.operations.apply(plan, facade.playbook("user")))
    assert sum(failures for _, failures in filter(None, lab.on_nodes("admin"))) == 1
