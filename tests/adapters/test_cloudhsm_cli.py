"""Proves that every shape cloudhsm-cli is known to print is read, and that no text makes the parser crash or guess."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hsmctl.adapters.cloudhsm_cli import (
    KeyPages,
    anchors,
    enforcement,
    hsms,
    quorum_tokens,
    quorum_values,
    reported_key,
    token_path,
    users,
)
from hsmctl.adapters.cloudhsm_message import Answer, answer, cleaned, envelopes
from hsmctl.domain.user import HsmUser
from hsmctl.errors import Conflict, Denied, DeviceError, HsmctlError, Unreachable, UsageError

HSM_INFO = """{"error_code":0,"data":{"hsms":[{"vendor":"V","model":"M","serial-number":"S-0001",
"hardware-version-major":"5","hardware-version-minor":"3","firmware-version-major":"2","firmware-version-minor":"6",
"firmware-build-number":"16","firmware-id":"F-1","fips-state":"2 [FIPS mode with single factor authentication]"}]}}"""
USERS = """{"error_code":0,"data":{"users":[
 {"username":"admin","role":"admin","locked":"false","mfa":[],
  "quorum":[{"strategy":"token-sign","status":"enabled"}],"cluster-coverage":"full"},
 {"username":"ops_cu","role":"crypto-user","locked":"inconsistent","mfa":[],"quorum":[],
  "cluster-coverage":"inconsistent"},
 {"username":"app_user","role":"internal(APPLIANCE_USER)","locked":"false","mfa":[],"quorum":[],
  "cluster-coverage":"full"}]}}"""
KEYS = """{"error_code":0,"data":{"matched_keys":[{"key-reference":"0x00000000001a2b3c",
 "key-info":{"key-owners":[{"username":"ops_cu","key-coverage":"full"}],"shared-users":[],
  "key-quorum-values":{"manage-key-quorum-value":0,"use-key-quorum-value":0},"cluster-coverage":"full"},
 "attributes":{"key-type":"aes","label":"db-kek","id":"0x","check-value":"0x0a1b2c","modifiable":"inconsistent"}}],
 "total_key_count":57,"returned_key_count":1,"next_token":"1"}}"""
READERS: tuple[Callable[[Answer], object], ...] = (
    hsms,
    users,
    anchors,
    enforcement,
    quorum_tokens,
    quorum_values,
    token_path,
    lambda said: KeyPages().take(said),
)


def data(text: str) -> Answer:
    return answer("test", text)


def test_hsms_are_counted_and_keep_what_nobody_knows() -> None:
    (found,) = hsms(data(HSM_INFO))
    assert (found.serial, found.firmware, found.fips[:1]) == ("S-0001", "2.6", "2")
    assert found.more == {
        "hardware-version-major": "5",
        "hardware-version-minor": "3",
        "firmware-build-number": "16",
        "firmware-id": "F-1",
    }


def test_users_with_strings_for_booleans() -> None:
    admin, ops, app = users(data(USERS))
    assert admin == HsmUser(name="admin", role="admin", locked="false", quorum="enabled", coverage="full")
    assert (ops.locked, ops.coverage, ops.sound) == ("inconsistent", "inconsistent", False)
    assert app.role == "internal(APPLIANCE_USER)"


@pytest.mark.parametrize(
    ("member", "expected"),
    [
        ({"locked": False}, {"locked": "false"}),
        ({"locked": True}, {"locked": "true"}),
        ({"locked": None}, {"locked": "unknown"}),
        ({"mfa": [{"strategy": "token-sign", "status": "inconsistent"}]}, {"mfa": "inconsistent"}),
        ({"mfa": "new shape"}, {"mfa": "unknown"}),
        ({"cluster-coverage": "partial"}, {"coverage": "partial"}),
        ({"username": "Admin"}, {"name": "admin"}),
        ({"last-login": "never"}, {"more": {"last-login": "never"}}),
    ],
)
def test_a_user_of_another_release(member: dict[str, Any], expected: dict[str, Any]) -> None:
    entry = {"username": "a", "role": "admin", "locked": "false", "mfa": [], "cluster-coverage": "full", **member}
    (found,) = users(Answer({"users": [entry]}))
    assert {name: getattr(found, name) for name in expected} == expected
    assert found.quorum == ""


def test_prompts_and_terminal_orders_around_the_answer_are_left_out() -> None:
    noisy = f"\x1b[2K\rEnter password:\r\nConfirm password:\r\n{USERS}\r\n\x1b[1maws-cloudhsm > "
    assert len(users(data(noisy))) == 3


def test_several_answers_in_a_stream_are_told_apart() -> None:
    stream = f'{{"log": 1}} aws-cloudhsm > {USERS} noise {{ [ {{"error_code": 1, "data": "no"}}'
    assert [each["error_code"] for each in envelopes(stream)] == [0, 1]


@pytest.mark.parametrize(
    "text", ['{"error_code":0,"data":"Logout successful"}', '{"data":{"message":"x"},"error_code":0}']
)
def test_an_answer_may_be_a_sentence_or_carry_one(text: str) -> None:
    assert data(text).says in ("Logout successful", "x")
    assert data('{"error_code": 0}').says == ""


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("Quorum approval is required for this operation", Denied),
        ("Specified user does not exist", Conflict),
        ("Cannot perform the requested key operation as the key must be available on at least 2 HSMs", Conflict),
        ("Certificate error received from Hsm. Trust anchor is already installed in Hsm.", Conflict),
        ("A sentence of a later release", DeviceError),
    ],
)
def test_a_failure_becomes_our_error_in_its_own_words(said: str, error: type[HsmctlError]) -> None:
    with pytest.raises(error) as caught:
        data(json.dumps({"error_code": 1, "data": said}))
    assert said in caught.value.why
    assert caught.value.hint


@pytest.mark.parametrize(
    ("stdout", "stderr", "error"),
    [
        ("", 'Error: "HSM is disconnected"', Unreachable),
        ("", 'Error: "multiple clusters provided in configuration file. Please specify `cluster-id`"', UsageError),
        ("", "error: unexpected argument '--approval' found\n\nUsage: cloudhsm-cli user create", UsageError),
        ("", "sh: 1: /opt/cloudhsm/bin/cloudhsm-cli: not found", Unreachable),
        ("", "", Unreachable),
        ('{"error_code": "0", "data": {}}', "", Unreachable),
        ('{"error_code": 0, "data": {"users": [', "", Unreachable),
    ],
)
def test_what_is_no_answer_is_never_a_success(stdout: str, stderr: str, error: type[HsmctlError]) -> None:
    with pytest.raises(error):
        answer("user list", stdout, stderr)


@pytest.mark.parametrize("text", ["5", '{"value": 5}', '"5"'])
def test_numbers_come_in_three_shapes(text: str) -> None:
    entry = f'{{"username":"admin","service":"user","approvals-required":{text},"token-timeout-seconds":{text}}}'
    (token,) = quorum_tokens(data(f'{{"error_code":0,"data":{{"tokens":[{entry}]}}}}'))
    assert (token.required, token.seconds, token.approvals) == (5, 5, None)
    assert quorum_values(data(f'{{"error_code":0,"data":{{"user":{text}}}}}')) == {"user": 5}


def test_a_quorum_value_that_differs_is_no_number_and_not_left_out() -> None:
    assert quorum_values(Answer({"user": 2, "quorum": "inconsistent"})) == {"user": 2, "quorum": None}


@pytest.mark.parametrize("member", ["path", "filepath"])
def test_a_token_file_has_two_names(member: str) -> None:
    assert token_path(Answer({member: "/tmp/t"})) == "/tmp/t"


def test_pages_of_keys_end_and_count_a_key_once() -> None:
    pages = KeyPages()
    assert pages.take(data(KEYS)) == "1"
    assert not pages.complete
    assert pages.take(data(KEYS)) is None  # the same page again would go on for ever
    assert list(pages.entries) == ["0x00000000001a2b3c"]


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ({"manage-key-quorum-value": 2, "use-key-quorum-value": 3}, (2, 3)),
        ({"manage-key-quorum-value": "inconsistent", "use-key-quorum-value": "inconsistent"}, (None, None)),
        ({}, (0, None)),  # a cloudhsm-cli from before there were quorums of keys
    ],
)
def test_the_approvals_of_a_key_are_numbers_or_not_known(told: dict[str, object], found: tuple[object, ...]) -> None:
    key = reported_key({"key-reference": "0x01", "key-info": {"key-quorum-values": told}})
    assert (key.manage_quorum, key.use_quorum) == found


def test_an_anchor_and_the_enforcement() -> None:
    entry = {"certificate-reference": "0x01", "certificate": "PEM", "cluster-coverage": "full", "new": 1}
    (found,) = anchors(Answer({"trust_anchors": [entry]}))
    assert (found.reference, found.coverage, found.more) == ("0x01", "full", {"new": 1})
    assert enforcement(Answer({"mtls-enforcement-level": "None"})) == "none"


NAMES = st.sampled_from(
    ["users", "username", "hsms", "mfa", "status", "tokens", "matched_keys", "key-reference", "value", "path", "x"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(st.text() | st.binary().map(lambda raw: raw.decode("utf-8", "replace")), st.text())
def test_no_text_makes_it_crash(stdout: str, stderr: str) -> None:
    with suppress(HsmctlError):
        answer("fuzz", stdout, stderr)


@settings(max_examples=60, deadline=None)
@given(JSON, st.sampled_from(READERS))
def test_no_document_makes_a_reader_crash(found: object, reader: Callable[[Answer], object]) -> None:
    with suppress(HsmctlError):
        reader(Answer(found))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_torn_answer_is_never_a_shorter_list(draw: st.DataObject) -> None:
    cut = draw.draw(st.integers(0, len(USERS) - 1))
    with pytest.raises(HsmctlError):
        answer("user list", USERS[:cut])


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet='aEnter password:\r\n\x1b[0m>{}"', max_size=40), st.sampled_from([USERS, HSM_INFO, KEYS]))
def test_noise_before_the_answer_changes_nothing(noise: str, text: str) -> None:
    if "error_code" not in noise:
        assert list(envelopes(f"{noise}\n{text}"))[-1:] == [json.loads(text)] or '"' in cleaned(noise)
