"""Proves that `config` and `doctor` say where things are and what is wrong, and never a secret or a surprise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from transcript import hsmctl
from world import HSMS, World, lab_context

from hsmctl.cli import config, doctor
from hsmctl.errors import Denied, ExitCode
from hsmctl.lab import softhsm
from hsmctl.secret import Source, SourceKind
from hsmctl.settings_loader import read


def test_path_is_printed_whether_the_file_is_there_or_not(tmp_path: Path) -> None:
    assert hsmctl(World(), "config", "path", folder=tmp_path).out == f"{tmp_path / 'config.toml'}\n"


def test_init_writes_a_private_example_once(tmp_path: Path) -> None:
    first = hsmctl(World(), "config", "init", folder=tmp_path)
    written = tmp_path / "config.toml"

    assert first.code == ExitCode.OK
    assert written.stat().st_mode & 0o777 == 0o600
    assert read(written) == {}
    written.write_text("# mine\n")
    assert hsmctl(World(), "config", "init", folder=tmp_path).code == ExitCode.CONFLICT
    assert written.read_text() == "# mine\n"


def test_the_example_without_its_comment_signs_is_a_configuration(tmp_path: Path) -> None:
    lines = (line.removeprefix("# ") for line in config.EXAMPLE.splitlines()[1:])
    live = tmp_path / "config.toml"
    live.write_text("\n".join(line for line in lines if line != "#" and not line.lstrip().startswith("#")))

    prod = read(live)["prod"]
    assert (prod.account_id, prod.tokens[0].name, str(prod.price_per_hour)) == ("111122223333", "onprem-1", "1.60")


def test_check_names_the_file_and_the_key(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[context.prod]\nregoin = "eu-central-1"\n')
    ran = hsmctl(World(), "config", "check", folder=tmp_path)

    assert ran.code == ExitCode.USAGE
    assert ran.err.splitlines() == [
        f"hsmctl: {tmp_path}/config.toml: context.prod.regoin: unknown key",
        "hint: did you mean region?",
    ]


def test_check_of_a_right_file_lists_its_contexts(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[context.prod]\n[context.stage]\n")
    ran = hsmctl(World(), "config", "check", folder=tmp_path)
    assert (ran.code, ran.out.splitlines()[1]) == (ExitCode.OK, "  contexts: prod, stage")


def test_show_says_where_a_secret_comes_from_and_no_more_of_a_command_than_its_program() -> None:
    context = replace(lab_context(), password=Source(SourceKind.COMMAND, ("vault", "--token", "hunter2")))
    ran = hsmctl(World(), "config", "show", context=context)

    assert "password      command vault\n" in ran.out
    assert "hunter2" not in ran.out


def test_doctor_is_well_where_everything_is_there(tmp_path: Path) -> None:
    ran = hsmctl(World(), "doctor", folder=tmp_path / "state")
    assert ran.code == ExitCode.OK
    assert [line.split()[2] for line in ran.out.splitlines()[1:]] == [
        "python",
        "softhsm",
        "extra",
        "configuration",
        "state",
        "context",
        "lab",
    ]


def test_doctor_answers_no_and_names_the_next_step(tmp_path: Path) -> None:
    world = World()
    world.aws.error = Denied("AWS", "the credentials expired", "aws sso login")
    world.lab.dead.add(HSMS[0])
    tmp_path.chmod(0o755)
    ran = hsmctl(world, "doctor", "-o", "json", folder=tmp_path, environ={"HSMCTL_SOFTHSM": "/nowhere.so"})

    assert ran.code == ExitCode.NO
    found = {each["what"]: (each["level"], each["next_step"]) for each in ran.document["data"]}
    assert found["softhsm"] == ("warn", "apt install softhsm2")
    assert found["state folder"] == ("bad", f"chmod 700 {tmp_path}")
    assert found["context"] == ("bad", "aws sso login")
    assert found["lab"] == ("bad", "hsmctl lab up")


def test_doctor_minds_a_configuration_that_is_wrong_or_that_others_may_write(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.touch(mode=0o600)
    assert "configuration" not in hsmctl(World(), "doctor", "-o", "name", folder=tmp_path).out.splitlines()
    path.chmod(0o666)
    assert "configuration" in hsmctl(World(), "doctor", "-o", "name", folder=tmp_path).out.splitlines()
    path.chmod(0o600)
    path.write_text("[context.prod]\nregoin = 1\n")
    assert "configuration" in hsmctl(World(), "doctor", "-o", "name", folder=tmp_path).out.splitlines()


def test_doctor_looks_for_softhsm_where_the_lab_does() -> None:
    assert doctor.SOFTHSM_FOLDERS == softhsm._LIBRARIES
