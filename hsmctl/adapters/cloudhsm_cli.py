"""The answers of cloudhsm-cli as values: HSMs, users, anchors, quorum tokens and values, pages of keys.

Knows the grammar of Client SDK 5 (user guide, cloudhsm_cli-reference and its command pages) and where releases and
pages disagree: strings for booleans, numbers wrapped in objects, members that older releases leave out. Keeps members
it does not know. A list that is not there, or an entry without its name, is unreadable: nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from hsmctl.adapters.cloudhsm_message import Answer
from hsmctl.domain.coverage import ReportedKey
from hsmctl.domain.mtls import Anchor
from hsmctl.domain.quorum import QuorumToken
from hsmctl.domain.user import INCONSISTENT, UNKNOWN, HsmInfo, HsmUser
from hsmctl.errors import Unreachable


def hsms(answer: Answer) -> tuple[HsmInfo, ...]:
    """`cluster hsm-info`: the HSMs this host is connected to."""
    return tuple(
        HsmInfo(
            serial=_text(entry, "serial-number"),
            vendor=_text(entry, "vendor"),
            model=_text(entry, "model"),
            firmware=".".join(filter(None, (_text(entry, f"firmware-version-{part}") for part in ("major", "minor")))),
            fips=_text(entry, "fips-state"),
            more=_rest(entry, _HSM),
        )
        for entry in _entries(answer, "hsms")
    )


def users(answer: Answer) -> tuple[HsmUser, ...]:
    """`user list`; a flag that is not told is unknown, which is no good news."""
    return tuple(
        HsmUser(
            name=_required(entry, "username", "users").lower(),
            role=_text(entry, "role") or UNKNOWN,
            locked=_flag(entry.get("locked")),
            mfa=_factor(entry.get("mfa")),
            quorum=_factor(entry.get("quorum")),
            coverage=_text(entry, "cluster-coverage") or UNKNOWN,
            more=_rest(entry, _USER),
        )
        for entry in _entries(answer, "users")
    )


def anchors(answer: Answer) -> tuple[Anchor, ...]:
    """`cluster mtls list-trust-anchors`."""
    return tuple(_anchor(entry) for entry in _entries(answer, "trust_anchors"))


def enforcement(answer: Answer) -> str:
    """`cluster mtls get-enforcement`: none or cluster, or what a newer release may say."""
    level = answer.members.get("mtls-enforcement-level")
    if not isinstance(level, str):
        raise _unreadable("mtls-enforcement-level")
    return level.lower()


def quorum_tokens(answer: Answer) -> tuple[QuorumToken, ...]:
    """`quorum token-sign list`: open tokens, of admins and of keys."""
    return tuple(
        QuorumToken(
            user=_required(entry, "username", "tokens").lower(),
            service=_text(entry, "service"),
            required=_number(entry.get("approvals-required", entry.get("minimum-token-count"))),
            approvals=_number(entry.get("number-of-approvals")),
            seconds=_number(entry.get("token-timeout-seconds")),
            coverage=_text(entry, "cluster-coverage"),
            key_reference=_text(entry, "key-reference"),
            more=_rest(entry, _TOKEN),
        )
        for entry in _entries(answer, "tokens")
    )


def quorum_values(answer: Answer) -> dict[str, int | None]:
    """`quorum token-sign list-quorum-values`: how many approvals each service needs; None where that is no number."""
    values = {name: _number(value) for name, value in answer.members.items()}
    if not values:
        raise _unreadable("quorum values")
    return values


def token_path(answer: Answer) -> str:
    """`quorum token-sign generate`: where the token file is; pages disagree about the member's name."""
    path = answer.members.get("path", answer.members.get("filepath"))
    if not isinstance(path, str) or not path:
        raise _unreadable("path")
    return path


def reported_key(entry: Mapping[str, Any]) -> ReportedKey:
    """One entry of `key list`; an admin is told reference and label alone."""
    info, attributes = (_members(entry, name) for name in ("key-info", "attributes"))
    quorum = _members(info, "key-quorum-values")
    return ReportedKey(
        reference=_required(entry, "key-reference", "matched_keys"),
        label=_text(attributes, "label"),
        key_type=_text(attributes, "key-type"),
        object_class=_text(attributes, "class"),
        check_value=_text(attributes, "check-value"),
        coverage=_text(info, "cluster-coverage") or UNKNOWN,
        owners=_coverages(info.get("key-owners")),
        shared=_coverages(info.get("shared-users")),
        differing=tuple(sorted(name for name, value in attributes.items() if value == INCONSISTENT)),
        attributes=attributes,
        manage_quorum=_number(quorum.get("manage-key-quorum-value", 0)),
        use_quorum=_number(quorum.get("use-key-quorum-value")),
        token=attributes.get("token") is not False,
        more=_rest(entry, _KEY),
    )


