"""Proves that a real cluster's sync place shows its own evidence with grade and scope, and never an HSM's cell."""

from __future__ import annotations

from dataclasses import replace

from hsmctl.screens.coverage import CoverageScreen
from stage import opened
from world import HSMS, World

from hsmctl.domain.coverage import ReportedKey
from hsmctl.errors import Unreachable
from hsmctl.secret import Source, SourceKind
from hsmctl.settings import Context
from hsmctl.settings_entry import ClientEntry

PROD = Context(
    name="prod",
    clients=(ClientEntry(name="app1", host="app1.internal"),),
    user="crypto_user",
    password=Source(SourceKind.PROMPT),
)


def world(count: int = 5) -> World:
    """A world in which the HSMs count five token keys, of which the crypto user sees some."""
    made = World()
    made.consoles.cluster.keys = tuple(
        ReportedKey(
            reference=f"0x{number:016x}", label=f"key-{number}", coverage="full", owners={"crypto_user": "full"}
        )
        for number in range(count)
    )
    return made


async def test_what_agrees_is_reported_with_its_scope() -> None:
    async with opened(world(2), PROD, (120, 40)) as stage:
        await stage.press("s")
        await stage.sees("This cluster was not asked yet.")
        await stage.press("c")
        await stage.sees_line("◍ visible keys agree (reported, not proved)")
        await stage.sees("visible: unproven", "PER HSM inferred")
        await stage.sees_line("token keys", "5")
        await stage.sees_line("user places", "1,020")
        await stage.press("escape")
        await stage.sees_line("ACTIVE", "no difference seen")


async def test_drift_is_named_with_its_repair_and_reaches_the_fleet() -> None:
    made = world()
    del made.consoles.cluster.users[HSMS[0]]["app_user"]
    made.consoles.cluster.keys = (
        replace(made.consoles.cluster.keys[0], coverage="inconsistent"),
        *made.consoles.cluster.keys[1:],
    )
    made.estate.keys = {HSMS[0]: [5.0, 5.0], HSMS[1]: [4.0, 4.0], HSMS[2]: [5.0, 5.0]}
    async with opened(made, PROD, (120, 40)) as stage:
        await stage.press("c", "s")
        await stage.sees_line("✖ not in sync: 3 findings")
        await stage.sees_line("✖ app_user", "user", "missing on some HSM", "reported")
        await stage.sees_line("HsmKeysTokenOccupied", "count", "inferred")
        assert isinstance(stage.app.screen, CoverageScreen)
        names = [finding.name for finding in stage.app.screen.findings.rows.shown]
        await stage.press(*["down"] * names.index("app_user"))
        await stage.sees("hsmctl user repair app_user")
        await stage.press("d")
        await stage.sees("repair")
        await stage.press("escape", "escape")
        await stage.sees_line("✖ lab", "user app_user: missing on some HSM")
        assert stage.text.count("token keys by count: 4 on") == 1


async def test_a_client_host_that_is_gone_is_unknown_and_the_counts_stay() -> None:
    made = world()
    made.consoles.cluster.down["app1"] = Unreachable("app1", "no answer", "")
    async with opened(made, PROD, (120, 40)) as stage:
        await stage.press("c", "s")
        await stage.sees_line("▒ unknown: 1 thing not seen")
        await stage.sees_line("token keys", "5")
        await stage.misses("no difference")
