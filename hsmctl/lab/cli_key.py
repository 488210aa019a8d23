"""The emulated cloudhsm-cli's commands about keys (cloudhsm_cli-key and its pages).

A listing is what the connected HSMs say, laid side by side: coverage and `inconsistent` come from that. The token of a
page is an offset, as text. A token key has to be on two HSMs before it is made or used, which the client finds out
after a long while (user guide, manage-key-sync; 87 s were measured).
"""

from __future__ import annotations

import base64
import random
import time
from collections.abc import Mapping, Sequence
from typing import Any

from hsmctl.lab.cli_answer import Data, Failed
from hsmctl.lab.cli_cluster import Connected, coverage, same
from hsmctl.lab.cli_grammar import Asked
from hsmctl.lab.cli_session import Session

PAGE = 10
NEEDED = 2
UNAVAILABLE = "Cannot perform the requested key operation as the key must be available on at least 2 HSMs"
Said = list[Mapping[str, Any]]
"""What each HSM that has a key says of it."""
Found = dict[str, Said]
"""By reference."""


def keys(session: Session, asked: Asked) -> Data:
    """A page of the keys that match."""
    cluster = session.admitted(asked)
    check_availability(session, cluster)
    found, start = matching(cluster, asked.many("filter")), _number(asked, "starting-token", 0)
    chosen = list(found)[start : start + _number(asked, "max-items", PAGE)]
    who = session.who(cluster)
    verbose = asked.typed("verbose") and who is not None and who.role != "admin"
    shown = collected(cluster, full=True, references=chosen) if verbose else found
    page = [shown_key(reference, shown[reference], len(cluster.lines), full=verbose) for reference in chosen]
    following = start + len(page)
    return {
        "matched_keys": page,
        "total_key_count": len(found),
        "returned_key_count": len(page),
        **({"next_token": str(following)} if following < len(found) else {}),
    }


def delete(session: Session, asked: Asked) -> Data:
    """Delete a key in the whole cluster."""
    cluster, reference = _selected(session, asked)
    cluster.change("key delete", {"reference": reference}, settled="missing")
    return {"message": "Key deleted successfully"}


def set_attribute(session: Session, asked: Asked) -> Data:
    """Set an attribute on every HSM that has the key."""
    cluster, reference = _selected(session, asked)
    args = {"reference": reference, "name": asked.text("name"), "value": asked.text("value")}
    cluster.change("key set", args, settled="missing")
    return {"message": "Attribute set successfully"}


def share(session: Session, asked: Asked) -> Data:
    """Let another crypto user use a key."""
    cluster, reference = _selected(session, asked)
    cluster.change("key share", {"reference": reference, "username": asked.text("username").lower()}, settled="missing")
    return {"message": "Key shared successfully"}


def unshare(session: Session, asked: Asked) -> Data:
    """Stop that."""
    cluster, reference = _selected(session, asked)
    args = {"reference": reference, "username": asked.text("username").lower()}
    cluster.change("key unshare", args, settled="missing")
    return {"message": "Key unshared successfully"}  # UNCONFIRMED wording


def generate_file(session: Session, asked: Asked) -> Data:
    """Write the public half of a key."""
    if asked.text("encoding") != "pem":
        raise Failed(f"Encoding {asked.text('encoding')} is not emulated")
    cluster, reference = _selected(session, asked)
    answer = one(cluster, "key use", action="public", reference=reference)
    session.write(asked.text("path"), base64.b64decode(answer["result"]))
    return {"message": "Successfully generated key file"}


def replicate(session: Session, asked: Asked) -> Data:
    """Bring a key of one cluster to its clone."""
    source = session.admit(asked.text("source-cluster-id"), "")
    destination = session.admit(asked.text("destination-cluster-id"), "DESTINATION_")
    reference, said = single(matching(source, asked.many("filter")))
    if len(said) < len(source.lines):
        raise Failed("The selected key is not synchronized throughout the cluster")
    key = one(source, "key read", reference=reference)
    failed = _written(destination, key)
    if failed:
        raise Failed(f"Key replicate failed on {failed} of {len(destination.lines)} connections")
    shown = collected(destination, full=True, references=[reference])[reference]
    return {
        "key": shown_key(reference, shown, len(destination.lines), full=True),
        "message": "Successfully replicated key",
    }


