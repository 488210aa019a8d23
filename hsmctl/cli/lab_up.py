"""`lab up`: a cluster on this machine, made through the same plans as a real one; the same command goes on with it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import click
from click.core import ParameterSource

from hsmctl.cli.session import Session
from hsmctl.cli.verb import Seconds, verb
from hsmctl.cli.view import Page, View
from hsmctl.mark import Mark
from hsmctl.ports import LAB_NETWORKS, LabOptions, LabStatus
from hsmctl.settings import ContextKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Sizes of several things, in KiB."""

    minimum: int
    median: int
    maximum: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LabUp:
    """What `lab up` brought up, and what that took."""

    clusters: tuple[str, ...]
    hsms: int
    seconds: float
    """Until the cluster was ACTIVE with all its HSMs."""
    pss: Spread | None
    """Per HSM process."""


@verb("up", "hsmctl lab up", "hsmctl lab up --hsms 32 --azs 4 --seed-keys 200", "hsmctl lab up --network tgw")
@click.option("--hsms", type=click.IntRange(1, 32), default=3, show_default=True, help="HSMs of the cluster.")
@click.option("--azs", type=click.IntRange(1, 6), default=3, show_default=True, help="Availability Zones they are in.")
@click.option("--type", "hsm_type", default="hsm2m.medium", show_default=True, help="The HSM type.")
@click.option(
    "--delay", type=Seconds(), default="0", show_default=True, help="How long each state of the service lasts."
)
@click.option("--seed-keys", type=click.IntRange(0), default=200, show_default=True, help="Keys to begin with.")
@click.option(
    "--network",
    type=click.Choice(LAB_NETWORKS),
    default=LAB_NETWORKS[0],
    show_default=True,
    help="How the client host is connected to the HSMs.",
)
@click.option("--empty", is_flag=True, help="Make no cluster: subnets and a client host, to begin from nothing.")
def up(
    session: Session, hsms: int, azs: int, hsm_type: str, delay: float, seed_keys: int, network: str, *, empty: bool
) -> int:
    """Bring the lab up, or repair it; it ends with an ACTIVE cluster, unless it is to be empty.

    A lab that there is keeps the options it was made with.
    """
    facade = session.unbound
    options = LabOptions(hsms=hsms, zones=azs, hsm_type=hsm_type, delay=delay, seed_keys=seed_keys, network=network)
    options = _as_made(options, facade.lab.status().options)
    began = facade.clock.monotonic()
    for line in facade.lab.up(options, empty=empty):
        session.out.say(line)
    took = facade.clock.monotonic() - began
    status = facade.lab.status()
    made = LabUp(clusters=status.clusters, hsms=len(status.nodes), seconds=round(took, 2), pss=spread(status))
    return session.show_local(UP, made, ContextKind.LAB)


def spread(status: LabStatus) -> Spread | None:
    """How large the processes of the HSMs are; None where no size is known."""
    sizes = sorted(node.pss_kib for node in status.nodes if node.pss_kib is not None)
    return Spread(minimum=sizes[0], median=sizes[len(sizes) // 2], maximum=sizes[-1]) if sizes else None


def sizes(pss: Spread) -> str:
    """Sizes in one line."""
    return " / ".join(f"{size / 1024:.1f}" for size in (pss.minimum, pss.median, pss.maximum)) + " MiB (min/median/max)"


def _as_made(asked: LabOptions, made: LabOptions | None) -> LabOptions:
    """The options that were typed, and for the others those the lab was made with, if there is one."""
    source = click.get_current_context().get_parameter_source
    typed = {name for name in _NAMES if source(_NAMES[name]) is ParameterSource.COMMANDLINE}
    return replace(made or asked, **{name: getattr(asked, name) for name in typed})


_NAMES = {each.name: each.name for each in fields(LabOptions)} | {"zones": "azs"}
"""What each option is called on the command line."""


def _up_lines(made: LabUp, _: Page) -> list[str]:
    if not made.clusters:
        return [f"{Mark.REPORTED.glyph} the lab is up after {made.seconds:.1f} s and has no cluster yet"]
    clusters = ", ".join(made.clusters)
    lines = [f"{Mark.REPORTED.glyph} {clusters} is ACTIVE with {made.hsms} HSMs after {made.seconds:.1f} s"]
    return [*lines, f"  {sizes(made.pss)} for each HSM"] if made.pss else lines


UP: View[LabUp] = View(schema="lab.up@1", document=LabUp, lines=_up_lines, names=lambda made: made.clusters)