class KeyPages:
    """`key list` page by page: tokens are offsets, so keys that come or go in between shift the pages."""

    def __init__(self) -> None:
        self.entries: dict[str, Mapping[str, Any]] = {}
        """What was listed, by key-reference; a key seen twice counts once."""
        self.total: int | None = None
        """How many there are by the last page's word."""

    def take(self, answer: Answer) -> str | None:
        """Keep a page; the token of the next one, None after the last."""
        fresh = 0
        for entry in _entries(answer, "matched_keys"):
            reference = _required(entry, "key-reference", "matched_keys")
            fresh += reference not in self.entries
            self.entries[reference] = entry
        self.total = _number(answer.members.get("total_key_count"))
        token = answer.members.get("next_token")
        # A page that brings nothing new and still names another would never end.
        return str(token) if token not in (None, "") and fresh else None

    @property
    def complete(self) -> bool:
        """Whether everything was seen that there is."""
        return self.total is None or self.total <= len(self.entries)


_HSM = ("serial-number", "vendor", "model", "firmware-version-major", "firmware-version-minor", "fips-state")
_USER = ("username", "role", "locked", "mfa", "quorum", "cluster-coverage")
_ANCHOR = ("certificate-reference", "certificate", "cluster-coverage")
_KEY = ("key-reference", "key-info", "attributes")
_TOKEN = (
    *("username", "service", "approvals-required", "minimum-token-count", "number-of-approvals"),
    *("token-timeout-seconds", "cluster-coverage", "key-reference"),
)


def _anchor(entry: Mapping[str, Any]) -> Anchor:
    return Anchor(
        reference=_required(entry, "certificate-reference", "trust_anchors"),
        certificate=_text(entry, "certificate"),
        coverage=_text(entry, "cluster-coverage") or UNKNOWN,
        more=_rest(entry, _ANCHOR),
    )


def _entries(answer: Answer, name: str) -> Iterator[Mapping[str, Any]]:
    """The objects of a list.

    Raises:
        Unreachable: there is no such list, or something else stands in it.
    """
    found = answer.members.get(name)
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise _unreadable(name)
    return iter(found)


def _members(entry: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object of that name; empty where it is missing or is none."""
    value = entry.get(name)
    return value if isinstance(value, dict) else {}


def _coverages(users: object) -> dict[str, str]:
    """Coverage by user; an entry that says neither is told as unknown."""
    if not isinstance(users, list):
        return {}
    named = [each for each in users if isinstance(each, dict)]
    return {_text(each, "username") or UNKNOWN: _text(each, "key-coverage") or UNKNOWN for each in named}


def _required(entry: Mapping[str, Any], name: str, where: str) -> str:
    if not _text(entry, name):
        raise _unreadable(f"{name} of {where}")
    return _text(entry, name)


def _text(entry: Mapping[str, Any], name: str) -> str:
    """The member as text; empty where it is missing or is no text."""
    value = entry.get(name)
    return value if isinstance(value, str) else ""


def _flag(value: object) -> str:
    """A boolean that may be a string: true, false, inconsistent, or whatever else it says."""
    if isinstance(value, bool):
        return str(value).lower()
    return value.lower() if isinstance(value, str) and value else UNKNOWN


def _factor(value: object) -> str:
    """The status of a second factor or a registration; older releases leave the member out, which is none."""
    if value in (None, []):
        return ""
    if not isinstance(value, list):
        return UNKNOWN
    found = {str(entry.get("status", UNKNOWN)) if isinstance(entry, dict) else UNKNOWN for entry in value}
    return found.pop() if len(found) == 1 else "inconsistent"


def _number(value: object) -> int | None:
    """A number that may be wrapped as {"value": n} or written as a string; None where it is none."""
    if isinstance(value, Mapping):
        value = value.get("value")
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _rest(entry: Mapping[str, Any], known: Collection[str]) -> Mapping[str, object]:
    """The members nobody here knows, as they stand."""
    return {name: value for name, value in entry.items() if name not in known}


def _unreadable(what: str) -> Unreachable:
    return Unreachable("cloudhsm-cli's answer cannot be read", f"it has no {what} that hsmctl knows", "update hsmctl")