def matching(cluster: Connected, filters: Sequence[str]) -> Found:
    """The keys of the HSMs that fit every filter, in the order of their references.

    Raises:
        Failed: a filter is none.
    """
    wanted = [_filter(each) for each in filters]
    found = collected(cluster, full=any(name not in ("key-reference", "label") for name, _ in wanted))
    return {
        reference: said
        for reference, said in sorted(found.items())
        if all(_fits(reference, said[0]["attributes"], name, value) for name, value in wanted)
    }


def collected(cluster: Connected, *, full: bool, references: Sequence[str] | None = None) -> Found:
    """What every HSM says of its keys, all or these."""
    found: Found = {}
    for line in cluster.lines:
        for batch in cluster.streamed(line, "key list", full=full, references=references):
            for key in batch["keys"]:
                found.setdefault(key["reference"], []).append(key)
    return found


def single(found: Found) -> tuple[str, Said]:
    """The only key that was found.

    Raises:
        Failed: there is none, or more than one.
    """
    if len(found) != 1:
        what = f"Key selection criteria matched {len(found)} keys"
        raise Failed(f"{what}. Refine selection criteria to select a single key.")
    return next(iter(found.items()))


def shown_key(reference: str, said: Said, of: int, *, full: bool) -> dict[str, object]:
    """A key as it is printed."""
    names = dict.fromkeys(name for each in said for name in each["attributes"])
    attributes = {name: same([each["attributes"].get(name) for each in said]) for name in names}
    if not full:
        return {"key-reference": reference, "attributes": attributes}
    return {"key-reference": reference, "key-info": _info(said, of), "attributes": attributes}


def check_availability(session: Session, cluster: Connected, said: Said | None = None) -> None:
    """Refuse a key that is on fewer than two HSMs, unless the client was told not to look.

    Raises:
        Failed: it is, and that took a while.
    """
    there = len(cluster.lines) if said is None else min(len(said), len(cluster.lines))
    who = session.who(cluster)
    admin = who is not None and who.role == "admin"
    if cluster.cluster.availability_check and there < NEEDED and not admin:
        time.sleep(session.availability_seconds)
        raise Failed(UNAVAILABLE)


def one(cluster: Connected, op: str, **args: object) -> Mapping[str, Any]:
    """The answer of one HSM, whichever is its turn.

    Raises:
        Failed: it refuses.
    """
    line = random.choice(cluster.lines)  # noqa: S311 - it balances load
    *_, answer = cluster.streamed(line, op, **args)
    return answer


def selected(session: Session, cluster: Connected, filters: Sequence[str]) -> str:
    """The reference of the only key that fits, which is on enough HSMs.

    Raises:
        Failed: there is none, or more than one, or on too few.
    """
    reference, said = single(matching(cluster, filters))
    check_availability(session, cluster, said)
    return reference


def _selected(session: Session, asked: Asked) -> tuple[Connected, str]:
    cluster = session.admitted(asked)
    return cluster, selected(session, cluster, asked.many("filter"))


def _written(destination: Connected, key: Mapping[str, Any]) -> int:
    """On how many HSMs a key could not be written."""
    failed = 0
    for line in tuple(destination.lines):
        try:
            list(destination.streamed(line, "key write", **key))
        except Failed:
            failed += 1
    return failed


def _filter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not (name == "key-reference" or name.startswith("attr.")):
        raise Failed(f"Invalid filter {text}")
    return name.removeprefix("attr."), value


def _fits(reference: str, attributes: Mapping[str, Any], name: str, value: str) -> bool:
    if name == "key-reference":
        return int(reference, 16) == int(value, 16) if value.startswith("0x") else False
    known = attributes.get(name)
    return (str(known).lower() if isinstance(known, bool) else str(known)) == value


def _info(said: Said, of: int) -> dict[str, object]:
    sharers = dict.fromkeys(user for each in said for user in each["shared"])
    return {
        "key-owners": [{"username": said[0]["owner"], "key-coverage": coverage(len(said), of)}],
        "shared-users": [
            {"username": user, "key-coverage": coverage(sum(user in each["shared"] for each in said), of)}
            for user in sharers
        ],
        "key-quorum-values": {"manage-key-quorum-value": 0, "use-key-quorum-value": 0},
        "cluster-coverage": coverage(len(said), of),
    }


def _number(asked: Asked, name: str, usual: int) -> int:
    text = asked.text(name)
    if text and not text.isdecimal():
        raise Failed(f"Invalid value {text} for {name}")
    return int(text) if text else usual
