"""`token`: the tokens a context can ask, what each offers, and whether that works."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hsmctl.cli.key_place import Place, at_token
from hsmctl.cli.session import Session
from hsmctl.cli.table import Column, details, table
from hsmctl.cli.verb import Noun, verb
from hsmctl.cli.view import Page, View
from hsmctl.domain.ckr import explain
from hsmctl.domain.mechanism import MechanismInfo, TokenFacts, Tried
from hsmctl.domain.uri import Uri
from hsmctl.errors import Denied, ExitCode, HsmctlError
from hsmctl.mark import Mark

if TYPE_CHECKING:
    from hsmctl.domain.sync import Replica
    from hsmctl.ports import Token


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRow:
    """One token, or why nothing is known of it."""

    name: str
    uri: str | None
    """RFC 7512."""
    label: str | None
    serial: str | None
    manufacturer: str | None
    model: str | None
    firmware: str | None
    mechanisms: int | None
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenShown:
    """Everything a token says about itself."""

    name: str
    uri: str
    facts: TokenFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedRow:
    """A mechanism that was tried."""

    mechanism: str
    key: str
    """The kind of key it was tried on."""
    works: bool
    ended: str
    """ok, wrong, or the return value's name."""
    named: bool
    """Whether the token names it among what it offers."""
    means: str | None
    """What the return value means."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenDoctor:
    """Which mechanisms work."""

    name: str
    tried: tuple[TriedRow, ...]


@verb("list", "hsmctl token list", "hsmctl token list -o json")
@at_token
def list_tokens(session: Session, place: Place) -> int:
    """List the tokens of the context, and the HSMs of the lab's cluster, as they describe themselves."""
    rows = tuple(_row(session, place, replica) for replica in place.all())
    failed = any(shown.error for shown in rows)
    return session.show(TOKENS, rows, code=ExitCode.PARTIAL if failed else ExitCode.OK)


@verb("show", "hsmctl token show", "hsmctl token show --on alpha -o wide")
@at_token
def show_token(session: Session, place: Place) -> int:
    """Show what a token says about itself, and every mechanism it names with key sizes and uses."""

    def look(replica: Replica, token: Token) -> TokenShown:
        facts = token.objects.describe()
        return TokenShown(name=replica.name, uri=_uri(facts), facts=facts)

    return session.show(SHOWN, session.hsmctl.keys.door.look(place.replicas(), place.seconds, look))


@verb("doctor", "hsmctl token doctor", "hsmctl token doctor --on alpha -o json")
@at_token
def examine_token(session: Session, place: Place) -> int:
    """Try every mechanism hsmctl uses, once, on session keys: a token may name what it does not do.

    Exit 1 where something that the token names does not work.
    """

    def look(replica: Replica, token: Token) -> TokenDoctor:
        facts = token.objects.describe()
        return TokenDoctor(name=replica.name, tried=tuple(_tried(facts, each) for each in token.objects.probe()))

    found = session.hsmctl.keys.door.change(place.chosen(), place.seconds, look)
    broken = any(shown.named and not shown.works for shown in found.tried)
    return session.show(EXAMINED, found, code=ExitCode.NO if broken else ExitCode.OK)


noun = Noun("token", "PKCS#11 tokens: what they are, offer and do.", list_tokens, show_token, examine_token)


def _row(session: Session, place: Place, replica: Replica) -> TokenRow:
    """What a token says, or why it says nothing; a refused login ends the list: it may be everybody's."""
    try:
        facts = session.hsmctl.keys.door.look([replica], place.seconds, lambda _, token: token.objects.describe())
    except Denied:
        raise
    except HsmctlError as error:
        nothing = dict.fromkeys(("uri", "label", "serial", "manufacturer", "model", "firmware", "mechanisms"))
        return TokenRow(name=replica.name, error=str(error), **nothing)
    return TokenRow(
        name=replica.name,
        uri=_uri(facts),
        label=facts.label,
        serial=facts.serial,
        manufacturer=facts.manufacturer,
        model=facts.model,
        firmware=facts.firmware,
        mechanisms=len(facts.mechanisms),
        error=None,
    )


