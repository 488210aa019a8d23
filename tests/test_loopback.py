"""Proves that this machine is recognized however its address is written, and that nonsense is refused in one line."""

from __future__ import annotations

import pytest

from hsmctl.errors import UsageError
from hsmctl.loopback import is_loopback

LOCAL_IPV4 = ["127.0.0.1", "127.16.1.10", "127.1", "0x7f000001", "0.0.0.0"]
LOCAL_IPV6 = ["[::1]", "[::ffff:127.0.0.1]", "[::]"]
LOCAL_NAMES = ["localhost", "localhost.", "a.localhost"]


@pytest.mark.parametrize("host", [*LOCAL_IPV4, *LOCAL_IPV6, *LOCAL_NAMES])
def test_this_machine(host: str) -> None:
    assert is_loopback(f"http://{host}:4566")


@pytest.mark.parametrize("host", ["cloudhsmv2.eu-central-1.amazonaws.com", "10.0.0.1", "[2600::1]", "localhost.aws"])
def test_another_machine(host: str) -> None:
    assert not is_loopback(f"https://{host}")


@pytest.mark.parametrize("url", ["http://[::1", "http://h:999999", "ftp://127.0.0.1", "http://", "127.0.0.1:4566"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="no http or https URL"):
        is_loopback(url)
