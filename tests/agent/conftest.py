"""SoftHSM in this process, once, because C_Initialize is for the whole process; and conversations about it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from asking import VERSION, Asking
from softhsm_token import MODULE, PASSWORD, USER, make_token

from hsmctl.agent.inventory import Conversation, Module
from hsmctl.agent.operations import OPERATIONS
from hsmctl.lab import softhsm


@pytest.fixture(scope="session")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SoftHSM's folder of the tokens `replica` and `other`, and of `original` and `clone`, which share a token key."""
    folder = make_token(tmp_path_factory.mktemp("softhsm"), "replica", "other").parent / "tokens"
    for label, serial in (("original", "a" * 16), ("clone", "b" * 16)):
        made = softhsm.token_object(label=label, serial=serial, token_key=bytes(32), pin=f"{USER}:{PASSWORD}")
        softhsm.make_token(folder / label, made)
    return folder


@pytest.fixture(scope="session")
def module(tokens: Path) -> Iterator[Module]:
    """SoftHSM on that folder."""
    configuration = tokens.parent / "softhsm2.conf"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(configuration))
        module = Module(MODULE)
        module.initialize()
    yield module
    module.finalize()


@pytest.fixture
def asking(module: Module) -> Iterator[Asking]:
    asking = Asking(Conversation(module, version=VERSION, operations=OPERATIONS)).log_in()
    yield asking
    asking.conversation.close()


@pytest.fixture
def stranger(module: Module) -> Iterator[Asking]:
    asking = Asking(Conversation(module, version=VERSION, operations=OPERATIONS))
    yield asking
    asking.conversation.close()
