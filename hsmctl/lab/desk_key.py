"""What crypto users ask of an HSM about keys by cloudhsm-cli: listing, making, changing, sharing, using one.

Knows who may do what with a key (user guide, cloudhsm_cli-key and its pages). A key is named by its reference.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from hsmctl.agent.inventory import Refused
from hsmctl.lab import keylist, keyuse
from hsmctl.lab.desk import USERS, Answer, Arguments, Guest, Operation
from hsmctl.lab.keyring import Key
from hsmctl.lab.objectfile import check_whole, serialize
from hsmctl.lab.softhsm import write_object
from hsmctl.lab.user import Role

if TYPE_CHECKING:
    from hsmctl.lab.administration import Administration

BATCH = 500
_CRYPTO_USERS = frozenset({Role.CRYPTO_USER})
_ONE_WAY = {"extractable": "true", "modifiable": "true", "wrap-with-trusted": "false"}
"""Attributes that cannot be set to this value any more."""
_FIXED = (
    "key-type",
    "class",
    "check-value",
    "token",
    "private",
    "sensitive",
    "always-sensitive",
    "never-extractable",
    "local",
)


def listing(hsm: Administration, guest: Guest, args: Arguments) -> Iterator[Mapping[str, object]]:
    """Every key the guest sees, in batches; with all attributes, or only what a plain list shows."""
    with hsm.node.lock:
        keys = list(hsm.node.keyring.visible(_whose(guest)))
    wanted = set(args["references"]) if args.get("references") is not None else None
    chosen = [key for key in keys if wanted is None or key.reference in wanted]
    for start in range(0, len(chosen), BATCH):
        yield {"keys": [_shown(hsm, key, full=bool(args.get("full"))) for key in chosen[start : start + BATCH]]}
    yield {"keys": []}


def _whose(guest: Guest) -> str | None:
    """Whose keys a guest sees; an admin sees that there are keys."""
    return None if guest.role is Role.ADMIN else guest.user


def _shown(hsm: Administration, key: Key, *, full: bool) -> dict[str, object]:
    key_of_tokens = hsm.node.keyring.token_key
    if full:
        attributes: Mapping[str, object] = keylist.attributes(key.stored, key_of_tokens)
    else:
        attributes = {"label": keylist.label(key.stored, key_of_tokens)}
    return {"reference": key.reference, "owner": key.owner, "shared": key.sharers, "attributes": attributes}


def _generate(hsm: Administration, guest: Guest, args: Arguments) -> Answer:
    """Make a key, or a pair; the siblings have it, too, when this is answered."""
    keyring, wanted = hsm.node.keyring, args["attributes"]

    def amend(names: tuple[str, ...]) -> None:
        for name in names:
            key = keyring.named(guest.user, name)
            if args.get("value"):
                keyring.refill(key, str(args["kind"]), base64.b64decode(args["value"]))
            if args.get("public") and not key.public:
                keyring.destroy(key)  # what comes from outside has no private half
                continue
            if args.get("public"):
                keyring.refill_public(key, {part: bytes.fromhex(value) for part, value in args["public"].items()})
            keyring.amend(key, wanted.get(key.kind) or {})

    names = hsm.node.make(guest.user, args, amend)
    made = [keyring.named(guest.user, name) for name in names]
    return {"references": {key.kind: key.reference for key in made}}


def _delete(hsm: Administration, guest: Guest, args: Arguments) -> Answer:
    with hsm.node.lock:
        key = hsm.node.keyring.owned(str(args["reference"]), guest.user)
        if not key.stored.boolean(keylist.FLAGS["destroyable"]):
            raise Refused("", "The key is not destroyable")
        hsm.node.keyring.destroy(key)
        hsm.node.lock.look_again()
    for user in (key.owner, *key.sharers):
        hsm.node.say({"event": "destroyed", "user": user, "names": [key.name], "number": 0})
    return {}


def _set_attribute(hsm: Administration, guest: Guest, args: Arguments) -> Answer:
    name, value = str(args["name"]), str(args["value"])
    with hsm.node.lock:
        if name == "trusted":
            key = hsm.node.keyring.find(str(args["reference"]), None)
        else:
            key = hsm.node.keyring.owned(str(args["reference"]), guest.user)
        if (name == "trusted") != (guest.role is Role.ADMIN):
            raise Refused("", "Only an admin can set trusted, and nothing else")
        if name in _FIXED or _ONE_WAY.get(name) == value:
            raise Refused("", f"Attribute {name} can not be set to {value}")
        if not key.stored.boolean(keylist.FLAGS["modifiable"]):
            raise Refused("", "The key is not modifiable")
        hsm.node.keyring.amend(key, {name: value})
        hsm.node.lock.look_again()
    hsm.note_key("modify", key.name)
    return {}


def _share(hsm: Administration, guest: Guest, args: Arguments) -> Answer:
    user = _sharer(hsm, args["username"])
    with hsm.node.lock:
        key = hsm.node.keyring.owned(str(args["reference"]), guest.user)
        hsm.node.keyring.share(key, user)
        hsm.node.lock.look_again()
    hsm.note_key("share", key.name)
    return {}


def _unshare(hsm: Administration, guest: Guest, args: Arguments) -> Answer:
    with hsm.node.lock:
        key = hsm.node.keyring.owned(str(args["reference"]), guest.user)
        hsm.node.keyring.unshare(key, str(args["username"]).lower())
        hsm.node.lock.look_again()
    hsm.note_key("share", key.name)
    return {}


def _sharer(hsm: Administration, name: object) -> str:
    user = hsm.users.get(str(name))
    if user is None or user.role is not Role.CRYPTO_USER:
        raise Refused("", "Specified user does not exist")
    return user.name


def _use(hsm: Administration, guest: Guest, args: Arguments) -> Answer:
    """Use a key: sign, verify, wrap another, unwrap, or hand out the public half."""
    with hsm.node.lock:
        keyring = hsm.node.keyring
        key = keyring.find(str(args["reference"]), guest.user)
        payload = keyring.owned(str(args["payload"]), guest.user) if args.get("payload") else None
    result = keyuse.use(key.stored, payload.stored if payload else None, args, keyring.token_key)
    if args["action"] in ("wrap", "unwrap"):
        hsm.note_key(args["action"], *(each.name for each in (payload, key) if each))
    return {"result": base64.b64encode(result).decode()}


def _read(hsm: Administration, guest: Guest, args: Arguments) -> Answer:
    """A key as it lies here, for a clone of this cluster (cloudhsm_cli-key-replicate)."""
    with hsm.node.lock:
        key = hsm.node.keyring.owned(str(args["reference"]), guest.user)
        file = serialize(key.stored)
    return {"name": key.name, "file": base64.b64encode(file).decode(), "family": _family(hsm)}


def _write(hsm: Administration, guest: Guest, args: Arguments) -> Answer:
    """Take a key of a clone: only clones have one masking key."""
    if args["family"] != _family(hsm):
        raise Refused("", "The clusters are not clones of each other")
    with hsm.node.lock:
        write_object(
            hsm.node.folder.tokens / guest.user, str(args["name"]), check_whole(base64.b64decode(args["file"]))
        )
        hsm.node.lock.look_again()
    return {"reference": keylist.reference(str(args["name"]))}


def _family(hsm: Administration) -> str:
    """What clones have in common, and does not tell their key."""
    return hashlib.sha256(b"masking key of" + hsm.node.keyring.token_key).hexdigest()[:16]


OPERATIONS: Mapping[str, Operation] = {
    "key generate": (_CRYPTO_USERS, _generate),
    "key delete": (_CRYPTO_USERS, _delete),
    "key set": (USERS, _set_attribute),
    "key share": (_CRYPTO_USERS, _share),
    "key unshare": (_CRYPTO_USERS, _unshare),
    "key use": (_CRYPTO_USERS, _use),
    "key read": (_CRYPTO_USERS, _read),
    "key write": (_CRYPTO_USERS, _write),
}
LISTING = "key list"
"""Answered in batches."""
