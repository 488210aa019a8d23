"""Who else may use a key, and whether somebody has to approve it (KY-09), as cloudhsm-cli reports both."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from hsmctl.domain.coverage import ReportedKey
from hsmctl.domain.key import Identity, Key, ObjectClass, text
from hsmctl.domain.key_look import HIDDEN, Look, Seen, names_authority
from hsmctl.domain.key_rule import Broken, Doubt

Reports = Mapping[Identity, Sequence[ReportedKey]]
FEW = 2
"""How many other users a key may be shared with, where nothing else is asked for."""
_APPROVALS = 2
"""The fewest that are more than one person's word."""
_NOT_LISTED = Doubt("cloudhsm-cli does not list it", "hsmctl sync check --via login")
_SHARED = Doubt("cloudhsm-cli lists several keys of its class, id and label", "hsmctl key rename KEY NEW")
_NO_VALUES = Doubt("cloudhsm-cli tells no quorum values of it", "a newer cloudhsm-cli on the client host")
_QUORUM_STEP = "make a new key by cloudhsm-cli, with --manage-key-quorum-value 2"


def reports_of(keys: Iterable[ReportedKey]) -> Reports:
    """What cloudhsm-cli reports, by what PKCS#11 calls the objects."""
    found: dict[Identity, list[ReportedKey]] = defaultdict(list)
    for key in keys:
        identity = _identity(key)
        if identity is not None:
            found[identity].append(key)
    return found


def completed(key: Key, reports: Reports) -> Key:
    """The key with those attributes that its token does not tell and cloudhsm-cli does, alike on every HSM."""
    told = reports.get(key.identity, ())
    if not key.unknown or len(told) != 1:
        return key
    known = {name: told[0].attributes.get(name.replace("_", "-")) for name in key.unknown}
    true = {name for name, value in known.items() if value is True}
    false = {name for name, value in known.items() if value is False}
    return replace(key, attributes=key.attributes | true, unknown=key.unknown - true - false)


def shared(reports: Reports | Doubt, few: int, guarded: Sequence[str]) -> Look:
    """How KY-09 is judged; `guarded` are labels, with `*` and `?`, of keys that need approvals."""

    def see(key: Key) -> Seen:
        if isinstance(reports, Doubt):
            return reports
        told = reports.get(key.identity, ())
        if len(told) != 1:
            return _SHARED if told else _NOT_LISTED
        users = sorted(told[0].shared)
        if len(users) > few:
            return Broken(f"is shared with {len(users)} users: {', '.join(users)}", _unshare(told[0]))
        return _approved(told[0]) if _needs_approval(key, guarded) else None

    return Look(classes=HIDDEN, see=see)


def _unshare(key: ReportedKey) -> str:
    return f"cloudhsm-cli key unshare --filter key-reference={key.reference} --username NAME --role crypto-user"


def _approved(key: ReportedKey) -> Seen:
    """Whether more than one person decides; approvals are asked for a use, a change, or both."""
    if key.use_quorum is None or key.manage_quorum is None:
        return _NO_VALUES
    most = max(key.use_quorum, key.manage_quorum)
    return None if most >= _APPROVALS else Broken("needs nobody's approval to be used or changed", _QUORUM_STEP)


def _needs_approval(key: Key, guarded: Sequence[str]) -> bool:
    """Whether others rest on the key: an authority's, a trusted one, or one that somebody named."""
    label = text(key.identity.label)
    named = any(fnmatchcase(label, pattern) for pattern in guarded)
    return named or "trusted" in key.attributes or (key.identity.object_class in HIDDEN and names_authority(key))


def _identity(key: ReportedKey) -> Identity | None:
    """What PKCS#11 calls it; None for what is no such object."""
    try:
        key_id = bytes.fromhex(str(key.attributes.get("id", "")).removeprefix("0x"))
        return Identity(ObjectClass(key.object_class), key_id, key.label.encode(errors="surrogateescape"))
    except ValueError:
        return None
