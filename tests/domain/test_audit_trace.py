"""Proves that an audit log accuses its HSM only of what it was there to hear, and never where there is a gap."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hsmctl.domain.audit import AuditEntry
from hsmctl.domain.audit_trace import missed

NOW = datetime(2026, 11, 23, 2, 10, tzinfo=UTC)


def entry(minute: float, sequence: int, opcode: str = "CN_LOGIN", user: str = "admin", code: int = 0) -> AuditEntry:
    at = NOW + timedelta(minutes=minute)
    return AuditEntry(at=at, sequence=sequence, opcode=opcode, code=code, response="", user=user)


MADE = entry(5, 1, "CN_CREATE_USER", "alice")
BEGUN = [entry(0, 0)]


def test_the_hsm_that_did_not_log_a_change_is_named() -> None:
    (found,) = missed({"hsm-a": [*BEGUN, MADE], "hsm-b": [*BEGUN, MADE], "hsm-c": [*BEGUN, entry(9, 1)]})
    assert (found.hsm_id, found.at, found.others) == ("hsm-c", MADE.at, 2)
    assert (found.what, found.user) == ("crypto user created", "alice")


@pytest.mark.parametrize(
    "other",
    [
        [],  # it logged nothing: nobody knows whether it was there
        [entry(6, 0)],  # it came later
        [*BEGUN, entry(9, 7)],  # its log has a gap
        [*BEGUN, entry(5.2, 1, "CN_CREATE_USER", "alice")],  # it heard of it, a little later
    ],
)
def test_nobody_is_named_for_what_may_not_be_so(other: list[AuditEntry]) -> None:
    assert missed({"hsm-a": [*BEGUN, MADE], "hsm-b": other}) == ()


def test_what_was_refused_or_is_no_change_of_users_is_not_missed() -> None:
    refused = entry(5, 1, "CN_CREATE_USER", "alice", code=163)
    assert missed({"hsm-a": [*BEGUN, refused, entry(6, 2, "CN_LOGIN", "bob")], "hsm-b": [*BEGUN, entry(9, 1)]}) == ()
