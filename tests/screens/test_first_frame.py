"""Proves that the first frame is whole and waits for nothing that it does not show."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from hsmctl.screens.app import HsmctlApp
from hsmctl.screens.place import Place
from stage import opened
from textual.screen import Screen
from world import World


class Watched(HsmctlApp):
    """The app, which keeps what is known of its first screen before it is drawn."""

    CSS_PATH = str(Path(str(Place.CSS_PATH)).with_name("hsmctl.tcss"))
    born: frozenset[str] = frozenset()

    def get_default_screen(self) -> Screen[None]:
        screen = super().get_default_screen()
        self.born = screen.classes
        return screen


async def test_the_first_frame_has_the_layout_of_its_size() -> None:
    for size, classes in (((80, 24), {"-narrow", "-short"}), ((160, 48), {"-wide", "-tall"})):
        app = Watched(World().hsmctl(), every=3_600.0)
        async with app.run_test(size=size):
            assert app.born == app.screen.classes == classes


def test_nothing_of_the_domain_is_read_for_it() -> None:
    code = "import sys, hsmctl.screens.app; print('READ', *[name for name in sys.modules if '.domain.' in name])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["READ"]


async def test_the_style_sheets_of_what_is_opened_next_are_read_after_it() -> None:
    sheet = Path(str(Place.CSS_PATH))
    async with opened() as stage:
        for each in (sheet, sheet.with_name("window.tcss")):
            assert stage.app.stylesheet.has_source(str(each))
