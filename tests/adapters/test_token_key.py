"""Proves that single objects are found, used and destroyed alike over a child process, p11-kit and TLS."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from pathlib import Path

import pytest
from softhsm_token import make_token
from token_world import ModuleWorld, NodeWorld, ProxyWorld, World

from hsmctl.domain.mechanism import Mechanism
from hsmctl.errors import DeviceError
from hsmctl.ports_key import Value

HMAC = Mechanism(name="SHA256_HMAC")


@pytest.fixture(params=[ModuleWorld, ProxyWorld, NodeWorld])
def world(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("SOFTHSM2_CONF", str(make_token(tmp_path / "softhsm")))
    monkeypatch.setenv("PEER_LOGINS", str(tmp_path / "logins"))
    made: World = request.param(tmp_path)
    yield made
    if isinstance(made, NodeWorld):
        made.end()


def test_single_objects_are_found_used_and_destroyed(world: World) -> None:
    secret: dict[str, Value] = {"class": 4, "key_type": 0x10, "value": bytes(32), "label": b"\xff[/x]", "sign": True}
    with world.open() as token:
        key = token.objects.create({**secret, "verify": True})
        found = token.objects.find({"label": b"\xff[/x]"})
        whole = token.uses.use("sign", key, HMAC, b"abc").data
        parts = token.uses.mac(key, HMAC, [b"a", b"bc"])
        fits = token.uses.verify(key, HMAC, b"abc", parts)
        offered = token.objects.describe().offers("SHA256_HMAC", "sign")
        token.objects.destroy(key)
        with pytest.raises(DeviceError) as caught:
            token.objects.destroy(key)

    assert found == (key,)
    assert whole == parts == hmac.digest(bytes(32), b"abc", "sha256")
    assert fits
    assert offered
    assert caught.value.ckr == "CKR_OBJECT_HANDLE_INVALID"
