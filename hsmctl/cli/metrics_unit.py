"""`metrics unit`: systemd units that keep the metrics fresh, with no more rights than that takes."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from hsmctl.cli.session import Session
from hsmctl.cli.verb import Seconds, verb
from hsmctl.cli.view import Page, View
from hsmctl.errors import Conflict, UsageError

_FILE = Path("/var/lib/prometheus/node-exporter/hsmctl.prom")
_NAME = "hsmctl-metrics"
_USER = "hsmctl"
_HARDENED = """\
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome={home}
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
PrivateDevices=yes
PrivateTmp=yes
LockPersonality=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
LimitCORE=0
UMask=0022"""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitFile:
    """A file for /etc/systemd/system."""

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was typed about a unit."""

    command: str
    writes: Path | None
    """The file that is written; None where it serves."""
    every: float
    user: str | None


@verb(
    "unit",
    "hsmctl -c prod metrics unit",
    "hsmctl -c prod metrics unit --serve --user monitoring",
    "hsmctl -c prod metrics unit --file /srv/textfiles/hsmctl.prom --every 2m",
)
@click.option("--file", type=click.Path(path_type=Path), default=_FILE, show_default=True, help="The file to write.")
@click.option("--serve", is_flag=True, help="A service that is scraped, without a timer and a file.")
@click.option("--every", type=Seconds(), default="60s", show_default=True, help="How often it collects.")
@click.option("--user", metavar="NAME", help="Whose AWS profile and configuration it uses.")
@click.option("--out", metavar="DIR", type=click.Path(path_type=Path, file_okay=False), help="Write the files there.")
def noun_unit(session: Session, file: Path, every: float, user: str | None, out: Path | None, *, serve: bool) -> int:
    """Print a hardened systemd service and its timer, for /etc/systemd/system; the context is the one typed.

    Without --user it runs as hsmctl (with --serve as a user that systemd makes), reads /etc/hsmctl/config.toml and has
    its credentials from the machine's role.
    """
    if not file.is_absolute():
        raise UsageError(
            f"--file {file}", "a service has no folder of its own: the path must be whole", f"--file {_FILE}"
        )
    words = _words(session, file, every, serve=serve)
    wanted = Wanted(command=shlex.join(words), writes=None if serve else file, every=every, user=user)
    units = (_service(wanted),) if serve else (_service(wanted), _timer(wanted))
    if out is not None:
        _write(out, units)
    return session.show_local(UNIT, units)


def _words(session: Session, file: Path, every: float, *, serve: bool) -> Sequence[str]:
    """The command line of the service, which systemd wants with its whole path."""
    chosen = session.flags
    words = [str(Path(sys.argv[0]).absolute())]
    for option, value in (("--context", chosen.context), ("--profile", chosen.profile), ("--region", chosen.region)):
        words += [option, value] if value else []
    words += ["--lab"] if chosen.lab else []
    return [*words, "metrics", *(["serve", "--every", f"{every:g}s"] if serve else ["write", str(file)])]


def _service(wanted: Wanted) -> UnitFile:
    lines = [
        "[Unit]",
        "Description=How CloudHSM clusters stand, for Prometheus",
        "Wants=network-online.target",
        "After=network-online.target",
        "",
        "[Service]",
        "Type=simple" if wanted.writes is None else "Type=oneshot",
        f"ExecStart={wanted.command.replace('%', '%%')}",
        *_who(wanted),
        *(
            ["Restart=on-failure", "RestartSec=10s"]
            if wanted.writes is None
            else ["TimeoutStartSec=120", "SuccessExitStatus=3 6"]
        ),
        *([] if wanted.writes is None else [f"ReadWritePaths={wanted.writes.parent}"]),
        *_HARDENED.format(home="yes" if wanted.user is None else "read-only").splitlines(),
        *(["", "[Install]", "WantedBy=multi-user.target"] if wanted.writes is None else []),
    ]
    return UnitFile(name=f"{_NAME}.service", text="\n".join(lines) + "\n")


def _who(wanted: Wanted) -> list[str]:
    """The user, and where its configuration and state are; state is the journal and the locks.

    A service that is scraped gets a user that systemd makes for each run; one that writes into the collector's folder
    needs one that the folder can be opened for.
    """
    settings = ["StateDirectory=hsmctl", "StateDirectoryMode=0700", "Environment=HSMCTL_STATE_HOME=%S/hsmctl"]
    if wanted.user is not None:
        return [f"User={wanted.user}", *settings]
    user = "DynamicUser=yes" if wanted.writes is None else f"User={_USER}"
    return [user, *settings, "Environment=HSMCTL_CONFIG=/etc/hsmctl/config.toml"]


def _timer(wanted: Wanted) -> UnitFile:
    lines = [
        "[Unit]",
        "Description=How CloudHSM clusters stand, again and again",
        "",
        "[Timer]",
        "OnBootSec=1min",
        f"OnUnitActiveSec={wanted.every:g}s",
        "AccuracySec=5s",
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]
    return UnitFile(name=f"{_NAME}.timer", text="\n".join(lines) + "\n")


def _write(folder: Path, units: Sequence[UnitFile]) -> None:
    """Write the files, none of which may be there already.

    Raises:
        Conflict: one is.
        UsageError: the folder cannot be written to.
    """
    for unit in units:
        place = folder / unit.name
        try:
            with place.open("x") as stream:
                stream.write(unit.text)
        except FileExistsError as error:
            raise Conflict(str(place), "it is there already", "move it away first") from error
        except OSError as error:
            raise UsageError(str(place), error.strerror or str(error), "--out DIR") from error


def _lines(units: tuple[UnitFile, ...], _: Page) -> Iterator[str]:
    for unit in units:
        yield f"# /etc/systemd/system/{unit.name}"
        yield from unit.text.splitlines()
        yield ""
    start = units[-1].name
    if f"User={_USER}\n" in units[0].text:
        yield f"# useradd --system {_USER}, and let it write into the folder: setfacl -m u:{_USER}:rwx FOLDER"
    yield f"# systemd-analyze verify {' '.join(unit.name for unit in units)}"
    yield f"# systemctl daemon-reload && systemctl enable --now {start}"


UNIT: View[tuple[UnitFile, ...]] = View(
    schema="metrics.unit@1",
    document=tuple[UnitFile, ...],
    lines=_lines,
    names=lambda units: [unit.name for unit in units],
    items=lambda units: units,
)
