"""Proves how answers look where they are written: narrow terminals, ASCII, colour, wide characters."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transcript import hsmctl
from world import NOW, World

from hsmctl.cli.table import Column, details, display_width, table
from hsmctl.domain.cluster import ClusterState
from hsmctl.encoding import encoded, indented
from hsmctl.errors import ExitCode
from hsmctl.words import age, counted, instant, shortened


@dataclass(frozen=True)
class Row:
    name: str
    size: int


ROWS = [Row("hsm-aaaaaaaaaaaaaaaaaaaaaaaa", 5), Row("hsm-b", 12_345)]
COLUMNS: tuple[Column[Row], ...] = (
    Column(title="NAME", cell=lambda row: row.name, shrinks=True),
    Column(title="SIZE", cell=lambda row: f"{row.size:,}", right=True),
    Column(title="NEVER", cell=lambda _: ""),
    Column(title="MORE", cell=lambda row: "x" * row.size if row.size < 9 else "y", wide=True),
)


def test_numbers_stand_right_and_empty_columns_are_left_out() -> None:
    assert table(COLUMNS, ROWS, wide=False, width=None) == [
        "NAME                            SIZE",
        "hsm-aaaaaaaaaaaaaaaaaaaaaaaa       5",
        "hsm-b                         12,345",
    ]


def test_ids_are_shortened_in_the_middle_only_where_it_is_narrow() -> None:
    narrow = table(COLUMNS, ROWS, wide=False, width=24)
    assert narrow[1] == "hsm-aaa…aaaaaaaa       5"
    assert max(map(len, narrow)) == 24
    assert table(COLUMNS, ROWS, wide=True, width=24)[1].startswith(ROWS[0].name)


def test_an_id_keeps_enough_to_be_told_from_others() -> None:
    assert len(table(COLUMNS, ROWS, wide=False, width=5)[1].split()[0]) == 13


def test_no_rows_are_a_heading_of_nothing() -> None:
    assert table(COLUMNS, [], wide=False, width=None) == []


@pytest.mark.parametrize(("text", "width"), [("abc", 3), ("鍵", 2), ("e\u0301", 1), ("●", 1)])
def test_width_is_what_a_terminal_shows(text: str, width: int) -> None:
    assert display_width(text) == width


def test_details_leave_out_what_is_empty() -> None:
    assert details([("a", "1"), ("longer", "2"), ("gone", "")]) == ["a       1", "longer  2"]


def test_words() -> None:
    ages = [timedelta(seconds=12), timedelta(minutes=5), timedelta(hours=4), timedelta(days=3)]
    assert [age(NOW, NOW - each) for each in ages] == ["12 s", "5 min", "4 h", "3 d"]
    assert age(NOW, None) == instant(None) == "–"
    assert age(NOW, NOW + timedelta(hours=1)) == "0 s"
    assert (counted(1, "key"), counted(1204, "key")) == ("1 key", "1,204 keys")
    assert (shortened("abcdefgh", 5), shortened("abc", 5)) == ("ab…gh", "abc")


@pytest.mark.parametrize(
    ("environ", "encoding"), [({"LC_ALL": "C"}, "utf-8"), ({"LANG": "POSIX"}, "utf-8"), ({}, "iso-8859-1")]
)
def test_where_there_is_only_ascii_signs_have_their_fallback(environ: dict[str, str], encoding: str) -> None:
    out = hsmctl(World(), "cluster", "list", environ=environ, encoding=encoding).out
    assert out.isascii()
    assert out.splitlines()[1].startswith("+  cluster-")


def test_a_locale_of_utf_8_keeps_the_signs() -> None:
    assert "◍" in hsmctl(World(), "cluster", "list", environ={"LC_ALL": "C.UTF-8", "LANG": "C"}).out


def test_colour_is_for_terminals_that_want_it() -> None:
    assert "\x1b[32m◍\x1b[0m" in hsmctl(World(), "cluster", "list", terminal=True).out
    assert "\x1b" not in hsmctl(World(), "cluster", "list").out
    assert "\x1b" not in hsmctl(World(), "cluster", "list", terminal=True, environ={"NO_COLOR": "1"}).out
    assert "\x1b" not in hsmctl(World(), "cluster", "list", "--no-color", terminal=True).out


def test_the_locale_never_changes_json() -> None:
    arguments = ("key", "list", "-o", "json")
    plain = hsmctl(World(), *arguments, environ={"LC_ALL": "C"}, encoding="ascii", terminal=True)
    assert plain.out == hsmctl(World(), *arguments).out


def test_json_values_follow_the_contract() -> None:
    local = datetime(2026, 11, 23, 4, 0, tzinfo=UTC).astimezone()
    assert encoded({"at": local, "id": b"\x0a\xff", "state": ClusterState("TELEPORTING"), "exit": ExitCode.NO}) == {
        "at": "2026-11-23T04:00:00Z",
        "id": "0aff",
        "state": "teleporting",
        "exit": 1,
    }
    with pytest.raises(TypeError):
        encoded(object())


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text()


# A machine that is busy draws slowly, and neither that nor the time of one example says anything about the layout.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20))
def test_json_is_laid_out_as_everybody_lays_it_out(value: object) -> None:
    assert indented(value) == json.dumps(value, indent=2)
