"""`key lint`: what speaks against keys, and what could not be judged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click

from hsmctl.cli.key_place import Place, at_token
from hsmctl.cli.key_row import row
from hsmctl.cli.session import Session
from hsmctl.cli.table import wrapped
from hsmctl.cli.verb import verb
from hsmctl.cli.view import Case, Check, Level, Page, View
from hsmctl.domain.key_age import parse_periods
from hsmctl.domain.key_lint import Judged, Unjudged, Verdict, Wanted
from hsmctl.domain.key_rule import RULES, Finding, Severity
from hsmctl.domain.key_share import FEW
from hsmctl.domain.uri import uri_of
from hsmctl.errors import ExitCode
from hsmctl.mark import Mark
from hsmctl.services.key import Listing
from hsmctl.words import brief, counted, whoever

_MARKS = {Severity.HIGH: Mark.BAD, Severity.MEDIUM: Mark.ATTENTION, Severity.LOW: Mark.ATTRIBUTES}
_LEVELS = {Severity.HIGH: Level.CRITICAL, Severity.MEDIUM: Level.WARNING, Severity.LOW: Level.OK}
_NAMED = 12
"""Keys that text names for one finding; `-o wide` names all."""
_EXAMPLES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class LintRow:
    """A key that breaks a rule."""

    rule: str
    severity: str
    key: str
    """Its URI."""
    label: str
    saw: str
    """What is said of the key: `is extractable`."""
    why: str
    """What that may lead to."""
    rule_says: str
    fix: str
    """The next step, as it is typed."""
    basis: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnjudgedRow:
    """Keys of which nobody can say whether they break a rule."""

    rule: str
    keys: int
    why: str
    next_step: str
    examples: tuple[str, ...]
    """URIs of some of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRow:
    """What came of one rule."""

    rule: str
    severity: str
    says: str
    outcome: str
    """broken, unjudged, kept; or not-applicable, where the rule says nothing about such a token."""
    keys: int
    """Keys it is about."""
    findings: int
    unjudged: int
    why_not: str | None
    """Why it says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLint:
    """What was found on one replica."""

    replica: str
    user: str
    keys: int
    """Objects this user sees; others are not judged."""
    total: int | None
    findings: tuple[LintRow, ...]
    unjudged: tuple[UnjudgedRow, ...]
    rules: tuple[RuleRow, ...]


@verb(
    "lint",
    "hsmctl key lint",
    "hsmctl key lint --allow 'backup-*' --rule KY-01 --rule KY-05 -o nagios",
    "hsmctl key lint --max-age 'root-*=7300' --max-age 365 --guarded 'kek-*' --share-limit 1",
    checks=True,
)
@click.option("--allow", multiple=True, metavar="LABEL", help="Keys that are meant to leave, with * and ?.")
@click.option("--rule", "rules", multiple=True, type=click.Choice(list(RULES)), help="Only this rule; may be repeated.")
@click.option(
    "--max-age",
    "ages",
    multiple=True,
    metavar="[LABEL=]DAYS",
    help="KY-07: the cryptoperiod, of keys like LABEL or of all; otherwise 1,095 days to sign and 730 else.",
)
@click.option(
    "--share-limit",
    type=click.IntRange(0),
    default=FEW,
    show_default=True,
    help="KY-09: other users a key may be shared with.",
)
@click.option("--guarded", multiple=True, metavar="LABEL", help="KY-09: keys that need approvals, as authorities' do.")
@at_token
def lint_keys(
    session: Session,
    place: Place,
    allow: tuple[str, ...],
    rules: tuple[str, ...],
    ages: tuple[str, ...],
    share_limit: int,
    guarded: tuple[str, ...],
) -> int:
    """Judge keys by what they may do, their size, age and sharing.

    Exit 1 where a finding is high, else 6 where a rule could not be judged; --rule leaves the others out.
    """
    wanted = Wanted(
        rules=rules or tuple(RULES), allow=allow, few=share_limit, guarded=guarded, periods=parse_periods(ages)
    )
    replicas = place.replicas()
    listing = session.hsmctl.key.list(replicas, seconds=place.seconds)
    verdict = session.hsmctl.keys.lint.judge(listing, replicas, wanted)
    high = any(finding.rule.severity is Severity.HIGH for finding in verdict.findings)
    open_ = ExitCode.PARTIAL if verdict.unjudged else ExitCode.OK
    return session.show(LINT, _document(listing, verdict), code=ExitCode.NO if high else open_)


def _document(listing: Listing, verdict: Verdict) -> KeyLint:
    return KeyLint(
        replica=listing.replica.name,
        user=listing.inventory.user,
        keys=len(listing.inventory.keys),
        total=listing.inventory.total,
        findings=tuple(map(_lint_row, verdict.findings)),
        unjudged=tuple(map(_unjudged_row, verdict.unjudged)),
        rules=tuple(map(_rule_row, verdict.rules)),
    )


def _lint_row(finding: Finding) -> LintRow:
    shown = row(finding.key)
    rule = finding.rule
    return LintRow(
        rule=rule.rule_id,
        severity=rule.severity,
        key=shown.uri,
        label=shown.label,
        saw=finding.saw,
        why=rule.why,
        rule_says=rule.says,
        fix=finding.fix,
        basis=rule.basis,
    )


def _unjudged_row(each: Unjudged) -> UnjudgedRow:
    return UnjudgedRow(
        rule=each.rule.rule_id,
        keys=len(each.keys),
        why=each.doubt.why,
        next_step=each.doubt.way_out,
        examples=tuple(uri_of(key.identity) for key in each.keys[:_EXAMPLES]),
    )


def _rule_row(judged: Judged) -> RuleRow:
    kept = "unjudged" if judged.unjudged else "kept"
    return RuleRow(
        rule=judged.rule.rule_id,
        severity=judged.rule.severity,
        says=judged.rule.says,
        outcome="not-applicable" if judged.beyond else "broken" if judged.broken else kept,
        keys=judged.keys,
        findings=judged.broken,
        unjudged=judged.unjudged,
        why_not=judged.beyond or None,
    )


def _lint_lines(found: KeyLint, page: Page) -> Iterator[str]:
    for rule in found.rules:
        broken = [shown for shown in found.findings if shown.rule == rule.rule]
        if broken:
            yield from _broken_lines(rule, broken, page)
            yield ""
    for each in found.unjudged:
        says = f"{each.rule} not judged for {counted(each.keys, 'key')}: {each.why}"
        yield from wrapped(Mark.UNPROVEN.glyph, says.split(), page.width, 2)
        yield from _next(each.next_step)
        yield ""
    kept = [rule.rule for rule in found.rules if rule.outcome == "kept"]
    if kept:
        yield f"{Mark.REPORTED.glyph} kept: {', '.join(kept)}"
    for rule in found.rules:
        if rule.why_not:
            yield from wrapped("–", f"{rule.rule} says nothing here: {rule.why_not}".split(), page.width, 2)
    yield from wrapped(_mark(found).glyph, _said(found).split(), page.width, 2)


def _broken_lines(rule: RuleRow, broken: Sequence[LintRow], page: Page) -> Iterator[str]:
    """One rule with the keys that break it, those of which the same is said together."""
    yield f"{_MARKS[Severity(rule.severity)].glyph} {rule.rule} {rule.severity}: {rule.says}"
    alike: dict[str, list[LintRow]] = defaultdict(list)
    for shown in broken:
        alike[shown.saw].append(shown)
    for saw, rows in alike.items():
        names = [shown.label or shown.key for shown in rows]
        names = names if page.wide else [*map(brief, names)]
        few = names if page.wide else names[:_NAMED]
        more = [f"and {len(names) - len(few):,} more (-o wide)"] if len(names) > len(few) else []
        says = [names[0], *saw.split()] if len(names) == 1 else [f"{len(names):,} keys, each {saw}:", *few, *more]
        yield from wrapped(" ", says, page.width, 2)
    yield from wrapped("  why", f"{broken[0].why} ({broken[0].basis})".split(), page.width, 8)
    for step in dict.fromkeys(_step(rule, rows) for rows in alike.values()):
        yield from _next(step)


def _next(steps: str) -> Iterator[str]:
    """Each step on a line of its own, whole, to be copied."""
    for place, step in enumerate(steps.split("; ")):
        yield f"{'        ' if place else '  next  '}{step}"


def _step(rule: RuleRow, rows: Sequence[LintRow]) -> str:
    """The next step for these keys: the one they share, or the rule's, in which KEY stands for each."""
    steps = {shown.fix for shown in rows}
    return steps.pop() if len(steps) == 1 else RULES[rule.rule].fix


