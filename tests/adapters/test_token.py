"""Proves that the port Tokens means the same over a child process and over TLS, on bad days too."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from softhsm_token import PASSWORD, USER, make_token
from tls_files import Authority
from token_world import LOGIN, NOW, PATIENCE, FixedClock, ModuleWorld, NodeWorld, World, module_replica

from hsmctl.adapters.token import AgentTokens
from hsmctl.agent.frame import PROTOCOL
from hsmctl.domain.key import KeyKind, KeySpec, MaterialKind, ObjectClass, ProofKind
from hsmctl.domain.sync import Inventory, Replica
from hsmctl.errors import Denied, DeviceError, Unreachable, UsageError
from hsmctl.ports import Login, Token
from hsmctl.secret import Secret

SOON = 0.3
START = 2.5
"""Enough for an agent to start on a busy machine: one that is ended before that leaves quietly."""
NONCE = bytes(range(32))
AES = KeySpec(kind=KeyKind.AES, size="256", label=b"\xff\nodd", key_id=b"")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a token; at the end every child has gone."""
    monkeypatch.setenv("SOFTHSM2_CONF", str(make_token(tmp_path / "softhsm")))
    monkeypatch.setenv("PEER_LOGINS", str(tmp_path / "logins"))
    yield tmp_path
    join_reapers()


def join_reapers() -> None:
    for thread in threading.enumerate():
        if thread.name.startswith("reap "):
            thread.join(PATIENCE)


def fill_and_list(token: Token) -> None:
    for _ in range(4):
        token.generate(AES)
    token.inventory()


def kinds(inventory: Inventory) -> dict[ObjectClass, ProofKind]:
    return {key.identity.object_class: key.proof.kind for key in inventory.keys if key.proof}


class TokensContract:
    """What holds whatever the way to the agent."""

    def test_new_keys_are_listed(self, world: World) -> None:
        with world.open() as token:
            (secret,) = token.generate(AES)
            pair = token.generate(KeySpec(kind=KeyKind.EC, size="P-384", label=b"jwt", key_id=b"\x01"))
            inventory = token.inventory()

        assert secret.identity.label == b"\xff\nodd"
        assert (secret.algorithm, {key.algorithm for key in pair}) == ("AES-256", {"EC P-384"})
        assert [key.identity.object_class for key in pair] == [ObjectClass.PUBLIC, ObjectClass.PRIVATE]
        assert pair[0].material
        assert pair[0].material.kind is MaterialKind.PUBLIC
        assert pair[1].material is None
        assert set(inventory.keys) == {secret, *pair}
        assert (inventory.taken_at, inventory.user, inventory.total) == (NOW, USER, None)

    def test_keys_prove_themselves_if_they_may(self, world: World) -> None:
        with world.open() as token:
            (secret,) = token.generate(AES)
            token.generate(KeySpec(kind=KeyKind.EC, size="P-256", label=b"jwt", key_id=b"\x01"))
            everything = token.prove(NONCE)
            only = token.prove(NONCE, {secret.identity}, per_second=1000.0)
            untouched = token.prove(NONCE, only=())
            listed = token.inventory()

        assert kinds(everything) == {
            ObjectClass.SECRET: ProofKind.DIGEST,
            ObjectClass.PUBLIC: ProofKind.PUBLIC,
            ObjectClass.PRIVATE: ProofKind.SIGNATURE,
        }
        assert kinds(only) == {**kinds(everything), ObjectClass.PRIVATE: ProofKind.NONE}
        assert kinds(untouched) == {**kinds(only), ObjectClass.SECRET: ProofKind.NONE}
        assert [replace(key, proof=None) for key in everything.keys] == list(listed.keys)

    def test_a_nonce_that_is_none_is_refused(self, world: World) -> None:
        with world.open() as token, pytest.raises(DeviceError, match="a nonce of 3 bytes"):
            token.prove(b"abc")

    def test_an_empty_token_has_no_keys(self, world: World) -> None:
        with world.open() as token:
            assert token.inventory().keys == ()

    def test_a_wrong_pin_is_tried_once(self, world: World) -> None:
        wrong = Login(USER, Secret("wrong"))
        with pytest.raises(Denied, match="CKR_PIN_INCORRECT"), world.open("honest", wrong):
            pass

        assert world.logins() == 1

    def test_what_the_token_refuses_keeps_its_name_and_the_conversation(self, world: World) -> None:
        bad = KeySpec(kind=KeyKind.AES, size="100", label=b"bad", key_id=b"")
        with world.open() as token:
            with pytest.raises(DeviceError) as caught:
                token.generate(bad)
            assert token.inventory().keys == ()

        assert caught.value.ckr == "CKR_ATTRIBUTE_VALUE_INVALID"

    def test_a_mute_peer_is_given_up_at_the_deadline(self, world: World) -> None:
        start = time.monotonic()
        with pytest.raises(Unreachable, match="in time"), world.open("mute", seconds=SOON):
            pass

        assert time.monotonic() - start < PATIENCE / 2

    def test_a_listing_that_hangs_is_given_up_at_the_deadline(self, world: World) -> None:
        with pytest.raises(Unreachable, match="in time"), world.open("hangs", seconds=4 * SOON) as token:
            fill_and_list(token)

    def test_a_peer_that_dies_is_no_short_listing_and_is_asked_no_more(self, world: World) -> None:
        with world.open("dies") as token:
            with pytest.raises(Unreachable, match="end"):
                fill_and_list(token)
            with pytest.raises(Unreachable):
                token.inventory()

    def test_a_key_that_is_none_is_no_short_listing(self, world: World) -> None:
        with world.open("nonsense") as token, pytest.raises(Unreachable, match="a key that is none"):
            fill_and_list(token)

    @pytest.mark.parametrize(
        ("mode", "why"),
        [
            ("other version", f"this is protocol {PROTOCOL} of hsmctl 0.0.0"),
            ("other protocol", f"it speaks protocol {PROTOCOL + 1}"),
        ],
    )
    def test_a_peer_of_another_version_is_unreachable_and_gets_no_password(
        self, world: World, mode: str, why: str
    ) -> None:
        with pytest.raises(Unreachable, match=why), world.open(mode):
            pass

        assert not Path(os.environ["PEER_LOGINS"]).exists()

    def test_an_error_of_the_caller_stays_the_callers(self, world: World) -> None:
        with pytest.raises(TimeoutError, match="mine"), world.open():
            raise TimeoutError("mine")


