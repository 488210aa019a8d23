"""The emulated cloudhsm-cli's commands about quorum tokens (cloudhsm_cli-qm-token and its pages)."""

from __future__ import annotations

import base64
import hashlib
import json

from hsmctl.lab.cli_answer import Data, Failed
from hsmctl.lab.cli_cluster import coverage, same
from hsmctl.lab.cli_grammar import Asked
from hsmctl.lab.cli_session import Session, joined, token_file

_OPENED = ("user", "quorum", "cluster")


def generate(session: Session, asked: Asked) -> Data:
    """Ask every HSM for a number and write the file that approvers, or the one who registers, are to sign."""
    cluster = session.admitted(asked)
    who = session.who(cluster)
    if who is None:
        raise Failed("You must be logged in to run this command")
    service, path = asked.text("service"), asked.text("token")
    if service == "registration":
        session.write(path, token_file(cluster.challenge(who.username)))
    elif service in _OPENED:
        numbers = [answer["number"] for answer in cluster.ask_all("token open", service=service)]
        session.write(path, _approval_file(service, joined(numbers)))
    else:
        raise Failed(f"Tokens of service {service} are not emulated")
    return {"path": path}


def tokens(session: Session, asked: Asked) -> Data:
    """The open tokens; what was approved is known to the approval files alone until one is used."""
    answers = session.cluster(asked).ask_all("tokens")
    found: dict[tuple[str, str], list[dict[str, int]]] = {}
    for answer in answers:
        for token in answer["tokens"]:
            found.setdefault((token["username"], token["service"]), []).append(token)
    return {
        "tokens": [
            {
                "username": username,
                "service": service,
                "approvals-required": same([token["required"] for token in each]),
                "number-of-approvals": 0,
                "token-timeout-seconds": min(token["seconds"] for token in each),
                "cluster-coverage": coverage(len(each), len(answers)),
            }
            for (username, service), each in found.items()
        ]
    }


def values(session: Session, asked: Asked) -> Data:
    """Approvals by service."""
    found = [answer["values"] for answer in session.cluster(asked).ask_all("quorum values")]
    return {service: same([each[service] for each in found]) for service in found[0]}


def set_value(session: Session, asked: Asked) -> Data:
    """Set how many approvals a service asks for."""
    if not asked.text("value").isdecimal():
        raise Failed(f"Quorum value {asked.text('value')} is not allowed for service {asked.text('service')}")
    args = {"service": asked.text("service"), "value": int(asked.text("value")), **session.approval(asked)}
    session.admitted(asked).change("quorum value", args)
    return "Set Quorum Value successful"


def delete(session: Session, asked: Asked) -> Data:
    """Drop the own tokens, or everybody's."""
    session.admitted(asked).change("tokens delete", {"scope": asked.text("scope")})
    return "Deletion of quorum token(s) successful"


def timeouts(session: Session, asked: Asked) -> Data:
    """How long tokens live."""
    return session.admitted(asked).ask_all("timeouts")[0]


def set_timeout(session: Session, asked: Asked) -> Data:
    """Set how long tokens live; an option of the guide of 2023."""
    session.admitted(asked).change(
        "timeouts", {name: asked.text(name) for name in ("generated", "approved") if asked.typed(name)}
    )
    return "Set token timeout successful"


def _approval_file(service: str, data: bytes) -> bytes:
    """The file that approvers sign: its token is the digest of the approval data (user guide, quorum token file)."""
    document = {
        "version": "2.0",
        "service": service,
        "approval_data": base64.b64encode(data).decode(),
        "token": base64.b64encode(hashlib.sha256(data).digest()).decode(),
        "signatures": [],
    }
    return json.dumps(document, indent=2).encode()
