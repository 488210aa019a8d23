"""A check in Prometheus's text format (prometheus.io, "Exposition formats"), as a textfile collector takes it.

By hand, because the format is a page and the official library would bring a registry that a single run has no use for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from hsmctl.cli.view import Check, Level, Origin

_LEVELS = "0 ok, 1 warning, 2 critical, 3 unknown"
_WORST = (Level.OK, Level.WARNING, Level.UNKNOWN, Level.CRITICAL)

_Samples = Mapping[tuple[tuple[str, str], ...], float]
"""Labels to value; a series may stand but once."""


def exposition(name: str, check: Check, origin: Origin, now: datetime) -> Iterator[str]:
    """The lines of the check called `noun.verb`: its level, its figures, each case, and when that was."""
    prefix = f"hsmctl_{name.replace('.', '_')}"
    own = {"environment": origin.environment, "account": origin.account or "", "region": origin.region or ""}
    common = {label: value for label, value in own.items() if value}
    yield from _family(f"{prefix}_level", f"State of the check: {_LEVELS}.", {_key(common): check.level})
    for figure, value in check.figures.items():
        yield from _family(f"{prefix}_{figure}", f"Number of {figure.replace('_', ' ')}.", {_key(common): value})
    yield from _family(f"{prefix}_case_level", f"State of each case: {_LEVELS}.", _levels(check, common))
    for measure in dict.fromkeys(measure for case in check.cases for measure in case.seconds):
        measured = {
            _key({**common, **case.labels}): case.seconds[measure] for case in check.cases if measure in case.seconds
        }
        yield from _family(f"{prefix}_{measure}_seconds", f"Seconds of {measure.replace('_', ' ')}.", measured)
    yield from _family(f"{prefix}_time_seconds", "When this was checked, in Unix time.", {(): now.timestamp()})


def _levels(check: Check, common: Mapping[str, str]) -> _Samples:
    """Each case's level; of two cases that look alike the worse one counts."""
    found: dict[tuple[tuple[str, str], ...], float] = {}
    for case in sorted(check.cases, key=lambda case: _WORST.index(case.level)):
        found[_key({**common, **case.labels})] = case.level
    return found


def _family(name: str, says: str, samples: _Samples) -> Iterator[str]:
    if samples:
        yield f"# HELP {name} {says}"
        yield f"# TYPE {name} gauge"
    for labels, value in samples.items():
        pairs = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
        yield f"{name}{{{pairs}}} {value:.15g}" if pairs else f"{name} {value:.15g}"


def _key(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(labels.items())


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
