"""The supervisor's own calls, for the lab's commands: what each gets and what it answers.

Knows which part of the lab does what. Refuses to do any of it itself.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hsmctl.lab.client_host import ClientHost
from hsmctl.lab.client_software import configure
from hsmctl.lab.cloudhsm import CloudHsm
from hsmctl.lab.context import CRYPTO_USER
from hsmctl.lab.fault import asked
from hsmctl.lab.fleet import Fleet
from hsmctl.lab.folder import LabFolder, write_private
from hsmctl.lab.gateway import Control as Call
from hsmctl.lab.machine import Machine
from hsmctl.lab.trouble import Trouble

SETTLE_SECONDS = 60.0
_PASSWORD_BYTES = 18
"""24 characters: with the crypto user's name a PIN has 31, and libp11 reads 32 of a PIN at most (its eng_back.c)."""


class Control:
    """Answers the lab's commands."""

    def __init__(
        self,
        lab: LabFolder,
        fleet: Fleet,
        service: CloudHsm,
        client: ClientHost,
        trouble: Trouble,
        stopping: threading.Event,
    ) -> None:
        self._client = client
        self._lab = lab
        self._fleet = fleet
        self._service = service
        self._trouble = trouble
        self._stopping = stopping

    def calls(self) -> Mapping[str, Call]:
        """The handlers by name."""
        return {
            "status": self._status,
            "repair": self._repair,
            "activate": self._activate,
            "equip": self._equip,
            "stop": self._stop,
            "inject": self._inject,
            "clear": self._clear,
            "clone_for": self._clone_for,
        }

    def _status(self, _: Mapping[str, Any]) -> Mapping[str, Any]:
        there = [machine for machine in self._fleet.machines() if not machine.folder.removing.exists()]
        with ThreadPoolExecutor(max(1, len(there))) as pool:
            nodes = list(pool.map(self._described, there))
        return {"nodes": nodes, "client_host": self._client.described()}

    def _described(self, machine: Machine) -> Mapping[str, Any]:
        hsm_id = machine.place.hsm_id
        return {
            **machine.described(machine.observed()),
            "waiting": self._fleet.replicator.backlog().get(hsm_id, 0),
            "faults": [fault.name for fault in self._trouble.book.all() if hsm_id in fault.hsms],
        }

    def _repair(self, _: Mapping[str, Any]) -> Mapping[str, Any]:
        self._fleet.repair()
        self._client.start()
        self._fleet.settle(SETTLE_SECONDS)
        return {}

    def _activate(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        """What `cloudhsm-cli cluster activate` does on the HSMs, then what the service makes of it."""
        cluster_id = str(wanted["cluster_id"])
        self._fleet.activate(cluster_id, self._password("admin"), {CRYPTO_USER: self._password(CRYPTO_USER)})
        self._service.activate(cluster_id)
        return {}

    def _equip(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        """What an operator does on the client host once: tell it the HSMs' addresses and the customer CA."""
        cluster_id, places = str(wanted["cluster_id"]), [machine.place for machine in self._fleet.machines()]
        addresses = sorted(place.address for place in places if place.cluster_id == cluster_id)
        authority = self._lab.ca / "customer-ca.pem"
        if addresses and authority.exists():
            configure(self._client.installation, cluster_id, addresses, authority.read_bytes())
        return {}

    def _stop(self, _: Mapping[str, Any]) -> Mapping[str, Any]:
        self._stopping.set()
        return {}

    def _inject(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        heal = wanted["heal"]
        fault = asked(**{name: value for name, value in wanted.items() if name != "heal"})
        return self._trouble.inject(fault, heal).described()

    def _clear(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"cleared": [fault.described() for fault in self._trouble.clear(wanted["fault_id"])]}

    def _clone_for(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        pin = f"{CRYPTO_USER}:{self._password(CRYPTO_USER)}"
        return self._fleet.cloner.clone_for(wanted["name"], wanted["out"], CRYPTO_USER, pin).described()

    def _password(self, user: str) -> str:
        """The user's password in this lab, chosen when it is first needed."""
        path = self._lab.secret(user)
        if not path.exists():
            write_private(path, secrets.token_urlsafe(_PASSWORD_BYTES).encode())
        return path.read_text()
