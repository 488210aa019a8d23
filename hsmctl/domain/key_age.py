"""How old keys are, by what this machine wrote down, and whether that is too old (KY-07).

CloudHSM keeps no date of a key. The journal knows when hsmctl made one; of a key that was imported, or first listed by
a check, only that it is at least so old.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from hsmctl.domain.key import PAIRED, Identity, Key, ObjectClass, text
from hsmctl.domain.key_look import HIDDEN, Look, Seen
from hsmctl.domain.key_rule import Broken, Doubt
from hsmctl.errors import UsageError

_SIGNS, _REST = timedelta(days=3 * 365), timedelta(days=2 * 365)
"""The longest cryptoperiods of NIST SP 800-57 part 1, 5.3.6: private signature keys, and every other kind in use."""
_NOBODY_KNOWS = Doubt(
    "nothing on this machine says when it was made, and a token keeps no date",
    "hsmctl key rotate KEY --label NEW makes one whose age the journal keeps",
)
_TOO_SHORT = Doubt(
    "it was seen for less than its cryptoperiod, and how old it was then is not known",
    "hsmctl key rotate KEY --label NEW makes one whose age the journal keeps",
)
_SHARED = Doubt("several keys have its class, id and label", "hsmctl key rename KEY NEW")


@dataclass(frozen=True, slots=True, kw_only=True)
class Birth:
    """Since when there is a key, as far as is known."""

    at: datetime
    made: bool
    """Whether it was made then; or else it is that old at least."""
    source: str
    """Who says so, in words that end in the date."""


Births = Mapping[Identity, Birth]


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """How long keys may be used whose label is like this."""

    pattern: str
    longest: timedelta


def parse_periods(words: Iterable[str]) -> tuple[Period, ...]:
    """`DAYS`, or `LABEL=DAYS` with `*` and `?` in the label.

    Raises:
        UsageError: it is neither.
    """
    found = []
    for word in words:
        pattern, _, days = word.rpartition("=")
        if not days.isdecimal() or not 1 <= int(days) <= 99_999:
            raise UsageError(f"--max-age {word}", "it is no number of days", "--max-age 365, or 'root-*=7300'")
        found.append(Period(pattern=pattern or "*", longest=timedelta(days=int(days))))
    return tuple(found)


def births(records: Iterable[Mapping[str, Any]], realm: str, places: Sequence[str]) -> dict[Identity, Birth]:
    """Since when there are the keys that this journal says hsmctl made or imported, on these places of one realm."""
    known: dict[Identity, Birth] = {}
    begun: dict[object, tuple[Identity, datetime]] = {}
    for record in records:
        kind, label = record.get("kind"), record.get("label")
        if kind == "key-generate" and _is_here(record, realm, places):
            spec = record["spec"]
            begun[spec["label"]] = _made(spec), datetime.fromisoformat(str(record["at"]))
        elif kind == "key-generated" and label in begun:
            identity, at = begun.pop(label)
            known.setdefault(identity, Birth(at=at, made=True, source=f"hsmctl made it on {at:%Y-%m-%d}"))
        elif kind == "key-import" and record.get("on") in places:
            at = datetime.fromisoformat(str(record["at"]))
            known.setdefault(_named(record), Birth(at=at, made=False, source=f"hsmctl imported it on {at:%Y-%m-%d}"))
        elif kind == "key-deleted" and record.get("on") in places:
            known.pop(_named(record), None)
        elif kind == "key-renamed" and _named(record) in known:
            after = {name: record.get(f"to_{name}") for name in ("class", "id", "label")}
            known[_named(after)] = known[_named(record)]
    return known


def first_seen(sightings: Mapping[Identity, datetime]) -> dict[Identity, Birth]:
    """The same, of keys that a check listed."""
    return {
        identity: Birth(at=at, made=False, source=f"hsmctl first saw it on {at:%Y-%m-%d}")
        for identity, at in sightings.items()
    }


def aged(known: Births | Doubt, keys: Sequence[Key], periods: Sequence[Period], now: datetime) -> Look:
    """How KY-07 is judged."""
    having = Counter(key.identity for key in keys)

    def see(key: Key) -> Seen:
        if isinstance(known, Doubt):
            return known
        birth = known.get(key.identity)
        if birth is None or having[key.identity] > 1:
            return _SHARED if birth else _NOBODY_KNOWS
        longest, age = _longest(key, periods), now - birth.at
        if age > longest:
            least = "" if birth.made else "at least "
            return Broken(f"is {least}{age.days:,} days old, of {longest.days:,} ({birth.source})")
        return None if birth.made else _TOO_SHORT

    return Look(classes=HIDDEN, see=see)


def _is_here(record: Mapping[str, Any], realm: str, places: Sequence[str]) -> bool:
    """Whether a key was made on this cluster or token; HSMs come and go, so the cluster counts where it is noted."""
    if realm and record.get("cluster_id"):
        return bool(record["cluster_id"] == realm)
    return record.get("on") in places


def _made(spec: Mapping[str, Any]) -> Identity:
    """What is called so: the secret key, or the private half."""
    half = ObjectClass.PRIVATE if spec["kind"] in PAIRED else ObjectClass.SECRET
    return Identity(half, bytes.fromhex(spec["key_id"]), bytes.fromhex(spec["label"]))


def _named(record: Mapping[str, Any]) -> Identity:
    return Identity(
        ObjectClass(str(record["class"])), bytes.fromhex(str(record["id"])), bytes.fromhex(str(record["label"]))
    )


def _longest(key: Key, periods: Sequence[Period]) -> timedelta:
    """The first period whose pattern the label is like, or else NIST's for what the key does."""
    label = text(key.identity.label)
    usual = _SIGNS if key.identity.object_class is ObjectClass.PRIVATE and "sign" in key.attributes else _REST
    return next((period.longest for period in periods if fnmatchcase(label, period.pattern)), usual)
