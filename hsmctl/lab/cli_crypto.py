"""The emulated cloudhsm-cli's commands that use keys (cloudhsm_cli-crypto, cloudhsm_cli-key-wrap, -unwrap)."""

from __future__ import annotations

import base64

from hsmctl.lab import cli_key, cli_key_make
from hsmctl.lab.cli_answer import Data, Failed
from hsmctl.lab.cli_grammar import Asked
from hsmctl.lab.cli_session import Session


def sign(session: Session, asked: Asked) -> Data:
    """A signature."""
    cluster = session.admitted(asked)
    reference = cli_key.selected(session, cluster, asked.many("key-filter"))
    answer = cli_key.one(cluster, "key use", action="sign", reference=reference, **_what(session, asked))
    return {"key-reference": reference, "signature": answer["result"]}


def verify(session: Session, asked: Asked) -> Data:
    """Whether a signature fits."""
    cluster = session.admitted(asked)
    reference = cli_key.selected(session, cluster, asked.many("key-filter"))
    signature = _given(session, asked, "signature")
    what = {**_what(session, asked), "signature": signature}
    cli_key.one(cluster, "key use", action="verify", reference=reference, **what)
    return {"message": "Signature verified successfully"}


def wrap(session: Session, asked: Asked) -> Data:
    """A key under another."""
    cluster = session.admitted(asked)
    wrapping, payload = (
        cli_key.selected(session, cluster, asked.many(name)) for name in ("wrapping-filter", "payload-filter")
    )
    algorithm = asked.command.path[-1]
    answer = cli_key.one(cluster, "key use", action="wrap", reference=wrapping, payload=payload, algorithm=algorithm)
    data = {"payload_key_reference": payload, "wrapping_key_reference": wrapping}
    if asked.typed("path"):  # UNCONFIRMED: whether the data is printed, too
        session.write(asked.text("path"), base64.b64decode(answer["result"]))
    return {**data, "wrapped_key_data": answer["result"]}


def unwrap(session: Session, asked: Asked) -> Data:
    """The key that was under another, as a new key."""
    cluster, kind = session.admitted(asked), asked.text("key-type-class")
    if kind not in ("aes", "generic-secret"):
        raise Failed(f"Unwrapping {kind} is not emulated")
    reference = cli_key.selected(session, cluster, asked.many("filter"))
    what = {"algorithm": asked.command.path[-1], "data": _given(session, asked, "data")}
    value = cli_key.one(cluster, "key use", action="unwrap", reference=reference, **what)["result"]
    given = cli_key_make.attributes(asked.many("attributes"))
    wanted = {
        "kind": kind,
        "size": str(8 * len(base64.b64decode(value))) if kind == "aes" else "256",
        "value": value,
        **cli_key_make.description(asked.text("label"), given),
        "attributes": {"secret-key": {"local": "false", **cli_key_make.changeable(given)}},
    }
    return {"key": cli_key_make.made(session, cluster, wanted, asked.many("share-crypto-users"))["secret-key"]}


def _what(session: Session, asked: Asked) -> dict[str, object]:
    """The algorithm, the hash and the data of a signature."""
    if asked.text("data-type") == "digest":
        raise Failed("Signing digests is not emulated")
    return {
        "algorithm": asked.command.path[-1],
        "hash": asked.text("hash-function"),
        "data": _given(session, asked, "data"),
    }


def _given(session: Session, asked: Asked, name: str) -> str:
    """Base64 that was typed, or a file's."""
    if asked.typed(name) == asked.typed(f"{name}-path"):
        raise Failed(f"Either --{name} or --{name}-path must be provided")
    if asked.typed(name):
        return asked.text(name)
    return base64.b64encode(session.file(asked.text(f"{name}-path"))).decode()
