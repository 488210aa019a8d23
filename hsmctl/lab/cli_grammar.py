"""The words that were typed, taken for a command of `cli_command`; what does not fit is refused in clap's words.

clap is the library the real tool is built with. Refuses to know what a command does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import NamedTuple

from hsmctl.lab.cli_command import COMMANDS, Command, Option, Takes

Values = Mapping[str, str | list[str] | bool]


class Usage(Exception):
    """The words are no command; the text is clap's, for standard error."""


class Asked(NamedTuple):
    """A command that was typed."""

    command: Command
    values: Values

    def text(self, name: str) -> str:
        """An option's value; empty where it was not typed."""
        value = self.values.get(name)
        return value if isinstance(value, str) else ""

    def many(self, name: str) -> list[str]:
        """Every value of an option."""
        value = self.values.get(name)
        return value if isinstance(value, list) else []

    def typed(self, name: str) -> bool:
        """Whether the option was typed."""
        return name in self.values


def parse(words: Sequence[str]) -> Asked:
    """The command that was typed.

    Raises:
        Usage: there is none like this.
    """
    path = tuple(takewhile(lambda word: not word.startswith("-"), words))
    for length in range(len(path), 0, -1):
        if command := COMMANDS.get(path[:length]):
            return Asked(command, _values(command, words[length:]))
    raise Usage(_no_command(path))


def help_for(words: Sequence[str]) -> str:
    """What `help` prints of a command, or of the commands that begin like this.

    Raises:
        Usage: there is none like this.
    """
    path = tuple(words)
    if command := COMMANDS.get(path):
        return command.help
    below = [command for each, command in COMMANDS.items() if each[: len(path)] == path]
    if not below:
        raise Usage(_no_command(path))
    lines = (f"  {' '.join(command.path):<44}{command.about}" for command in below)
    return "\n".join(["Commands:", *lines, ""])


def _no_command(path: tuple[str, ...]) -> str:
    depth = next((n for n in range(len(path), 0, -1) if any(known[:n] == path[:n] for known in COMMANDS)), 0)
    if depth == len(path):
        return f"error: '{' '.join(('cloudhsm-cli', *path))}' requires a subcommand but one was not provided\n" + _MORE
    return f"error: unrecognized subcommand '{path[depth]}'\n{_MORE}"


_MORE = "\nFor more information, try '--help'."


def _values(command: Command, words: Sequence[str]) -> Values:
    """The options of a command.

    Raises:
        Usage: an option is unknown, missing, or of no value it takes.
    """
    known, rest = {option.name: option for option in command.options}, list(words)
    values: dict[str, str | list[str] | bool] = {}
    while rest:
        word = rest.pop(0)
        if word in ("-h", "--help"):
            raise Usage(command.help)
        option, inline = _option(command, known, word)
        if option.takes in (Takes.NOTHING, Takes.WORD):
            values[option.name] = True
        elif option.takes is Takes.MANY:
            taken = [*([inline] if inline is not None else []), *takewhile(lambda each: not each.startswith("-"), rest)]
            del rest[: len(taken) - (inline is not None)]
            values[option.name] = [*_so_far(values, option), *taken]
        else:
            values[option.name] = _one(option, inline, rest)
    _check(command, values)
    return values


def _option(command: Command, known: Mapping[str, Option], word: str) -> tuple[Option, str | None]:
    """The option a word begins, and what stands behind its equals sign."""
    name, equals, inline = word.removeprefix("--").partition("=")
    name = {"-v": "verbose"}.get(word, name)
    option = known.get(name)
    dashed = word.startswith("-")
    if option is None or dashed == (option.takes is Takes.WORD):
        raise Usage(f"error: unexpected argument '{word}' found\n\n{command.usage}\n{_MORE}")
    return option, inline if equals else None


def _so_far(values: Mapping[str, object], option: Option) -> list[str]:
    before = values.get(option.name)
    return before if isinstance(before, list) else []


def _one(option: Option, inline: str | None, rest: list[str]) -> str:
    value = inline if inline is not None else (rest.pop(0) if rest else None)
    if value is None:
        raise Usage(f"error: a value is required for '{option.shown}' but none was supplied\n{_MORE}")
    if option.choices and value not in option.choices:
        possible = f"  [possible values: {', '.join(option.choices)}]"
        raise Usage(f"error: invalid value '{value}' for '{option.shown}'\n{possible}\n{_MORE}")
    return value


def _check(command: Command, values: Values) -> None:
    missing = [option.shown for option in command.options if option.required and option.name not in values]
    if missing:
        lines = "\n".join(f"  {each}" for each in missing)
        what = "error: the following required arguments were not provided:"
        raise Usage(f"{what}\n{lines}\n\n{command.usage}\n{_MORE}")


def split(line: str) -> Iterator[str]:
    """The words of a line typed at the prompt.

    Raises:
        Usage: a quotation is not closed.
    """
    import shlex

    try:
        yield from shlex.split(line)
    except ValueError as error:
        raise Usage(f"error: {error}") from error
