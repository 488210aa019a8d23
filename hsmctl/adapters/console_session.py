"""The port ConsoleSession: commands of a logged-in user, in one interactive session of cloudhsm-cli.

Knows the words of each command (user guide, cloudhsm_cli-reference). Files the commands read and write are in a folder
of this session on the client host, for this user alone.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from hsmctl.adapters import cloudhsm_cli as read
from hsmctl.adapters.client_files import HostFiles
from hsmctl.adapters.conversation import PASSWORD, PUBLIC_KEY, SIGNED_TOKEN, Conversation, Reply
from hsmctl.domain.coverage import ReportedKey
from hsmctl.domain.message import ALREADY_IN_HSM
from hsmctl.domain.mtls import Level
from hsmctl.domain.quorum import Service, token_digest
from hsmctl.domain.user import Role
from hsmctl.errors import Conflict, UsageError
from hsmctl.ports import Login
from hsmctl.ports_cli import Approval, Factor
from hsmctl.secret import Secret
from hsmctl.words import printable

_PAGE = 500
"""Keys a page; the largest number cloudhsm-cli takes is not documented (UNCONFIRMED; others use 1000)."""

_PLAIN = re.compile(r"[A-Za-z0-9_.:@+][A-Za-z0-9_.:/@+=-]*")
_BY_HAND = "run cloudhsm-cli by hand on a client host"


class CliSession:
    """ports_cli.ConsoleSession."""

    def __init__(self, conversation: Conversation, files: HostFiles, user: str) -> None:
        self._conversation = conversation
        self._files = files
        self._user = user

    def log_in(self, login: Login, role: Role, factor: Factor | None) -> None:
        """Send the password, and sign what a second factor signs; the session is this user's from then on."""
        words, replies = f"login --username {login.user} --role {role}", {PASSWORD: login.password}
        if factor is None:
            self._conversation.ask(words, replies)
            return
        token = self._files.fresh()
        signed: dict[str, Reply] = {**replies, SIGNED_TOKEN: lambda: self._signed(token, factor)}
        self._conversation.ask(f"{words} mfa-token-sign --token {token}", signed)

    def create_user(self, name: str, role: Role, password: Secret, approval: Approval | None = None) -> None:
        """Make the user on every connected HSM."""
        words = f"user create --username {name} --role {role}{self._approved(approval)}"
        self._conversation.ask(words, {PASSWORD: password})

    def delete_user(self, name: str, role: str, approval: Approval | None = None) -> None:
        """Delete the user on every connected HSM."""
        self._conversation.ask(f"user delete --username {name} --role {role}{self._approved(approval)}")

    def change_password(self, name: str, role: Role, password: Secret, approval: Approval | None = None) -> None:
        """Set the password, which unlocks the user."""
        words = f"user change-password --username {name} --role {role}{self._approved(approval)}"
        self._conversation.ask(words, {PASSWORD: password})

    def register_mfa(
        self, name: str, role: Role, password: Secret, factor: Factor, approval: Approval | None = None
    ) -> None:
        """Give the user a second factor, whose key signs one token for each HSM."""
        token, key = self._files.fresh(), self._files.put(factor.public_key)
        self._conversation.ask(
            f"user change-mfa token-sign --username {name} --role {role} --token {token}{self._approved(approval)}",
            {PASSWORD: password, SIGNED_TOKEN: lambda: self._signed(token, factor), PUBLIC_KEY: lambda: key},
        )

    def deregister_mfa(self, name: str, role: Role, password: Secret, approval: Approval | None = None) -> None:
        """Take the second factor away."""
        words = f"user change-mfa token-sign --username {name} --role {role} --deregister"
        self._conversation.ask(words + self._approved(approval), {PASSWORD: password})

    def register_approver(self, factor: Factor) -> None:
        """Make the logged-in admin an approver."""
        signed, key = self._signed(self._generated("registration"), factor), self._files.put(factor.public_key)
        self._conversation.ask(f"user change-quorum token-sign register --public-key {key} --signed-token {signed}")

    def new_token(self, service: Service) -> Approval:
        """A token to be signed."""
        return _token_file(self._files.read(self._generated(service)))

    def set_quorum_value(self, service: Service, value: int, approval: Approval | None = None) -> None:
        """Ask for this many approvals from now on."""
        words = f"quorum token-sign set-quorum-value --service {service} --value {value}"
        self._conversation.ask(words + self._approved(approval))

    def delete_tokens(self, *, everybody: bool) -> None:
        """Forget one's own tokens, or all."""
        self._conversation.ask(f"quorum token-sign delete --scope {'all' if everybody else 'user'}")

    def register_anchor(self, certificate: str, approval: Approval | None = None) -> None:
        """Trust a CA of clients; that some HSM has it already is how cloudhsm-cli says that it mended the others."""
        path = self._files.put(certificate)
        try:
            self._conversation.ask(f"cluster mtls register-trust-anchor --path {path}{self._approved(approval)}")
        except Conflict as error:
            if ALREADY_IN_HSM not in error.why:
                raise

    def deregister_anchor(self, reference: str, approval: Approval | None = None) -> None:
        """Trust it no longer."""
        words = f"cluster mtls deregister-trust-anchor --certificate-reference {reference}"
        self._conversation.ask(words + self._approved(approval))

    def enforcement(self) -> str:
        """None or cluster."""
        return read.enforcement(self._conversation.ask("cluster mtls get-enforcement"))

    def set_enforcement(self, level: Level, approval: Approval | None = None) -> None:
        """Let clients in only with a certificate, or with none."""
        self._conversation.ask(f"cluster mtls set-enforcement --level {level}{self._approved(approval)}")

    def keys(self, only: Mapping[str, str] | None = None) -> tuple[tuple[ReportedKey, ...], int | None]:
        """Every key the user may see, or those with these attributes, and how many there are."""
        filters = "".join(f" {_filter(name)}={_word(value)}" for name, value in (only or {}).items())
        words = f"key list --verbose --max-items {_PAGE}" + (f" --filter{filters}" if filters else "")
        pages, token = read.KeyPages(), ""
        while True:
            more = f" --starting-token {token}" if token else ""
            found = pages.take(self._conversation.ask(words + more))
            if found is None:
                return tuple(map(read.reported_key, pages.entries.values())), pages.total
            token = found

    def set_attribute(self, reference: str, name: str, value: str, approval: Approval | None = None) -> None:
        """Set an attribute on every connected HSM."""
        words = f"key set-attribute {_key(reference)} --name {_word(name)} --value {_word(value)}"
        self._conversation.ask(words + self._approved(approval))

    def share_key(self, reference: str, user: str, approval: Approval | None = None) -> None:
        """Let another crypto user use the key."""
        words = f"key share {_key(reference)} --username {_word(user)} --role crypto-user"
        self._conversation.ask(words + self._approved(approval))

    def unshare_key(self, reference: str, user: str, approval: Approval | None = None) -> None:
        """Stop that."""
        words = f"key unshare {_key(reference)} --username {_word(user)} --role crypto-user"
        self._conversation.ask(words + self._approved(approval))

    def _generated(self, service: str) -> str:
        """The path of a new token's file."""
        path = self._files.fresh()
        return read.token_path(self._conversation.ask(f"quorum token-sign generate --service {service} --token {path}"))

    def _approved(self, approval: Approval | None) -> str:
        """The words that hand an approval over."""
        return "" if approval is None else f" --approval {self._files.put(json.dumps(approval))}"

    def _signed(self, path: str, factor: Factor) -> str:
        """The token file signed in place; its path."""
        self._files.write(path, json.dumps(signed_tokens(_token_file(self._files.read(path)), factor.sign)))
        return path