def _uri(facts: TokenFacts) -> str:
    parts = (facts.label, facts.serial, facts.manufacturer, facts.model)
    label, serial, manufacturer, model = (part.encode() or None for part in parts)
    return str(Uri(token=label, serial=serial, manufacturer=manufacturer, model=model))


def _tried(facts: TokenFacts, tried: Tried) -> TriedRow:
    known = None if tried.ended in ("ok", "wrong") else explain(tried.ended)
    return TriedRow(
        mechanism=tried.mechanism,
        key=tried.on,
        works=tried.ended == "ok",
        ended=known.name if known else tried.ended,
        named=facts.offers(tried.mechanism),
        means=known.says if known else None,
    )


def _list_lines(rows: tuple[TokenRow, ...], page: Page) -> Iterator[str]:
    columns: tuple[Column[TokenRow], ...] = (
        Column(title="", cell=lambda shown: (Mark.UNREADABLE if shown.error else Mark.REPORTED).glyph),
        Column(title="NAME", cell=lambda shown: shown.name),
        Column(title="LABEL", cell=lambda shown: shown.label or "–"),
        Column(title="SERIAL", cell=lambda shown: shown.serial or "–"),
        Column(title="MODEL", cell=lambda shown: shown.model or shown.error or "–"),
        Column(title="MECHANISMS", cell=lambda shown: str(shown.mechanisms or ""), right=True),
        Column(title="URI", cell=lambda shown: shown.uri or "–", wide=True),
    )
    yield from table(columns, rows, wide=page.wide, width=page.width)


def _shown_lines(shown: TokenShown, page: Page) -> Iterator[str]:
    facts = shown.facts
    yield from details(
        [
            ("label", facts.label),
            ("serial", facts.serial),
            ("manufacturer", facts.manufacturer),
            ("model", facts.model),
            ("firmware", facts.firmware),
            ("library", facts.library),
            ("uri", shown.uri),
        ]
    )
    columns: tuple[Column[MechanismInfo], ...] = (
        Column(title="MECHANISM", cell=lambda each: each.name),
        Column(title="SIZES", cell=lambda each: f"{each.least}–{each.most}" if each.most else "–"),
        Column(title="USES", cell=lambda each: " ".join(each.uses)),
    )
    yield ""
    yield from table(columns, facts.mechanisms, wide=page.wide, width=page.width)


def _doctor_lines(found: TokenDoctor, page: Page) -> Iterator[str]:
    columns: tuple[Column[TriedRow], ...] = (
        Column(title="", cell=lambda shown: _mark(shown).glyph),
        Column(title="MECHANISM", cell=lambda shown: shown.mechanism),
        Column(title="KEY", cell=lambda shown: shown.key),
        Column(title="NAMED", cell=lambda shown: "yes" if shown.named else "no"),
        Column(title="ENDED", cell=lambda shown: shown.ended),
        Column(title="MEANS", cell=lambda shown: shown.means or "", wide=True),
    )
    yield from table(columns, found.tried, wide=page.wide, width=page.width)
    works = sum(shown.works for shown in found.tried)
    yield ""
    yield f"{works} of {len(found.tried)} work on {found.name}; tried on session keys, which are gone"


def _mark(shown: TriedRow) -> Mark:
    if shown.works:
        return Mark.PROVED
    return Mark.BAD if shown.named else Mark.UNPROVEN


TOKENS: View[tuple[TokenRow, ...]] = View(
    schema="token.list@1",
    document=tuple[TokenRow, ...],
    lines=_list_lines,
    names=lambda rows: [shown.name for shown in rows],
    items=lambda rows: rows,
    nothing="the context has no tokens",
)
SHOWN: View[TokenShown] = View(
    schema="token.show@1",
    document=TokenShown,
    lines=_shown_lines,
    names=lambda shown: [shown.uri],
    items=lambda shown: shown.facts.mechanisms,
)
EXAMINED: View[TokenDoctor] = View(
    schema="token.doctor@1",
    document=TokenDoctor,
    lines=_doctor_lines,
    names=lambda found: [shown.mechanism for shown in found.tried if shown.works],
    items=lambda found: found.tried,
)
