"""SoftHSM in this process, once, because C_Initialize is for the whole process; and conversations about it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from asking import VERSION, Asking
from softhsm_token import MODULE, make_token

from hsmctl.agent.inventory import Conversation, Module
from hsmctl.agent.operations import OPERATIONS


@pytest.fixture(scope="session")
def module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Module]:
    """SoftHSM on a folder with the tokens `replica` and `other`."""
    configuration = make_token(tmp_path_factory.mktemp("softhsm"), "replica", "other")
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
