"""Proves that the history in SQLite remembers as the one in memory does, whatever becomes of its file."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from history_world import MemoryHistory
from readings import NOW, key, reading, unreadable

from hsmctl.adapters.history import MEMORY, VERSION, SqliteHistory
from hsmctl.domain.sync import Reading, compare
from hsmctl.domain.sync_history import Past, past
from hsmctl.errors import Conflict, Unreachable
from hsmctl.ports_sync import History

FIXTURES = Path(__file__).parents[1] / "data" / "history"
LATER = NOW + timedelta(minutes=5)


@pytest.fixture(params=["sqlite", "memory"])
def history(request: pytest.FixtureRequest, tmp_path: Path) -> History:
    if request.param == "memory":
        return MemoryHistory()
    return SqliteHistory(tmp_path / "state" / "history.sqlite")


def checked(history: History, at: datetime, *readings: Reading) -> Past:
    report = compare(readings)
    found = past(report, at)
    history.record(found, frozenset(row.identity for row in report.rows))
    return found


def test_what_was_recorded_comes_back_whole_and_in_order(history: History) -> None:
    first = checked(history, NOW, reading("a", key()), reading("b"))
    second = checked(history, LATER, reading("a", key("\n odd \x1b")), unreadable("b"))
    other = checked(history, LATER, reading("x", key()))

    assert history.checks("a b", NOW) == (first, second)
    assert history.checks("a b", LATER) == (second,)
    assert set(history.checks(None, NOW)) == {first, second, other}
    assert history.checks("nobody", NOW) == ()


def test_only_keys_that_an_earlier_check_did_not_see_have_appeared(history: History) -> None:
    assert history.appeared("a") == {}
    checked(history, NOW, reading("a", key("old")))
    assert history.appeared("a") == {}
    checked(history, LATER, reading("a", key("old"), key("new")))
    assert history.appeared("a") == {key("new").identity: LATER}
    assert history.appeared("b") == {}
    assert LATER in history.sighted("a").values()
    assert history.sighted("a").keys() > history.appeared("a").keys()
    assert history.sighted("b") == {}


def test_a_key_that_went_and_came_back_is_new_and_one_that_nobody_could_look_for_is_not(history: History) -> None:
    checked(history, NOW, reading("a", key("x")), reading("b"))
    checked(history, LATER, unreadable("a"), reading("b"))
    checked(history, LATER, reading("a", key("x")), reading("b"))
    assert history.appeared("a b") == {}
    checked(history, LATER, reading("a"), reading("b"))
    again = LATER + timedelta(minutes=1)
    checked(history, again, reading("a", key("x")), reading("b"))
    assert history.appeared("a b") == {key("x").identity: again}


def test_the_file_is_for_its_owner_alone_and_forgets_in_the_end(tmp_path: Path) -> None:
    file = tmp_path / "state" / "history.sqlite"
    history = SqliteHistory(file)
    assert history.checks(None, NOW) == ()
    assert not file.exists()
    checked(history, NOW, reading("a", key()))
    assert (stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(file.parent.stat().st_mode)) == (0o600, 0o700)
    late = checked(history, NOW + MEMORY + timedelta(days=1), reading("a", key()))
    assert history.checks(None, NOW) == (late,)


@pytest.mark.parametrize("version", range(1, VERSION + 1))
def test_a_file_of_every_released_version_is_read(tmp_path: Path, version: int) -> None:
    file = tmp_path / "history.sqlite"
    with closing(sqlite3.connect(file)) as database:
        database.executescript((FIXTURES / f"{version}.sql").read_text())
    (check,) = SqliteHistory(file).checks("a b", datetime.min.replace(tzinfo=NOW.tzinfo))
    assert (check.verdict, check.keys, [each.name for each in check.replicas]) == ("not in sync", 1, ["a", "b"])
    assert [(str(each.identity), each.replica, str(each.cell)) for each in check.troubles] == [
        ("db-kek", "b", "missing")
    ]


def test_a_newer_file_and_one_that_is_none_are_refused_with_a_clear_line(tmp_path: Path) -> None:
    newer, none = tmp_path / "newer.sqlite", tmp_path / "none.sqlite"
    with closing(sqlite3.connect(newer)) as database:
        database.execute(f"PRAGMA user_version = {VERSION + 1}")
    none.write_text("this is no database, and long enough to look like one" * 20)

    with pytest.raises(Conflict, match=f"its format is {VERSION + 1}"):
        SqliteHistory(newer).checks(None, NOW)
    with pytest.raises(Unreachable, match="file is not a database"):
        SqliteHistory(none).checks(None, NOW)


def test_a_rival_who_writes_for_long_is_not_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "history.sqlite"
    checked(SqliteHistory(file), NOW, reading("a", key()))
    with closing(sqlite3.connect(file, isolation_level=None)) as rival:
        rival.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unreachable, match="locked"):
            checked(SqliteHistory(file), LATER, reading("a", key()))
    assert len(SqliteHistory(file).checks(None, NOW)) == 1
