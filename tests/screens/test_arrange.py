"""Proves that tables sort by any column, hide columns, and are saved as they stand: CSV, JSON, SVG."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from hsmctl.screens.column import Column
from hsmctl.screens.export import ending, file_name, written
from hsmctl.screens.rows import Order, natural, sorted_by
from stage import Stage, opened, staged
from world import HSMS, World, aes

from hsmctl.errors import UsageError


def keys(*labels: str) -> World:
    """A world with these keys on every HSM."""
    return World(keys=tuple(aes(label, key_id=bytes([place])) for place, label in enumerate(labels)))


async def test_a_table_is_sorted_by_the_next_column_the_named_one_and_the_clicked_one() -> None:
    async with opened(keys("key-9", "key-10", "key-1")) as stage:
        await stage.press("K")
        assert _labels(stage) == ["key-1", "key-10", "key-9"]  # as the service gives them
        await stage.press("o")
        await stage.sees_line("KEY↑")
        assert _labels(stage) == ["key-1", "key-9", "key-10"]
        await stage.press("O")
        await stage.sees_line("KEY↓")
        assert _labels(stage) == ["key-10", "key-9", "key-1"]
        await stage.enter("sort id")
        await stage.settle()
        assert _labels(stage) == ["key-9", "key-10", "key-1"]
        await stage.pilot.click("#keys", offset=(3, 0))
        await stage.sees_line("KEY↑")
        await stage.enter("sort nonsense")
        await stage.sees("no column nonsense to sort by")


async def test_the_cursor_stays_with_its_item_when_the_order_changes() -> None:
    async with opened(keys("a", "b", "c")) as stage:
        await stage.press("K", "down", "o", "O")
        assert stage.app.screen.subject == "b"  # type: ignore[attr-defined]


async def test_a_column_is_hidden_and_shown_again_but_never_the_first() -> None:
    async with opened() as stage:
        await stage.press("K")
        await stage.enter("hide class")
        await stage.settle()
        assert "CLASS" not in stage.line("KEY ")
        await stage.enter("hide class")
        await stage.sees_line("KEY", "CLASS")
        await stage.enter("hide key")
        await stage.sees("hide which column?")
        await stage.sees_line("KEY", "CLASS")


async def test_what_is_shown_is_saved_as_csv_and_json(tmp_path: Path) -> None:
    async with opened(keys("=cmd()", "plain", "ünï")) as stage:
        await stage.press("K")
        await stage.enter(f"save {tmp_path}/keys.csv")
        await stage.sees("saved")
        rows = list(csv.DictReader((tmp_path / "keys.csv").read_text().splitlines()))
        assert [row["key"] for row in rows] == ["'=cmd()", "plain", "ünï"]
        await stage.press("slash", *"plain", "enter")
        await stage.enter(f"save {tmp_path}/keys.json")
        await stage.settle()
        assert [row["key"] for row in json.loads((tmp_path / "keys.json").read_text())] == ["plain"]
        assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600


async def test_the_matrix_is_saved_with_a_column_for_each_replica(tmp_path: Path) -> None:
    world = World()
    world.tokens.held[HSMS[1]].pop(3)
    async with opened(world) as stage:
        await stage.press("s")
        await stage.enter(f"save {tmp_path}/sync.json")
        await stage.settle()
        first = json.loads((tmp_path / "sync.json").read_text())[0]
        assert (first["key"], first[HSMS[1]]) == ("db-kek-003", "missing")


async def test_the_screen_is_saved_as_a_picture(tmp_path: Path) -> None:
    async with opened() as stage:
        await stage.enter(f"save {tmp_path}/fleet.svg")
        await stage.settle()
        assert "ACTIVE" in (tmp_path / "fleet.svg").read_text()


async def test_nothing_is_written_over_and_a_format_is_needed(tmp_path: Path) -> None:
    (tmp_path / "there.csv").write_text("mine")
    async with opened() as stage:
        await stage.enter(f"save {tmp_path}/there.csv")
        await stage.sees("it exists")
        missing = tmp_path / "no" / "such" / "x.csv"
        await stage.enter(f"save {missing}")
        await stage.settle()
        await stage.misses("saved")
        assert not missing.parent.parent.exists()
        assert (tmp_path / "there.csv").read_text() == "mine"
        await stage.enter(f"save {tmp_path}/x.doc")
        await stage.sees("says no")


async def test_saving_without_a_name_offers_some() -> None:
    async with staged(World().hsmctl()) as stage:
        await stage.pilot.press("ctrl+s")
        await stage.sees("save fleet-20261123T021000Z.csv")
        await stage.pilot.press("tab")
        await stage.sees("save fleet-20261123T021000Z.json")


@pytest.mark.parametrize(("name", "form"), [("a.csv", "csv"), ("a.b.JSON", "json"), ("x/y.svg", "svg")])
def test_the_name_says_the_format(name: str, form: str) -> None:
    assert ending(Path(name)) == form


def test_a_name_without_a_format_is_refused() -> None:
    with pytest.raises(UsageError):
        ending(Path("fleet"))


def test_names_of_files_hold_nothing_odd() -> None:
    assert file_name(("fleet", "[/x]", "sync"), "20261123T021000Z", "csv") == "--x--sync-20261123T021000Z.csv"


def test_numbers_sort_as_numbers_and_an_unknown_column_sorts_nothing() -> None:
    assert sorted(["5,310", "900", "–", "12"], key=natural) == ["12", "900", "5,310", "–"]
    column: Column[str] = Column(heads=("N",), text=str, width=5)
    assert sorted_by(["b", "a"], [column], Order("X")) == ["b", "a"]
    assert sorted_by(["b", "a"], [column], Order.parse("n")) == ["a", "b"]
    assert str(Order.parse("-n")) == "-n"


def test_records_with_other_columns_are_one_table() -> None:
    assert written("csv", [{"a": "1"}, {"a": "2", "b": "x"}]) == "a,b\n1,\n2,x\n"


def _labels(stage: Stage) -> list[str]:
    return [line.split()[0] for line in stage.text.splitlines() if "secret-key" in line and "AES" in line]
