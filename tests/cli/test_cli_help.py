"""Proves that help offers only what works, ends with examples that parse, and loads nothing to say so."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from approval_files import write_bundle, write_key
from connectivity import scenario
from transcript import hsmctl
from world import World, customer_ca

from hsmctl.cli.root import NOUNS, root
from hsmctl.cli.verb import Noun, Verb
from hsmctl.errors import ExitCode


def walk(command: click.Command | None, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Noun | Verb]]:
    """A noun and everything below it, or a verb, with the words that lead there."""
    assert isinstance(command, Noun | Verb)
    yield path, command
    if isinstance(command, Noun):
        for below in command.verbs:
            yield from walk(below, (*path, str(below.name)))


def everything() -> Iterator[tuple[tuple[str, ...], Noun | Verb]]:
    context = click.Context(root)
    for noun in NOUNS:
        yield from walk(root.get_command(context, noun), (noun,))


def commands() -> Iterator[tuple[str, ...]]:
    yield from (path for path, _ in everything())


def examples() -> Iterator[str]:
    for _, command in everything():
        assert command.examples
        if isinstance(command, Verb):
            yield from command.examples


@pytest.mark.parametrize("command", [(), *commands()], ids=" ".join)
def test_help_ends_with_examples(command: tuple[str, ...]) -> None:
    ran = hsmctl(World(), *command, "--help")

    assert (ran.code, ran.err) == (0, "")
    heading = ran.out.splitlines().index("EXAMPLES")
    shown = ran.out.splitlines()[heading + 1 :]
    assert shown
    assert all("hsmctl" in line for line in shown)


@pytest.mark.parametrize("example", examples())
def test_an_example_is_understood(example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = shlex.split(example.removeprefix('eval "$(').split(" && ")[0].removesuffix(')"'))
    (tmp_path / "config.toml").write_text("[context.prod]\n")
    (tmp_path / "net.json").write_text(json.dumps(scenario("S01")))
    (tmp_path / "friday.toml").write_text('title = "Friday"')
    write_bundle(tmp_path / "approve-bob.json")
    write_key(tmp_path / "alice.pem")
    (tmp_path / "clients-ca.pem").write_text(customer_ca())
    monkeypatch.chdir(tmp_path)
    ran = hsmctl(World(), *words[1:], folder=tmp_path)

    assert words[0] == "hsmctl"
    assert ran.code not in (ExitCode.USAGE, ExitCode.BUG) or "ui: it needs a terminal" in ran.err


def test_every_shared_option_is_shown_once() -> None:
    out = hsmctl(World(), "sync", "check", "--help").out
    assert out.count("--endpoint-url") == 1
    assert out.index("--deadline") < out.index("Options of every command") < out.index("--lab")


def test_version_is_said_in_both_ways() -> None:
    assert hsmctl(World(), "-v", "--version").out.startswith("hsmctl ")