class TestModule(TokensContract):
    """A child process."""

    @pytest.fixture
    def world(self, folder: Path) -> World:
        return ModuleWorld(folder)

    def test_an_agent_leaves_quietly(self, world: World, caplog: pytest.LogCaptureFixture) -> None:
        with world.open() as token:
            token.inventory()
        join_reapers()

        assert caplog.records == []

    def test_an_agent_that_does_not_leave_is_killed_and_reported(
        self, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        with pytest.raises(Unreachable), world.open("mute", seconds=START):
            pass
        join_reapers()

        assert [(record.levelno, "was killed" in record.message) for record in caplog.records] == [
            (logging.WARNING, True)
        ]

    def test_two_processes_never_log_in_to_one_softhsm_folder(self, world: World) -> None:
        with (
            world.open(),
            pytest.raises(Unreachable, match="waiting for another process"),
            world.open(seconds=5 * SOON),
        ):
            pass
        with world.open() as token:
            assert token.inventory().keys == ()

    def test_another_folder_has_another_lock(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        with world.open():
            monkeypatch.setenv("SOFTHSM2_CONF", str(make_token(world.folder / "second")))
            with world.open() as token:
                assert token.inventory().keys == ()

    def test_a_module_that_cannot_be_loaded_is_named(self, folder: Path) -> None:
        tokens = AgentTokens(FixedClock(), folder / "locks")
        replica = Replica(name="hsm-1", address="module:/nowhere/p11.so")
        with (
            pytest.raises(Unreachable, match=r"cannot load /nowhere/p11\.so"),
            tokens.open(replica, LOGIN, time.monotonic() + PATIENCE),
        ):
            pass

    def test_a_token_that_is_not_there_is_named(self, folder: Path) -> None:
        tokens = AgentTokens(FixedClock(), folder / "locks")
        with (
            pytest.raises(DeviceError, match="no initialized tokens of label a b"),
            tokens.open(module_replica("token=a%20b"), LOGIN, time.monotonic() + PATIENCE),
        ):
            pass

    def test_a_plain_pin_has_no_user(self, folder: Path) -> None:
        tokens = AgentTokens(FixedClock(), folder / "locks")
        plain = Login("", Secret(f"{USER}:{PASSWORD}"))
        with tokens.open(module_replica(), plain, time.monotonic() + PATIENCE) as token:
            assert token.inventory().user == ""

    @pytest.mark.parametrize(
        "address", ["", "ssh:host", "tls:host", "tls:host:port", "module:/x?pin=1", "module:/x?slot=a"]
    )
    def test_an_address_that_is_none_is_a_mistake_of_ours(self, folder: Path, address: str) -> None:
        tokens = AgentTokens(FixedClock(), folder)
        with (
            pytest.raises(UsageError),
            tokens.open(Replica(name="hsm-1", address=address), LOGIN, time.monotonic() + PATIENCE),
        ):
            pass


class TestNode(TokensContract):
    """Two layers of TLS."""

    @pytest.fixture
    def world(self, folder: Path) -> Iterator[NodeWorld]:
        world = NodeWorld(folder)
        yield world
        world.end()

    def test_a_certificate_of_another_ca_is_not_the_hsm(self, world: NodeWorld) -> None:
        (world.folder / "else").mkdir()
        world.authority = Authority(world.folder / "else", "customer-ca")
        with pytest.raises(Unreachable, match="is not the HSM it should be"), world.open("honest"):
            pass

        assert not Path(os.environ["PEER_LOGINS"]).exists()

    @pytest.mark.parametrize(
        ("mode", "why"),
        [
            ("another question", "another question"),
            ("wordless", "another question"),
            ("too large", "are allowed"),
            ("replaced", "hsm-other answers in its place"),
        ],
    )
    def test_a_peer_that_is_not_the_hsm_is_unreachable_and_gets_no_password(
        self, world: NodeWorld, mode: str, why: str
    ) -> None:
        with pytest.raises(Unreachable, match=why), world.open(mode):
            pass

        assert not Path(os.environ["PEER_LOGINS"]).exists()

    def test_without_a_ca_nothing_is_trusted(self, folder: Path) -> None:
        for authority in (None, folder / "missing.pem"):
            tokens = AgentTokens(FixedClock(), folder, authority)
            with (
                pytest.raises(UsageError, match="no certificate of the cluster's CA"),
                tokens.open(Replica(name="hsm-1", address="tls:127.0.0.1:1"), LOGIN, time.monotonic() + PATIENCE),
            ):
                pass

    def test_nobody_listening_is_unreachable(self, world: NodeWorld) -> None:
        replica = world.replica()
        world.end()
        tokens = AgentTokens(FixedClock(), world.folder, world.authority.path)
        with pytest.raises(Unreachable, match="refused"), tokens.open(replica, LOGIN, time.monotonic() + PATIENCE):
            pass
