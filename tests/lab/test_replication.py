"""Proves that changes reach the siblings in order, once, and only where they were reported."""

from __future__ import annotations

import fcntl
import struct
import threading
from pathlib import Path

import pytest
from live import until

from hsmctl.lab.folder import LabFolder
from hsmctl.lab.objectfile import Attribute, Kind, StoredObject, serialize
from hsmctl.lab.replication import Change, ChangeKind, Replicator
from hsmctl.lab.softhsm import make_token, object_files, token_object

HSMS = ("hsm-a", "hsm-b", "hsm-c")


class Lab:
    """Three HSMs that are only folders."""

    def __init__(self, path: Path) -> None:
        self.folder = LabFolder(path)
        made = token_object(label="x", serial="0" * 16, token_key=bytes(32), pin="x")
        for hsm_id in HSMS:
            self.token(hsm_id).parent.mkdir(parents=True)
            make_token(self.token(hsm_id), made)
        self.replicator = Replicator(self.folder.node, lambda hsm_id: [other for other in HSMS if other != hsm_id])

    def token(self, hsm_id: str) -> Path:
        return self.folder.node(hsm_id).tokens / "cu"

    def put(self, hsm_id: str, *names: str) -> None:
        data_object = {0: Attribute(Kind.ULONG, struct.pack(">Q", 0))}
        for name in names:
            (self.token(hsm_id) / name).write_bytes(serialize(StoredObject(1, data_object)))

    def submit(
        self, kind: ChangeKind, hsm_id: str, *names: str, user: str = "cu", anew: bool = False
    ) -> threading.Event:
        done = threading.Event()
        self.replicator.submit(
            Change(hsm_id=hsm_id, kind=kind, user=user, names=names, anew=anew), lambda _: done.set()
        )
        return done

    def names(self) -> dict[str, list[str]]:
        return {hsm_id: sorted(object_files(self.token(hsm_id))) for hsm_id in HSMS}


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def test_what_was_reported_travels_and_nothing_else(lab: Lab) -> None:
    lab.put("hsm-a", "1.object", "2.object", "unreported.object")
    lab.put("hsm-b", "only-here.object")
    lab.submit(ChangeKind.CREATED, "hsm-a", "1.object", "2.object")
    lab.submit(ChangeKind.DESTROYED, "hsm-a", "1.object")
    lab.replicator.close()
    assert lab.names() == {
        "hsm-a": ["1.object", "2.object", "unreported.object"],
        "hsm-b": ["2.object", "only-here.object"],
        "hsm-c": ["2.object"],
    }


def test_a_copy_that_arrives_during_a_call_is_not_reported_back(lab: Lab) -> None:
    lab.put("hsm-a", "1.object")
    assert lab.submit(ChangeKind.CREATED, "hsm-a", "1.object").wait(5)
    (lab.token("hsm-c") / "1.object").unlink()  # a fault that must not be healed by the echo
    lab.put("hsm-b", "2.object")
    lab.submit(ChangeKind.CREATED, "hsm-b", "1.object", "2.object")
    lab.replicator.close()
    assert lab.names()["hsm-c"] == ["2.object"]


def test_what_arrived_from_a_sibling_is_passed_on_where_it_is_told_anew(lab: Lab) -> None:
    lab.put("hsm-a", "1.object")
    assert lab.submit(ChangeKind.CREATED, "hsm-a", "1.object").wait(5)
    (lab.token("hsm-c") / "1.object").unlink()
    lab.submit(ChangeKind.CREATED, "hsm-b", "1.object", anew=True)
    lab.replicator.close()
    assert lab.names()["hsm-c"] == ["1.object"]


def test_what_nobody_has_looked_at_is_waited_for(lab: Lab) -> None:
    held = threading.Event()
    lab.replicator.in_order(held.wait)
    lab.put("hsm-a", "1.object")
    done = lab.submit(ChangeKind.CREATED, "hsm-a", "1.object")
    assert lab.replicator.backlog() == {"hsm-b": 1, "hsm-c": 1}
    held.set()
    assert done.wait(5)
    assert not any(lab.replicator.backlog().values())
    lab.replicator.close()


def test_what_is_gone_unfinished_or_of_an_unknown_user_stops_nothing(lab: Lab) -> None:
    lab.put("hsm-a", "1.object", "2.object")
    (lab.token("hsm-a") / "1.object").write_bytes(b"half")
    lab.submit(ChangeKind.CREATED, "hsm-a", "x.object", user="nobody")
    assert lab.submit(ChangeKind.CREATED, "hsm-a", "gone.object", "1.object", "2.object").wait(5)
    assert lab.names()["hsm-b"] == ["2.object"]
    lab.replicator.close()


def test_a_locked_folder_keeps_its_changes_in_order_and_holds_up_nobody(lab: Lab) -> None:
    lab.put("hsm-a", "1.object", "2.object")
    with (lab.token("hsm-b") / "generation").open("r+b") as held:
        # A plain lock of this very process would not stop it; this one stands for a stopped node's.
        fcntl.fcntl(held, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
        lab.submit(ChangeKind.CREATED, "hsm-a", "1.object")
        assert lab.submit(ChangeKind.DESTROYED, "hsm-a", "1.object").wait(10)
        assert lab.names()["hsm-c"] == []
    until(lambda: lab.names()["hsm-b"] == [])
    lab.replicator.close()


def test_tasks_run_between_changes(lab: Lab) -> None:
    lab.put("hsm-a", "1.object")
    lab.submit(ChangeKind.CREATED, "hsm-a", "1.object")
    assert lab.replicator.in_order(lab.names).result(5)["hsm-b"] == ["1.object"]
    lab.replicator.close()
