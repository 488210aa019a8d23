"""Proves what `metrics` serves, writes and prints, and that systemd takes the units as they are."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from transcript import hsmctl
from world import World

from hsmctl.errors import Denied, ExitCode


def test_it_serves_on_this_machine_and_says_what_it_could_not_read() -> None:
    world = World()
    world.estate.stores_error = Denied("kms:DescribeCustomKeyStores denied", "no policy")
    ran = hsmctl(world, "metrics", "serve", "--listen", "127.0.0.1:0", "--count", "2", "--every", "1m")
    assert (ran.code, ran.out) == (ExitCode.OK, "")
    assert ran.err.startswith("metrics at http://127.0.0.1:")
    assert ran.err.count("unknown: kms:DescribeCustomKeyStores denied: no policy") == 2


def test_a_file_is_written_even_where_aws_says_nothing(tmp_path: Path) -> None:
    place = tmp_path / "hsmctl.prom"
    ran = hsmctl(World(), "metrics", "write", str(place))
    assert (ran.code, "about 1 cluster" in ran.out) == (ExitCode.OK, True)
    assert "hsmctl_cluster_level{" in place.read_text()
    world = World()

    def refuse(ids: object = ()) -> object:
        raise Denied("cloudhsm:DescribeClusters denied")

    world.plane.clusters = refuse  # type: ignore[method-assign, assignment]
    ran = hsmctl(world, "metrics", "write", str(place))
    assert (ran.code, "1 place not read" in ran.out) == (ExitCode.UNKNOWN, True)
    assert "hsmctl_place_read{" in place.read_text()
    assert "hsmctl_cluster_level" not in place.read_text()


@pytest.mark.parametrize(
    "words",
    [
        ("write", "/tmp/hsmctl.txt"),
        ("serve", "--listen", "localhost:9555"),
        ("serve", "--listen", "127.0.0.1:99999"),
        ("unit", "--file", "hsmctl.prom"),
    ],
)
def test_what_makes_no_sense_is_refused(words: tuple[str, ...]) -> None:
    assert hsmctl(World(), "metrics", *words).code == ExitCode.USAGE


@pytest.mark.parametrize("words", [(), ("--serve",), ("--user", "root")])
def test_systemd_takes_the_units(words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/bin/true"])
    ran = hsmctl(World(), "-c", "prod", "metrics", "unit", *words, "--out", str(tmp_path))
    service = (tmp_path / "hsmctl-metrics.service").read_text()
    assert ran.out.startswith("# /etc/systemd/system/hsmctl-metrics.service\n[Unit]\n")
    assert "ExecStart=/bin/true --context prod metrics" in service
    assert "NoNewPrivileges=yes" in service
    assert (tmp_path / "hsmctl-metrics.timer").exists() == (words != ("--serve",))
    assert hsmctl(World(), "metrics", "unit", "--out", str(tmp_path)).code == ExitCode.CONFLICT
    if analyze := shutil.which("systemd-analyze"):
        units = [str(path) for path in tmp_path.iterdir()]
        judged = subprocess.run([analyze, "verify", *units], capture_output=True, text=True, timeout=30, check=False)
        assert "hsmctl-metrics" not in judged.stderr
