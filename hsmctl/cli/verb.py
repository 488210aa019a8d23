"""How a command is declared: the options every one of them has, help that ends with examples, an exit code.

The shared options are understood before the noun and after the verb; where one is typed twice the later counts.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any, Concatenate, ParamSpec

import click
from click.core import ParameterSource

from hsmctl.cli.output import USUAL, Format
from hsmctl.cli.session import Session

P = ParamSpec("P")
Command = Callable[Concatenate[Session, P], int]
"""A command: it gets the session and what was typed, and answers with an exit code."""

_SHARED_TITLE = "Options of every command"
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "": 1.0}


class Verb(click.Command):
    """A command whose help lists its own options first, the shared ones after, and ends with examples."""

    examples: Sequence[str] = ()

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options in two groups."""
        own = [each for each in self.get_params(ctx) if isinstance(each, click.Option) and not isinstance(each, Shared)]
        _write_options("Options", own, ctx, formatter)
        shared = [each for each in self.get_params(ctx) if isinstance(each, Shared)]
        _write_options(_SHARED_TITLE, shared, ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """Write the examples."""
        write_examples(formatter, self.examples)


class Noun(click.Group):
    """A noun with its verbs, and nouns of its own, listed in the order they are given.

    `later` names the modules of verbs that are imported only when they are used, by the names of the verbs; such a
    module has its verbs in a tuple `verbs`.
    """

    def __init__(self, name: str, says: str, *verbs: Verb | Noun, later: Mapping[str, str] | None = None) -> None:
        super().__init__(name, {str(verb.name): verb for verb in verbs}, help=says, subcommand_metavar="VERB [ARGS]...")
        self._later = dict(later or {})
        self._aliases: dict[str, Verb] = {}

    def list_commands(self, ctx: click.Context | None) -> list[str]:  # noqa: ARG002 - click's signature
        """The verbs as declared."""
        return [*self.commands, *(name for name in self._later if name not in self.commands)]

    def get_command(self, ctx: click.Context | None, cmd_name: str) -> Verb | Noun | None:  # noqa: ARG002 - click's
        """The verb, imported now where it is one of those; None if there is none of this name."""
        if cmd_name in self._later and cmd_name not in self.commands:
            found = import_module(self._later[cmd_name]).verbs
            self.commands.update({str(verb.name): verb for verb in found})
        command = self.commands.get(cmd_name, self._aliases.get(cmd_name))
        return command if isinstance(command, Verb | Noun) else None

    def alias(self, name: str, verb: Verb) -> None:
        """Let a verb be called by another name too, which no list shows."""
        self._aliases[name] = verb

    @property
    def verbs(self) -> list[Verb | Noun]:
        """Every verb, imported."""
        return [verb for name in self.list_commands(None) if (verb := self.get_command(None, name))]

    @property
    def examples(self) -> list[str]:
        """An example of each verb."""
        return [verb.examples[0] for verb in self.verbs]

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """Write an example of each verb."""
        write_examples(formatter, self.examples)


class Shared(click.Option):
    """An option every command has; what is typed goes to the session and not to the command."""


class Seconds(click.ParamType[float]):
    """A length of time such as 10s, 500ms, 2m, 26h or 3d; a bare number is seconds."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The time in seconds."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|)", str(value))
        if match is None:
            self.fail(f"{value} is no time such as 10s or 2m", param, ctx)
        return float(match[1]) * _UNITS[match[2]]


def verb(
    name: str, *examples: str, checks: bool = False, formats: Sequence[Format] = ()
) -> Callable[[Command[P]], Verb]:
    """Make a function a command of this name.

    `checks` says that it gives a verdict that `-o nagios` can tell, `formats` names those it has beside the usual ones.
    An option of the command's own takes the place of a shared one of the same name.
    """

    def declare(function: Command[P]) -> Verb:
        @functools.wraps(function)
        def call(*values: P.args, **named: P.kwargs) -> int:
            session = click.get_current_context().ensure_object(Session)
            session.begin(may_check=checks)
            _name_cluster(session, named)
            return function(session, *values, **named)

        command = click.command(name, cls=Verb)(call)
        command.params.extend([_output((*USUAL, *formats))] if formats else [])
        own = {word for parameter in command.params for word in parameter.opts}
        command.params.extend(option for option in SHARED if own.isdisjoint(option.opts))
        command.examples = examples
        return command

    return declare


def _name_cluster(session: Session, named: dict[str, Any]) -> None:
    """Put the id of a cluster where its name was typed; a snapshot has clusters by their ids."""
    text = named.get("cluster")
    if isinstance(text, str) and not named.get("from_snapshot"):
        named["cluster"] = session.cluster_id(text, named.get("deadline"))


def typed(name: str) -> bool:
    """Whether an option of the running command was typed, and is not its default."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


def write_examples(formatter: click.HelpFormatter, examples: Sequence[str]) -> None:
    """Write the last section of a help text; lines are left as they are, to be copied."""
    formatter.write_paragraph()
    formatter.write("EXAMPLES\n")
    for example in examples:
        formatter.write(f"  {example}\n")


def write_shared_options(ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """Write the options every command has."""
    _write_options(_SHARED_TITLE, SHARED, ctx, formatter)


def _write_options(
    title: str, parameters: Sequence[click.Parameter], ctx: click.Context, formatter: click.HelpFormatter
) -> None:
    records = [record for parameter in parameters if (record := parameter.get_help_record(ctx))]
    if records:
        with formatter.section(title):
            formatter.write_dl(records)


def _keep(ctx: click.Context, param: click.Parameter, value: object) -> None:
    """Remember an option that was typed; one that was not leaves what stood before the noun."""
    name = str(param.name)
    if ctx.resilient_parsing or ctx.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
        return
    ctx.ensure_object(Session).typed[name] = value


def _shared(*names: str, says: str, **more: Any) -> Shared:  # noqa: ANN401 - click's own options
    return Shared(names, help=says, expose_value=False, callback=_keep, **more)


def _output(formats: Iterable[Format]) -> Shared:
    return _shared("-o", "--output", type=click.Choice(list(map(str, formats))), says="How the answer is written.")


SHARED = (
    _shared("-c", "--context", metavar="NAME", says="The context to work in."),
    _shared("--lab", is_flag=True, says="Work in the lab; the same as --context lab."),
    _shared("--profile", metavar="NAME", says="The AWS profile, as for the AWS CLI."),
    _shared("--region", metavar="NAME", says="The AWS region, as for the AWS CLI."),
    _shared("--endpoint-url", metavar="URL", says="Where AWS is, as for the AWS CLI."),
    _output(USUAL),
    _shared("--query", metavar="JMESPATH", says="Show only this part of the data, as JSON."),
    _shared("-v", "--verbose", count=True, says="Say more on standard error; twice says most."),
    _shared("--no-color", is_flag=True, says="Write without colour, as NO_COLOR does."),
)
"""The options every command has."""