def _mark(found: KeyLint) -> Mark:
    worst = next((_MARKS[Severity(shown.severity)] for shown in found.findings), None)
    return worst or (Mark.UNPROVEN if found.unjudged else Mark.REPORTED)


def _said(found: KeyLint) -> str:
    """What was found, what could not be, and in which keys, in one line."""
    counts = {each: sum(shown.severity == each for shown in found.findings) for each in Severity}
    bad = ", ".join(f"{count:,} {each}" for each, count in counts.items() if count)
    rules = ", ".join(dict.fromkeys(shown.rule for shown in found.findings))
    open_ = ", ".join(dict.fromkeys(each.rule for each in found.unjudged))
    of = f" of {found.total:,}" if found.total is not None else ""
    seen = f"in {found.keys:,}{of} objects seen as {whoever([found.user])} on {found.replica}"
    what = f"{counted(len(found.findings), 'finding')} ({bad}; {rules})" if found.findings else "nothing found"
    return f"{what} {seen}{f'; not judged everywhere: {open_}' if open_ else ''}"


def _lint_check(found: KeyLint) -> Check:
    """Every finding and every rule in doubt; where a rule is in doubt and nothing is worse, nobody knows."""
    cases = [
        Case(labels={"rule": each.rule, "key": each.key}, level=_LEVELS[Severity(each.severity)], says=each.saw)
        for each in found.findings
    ]
    doubts: dict[str, list[UnjudgedRow]] = defaultdict(list)
    for each in found.unjudged:
        doubts[each.rule].append(each)
    for rule, rows in doubts.items():
        says = "\n".join(f"{counted(each.keys, 'key')} not judged: {each.why}" for each in rows)
        cases.append(Case(labels={"rule": rule, "key": ""}, level=Level.UNKNOWN, says=says))
    worst = max((case.level for case in cases if case.level is not Level.UNKNOWN), default=Level.OK)
    unknown = worst is Level.OK and bool(doubts)
    figures = {str(each): sum(shown.severity == each for shown in found.findings) for each in Severity}
    figures["unjudged"] = sum(each.keys for each in found.unjudged)
    return Check(level=Level.UNKNOWN if unknown else worst, says=_said(found), figures=figures, cases=cases)


LINT: View[KeyLint] = View(
    schema="key.lint@1",
    document=KeyLint,
    lines=_lint_lines,
    names=lambda found: [shown.key for shown in found.findings],
    items=lambda found: (*found.findings, *found.unjudged),
    check=_lint_check,
)

verbs = (lint_keys,)
