"""Proves that keys are deleted, disabled and changed exactly as shown, and copied whole or not at all."""

# ruff: noqa: ANN401 - what stands in for anything has any type
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from key_token import TokenWorld
from transcript import hsmctl
from world import HSMS, World

from hsmctl.domain.coverage import ReportedKey
from hsmctl.domain.key import Key
from hsmctl.domain.key_purpose import USES
from hsmctl.errors import ExitCode


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenWorld]:
    folder = tmp_path_factory.mktemp("changes")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        world = TokenWorld(folder)
        (folder / "hmac").write_bytes(bytes(range(32)))
        for words in (
            ("aes", "--label", "data", "--extractable"),
            ("rsa", "--label", "rsa", "--extractable"),
            ("ec", "--label", "ec", "--extractable"),
            ("aes", "--label", "stays"),
            ("aes", "--label", "kek", "--for", "kek"),
            ("aes", "--label", "tmp-1"),
            ("aes", "--label", "tmp-2"),
        ):
            world.ok("key", "generate", *words)
        world.ok("key", "import", "hmac", "--kind", "generic", "--label", "hmac", "--extractable")
        yield world
        world.real.stack.close()


def labels(world: TokenWorld, token: str) -> list[str]:
    return world.ok("key", "list", "--on", token, "-o", "name").out.split()


def attributes(world: TokenWorld, key: str, token: str = "alpha") -> set[str]:
    return set(world.ok("key", "show", key, "-o", "json", "--on", token).document["data"]["key"]["attributes"])


def test_a_disabled_key_can_do_nothing_and_is_enabled_as_it_was(world: TokenWorld) -> None:
    before = attributes(world, "data")
    world.ok("key", "disable", "data")
    assert before - attributes(world, "data") == {"encrypt", "decrypt"}
    world.ok("key", "enable", "data")
    assert attributes(world, "data") == before
    assert world.run("key", "enable", "stays", "--on", "alpha").code == ExitCode.CONFLICT


def test_the_same_key_on_two_tokens_is_disabled_and_enabled_on_each_by_itself(world: TokenWorld) -> None:
    uses = {"alpha": ("sign=true", "verify=true"), "beta": ("sign=false", "verify=true")}
    for token, attr in uses.items():
        named = [word for each in attr for word in ("--attr", each)]
        twin = ("hmac", "--kind", "generic", "--label", "twin", "--id", "77")
        world.ok("key", "import", *twin, *named, "--on", token)
        world.ok("key", "disable", "twin", "--on", token)
    world.ok("key", "enable", "twin")
    assert [attributes(world, "twin", token) & {*USES} for token in uses] == [{"sign", "verify"}, set()]
    world.ok("key", "enable", "twin", "--on", "beta")
    assert attributes(world, "twin", "beta") & {*USES} == {"verify"}
    assert world.run("key", "enable", "twin", "--on", "alpha").code == ExitCode.CONFLICT


def test_a_key_that_was_renamed_while_disabled_is_enabled_as_it_was(world: TokenWorld) -> None:
    world.ok("key", "generate", "aes", "--label", "first")
    before = attributes(world, "first")
    world.ok("key", "disable", "first")
    world.ok("key", "rename", "first", "second")
    world.ok("key", "rename", "second", "third")
    world.ok("key", "enable", "third")
    assert attributes(world, "third") == before
    world.ok("key", "rename", "third", "first")
    again = world.run("key", "enable", "first", "--on", "alpha")
    assert again.code == ExitCode.CONFLICT
    assert "does not know that it was disabled" in again.err


