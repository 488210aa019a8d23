"""Proves what `cluster`, `hsm` and `key list` answer, in every format, and that what they cannot know stays out."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from transcript import hsmctl
from world import CLUSTER, HSMS, NOW, World, aes, three_hsms

from hsmctl.domain.cluster import Cluster, ClusterState, HsmState
from hsmctl.errors import Denied, ExitCode, Unreachable
from hsmctl.settings import Context


def world_of(*clusters: Cluster) -> World:
    world = World()
    world.plane.held.clear()
    world.plane.held.update({cluster.cluster_id: cluster for cluster in clusters})
    return world


def with_degraded_hsm() -> Cluster:
    healthy = three_hsms()
    odd = replace(healthy.hsms[1], state=HsmState.DEGRADED, message="hardware failure")
    return replace(healthy, hsms=(healthy.hsms[0], odd, healthy.hsms[2]))


def test_cluster_list_says_state_and_hsms_of_each_zone() -> None:
    ran = hsmctl(World(), "cluster", "list")

    assert ran.code == ExitCode.OK
    assert ran.err == ""
    assert ran.out.splitlines() == [
        "   CLUSTER              NAME  STATE   HSMS  ZONES        TYPE          MODE  AGE",
        "◍  cluster-a2b3c4d5e6f  lab   ACTIVE   3/3  a:1 b:1 c:1  hsm2m.medium  FIPS  3 d",
    ]


def test_clusters_that_need_attention_come_first() -> None:
    fresh = replace(three_hsms(), cluster_id="cluster-zzz", state=ClusterState.UNINITIALIZED, hsms=())
    ran = hsmctl(
        world_of(three_hsms(), replace(with_degraded_hsm(), cluster_id="cluster-yyy"), fresh), "cluster", "list"
    )

    assert [line.split()[:2] for line in ran.out.splitlines()[1:]] == [
        ["!", "cluster-zzz"],
        ["◐", "cluster-yyy"],
        ["◍", CLUSTER],
    ]


def test_a_state_of_tomorrow_is_shown_as_it_is() -> None:
    ran = hsmctl(world_of(replace(three_hsms(), state=ClusterState("teleporting"))), "cluster", "list", "-o", "json")
    assert ran.document["data"][0]["state"] == "teleporting"


def test_no_cluster_is_an_empty_answer_and_a_word_on_standard_error() -> None:
    world = world_of()
    assert hsmctl(world, "cluster", "list").out == ""
    assert "hsmctl lab up" in hsmctl(world, "cluster", "list").err
    assert hsmctl(world, "cluster", "list", "-o", "json").document["data"] == []


def test_cluster_show_has_whole_ids_and_absolute_times() -> None:
    out = hsmctl(World(), "cluster", "show").out

    assert CLUSTER in out
    assert f"{NOW - timedelta(days=3):%Y-%m-%d %H:%M:%S} UTC (3 d)" in out
    assert all(name in out for name in HSMS)


def test_cluster_show_of_an_unknown_id_is_a_conflict_with_a_next_step() -> None:
    ran = hsmctl(World(), "cluster", "show", "cluster-nope")

    assert ran.code == ExitCode.CONFLICT
    assert ran.out == ""
    assert ran.err.splitlines() == [
        "hsmctl: cluster-nope not found: no such cluster in eu-central-1",
        "hint: hsmctl cluster list",
    ]


def test_hsm_list_names_address_and_interface_and_wide_says_why() -> None:
    ran = hsmctl(world_of(with_degraded_hsm()), "hsm", "list", "-o", "wide")

    assert ran.out.splitlines()[2].split()[:6] == [
        "◐",
        HSMS[1],
        "DEGRADED",
        "eu-central-1b",
        "127.16.2.10",
        "eni-bbbbbb",
    ]
    assert ran.out.splitlines()[2].endswith("hardware failure")


def test_names_are_one_whole_id_a_line_even_on_a_narrow_terminal() -> None:
    assert hsmctl(World(), "hsm", "list", "-o", "name", terminal=True).out.splitlines() == list(HSMS)


def test_json_names_schema_environment_account_and_region() -> None:
    document = hsmctl(World(), "hsm", "list", "-o", "json").document

    assert list(document) == ["schema", "generated_at", "environment", "account", "region", "data", "warnings"]
    assert document["schema"] == "hsmctl/hsm.list@1"
    assert document["generated_at"] == "2026-11-23T02:10:00Z"
    assert (document["environment"], document["account"]) == ("lab", "111122223333")
    assert document["region"] == "eu-central-1"
    assert document["data"][0]["address6"] is None


def test_an_unknown_account_is_null_and_aws_is_not_asked_for_it() -> None:
    world = World()
    world.aws.error = Denied("sts", "would be asked")
    document = hsmctl(world, "cluster", "list", "-o", "json", context=Context()).document
    assert (document["environment"], document["account"]) == ("aws", None)


def test_jsonl_is_one_document_a_line() -> None:
    lines = hsmctl(World(), "hsm", "list", "-o", "jsonl").out.splitlines()
    assert [json.loads(line)["hsm_id"] for line in lines] == list(HSMS)


def test_a_query_goes_over_the_data_and_means_json() -> None:
    assert hsmctl(World(), "hsm", "list", "--query", "[].hsm_id").document == list(HSMS)
    lines = hsmctl(World(), "hsm", "list", "-o", "jsonl", "--query", "[].zone").out.splitlines()
    assert lines == ['"eu-central-1a"', '"eu-central-1b"', '"eu-central-1c"']


@pytest.mark.parametrize("query", ["[", "length(`1`)"])
def test_a_bad_query_is_a_usage_error(query: str) -> None:
    ran = hsmctl(World(), "hsm", "list", "-o", "json", "--query", query)
    assert (ran.code, ran.out) == (ExitCode.USAGE, "")
    assert json.loads(ran.err)["error"]["message"].startswith("--query: ")


def test_a_bad_query_is_refused_before_anything_is_asked() -> None:
    world = World()
    world.plane.error = Unreachable("cloudhsm", "asked")
    assert hsmctl(world, "hsm", "list", "--query", "[").code == ExitCode.USAGE


def test_a_query_does_not_go_with_a_table() -> None:
    assert hsmctl(World(), "hsm", "list", "-o", "wide", "--query", "[]").code == ExitCode.USAGE


def test_key_list_says_whose_view_it_is() -> None:
    world = World()
    world.tokens.hidden = 7
    lines = hsmctl(world, "key", "list").out.splitlines()

    assert lines[0].split() == ["LABEL", "TYPE", "CLASS", "ID"]
    assert lines[1].split() == ["db-kek-000", "AES-256", "secret-key", "00000000"]
    assert lines[-1] == "5 of 12 objects seen as crypto_user on hsm-aaaaaaaaaaa"


def test_key_list_falls_back_to_the_next_hsm_and_says_which() -> None:
    world = World()
    world.tokens.errors[HSMS[0]] = Unreachable(HSMS[0], "no answer")
    assert hsmctl(world, "key", "list", "-o", "json").document["data"]["replica"] == HSMS[1]


def test_key_list_on_a_named_hsm_asks_no_other() -> None:
    world = World()
    world.tokens.errors[HSMS[0]] = Unreachable(HSMS[0], "no answer")

    assert hsmctl(world, "key", "list", "--on", HSMS[0]).code == ExitCode.UNKNOWN
    unknown = hsmctl(world, "key", "list", "--on", "hsm-nope")
    assert unknown.code == ExitCode.CONFLICT
    assert HSMS[0] in unknown.err


def test_labels_that_move_the_cursor_or_are_wide_neither_do_nor_break_columns() -> None:
    world = World(keys=(aes("鍵鍵"), aes("evil\x1b[2J")))
    lines = hsmctl(world, "key", "list").out.splitlines()

    assert "\x1b" not in "".join(lines)
    assert lines[1].startswith("evil\\x1b[2J  AES-256")
    assert lines[2].startswith("鍵鍵         AES-256")


def test_label_bytes_are_in_json_as_hex() -> None:
    keys = hsmctl(World(keys=(aes("ä"),)), "key", "list", "-o", "json").document["data"]["keys"]
    assert (keys[0]["label"], keys[0]["label_bytes"]) == ("ä", "c3a4")
