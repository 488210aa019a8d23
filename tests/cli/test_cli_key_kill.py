"""Proves with kill -9 that a copy cut off is finished by the next run, which leaves no transport key and no trace."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from mortal import Copies


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copies]:
    return Copies(tmp_path_factory.mktemp("kills"))


def test_a_copy_killed_with_keys_on_their_way_is_finished(copies: Copies) -> None:
    assert copies.killed(24)
    assert copies.listed("alpha") != copies.before["alpha"]
    copies.finished()
