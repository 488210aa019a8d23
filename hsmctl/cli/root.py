"""The top of the command line: nouns, loaded when they are used, and the edge where errors become exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module

import click
from click.exceptions import NoArgsIsHelpError, NoSuchCommand, NoSuchOption

from hsmctl import __version__
from hsmctl.cli.output import Format, Output
from hsmctl.cli.session import Connect, Session
from hsmctl.cli.verb import SHARED, write_examples, write_shared_options
from hsmctl.errors import ExitCode, HsmctlError, UsageError

NOUNS: Mapping[str, str] = {
    "status": "How clusters stand, for whoever is on call: one verdict, worst first.",
    "cluster": "Clusters: what there is, and changing it.",
    "hsm": "The HSMs of clusters.",
    "backup": "What clusters leave behind.",
    "metrics": "How clusters stand, for Prometheus.",
    "operation": "Changes that were started.",
    "timeline": "What happened to a cluster, by whom and where.",
    "key": "Keys: list them, make them, use them, move them, change them.",
    "token": "PKCS#11 tokens: what they are, offer and do.",
    "sync": "Whether all HSMs hold the same keys.",
    "user": "The users of a cluster's HSMs.",
    "quorum": "Approvals by several admins.",
    "mtls": "Client certificates of a cluster.",
    "client": "The hosts that use the HSMs.",
    "net": "Whether clients reach the HSMs, and why not.",
    "lab": "CloudHSM on this machine, to try things on.",
    "login": "PINs that were refused and are not tried again.",
    "iam": "What to allow hsmctl in AWS.",
    "config": "The configuration file and its contexts.",
    "explain": "What an error of an HSM or its client means.",
    "doctor": "Whether hsmctl has what it needs here.",
    "ui": "The terminal UI.",
}
"""Each noun is a module of this package with a `noun` in it; the line here is shown without importing it."""

_EXAMPLES = ("hsmctl --lab sync check", "hsmctl -c prod cluster list -o json", "hsmctl ui --lab")
_EPILOG = """\
Exit codes: 0 ok; 1 the answer is no; 2 usage; 3 could not find out; 4 denied; 5 conflict; 6 partial; 7 the HSM
refused; 70 bug; 130 interrupted. With -o nagios: 0, 1, 2, 3 as monitoring plugins have them.

Completion: eval "$(_HSMCTL_COMPLETE=bash_source hsmctl)" in ~/.bashrc; zsh_source and fish_source do it for theirs."""


class Root(click.Group):
    """hsmctl itself."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The nouns."""
        return list(NOUNS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        """The noun, imported now; None if there is none of this name."""
        if cmd_name not in NOUNS:
            return None
        command: click.Command = import_module(f"hsmctl.cli.{cmd_name}").noun
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """Write the nouns from their table."""
        with formatter.section("Nouns"):
            formatter.write_dl(list(NOUNS.items()))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the nouns, then the options."""
        self.format_commands(ctx, formatter)
        write_shared_options(ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """Write what every run ends with, how completion is had, and examples."""
        formatter.write_paragraph()
        for line in _EPILOG.splitlines():
            formatter.write(f"{line}\n")
        write_examples(formatter, _EXAMPLES)


root = Root(
    "hsmctl",
    help="The operator's console for AWS CloudHSM estates.",
    params=list(SHARED),
    subcommand_metavar="NOUN VERB [ARGS]...",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
root = click.version_option(__version__, message="hsmctl %(version)s")(root)


def run(
    arguments: Sequence[str],
    connect: Connect | None = None,
    environ: Mapping[str, str] = os.environ,
    lived: Callable[[], float] = lambda: 0.0,
) -> int:
    """Run one command line; the exit code. `lived` says how old the process is, in seconds.

    Raises:
        BrokenPipeError: the reader of the answer has left.
    """
    out = Output(
        stdout=sys.stdout,
        stderr=sys.stderr,
        environ=environ,
        format=_typed_format(arguments),
        service=next((word.upper() for word in arguments if word in NOUNS), "HSMCTL"),
    )
    session = Session(out=out, connect=connect, environ=environ, lived=lived)
    try:
        code = _invoke(arguments, session)
        out.flush()
    except KeyboardInterrupt:
        return out.error(HsmctlError("interrupted"), ExitCode.INTERRUPTED, lab=session.names_lab)
    except HsmctlError as error:
        return out.error(error, error.exit_code, lab=session.names_lab)
    except BrokenPipeError:
        raise
    except Exception as bug:  # noqa: BLE001 - the edge of the command line: what is left is a bug, and is reported as one
        from hsmctl.cli.crash import explained

        return out.error(explained(bug, environ, out.say), ExitCode.BUG, lab=session.names_lab)
    return code


def _invoke(arguments: Sequence[str], session: Session) -> int:
    """Parse and run; click's ways to end become ours."""
    if "_HSMCTL_COMPLETE" in os.environ:
        root.main(prog_name="hsmctl")
    try:
        with root.make_context("hsmctl", list(arguments), obj=session) as context:
            code = root.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    except NoArgsIsHelpError as error:
        session.out.text_on_stderr(error.format_message())
        return ExitCode.USAGE
    except click.ClickException as error:
        raise complaint(error) from error
    return int(code or ExitCode.OK)


def complaint(error: click.ClickException) -> UsageError:
    """What click has to complain about, as our error."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context else "hsmctl"
    message = error.message if isinstance(error, NoSuchOption | NoSuchCommand) else error.format_message()
    near = _nearest(error, context)
    return UsageError(
        path.removeprefix("hsmctl").strip() or "what was typed",
        f"{message[:1].lower()}{message[1:]}".rstrip("."),
        f"did you mean {near}?" if near else f"{path} --help",
    )


def _nearest(error: click.ClickException, context: click.Context | None) -> str | None:
    """The option or command that was probably meant."""
    from difflib import get_close_matches

    if isinstance(error, NoSuchOption):
        return next(iter(error.possibilities or ()), None)
    if isinstance(error, NoSuchCommand) and context and isinstance(context.command, click.Group):
        return next(iter(get_close_matches(error.command_name, context.command.list_commands(context), 1)), None)
    return None


def _typed_format(arguments: Sequence[str]) -> Format:
    """The format that was asked for, as far as can be told before anything is parsed."""
    found = Format.TABLE
    for word, after in zip(arguments, [*arguments, ""][1:], strict=True):
        value = after if word in ("-o", "--output") else word.removeprefix("--output=").removeprefix("-o")
        if word.startswith(("-o", "--output")) and value in list(Format):
            found = Format(value)
    return found
