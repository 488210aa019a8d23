"""Proves that log records reach standard error at the wanted level, and that no secret does."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest

from hsmctl.cli.logs import RedactingFormatter, configure, redacted
from hsmctl.secret import Secret

KEY = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEI\n-----END EC PRIVATE KEY-----"


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Takes our handler away again."""
    yield
    root = logging.getLogger()
    for handler in [each for each in root.handlers if isinstance(each.formatter, RedactingFormatter)]:
        root.removeHandler(handler)
    logging.getLogger("hsmctl").setLevel(logging.NOTSET)


def said(verbosity: int) -> list[str]:
    stream = io.StringIO()
    configure(verbosity, stream)
    for name in ("hsmctl.services", "botocore"):
        for level in (logging.DEBUG, logging.INFO, logging.WARNING):
            logging.getLogger(name).log(level, "said")
    return stream.getvalue().splitlines()


def test_warnings_by_default_more_of_ours_with_v_never_more_of_others() -> None:
    ours, theirs = ["WARNING hsmctl.services: said"], ["WARNING botocore: said"]
    assert said(0) == [*ours, *theirs]
    assert said(1) == ["INFO hsmctl.services: said", *ours, *theirs]
    assert said(2) == said(5) == ["DEBUG hsmctl.services: said", "INFO hsmctl.services: said", *ours, *theirs]


def test_configuring_again_says_nothing_twice() -> None:
    first = io.StringIO()
    configure(0, first)
    assert len(said(0)) == 2
    assert first.getvalue() == ""


def test_secrets_are_taken_out_of_messages_and_tracebacks() -> None:
    secret = Secret("correct horse")
    stream = io.StringIO()
    configure(0, stream)
    try:
        int(secret.reveal())
    except ValueError:
        logging.getLogger("hsmctl").warning("login %s", secret.reveal(), exc_info=True)
    assert "correct horse" not in stream.getvalue()
    assert "base 10: '•••'" in stream.getvalue()


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        (f"key {KEY} end", "key -----BEGIN EC PRIVATE KEY----- ••• end"),
        ("torn -----BEGIN PRIVATE KEY-----\nMHcC", "torn -----BEGIN PRIVATE KEY----- •••"),
        ("password=hunter2, user=ops", "password=•••, user=ops"),
        ("{'pin': '12 34', 'n': 1}", "{'pin': •••, 'n': 1}"),
        ("PIN = hunter2", "PIN = •••"),
        ('{"SecretAccessKey": "wJalr"}', '{"SecretAccessKey": •••}'),
        ("aws_session_token=abc", "aws_session_token=•••"),
        ("spinning: fast; a certificate hides nothing", "spinning: fast; a certificate hides nothing"),
    ],
)
def test_what_introduces_a_secret_hides_it(text: str, safe: str) -> None:
    assert redacted(text) == safe
