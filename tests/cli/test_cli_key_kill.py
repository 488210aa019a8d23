"""Proves with kill -9 that a copy cut off is finished by the next run, which leaves no transport key and no trace."""

from __future__ import annotations

import pytest
from mortal import Copies


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Copies:
    return Copies(tmp_path_factory.mktemp("kills"))


def test_a_copy_killed_with_keys_on_their_way_is_finished(copies: Copies) -> None:
    assert copies.killed(13)
    assert copies.listed("alpha") != copies.before["alpha"]
    copies.finished()
