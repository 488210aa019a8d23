"""Points in time as they are typed: a time in UTC unless it says otherwise, or how long ago."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import click

from hsmctl.cli.verb import Seconds


class Moment(click.ParamType["Moment.Value"]):
    """`24h`, `15m`, `2026-11-28T02:10`, `2026-11-28`, `2026-11-28T02:10+01:00`."""

    name = "time"

    @dataclass(frozen=True, slots=True)
    class Value:
        """What was typed, until it is known what time it is."""

        moment: datetime | None = None
        ago: timedelta | None = None

        def at(self, now: datetime) -> datetime:
            """The point in time."""
            return self.moment or now - (self.ago or timedelta())

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Moment.Value:
        """What was typed, understood."""
        if isinstance(value, Moment.Value):
            return value
        text = str(value).strip()
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            try:
                return Moment.Value(ago=timedelta(seconds=Seconds().convert(text, param, ctx)))
            except click.BadParameter:
                self.fail(f"{text} is no time such as 24h or 2026-11-28T02:10", param, ctx)
        return Moment.Value(moment=moment if moment.tzinfo else moment.replace(tzinfo=UTC))