def test_a_key_is_deleted_after_a_week_disabled_or_with_a_reason(world: TokenWorld) -> None:
    young = world.run("key", "delete", "tmp-1", "--confirm", "alpha", "--on", "alpha")
    assert young.code == ExitCode.CONFLICT
    assert "disabled for 7 days" in young.err
    shown = world.run("key", "delete", "--filter", "tmp-*", "--now", "a test", "--dry-run", "--on", "alpha")
    assert shown.out.count("destroy secret-key") == 2
    assert "tmp-1" in labels(world, "alpha")
    unsure = world.run("key", "delete", "--filter", "tmp-*", "--now", "a test", "--confirm", "beta", "--on", "alpha")
    assert unsure.code == ExitCode.DENIED
    world.ok("key", "delete", "--filter", "tmp-*", "--now", "a test", "--confirm", "alpha")
    assert not {"tmp-1", "tmp-2"} & {*labels(world, "alpha")}
    assert [each["kind"] for each in world.recorded()].count("key-deleted") == 2


def test_the_only_key_that_unwraps_is_not_deleted(world: TokenWorld) -> None:
    ran = world.run("key", "delete", "kek", "--now", "a test", "--confirm", "alpha", "--on", "alpha")
    assert ran.code == ExitCode.CONFLICT
    assert "only key here that unwraps" in ran.err


def test_a_label_is_changed_and_a_one_way_attribute_is_not(world: TokenWorld) -> None:
    world.ok("key", "generate", "aes", "--label", "before")
    world.ok("key", "rename", "before", "after [/x]")
    back = world.run("key", "set", "after [/x]", "extractable=true", "--on", "alpha")

    assert back.code == ExitCode.DEVICE
    assert "CKR_ATTRIBUTE_READ_ONLY" in back.err
    assert "open" not in world.run("operation", "list", "-o", "name").out


def test_a_successor_is_of_the_same_kind_and_use(world: TokenWorld) -> None:
    before = attributes(world, "pkcs11:object=ec;type=private")
    world.ok("key", "rotate", "ec", "--label", "ec-next")
    made = world.ok("key", "find", "ec-next", "-o", "json").document["data"]["keys"]
    assert {(row["object_class"], row["algorithm"]) for row in made} == {
        ("private-key", "EC P-256"),
        ("public-key", "EC P-256"),
    }
    assert "sign" in attributes(world, "pkcs11:object=ec-next;type=private")
    assert attributes(world, "pkcs11:object=ec;type=private") == before
    again = world.run("key", "rotate", "ec", "--label", "ec-next", "--on", "alpha")
    assert (again.code, "no object is called ec-next" in again.err) == (ExitCode.CONFLICT, True)


def test_the_old_key_rests_only_after_the_new_one_is_there_and_can_be_enabled_again(world: TokenWorld) -> None:
    world.ok("key", "generate", "aes", "--label", "aes-old")
    before = attributes(world, "aes-old")
    told = world.ok("key", "rotate", "aes-old", "--label", "aes-new", "--disable-old", "--dry-run").out
    assert told.index("make AES-256 aes-new") < told.index("disable secret-key")
    assert attributes(world, "aes-old") == before
    world.ok("key", "rotate", "aes-old", "--label", "aes-new", "--disable-old")
    assert before - attributes(world, "aes-old") == {"encrypt", "decrypt"} <= attributes(world, "aes-new")
    world.ok("key", "enable", "aes-old")
    assert attributes(world, "aes-old") == before


def test_a_cluster_is_told_what_cloudhsm_cli_does_and_what_a_backup_holds(tmp_path: Path) -> None:
    world = World()
    disabled = hsmctl(world, "key", "disable", "db-kek-001", folder=tmp_path)
    assert disabled.code == ExitCode.CONFLICT
    assert "cloudhsm-cli key set-attribute --filter attr.label=db-kek-001" in disabled.err
    gone = hsmctl(world, "key", "delete", "db-kek-001", "--now", "x", "--confirm", "4d5e6f", folder=tmp_path)
    assert gone.code == 0, gone.err
    assert "backup-q2w3e4r5t6y of 2026-11-22" in gone.err
    assert all(len(world.tokens.held[name]) == 4 for name in HSMS)


def reported(name: str, **changes: Any) -> ReportedKey:
    """The key of this label of the world in memory, as cloudhsm-cli lists it."""
    key = next(each for each in World().keys if each.identity.label == name.encode())
    names = {"class": key.identity.object_class.value, "label": name, "id": f"0x{key.identity.key_id.hex()}"}
    told = {"reference": "0x00000000000027c1", "label": name, "coverage": "full", "attributes": names}
    return ReportedKey(**{**told, **changes})


