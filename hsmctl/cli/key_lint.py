"""`key lint`: what speaks against keys by their attributes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import click

from hsmctl.cli.key_place import Place, at_token
from hsmctl.cli.key_row import row
from hsmctl.cli.session import Session
from hsmctl.cli.table import Column, table
from hsmctl.cli.verb import verb
from hsmctl.cli.view import Case, Check, Level, Page, View
from hsmctl.domain.key_rule import RULES, Finding, Severity, lint
from hsmctl.errors import ExitCode
from hsmctl.mark import Mark
from hsmctl.words import counted

_MARKS = {Severity.HIGH: Mark.BAD, Severity.MEDIUM: Mark.ATTENTION, Severity.LOW: Mark.ATTRIBUTES}


@dataclass(frozen=True, slots=True, kw_only=True)
class LintRow:
    """A key that breaks a rule."""

    rule: str
    severity: str
    key: str
    """Its URI."""
    label: str
    saw: str
    rule_says: str
    fix: str
    basis: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLint:
    """What was found on one replica."""

    replica: str
    user: str
    keys: int
    """Objects this user sees; others are not judged."""
    total: int | None
    findings: tuple[LintRow, ...]


@verb(
    "lint",
    "hsmctl key lint",
    "hsmctl key lint --allow 'backup-*' --rule KY-01 --rule KY-05 -o nagios",
    checks=True,
)
@click.option("--allow", multiple=True, metavar="LABEL", help="Keys that are meant to leave, with * and ?.")
@click.option("--rule", "rules", multiple=True, type=click.Choice(list(RULES)), help="Only this rule; may be repeated.")
@at_token
def lint_keys(session: Session, place: Place, allow: tuple[str, ...], rules: tuple[str, ...]) -> int:
    """Judge keys by their attributes: what may leave, is weak, mixes uses, shares a label; exit 1 for what is high."""
    listing = session.hsmctl.key.list(place.replicas(), seconds=place.seconds)
    inventory = listing.inventory
    findings = lint(inventory.keys, allow, rules or tuple(RULES))
    found = KeyLint(
        replica=listing.replica.name,
        user=inventory.user,
        keys=len(inventory.keys),
        total=inventory.total,
        findings=tuple(map(_lint_row, findings)),
    )
    high = any(finding.rule.severity is Severity.HIGH for finding in findings)
    return session.show(LINT, found, code=ExitCode.NO if high else ExitCode.OK)


def _lint_row(finding: Finding) -> LintRow:
    shown = row(finding.key)
    rule = finding.rule
    return LintRow(
        rule=rule.rule_id,
        severity=rule.severity,
        key=shown.uri,
        label=shown.label,
        saw=finding.saw,
        rule_says=rule.says,
        fix=rule.fix,
        basis=rule.basis,
    )


def _lint_lines(found: KeyLint, page: Page) -> Iterator[str]:
    columns: tuple[Column[LintRow], ...] = (
        Column(title="", cell=lambda shown: _MARKS[Severity(shown.severity)].glyph),
        Column(title="RULE", cell=lambda shown: shown.rule),
        Column(title="KEY", cell=lambda shown: shown.label or shown.key, shrinks=True),
        Column(title="SAW", cell=lambda shown: shown.saw),
        Column(title="FIX", cell=lambda shown: shown.fix, wide=True),
        Column(title="BASIS", cell=lambda shown: shown.basis, wide=True),
    )
    if found.findings:
        yield from table(columns, found.findings, wide=page.wide, width=page.width)
        yield ""
    for rule in RULES.values():
        count = sum(shown.rule == rule.rule_id for shown in found.findings)
        if count:
            yield f"{rule.rule_id} {counted(count, 'finding')}: {rule.says}; {rule.fix}"
    mark = Mark.ATTENTION if found.findings else Mark.REPORTED
    yield f"{mark.glyph} {_said(found)}"


def _said(found: KeyLint) -> str:
    of = f" of {found.total:,}" if found.total is not None else ""
    what = counted(len(found.findings), "finding") if found.findings else "nothing found"
    return f"{what} in {found.keys:,}{of} objects seen as {found.user} on {found.replica}"


def _lint_check(found: KeyLint) -> Check:
    levels = {Severity.HIGH: Level.CRITICAL, Severity.MEDIUM: Level.WARNING, Severity.LOW: Level.OK}
    told = [levels[Severity(shown.severity)] for shown in found.findings]
    cases = [
        Case(labels={"rule": shown.rule, "key": shown.key}, level=levels[Severity(shown.severity)], says=shown.saw)
        for shown in found.findings
    ]
    figures = {str(each): sum(shown.severity == each for shown in found.findings) for each in Severity}
    return Check(level=max(told, default=Level.OK), says=_said(found), figures=figures, cases=cases)


LINT: View[KeyLint] = View(
    schema="key.lint@1",
    document=KeyLint,
    lines=_lint_lines,
    names=lambda found: [shown.key for shown in found.findings],
    items=lambda found: found.findings,
    check=_lint_check,
)

verbs = (lint_keys,)
