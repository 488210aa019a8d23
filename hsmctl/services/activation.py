"""Activation as a plan: each admin's password is in its sink, and read back from there, before the HSM hears of it.

Nothing but a sink ever holds a password: the journal knows where it is, and every step reads it there anew, so that
another process can go on.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from hsmctl.domain.cluster import Cluster, ClusterState
from hsmctl.domain.operation import Found
from hsmctl.domain.plan import Action, Effect, Plan, Precondition, Step
from hsmctl.errors import Conflict, HsmctlError, UsageError
from hsmctl.ports_activation import Activation, SecretSink
from hsmctl.secret import Secret
from hsmctl.services.draft import Drafts
from hsmctl.services.operation import Runner
from hsmctl.services.wait import Wait

FIRST_ADMIN = "admin"
"""The name of the first admin is CloudHSM's own (user guide, activate-cluster)."""

PASSWORD_LENGTH = 24
"""Of 8 to 32 characters that a password may have, without the colon that PKCS#11 cannot carry."""

_NAME_LENGTH = 31


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivationService:
    """Activates clusters; its plans are run by the clusters' playbook."""

    drafts: Drafts
    cluster: Callable[[str], Cluster]
    """Reads a cluster anew."""
    activation: Activation
    sinks: Callable[[str], SecretSink]
    """The sink that a word names, such as `file:/media/a/admin`."""

    def plan(self, cluster: Cluster, first: str, second: str, name: str) -> Plan:
        """Activate a cluster: the first admin's password in sink `first`, that of a second admin, `name`, in `second`.

        Raises:
            Conflict: the cluster is not INITIALIZED, or a sink holds something.
            UsageError: a sink is missing or they are the same, or the name is none.
        """
        self._check(cluster, first, second, name)
        steps = (
            self._writing("first", first),
            _activating(first),
            _waiting_active(),
            _proving(FIRST_ADMIN, first),
            self._writing("second", second),
            _creating(name, first, second),
            _proving(name, second),
        )
        warnings = ("AWS cannot recover a lost admin password: keep the two sinks apart",)
        seen = (self._answering(cluster),)
        return self.drafts.plan(f"activate {cluster.cluster_id}", cluster, steps, seen, warnings=warnings)

    def runners(self) -> Mapping[Action, Runner]:
        """The runner of each step of an activation."""
        return {
            Action.WRITE_SECRET: Runner(self._write, self._written),
            Action.ACTIVATE: Runner(self._activate, self._activated),
            Action.PROVE_LOGIN: Runner(self._prove),
            Action.CREATE_ADMIN: Runner(self._create, self._created),
        }

    def _check(self, cluster: Cluster, first: str, second: str, name: str) -> None:
        if cluster.state is not ClusterState.INITIALIZED:
            way_out = f"hsmctl cluster init status {cluster.cluster_id}"
            raise Conflict(
                f"{cluster.cluster_id} is {cluster.state}", "only INITIALIZED clusters are activated", way_out
            )
        if not first or not second or first == second:
            why = "two admins need two sinks, each its own" if first else "no sink, no activation"
            hint = "--sink file:/media/a/admin --second-sink file:/media/b/admin2"
            raise UsageError("where the passwords go", why, hint)
        if not name or len(name) > _NAME_LENGTH or name == FIRST_ADMIN or ":" in name:
            why = "it has another name than the first, of 1 to 31 characters"
            raise UsageError(f"second admin {name}", why, "--second-admin anna")
        for word in (first, second):
            sink = self.sinks(word)
            if sink.read() is not None:
                raise Conflict(sink.says, "something is there, and is never overwritten", "name another sink")

    def _answering(self, cluster: Cluster) -> Precondition:
        """That cloudhsm-cli reaches the HSM: passwords are put into their sinks before it is needed."""
        what = "cloudhsm-cli on the client host reaches the HSM"
        try:
            self.activation.activated(cluster)
        except HsmctlError as error:
            return Precondition(what=what, holds=False, unknown=True, why=str(error), way_out=error.hint)
        return Precondition(what=what, holds=True)

    def _writing(self, which: str, word: str) -> Step:
        return Step(
            action=Action.WRITE_SECRET,
            says=f"put the {which} admin's new password into {self.sinks(word).says}",
            inputs={"sink": word},
        )

    def _write(self, step: Step, _: Found) -> Wait[Found]:
        sink = self.sinks(step.inputs["sink"])
        yield f"writing {sink.says}"
        sink.put(new_password())
        self._read(step.inputs["sink"])
        return {}

    def _written(self, step: Step, _: Found) -> Found | None:
        """Nothing found, where the sink holds a password: nobody but this step wrote it, for it was empty before."""
        return None if self.sinks(step.inputs["sink"]).read() is None else {}

    def _activate(self, step: Step, found: Found) -> Wait[Found]:
        password = self._read(step.inputs["sink"])
        yield "cluster activate"
        self.activation.activate(self.cluster(found["cluster_id"]), password)
        return {}

    def _activated(self, _: Step, found: Found) -> Found | None:
        return {} if self.activation.activated(self.cluster(found["cluster_id"])) else None

    def _prove(self, step: Step, found: Found) -> Wait[Found]:
        yield f"logging {step.inputs['name']} in once"
        password = self._read(step.inputs["sink"])
        self.activation.login(self.cluster(found["cluster_id"]), step.inputs["name"], password)
        return {}

    def _create(self, step: Step, found: Found) -> Wait[Found]:
        admin, new = self._read(step.inputs["admin_sink"]), self._read(step.inputs["sink"])
        yield f"creating {step.inputs['name']}"
        self.activation.create_admin(self.cluster(found["cluster_id"]), FIRST_ADMIN, admin, step.inputs["name"], new)
        return {}

    def _created(self, step: Step, found: Found) -> Found | None:
        admins = self.activation.admins(self.cluster(found["cluster_id"]))
        return {} if step.inputs["name"] in admins else None

    def _read(self, word: str) -> Secret:
        """The password, read back from its sink.

        Raises:
            Conflict: nothing is there.
        """
        sink = self.sinks(word)
        if (password := sink.read()) is None:
            raise Conflict(sink.says, "nothing is there to read back", "look where it went")
        return password


def new_password() -> Secret:
    """A random password of letters and digits."""
    alphabet = string.ascii_letters + string.digits
    return Secret("".join(secrets.choice(alphabet) for _ in range(PASSWORD_LENGTH)))


def _activating(sink: str) -> Step:
    return Step(
        action=Action.ACTIVATE,
        says="set the first admin's password, which activates the cluster",
        effect=Effect.DESTROY,
        inputs={"sink": sink},
        states=frozenset({ClusterState.INITIALIZED}),
    )


def _waiting_active() -> Step:
    return Step(
        action=Action.WAIT_CLUSTER,
        says="wait until the cluster is ACTIVE",
        effect=Effect.WAIT,
        inputs={"state": "active"},
        permissions=("cloudhsm:DescribeClusters",),
        usual=timedelta(minutes=4),
    )


def _proving(name: str, sink: str) -> Step:
    return Step(
        action=Action.PROVE_LOGIN,
        says=f"prove by login that {name} has it",
        effect=Effect.WAIT,
        inputs={"name": name, "sink": sink},
    )


def _creating(name: str, admin_sink: str, sink: str) -> Step:
    return Step(
        action=Action.CREATE_ADMIN,
        says=f"create a second admin, {name}",
        inputs={"name": name, "admin_sink": admin_sink, "sink": sink},
    )