def _filter(name: str) -> str:
    """A name as a filter has it: everything but the reference is an attribute."""
    return name if name == "key-reference" else f"attr.{name}"


def _key(reference: str) -> str:
    """The words that choose one key."""
    return f"--filter key-reference={_word(reference)}"


def _word(text: str) -> str:
    """A word of a command as it is typed.

    Raises:
        UsageError: it needs quoting, whose rules in interactive mode are not documented (UNCONFIRMED).
    """
    if not _PLAIN.fullmatch(text):
        raise UsageError(f"'{printable(text)}'", "hsmctl types only words without spaces and quotes", _BY_HAND)
    return text


def signed_tokens(document: Mapping[str, Any], sign: Callable[[bytes], bytes]) -> dict[str, Any]:
    """A token file of MFA or registration with every token signed; the digest that is signed is the decoded token."""
    tokens = document.get("tokens")
    if not isinstance(tokens, list) or not all(isinstance(each, dict) for each in tokens):
        raise UsageError("the token file", "it has no list of tokens", "update hsmctl")
    return {**document, "tokens": [{**each, "signed": _signature(each, sign)} for each in tokens]}


def _signature(token: Mapping[str, Any], sign: Callable[[bytes], bytes]) -> str:
    return base64.b64encode(sign(token_digest(str(token.get("unsigned", ""))))).decode()


def _token_file(text: str) -> Mapping[str, Any]:
    """The token file's JSON.

    Raises:
        UsageError: it is none.
    """
    try:
        found = json.loads(text)
    except ValueError as error:
        raise UsageError("the token file", "it is not JSON", "update hsmctl") from error
    if not isinstance(found, dict):
        raise UsageError("the token file", "it is not an object", "update hsmctl")
    return found
