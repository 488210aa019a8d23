"""Every command of cloudhsm-cli with its options: a table, and what stands in it.

Names are the user guide's (cloudhsm_cli-reference and its pages). Refuses to know what a command does, and how words
are taken for one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Takes(StrEnum):
    """What stands behind an option."""

    VALUE = "value"
    MANY = "many"
    NOTHING = "nothing"
    WORD = "word"
    """Nothing, and it is spelled without dashes: a sub-command behind options."""


class Option(NamedTuple):
    """One option of a command."""

    name: str
    takes: Takes = Takes.VALUE
    required: bool = False
    choices: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """It, as a usage line shows it."""
        if self.takes is Takes.WORD:
            return self.name
        if self.takes is Takes.NOTHING:
            return f"--{self.name}"
        value = f"<{self.name.upper().replace('-', '_')}>"
        return f"--{self.name} {f'[{value}...]' if self.takes is Takes.MANY else value}"


@dataclass(frozen=True, slots=True)
class Command:
    """One command."""

    path: tuple[str, ...]
    about: str
    options: tuple[Option, ...] = ()

    @property
    def usage(self) -> str:
        """Its usage line."""
        needed = " ".join(option.shown for option in self.options if option.required)
        return f"Usage: {' '.join(self.path)} [OPTIONS] {needed}".rstrip()

    @property
    def help(self) -> str:
        """What `help` prints of it."""
        lines = [self.about, "", self.usage, "", "Options:", *(f"      {option.shown}" for option in self.options)]
        return "\n".join([*lines, "  -h, --help", "          Print help", ""])


def needed(name: str, *choices: str) -> Option:
    """An option that must be there."""
    return Option(name, required=True, choices=choices)


WRAPPINGS = ("aes-no-pad", "aes-zero-pad")
"""The wrapping mechanisms that are emulated."""
_CLUSTER = Option("cluster-id")
_ROLES = ("crypto-user", "admin")
_USER = (needed("username"), needed("role", *_ROLES))
_PASSWORD, _APPROVAL = Option("password"), Option("approval")
_FILTER = Option("filter", Takes.MANY)
_BETWEEN = (needed("source-cluster-id"), needed("destination-cluster-id"))


def _command(path: str, about: str, *options: Option) -> Command:
    return Command(tuple(path.split()), about, (_CLUSTER, *options))


_USER_COMMANDS = (
    _command("cluster activate", "Activate a cluster", _PASSWORD),
    _command("cluster hsm-info", "List info about each HSM in the cluster"),
    _command(
        "cluster mtls register-trust-anchor",
        "Register a trust anchor for mtls",
        Option("path", Takes.MANY, required=True),
        _APPROVAL,
    ),
    _command(
        "cluster mtls deregister-trust-anchor",
        "Deregister a trust anchor for mtls",
        Option("certificate-reference", Takes.MANY, required=True),
        _APPROVAL,
    ),
    _command("cluster mtls list-trust-anchors", "List all trust anchors for mtls"),
    _command("cluster mtls get-enforcement", "Get the status of mtls enforcement in the cluster"),
    _command(
        "cluster mtls set-enforcement",
        "Set mtls enforcement policy in the cluster",
        needed("level", "none", "cluster"),
        _APPROVAL,
    ),
    _command(
        "login", "Login to your cluster", *_USER, _PASSWORD, Option("mfa-token-sign", Takes.WORD), Option("token")
    ),
    _command("logout", "Logout of your cluster"),
    _command("user list", "List the users in your cluster"),
    _command("user create", "Create a new user", *_USER, _PASSWORD, _APPROVAL),
    _command("user delete", "Delete a user", *_USER, _APPROVAL),
    _command(
        "user change-password",
        "Change a user's password",
        *_USER,
        _PASSWORD,
        _APPROVAL,
        Option("deregister-mfa", Takes.NOTHING),
        Option("deregister-quorum", Takes.NOTHING),
    ),
    _command(
        "user change-mfa token-sign",
        "Register or Deregister a public key using token-sign mfa strategy",
        *_USER,
        Option("change-password"),
        Option("token"),
        _APPROVAL,
        Option("deregister", Takes.NOTHING),
        Option("change-quorum", Takes.NOTHING),
    ),
    _command(
        "user change-quorum token-sign register",
        "Register a user for quorum authentication with a public key",
        needed("public-key"),
        needed("signed-token"),
    ),
    _command("user replicate", "Replicate a user from a source to a destination cluster", *_USER, *_BETWEEN, _APPROVAL),
)
_QUORUM_COMMANDS = (
    _command(
        "quorum token-sign generate",
        "Generate a token",
        needed("service", "user", "quorum", "cluster", "registration", "key-usage", "key-management"),
        needed("token"),
        _FILTER,
    ),
    _command("quorum token-sign list", "List the token-sign tokens in your cluster"),
    _command("quorum token-sign list-quorum-values", "List current quorum values"),
    _command(
        "quorum token-sign set-quorum-value",
        "Set a quorum value",
        needed("service", "user", "quorum", "cluster"),
        needed("value"),
        _APPROVAL,
    ),
    _command("quorum token-sign delete", "Delete one or more tokens", needed("scope", "user", "all")),
    _command("quorum token-sign list-timeouts", "Get token timeouts in seconds for all token types"),
    _command("quorum token-sign set-timeout", "Set timeout for a token type", Option("generated"), Option("approved")),
)

_SHARED = Option("share-crypto-users", Takes.MANY)
_SESSION = Option("session", Takes.NOTHING)
_QUORUM = (Option("manage-key-quorum-value"), Option("use-key-quorum-value"))
_PAIR = (
    needed("public-label"),
    needed("private-label"),
    _SESSION,
    Option("public-attributes", Takes.MANY),
    Option("private-attributes", Takes.MANY),
    _SHARED,
    Option("manage-private-key-quorum-value"),
    Option("use-private-key-quorum-value"),
)
_SECRET = (
    needed("label"),
    needed("key-length-bytes"),
    _SESSION,
    Option("attributes", Takes.MANY),
    _SHARED,
    *_QUORUM,
)
_ONE_KEY = Option("filter", Takes.MANY, required=True)
_SHARE = (_ONE_KEY, needed("username"), needed("role", "crypto-user"), _APPROVAL)
_KEY_COMMANDS = (
    _command(
        "key list",
        "List keys the current user owns, shared, and all public keys in the HSM",
        _FILTER,
        Option("max-items"),
        Option("starting-token"),
        Option("verbose", Takes.NOTHING),
    ),
    _command("key generate-symmetric aes", "Generate an AES key", *_SECRET),
    _command("key generate-symmetric generic-secret", "Generate a generic secret key", *_SECRET),
    _command(
        "key generate-asymmetric-pair rsa",
        "Generate an RSA key pair",
        needed("public-exponent"),
        needed("modulus-size-bits"),
        *_PAIR,
    ),
    _command("key generate-asymmetric-pair ec", "Generate an Elliptic-Curve key pair", needed("curve"), *_PAIR),
    _command(
        "key import pem",
        "Import a key from a PEM file",
        needed("path"),
        needed("label"),
        needed("key-type-class", "ec-public", "rsa-public"),
        Option("attributes", Takes.MANY),
    ),
    _command(
        "key generate-file", "Generate a key file from a key in the HSM", needed("encoding"), needed("path"), _ONE_KEY
    ),
    _command("key delete", "Delete a key from the HSM cluster", _ONE_KEY),
    _command("key set-attribute", "Set key attribute of a key", _ONE_KEY, needed("name"), needed("value"), _APPROVAL),
    _command("key share", "Share a key in the HSM cluster with another user", *_SHARE),
    _command("key unshare", "Unshare a key in the HSM cluster with another user", *_SHARE),
    _command("key replicate", "Replicate a key from a source to a destination cluster", _ONE_KEY, *_BETWEEN),
)
_WRAP = (
    Option("payload-filter", Takes.MANY, required=True),
    Option("wrapping-filter", Takes.MANY, required=True),
    Option("path"),
    Option("wrapping-approval"),
    Option("payload-approval"),
)
_UNWRAP = (
    _ONE_KEY,
    needed("key-type-class"),
    needed("label"),
    Option("data"),
    Option("data-path"),
    Option("attributes", Takes.MANY),
    _SHARED,
    *_QUORUM,
    _SESSION,
    _APPROVAL,
)
_SIGN = (
    Option("key-filter", Takes.MANY, required=True),
    needed("hash-function", "sha1", "sha224", "sha256", "sha384", "sha512"),
    Option("data"),
    Option("data-path"),
    Option("data-type", choices=("raw", "digest")),
    _APPROVAL,
)
_PSS = (Option("mgf"), Option("salt-length"))
_VERIFY = (*_SIGN, Option("signature"), Option("signature-path"))
_SIGNING = {"rsa-pkcs": (), "rsa-pkcs-pss": _PSS, "ecdsa": ()}
_CRYPTO_COMMANDS = (
    *(_command(f"key wrap {each}", f"Wrap a payload key with {each}", *_WRAP) for each in WRAPPINGS),
    *(_command(f"key unwrap {each}", f"Unwrap a key with {each}", *_UNWRAP) for each in WRAPPINGS),
    *(_command(f"crypto sign {each}", f"Sign with {each}", *_SIGN, *more) for each, more in _SIGNING.items()),
    *(_command(f"crypto verify {each}", f"Verify with {each}", *_VERIFY, *more) for each, more in _SIGNING.items()),
)

COMMANDS: dict[tuple[str, ...], Command] = {
    each.path: each for each in (*_USER_COMMANDS, *_QUORUM_COMMANDS, *_KEY_COMMANDS, *_CRYPTO_COMMANDS)
}
"""Every command by its words."""
