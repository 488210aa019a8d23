"""The emulated cloudhsm-cli's commands about activation, logins and users (cloudhsm_cli-user and its pages)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hsmctl.lab.cli_answer import Data, Failed
from hsmctl.lab.cli_cluster import INCONSISTENT, Connected, Credentials, coverage, same
from hsmctl.lab.cli_grammar import Asked
from hsmctl.lab.cli_session import Session, token_file

SIGNED_PATH = "Enter signed token file path (press enter if same as the unsigned token file):"
KEY_PATH = "Enter public key PEM file path:"


def activate(session: Session, asked: Asked) -> Data:
    """Give the admin of a new cluster its first password."""
    cluster = session.cluster(asked)
    password = asked.text("password") or session.prompt.new_password()
    cluster.change("activate", {"password": password})
    return "Cluster activation successful"


def hsm_info(session: Session, asked: Asked) -> Data:
    """What every connected HSM says of itself."""
    return {"hsms": [answer["info"] for answer in session.cluster(asked).ask_all("hsm info")]}


def login(session: Session, asked: Asked) -> Data:
    """Log in, with the second factor if that was typed."""
    cluster = session.cluster(asked)
    username, role = asked.text("username").lower(), asked.text("role")
    password = asked.text("password") or session.prompt.password()
    tokens = _signed_tokens(session, cluster, asked) if asked.typed("mfa-token-sign") else []
    session.log_in(cluster, Credentials(username, role, password, tokens))
    return {"username": username, "role": role}


def logout(session: Session, asked: Asked) -> Data:
    """Log out."""
    session.log_out(session.admitted(asked))
    return "Logout successful"


def users(session: Session, asked: Asked) -> Data:
    """Every user of the connected HSMs, and whether these agree about it."""
    answers = session.cluster(asked).ask_all("users")
    listed = [{user["username"]: user for user in answer["users"]} for answer in answers]
    names = dict.fromkeys(name for each in listed for name in each)
    return {"users": [_merged([each[name] for each in listed if name in each], len(listed)) for name in names]}


def create(session: Session, asked: Asked) -> Data:
    """Create a user on every HSM that has none of this name; where all have one, that is an error.

    So the same command once more, with the same password, repairs a user that an HSM misses (measured by others).
    """
    cluster = session.admitted(asked)
    password = asked.text("password") or session.prompt.new_password()
    args = {**_user(asked), "password": password, **session.approval(asked)}
    cluster.change("user create", args, settled="exists")
    return _user(asked)


def delete(session: Session, asked: Asked) -> Data:
    """Delete a user from every HSM that has it."""
    args = {**_user(asked), **session.approval(asked)}
    session.admitted(asked).change("user delete", args, settled="missing")
    return _user(asked)


def change_password(session: Session, asked: Asked) -> Data:
    """Set a password; it also unlocks."""
    cluster = session.admitted(asked)
    password = asked.text("password") or session.prompt.new_password()
    args = {
        **_user(asked),
        "password": password,
        "deregister_mfa": asked.typed("deregister-mfa"),
        "deregister_quorum": asked.typed("deregister-quorum"),
        **session.approval(asked),
    }
    cluster.change("user password", args)
    return _user(asked)


def change_mfa(session: Session, asked: Asked) -> Data:
    """Enrol a key as the second factor, or take it away; the password is set with it."""
    if asked.typed("token") == asked.typed("deregister"):
        raise Failed("Either --token or --deregister must be provided")
    cluster = session.admitted(asked)
    password = asked.text("change-password") or session.prompt.new_password()
    args = {**_user(asked), "password": password, "change_quorum": asked.typed("change-quorum")}
    args |= session.approval(asked)
    if asked.typed("deregister"):
        cluster.change("user mfa", args)
        return _user(asked)
    tokens = cluster.signed(_signed_tokens(session, cluster, asked))
    key = session.file(session.prompt.path(KEY_PATH)).decode(errors="replace")
    cluster.change("user mfa", lambda line: {**args, "public_key": key, **tokens(line)})
    return _user(asked)


def register_quorum(session: Session, asked: Asked) -> Data:
    """Register the key with which whoever is logged in approves."""
    cluster = session.admitted(asked)
    who = session.who(cluster)
    if who is None:
        raise Failed("You must be logged in to run this command")
    key = session.file(asked.text("public-key")).decode(errors="replace")
    tokens = cluster.signed(session.document(asked.text("signed-token")).get("tokens") or ())
    cluster.change("user quorum", lambda line: {"public_key": key, **tokens(line)})
    return {"username": who.username, "role": who.role}


def replicate(session: Session, asked: Asked) -> Data:
    """Bring a user of one cluster to its clone, with everything that proves it."""
    source = session.admit(asked.text("source-cluster-id"), "")
    destination = session.admit(asked.text("destination-cluster-id"), "DESTINATION_")
    found = [answer["user"] for answer in source.ask_all("user read", **_user(asked))]
    if same([_comparable(user) for user in found]) == INCONSISTENT:
        raise Failed("Specified user is inconsistent across the cluster")
    destination.change("user write", {"user": found[0], **session.approval(asked)})
    answers = destination.ask_all("users")
    listed = [user for answer in answers for user in answer["users"] if user["username"] == found[0]["name"]]
    return {"user": _merged(listed, len(answers)), "message": "Successfully replicated user"}


def _comparable(user: Mapping[str, Any]) -> dict[str, object]:
    """What HSMs can disagree about; each salts its own verifier, and counts its own failures."""
    return {name: value for name, value in user.items() if name not in ("verifier", "failures")}


def _user(asked: Asked) -> dict[str, object]:
    """Whom a command is about; names are printed in lower case."""
    return {"username": asked.text("username").lower(), "role": asked.text("role")}


def _signed_tokens(session: Session, cluster: Connected, asked: Asked) -> list[Mapping[str, str]]:
    """The entries of a token file that was written unsigned and comes back signed."""
    unsigned = asked.text("token")
    if not unsigned:
        raise Failed("--token must be provided")
    session.write(unsigned, token_file(cluster.challenge(asked.text("username"))))
    signed = session.prompt.path(SIGNED_PATH) or unsigned
    return list(session.document(signed).get("tokens") or ())


def _merged(found: Sequence[Mapping[str, Any]], of: int) -> dict[str, object]:
    """A user as the connected HSMs that have it know it; flags are strings."""
    locked = same([user["locked"] for user in found])
    return {
        "username": found[0]["username"],
        "role": same([user["role"] for user in found]),
        "locked": locked if locked == INCONSISTENT else str(locked).lower(),
        "mfa": _strategy([user["mfa"] for user in found]),
        "quorum": _strategy([user["quorum"] for user in found]),
        "cluster-coverage": coverage(len(found), of),
    }


def _strategy(registered: Sequence[bool]) -> list[dict[str, str]]:
    if not any(registered):
        return []
    return [{"strategy": "token-sign", "status": "enabled" if all(registered) else INCONSISTENT}]
