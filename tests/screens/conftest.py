"""What every test of screens needs: nothing blinks, and colours are the theme's whoever runs the tests."""

from __future__ import annotations

import pytest
from textual.widgets import Input


@pytest.fixture(autouse=True)
def _still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cursors do not blink, and NO_COLOR of the caller does not reach the app."""
    monkeypatch.setattr(Input, "_toggle_cursor", lambda _: None)
    monkeypatch.delenv("NO_COLOR", raising=False)
