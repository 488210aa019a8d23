"""Proves that what is shipped works away from the checkout: the wheel built from the sdist, and the UI inside it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import hsmctl

ROOT = Path(hsmctl.__file__).parents[1]
HEADLESS = """
import asyncio, hsmctl, hsmctl.screens, world
from hsmctl.screens.app import HsmctlApp
assert "site" in hsmctl.__file__, hsmctl.__file__
async def main():
    app = HsmctlApp(world.hsmctl())
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause(0.5)
        print(app.export_screenshot())
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing but the installed wheel of the sdist in it."""
    folder = tmp_path_factory.mktemp("shipped")
    source = folder / "source"
    ignored = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, source, ignore=ignored)
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder)]
    subprocess.run([*build, str(source)], check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--target", str(folder / "site"), str(wheel)], check=True, capture_output=True)
    return folder / "site"


def run(site: Path, code: str, where: Path) -> str:
    """What the code prints with the installed wheel, run from another folder."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT / "tests")])}
    command = [sys.executable, "-P", "-c", code]
    return subprocess.run(command, cwd=where, env=env, check=True, capture_output=True, text=True).stdout


def test_the_wheel_holds_the_screens_under_their_shipped_name_only(site: Path) -> None:
    assert (site / "hsmctl" / "screens" / "hsmctl.tcss").is_file()
    assert (site / "hsmctl" / "py.typed").is_file()
    assert not (site / "screens").exists()
    assert not (site / "tests").exists()


def test_the_command_of_the_wheel_answers(site: Path, tmp_path: Path) -> None:
    code = "import sys; sys.argv[1:] = ['--version']; from hsmctl.__main__ import main; main()"
    assert run(site, code, tmp_path) == f"hsmctl {hsmctl.__version__}\n"


def test_the_ui_of_the_wheel_runs_headless(site: Path, tmp_path: Path) -> None:
    assert "a2b3c4d5e6f" in run(site, HEADLESS, tmp_path).replace("&#160;", " ")
