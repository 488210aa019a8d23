"""Proves that audit entries are read in every spelling of the guide, and that missing numbers show."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from timeline_world import logged

from hsmctl.domain.audit import entry, gaps

LOGIN = """\
Time: 12/19/17 21:01:16.962174, usecs:1513717276962174
Sequence No : 0x17
Reboot counter : 0xe8
Command Type(hex) : CN_MGMT_CMD (0x0)
Opcode : CN_LOGIN (0xd)
Session Handle : 0x7014006
Response : 0:HSM Return: SUCCESS
Log type : MGMT_USER_DETAILS_LOG (2)
User Name : admin
User Type : CN_CRYPTO_OFFICER (2)
"""


def test_an_entry_of_the_guide_is_read() -> None:
    read = entry(LOGIN)
    assert read.at == datetime(2017, 12, 19, 21, 1, 16, 962174, tzinfo=UTC)
    assert (read.sequence, read.opcode, read.code, read.response) == (0x17, "CN_LOGIN", 0, "SUCCESS")
    assert (read.user, read.user_type, read.handles) == ("admin", "CN_CRYPTO_OFFICER", ())


def test_separators_and_failures_vary() -> None:
    text = LOGIN.replace(" : ", ":\t").replace("0:HSM Return: SUCCESS", "163:HSM Error: RET_USER_LOGIN_FAILURE")
    read = entry(text + "Priv/Secret Key Handle : 262152\nPublic Key Handle : 0\n")
    assert (read.code, read.response, read.handles) == (163, "RET_USER_LOGIN_FAILURE", (262152,))


@pytest.mark.parametrize("text", ["", "hello", "Time: now\nSequence No : 0x1\nOpcode : CN_LOGIN (0xd)"])
def test_what_is_no_entry_is_said_to_be_none(text: str) -> None:
    with pytest.raises(ValueError, match="no audit log entry"):
        entry(text)


def test_missing_numbers_are_a_gap_whatever_the_order() -> None:
    entries = [logged(number, "CN_LOGIN", seconds=number) for number in (9, 3, 4, 6)]
    assert [(gap.first, gap.last) for gap in gaps(entries)] == [(5, 5), (7, 8)]
    assert list(gaps(entries[:1])) == []