def test_a_clusters_key_is_changed_through_cloudhsm_cli(tmp_path: Path) -> None:
    world = World()
    world.consoles.cluster.keys = (reported("db-kek-001"),)
    uses = {key.identity.label: key.attributes & {*USES} for key in world.keys}[b"db-kek-001"]
    assert hsmctl(world, "key", "disable", "db-kek-001", folder=tmp_path).code == 0
    assert {name: world.consoles.cluster.keys[0].attributes[name.replace("_", "-")] for name in uses} == dict.fromkeys(
        uses, False
    )
    renamed = hsmctl(world, "key", "rename", "db-kek-001", "db-kek-old", folder=tmp_path)
    assert renamed.code == 0, renamed.err
    assert world.consoles.cluster.keys[0].label == "db-kek-old"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"coverage": "inconsistent"}, "its coverage is inconsistent"),
        ({"manage_quorum": 2}, "needs approvals"),
        ({"manage_quorum": None}, "needs approvals"),
        ({"label": "another"}, "cloudhsm-cli lists 0 keys like it"),
    ],
)
def test_a_clusters_key_that_is_not_everywhere_or_not_ones_own_stays(
    tmp_path: Path, changes: dict[str, Any], why: str
) -> None:
    world = World()
    world.consoles.cluster.keys = (before,) = (reported("db-kek-001", **changes),)
    ran = hsmctl(world, "key", "disable", "db-kek-001", folder=tmp_path)
    assert ran.code == ExitCode.CONFLICT
    assert why in ran.err
    assert world.consoles.cluster.keys == (before,)


def test_nothing_is_deleted_from_a_cluster_that_is_held(tmp_path: Path) -> None:
    world, cluster = World(), "cluster-a2b3c4d5e6f"
    hsmctl(world, "sync", "hold", "set", cluster, "--reason", "the only copy", folder=tmp_path)
    words = ("key", "delete", "db-kek-001", "--now", "x", "--confirm", cluster[-6:])
    held = hsmctl(world, *words, folder=tmp_path)
    assert held.code == ExitCode.CONFLICT
    assert "the only copy" in held.err
    assert "sync hold release" in held.err
    assert all(len(world.tokens.held[name]) == len(world.keys) for name in HSMS)


@pytest.mark.parametrize("key", ["data", "rsa", "ec", "hmac"])
def test_a_key_is_copied_with_all_it_may_and_proves_itself(world: TokenWorld, key: str) -> None:
    ran = world.ok("key", "copy", key, "--from", "alpha", "--to", "beta", "--confirm", "beta")
    copied = {each.identity: each for each in world.real["beta"].inventory().keys}
    originals = [each for each in world.real["alpha"].inventory().keys if each.identity.label == key.encode()]

    assert "both keys gave the same answer" in ran.out
    assert originals
    for original in originals:
        assert uses(copied[original.identity]) == uses(original)
    assert not any("transport" in name for token in ("alpha", "beta") for name in labels(world, token))
    again = world.run("key", "copy", key, "--from", "alpha", "--to", "beta", "--confirm", "beta")
    assert again.code == ExitCode.CONFLICT


def uses(key: Key) -> set[str]:
    return {*key.attributes} - {"local", "always_sensitive", "never_extractable"}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["stays", "--from", "alpha", "--to", "beta"], "not to leave its token"),
        (["data", "--from", "alpha", "--to", "alpha"], "they are one token"),
        (["data", "--from", "alpha", "--to", "gamma"], "no"),
    ],
)
def test_what_may_not_be_copied_is_refused(world: TokenWorld, words: list[str], why: str) -> None:
    ran = world.run("key", "copy", *words, "--confirm", "alpha")
    assert ran.code in (ExitCode.CONFLICT, ExitCode.USAGE)
    assert why in ran.err
