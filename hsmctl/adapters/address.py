"""Where tokens are: the three kinds of address, read from text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from hsmctl.errors import UsageError


@dataclass(frozen=True, slots=True)
class ModuleAddress:
    """A PKCS#11 library and the token wanted in it."""

    path: str
    token: Mapping[str, str | int]
    """`label`, `serial` or `slot`; empty where the library has one token."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables the library takes its configuration from, such as SOFTHSM2_CONF."""


@dataclass(frozen=True, slots=True)
class HostedAddress:
    """A PKCS#11 library on a client host."""

    host: str
    """The client's name in the context."""
    module: ModuleAddress


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """A lab node's listener."""

    host: str
    port: int


Address = ModuleAddress | HostedAddress | NodeAddress
_TOKEN_ATTRIBUTES: Mapping[str, str] = {"token": "label", "serial": "serial", "slot": "slot"}


def parse_address(address: str) -> Address:
    """`module:PATH?token=LABEL`, the same on a client host as `ssh:HOST:PATH?token=LABEL`, or `tls:HOST:PORT`.

    Instead of the label `serial=` or `slot=` name a token; `env=NAME=VALUE` configures the library and may repeat.
    Values are percent-encoded as in RFC 7512.

    Raises:
        UsageError: it is none of them.
    """
    scheme, _, rest = address.partition(":")
    try:
        if scheme == "tls":
            host, _, port = rest.rpartition(":")
            return NodeAddress(host.strip("[]"), int(port))
        if scheme == "module":
            return _module(rest)
        if scheme == "ssh":
            host, path = rest.split(":", 1)
            return HostedAddress(unquote(host), _module(path))
    except (KeyError, ValueError) as error:
        raise UsageError(f"no address: {address}", f"{error} does not fit", _HINT) from error
    raise UsageError(f"no address: {address}", "it begins with none of module:, ssh: and tls:", _HINT)


_HINT = "module:/usr/lib/softhsm/libsofthsm2.so?token=LABEL"


def _module(text: str) -> ModuleAddress:
    path, _, query = text.partition("?")
    token: dict[str, str | int] = {}
    environment: dict[str, str] = {}
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        if name == "env":
            variable, _, content = unquote(value).partition("=")
            environment[variable] = content
        else:
            token[_TOKEN_ATTRIBUTES[name]] = int(value) if name == "slot" else unquote(value)
    return ModuleAddress(unquote(path), token, environment)
