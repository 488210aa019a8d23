"""Proves that the journal keeps every record for ever, survives what tears it, shows tampering and takes no secret."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from world import ACCOUNT, NOW, REGION, FakeClock

from hsmctl.adapters.journal import FileJournal
from hsmctl.domain.cluster import ClusterState
from hsmctl.domain.plan import Action, Plan, Step
from hsmctl.errors import Conflict, Unreachable
from hsmctl.secret import Secret


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.jsonl"


def journal(path: Path) -> FileJournal:
    return FileJournal(path, FakeClock())


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_record_says_when_who_and_from_where(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.7 50000 10.0.0.1 22")
    monkeypatch.setenv("SUDO_USER", "anna")
    monkeypatch.setenv("LOGNAME", "somebody else")
    journal(path).append("started", {"operation": "01J"})

    (record,) = lines(path)
    assert record["os_user"] != "somebody else"
    del record["os_user"]
    assert record == {
        "v": 1,
        "kind": "started",
        "at": NOW.isoformat(),
        "sudo_user": "anna",
        "source": "192.0.2.7",
        "pid": os.getpid(),
        "previous": None,
        "operation": "01J",
    }


def test_file_and_folder_are_for_their_owner(path: Path) -> None:
    journal(path).append("a", {})
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_domain_values_are_kept_as_json(path: Path) -> None:
    step = Step(
        action=Action.CREATE_HSM, says="create", states=frozenset({ClusterState.ACTIVE}), usual=timedelta(minutes=6)
    )
    plan = Plan(title="t", region=REGION, account=ACCOUNT, made_at=NOW, cluster_id=None, steps=(step,))
    journal(path).append("a", {"plan": plan, "raw": b"\x0a", "cost": Decimal("1.60"), "file": Path("/x")})

    (record,) = journal(path).records()
    assert isinstance(record["plan"], dict)
    assert record["plan"]["steps"][0]["action"] == "create-hsm"
    assert record["plan"]["steps"][0]["states"] == ["active"]
    assert record["plan"]["steps"][0]["usual"] == 360.0
    assert (record["raw"], record["cost"], record["file"]) == ("0a", "1.60", "/x")


def test_fields_never_replace_what_the_journal_itself_says(path: Path) -> None:
    journal(path).append("real", {"kind": "forged", "at": "never", "v": 9})
    (record,) = lines(path)
    assert (record["kind"], record["at"], record["v"]) == ("real", NOW.isoformat(), 1)


@pytest.mark.parametrize("field", [Secret("x"), [Secret("x")], {"a": (1, Secret("x"))}, {Secret("x")}, object()])
def test_a_secret_anywhere_is_refused_before_anything_is_written(path: Path, field: object) -> None:
    with pytest.raises(TypeError):
        journal(path).append("a", {"ok": 1, "field": field})
    assert not path.exists()


def test_each_record_carries_the_hash_of_the_one_before(path: Path) -> None:
    for number in range(3):
        journal(path).append("a", {"number": number})
    assert journal(path).broken() == ()

    kept = path.read_text().splitlines(keepends=True)
    path.write_text(kept[0] + kept[2])
    assert journal(path).broken() == (2,)
    path.write_text(kept[0].replace('"number":0', '"number":7') + kept[1] + kept[2])
    assert journal(path).broken() == (2,)


def test_a_torn_line_is_closed_and_nothing_before_it_is_lost(path: Path) -> None:
    journal(path).append("first", {})
    whole = path.read_bytes()
    torn = whole[:-20]
    path.write_bytes(whole + torn)
    journal(path).append("second", {})

    assert path.read_bytes().startswith(whole + torn + b"\n")
    records = list(journal(path).records())
    assert [record["kind"] for record in records] == ["first", "recovered", "second"]
    assert records[1]["torn_bytes"] == len(torn)
    assert journal(path).broken() == ()


def test_a_torn_line_longer_than_any_buffer_is_found_whole(path: Path) -> None:
    journal(path).append("first", {"big": "x" * 200_000})
    journal(path).append("second", {})
    assert journal(path).broken() == ()


def test_a_newer_format_is_refused_by_readers_and_writers(path: Path) -> None:
    path.parent.mkdir()
    path.write_text('{"v":2,"kind":"of tomorrow"}\n')
    with pytest.raises(Conflict, match="its format is 2, this hsmctl knows up to 1"):
        list(journal(path).records())
    with pytest.raises(Conflict):
        journal(path).append("a", {})
    assert len(lines(path)) == 1


def test_no_journal_has_no_records(path: Path) -> None:
    assert list(journal(path).records()) == []
    assert journal(path).broken() == ()


def test_two_processes_at_once_lose_nothing(path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from hsmctl.adapters.clock import SystemClock; from hsmctl.adapters.journal import FileJournal\n"
        "journal = FileJournal(Path(sys.argv[1]), SystemClock()); sys.stdin.read()\n"
        "for number in range(60): journal.append('a', {'number': number})"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, path], stdin=subprocess.PIPE) for _ in range(2)]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.close()
    assert [writer.wait() for writer in writers] == [0, 0]

    records = list(journal(path).records())
    assert journal(path).broken() == ()
    for writer in writers:
        assert [record["number"] for record in records if record["pid"] == writer.pid] == list(range(60))


def test_a_journal_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unreachable):
        journal(tmp_path / "file" / "journal.jsonl").append("a", {})


def test_a_journal_that_is_not_ours_is_denied(tmp_path: Path) -> None:
    # Root may write anywhere, so the test gives the rights away in a process of its own.
    code = (
        "import os, sys; from pathlib import Path\n"
        "from hsmctl.adapters.clock import SystemClock; from hsmctl.adapters.journal import FileJournal\n"
        "from hsmctl.errors import Denied\n"
        "os.getuid() or os.setuid(65534)\n"
        "try: FileJournal(Path(sys.argv[1]), SystemClock()).append('a', {})\n"
        "except Denied: sys.exit(4)"
    )
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    assert subprocess.run([sys.executable, "-c", code, folder / "journal.jsonl"], check=False).returncode == 4
