"""Which CA signs in a ceremony, as it is typed: a key file, a token's key, a new CA, or one that is off line."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from hsmctl.cli.session import Session
from hsmctl.domain.key_name import KeyName
from hsmctl.errors import Conflict, UsageError
from hsmctl.settings import ContextKind

FILE = click.Path(path_type=Path, dir_okay=False)


def authority_options(function: Callable[..., int]) -> Callable[..., int]:
    """Give a command the options that say which CA signs; it gets them as `authority`."""

    @functools.wraps(function)
    def call(session: Session, *values: object, **others: object) -> int:
        typed = {name: others.pop(name) for name in _CA_OPTIONS}
        return function(session, *values, authority=_named_authority(session, typed), **others)

    for option in reversed(_CA_DECLARED):
        option(call)
    return call


_CA_DECLARED = (
    click.option("--ca-key", metavar="KEY", help="The CA's encrypted private key, PEM, or its name on --ca-token."),
    click.option("--ca-cert", type=FILE, help="The CA's certificate, or the chain from it to its root, PEM."),
    click.option("--ca-token", metavar="NAME", help="The key is on this token; without --ca-cert its certificate too."),
    click.option("--ca-key-out", type=FILE, help="Make a CA: its key goes here, its certificate beside it as .crt."),
    click.option("--ca-name", metavar="NAME", default="CloudHSM customer CA", help="The common name of a new CA."),
    click.option("--ca-passphrase-file", type=FILE, help="Where the passphrase is; for its owner alone."),
    click.option("--accept-software-ca", metavar="REASON", default="", help="In a protected context too."),
    click.option("--signed-cert", type=FILE, help="What an offline CA has signed, PEM."),
    click.option("--trust-anchor", type=FILE, help="That CA's certificate, or the chain to its root, PEM."),
)
_CA_OPTIONS = (
    "ca_key",
    "ca_cert",
    "ca_token",
    "ca_key_out",
    "ca_name",
    "ca_passphrase_file",
    "accept_software_ca",
    "signed_cert",
    "trust_anchor",
)


def _named_authority(session: Session, typed: Mapping[str, object]) -> dict[str, str]:
    """Which CA signs, in the words plans keep; in the lab its own where none is named.

    Raises:
        UsageError: the options do not fit together, or a new key's place is taken.
    """
    told = {name: str(value) for name, value in typed.items() if value}
    extra = {"accepted": told["accept_software_ca"]} if "accept_software_ca" in told else {}
    if "ca_passphrase_file" in told:
        extra["passphrase_file"] = told["ca_passphrase_file"]
    chosen = [name for name in ("ca_key", "ca_key_out", "signed_cert") if name in told]
    if len(chosen) > 1:
        options = " and ".join(f"--{name.replace('_', '-')}" for name in chosen)
        raise UsageError("which CA", f"{options} exclude each other", "name one")
    if "ca_token" in told:
        return _on_token(session, told)
    if "ca_key" in told and "ca_cert" in told:
        return {"ca": "file", "key": told["ca_key"], "certificate": told["ca_cert"], **extra}
    if "ca_key_out" in told:
        key = Path(told["ca_key_out"])
        certificate = key.with_name(f"{key.name}.crt")
        if key.exists() or certificate.exists():
            raise UsageError(f"--ca-key-out {key}", "something is there, and is never overwritten", "--ca-key uses it")
        return {"ca": "new", "key": str(key), "certificate": str(certificate), "name": told["ca_name"], **extra}
    if "signed_cert" in told and "trust_anchor" in told:
        return {"ca": "offline", "signed": told["signed_cert"], "anchor": told["trust_anchor"]}
    if not chosen and session.hsmctl.context.kind is ContextKind.LAB:
        return {"ca": "context"}
    raise UsageError("which CA", "nothing says who signs", "--ca-key with --ca-cert or --ca-token")


def _on_token(session: Session, told: Mapping[str, str]) -> dict[str, str]:
    """A CA whose key is on a token of the context.

    Raises:
        UsageError: the options do not fit together, or the key's name cannot be read.
        Conflict: the context has no such token.
    """
    if "ca_key" not in told or "ca_key_out" in told or "signed_cert" in told:
        raise UsageError("which CA key", f"--ca-token {told['ca_token']} wants --ca-key", "hsmctl key list")
    if "ca_passphrase_file" in told:
        why = "a token's PIN comes from where its entry in the context says"
        raise UsageError("--ca-passphrase-file", why, "hsmctl config show")
    KeyName.parse(told["ca_key"])
    known = [entry.name for entry in session.hsmctl.context.tokens]
    if told["ca_token"] not in known:
        why = f"the context has {', '.join(known) or 'none'}"
        raise Conflict(f"no token {told['ca_token']}", why, "hsmctl config show")
    certificate = {"certificate": told["ca_cert"]} if "ca_cert" in told else {}
    return {"ca": "token", "token": told["ca_token"], "key": told["ca_key"], **certificate}
