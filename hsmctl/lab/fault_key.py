"""Faults of keys: what each does to stored objects, and an HSM's folder kept the way the faults in the book want it.

A fault is an unreported edit plus a hold. The objects it concerns are put aside in the HSM's folder `held` as they are
without it; replication changes only what lies there, and the token has what the faults, one after the other, make of
it. So faults combine, survive anything and clear in any order. A clone gets the objects as they are without faults.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from hsmctl.errors import Conflict, Unreachable
from hsmctl.lab.fault import Family, Fault, FaultBook
from hsmctl.lab.folder import LabFolder, NodeFolder, write_private
from hsmctl.lab.material import clear, other, stored_values
from hsmctl.lab.objectfile import CKA_EXTRACTABLE, CKA_LABEL, Attribute, Kind, StoredObject, Torn, check_whole
from hsmctl.lab.record import NodeRecord
from hsmctl.lab.replication import Replicator
from hsmctl.lab.softhsm import holds, object_files, remove_object, write_object

Edit = Mapping[int, Attribute] | None
"""What a fault makes of one object: the attributes it gets, or None where the object is lost."""

_TRUE, _FALSE = b"\xff", b"\0"


def edits(name: str, objects: Mapping[str, StoredObject], token_key: bytes) -> dict[str, Edit]:
    """What a fault of this name does to the objects of a key, by their names; the one definition of it.

    Raises:
        Conflict: the key is of a kind that the fault cannot bend.
    """
    found: dict[str, Edit] = {}
    if name in ("key-missing", "key-sole"):
        found = dict.fromkeys(objects)
    elif name == "key-different":
        for each, values in other(objects, token_key).items():
            found[each] = stored_values(objects[each], values, token_key)
    else:
        for each, stored in objects.items():
            if (extractable := stored.boolean(CKA_EXTRACTABLE)) is not None:
                found[each] = {CKA_EXTRACTABLE: Attribute(Kind.BOOLEAN, _FALSE if extractable else _TRUE)}
    if not found:
        raise Conflict(f"{name} makes no sense here", "the object is not such a key", "choose another key")
    return found


def edited(stored: StoredObject | None, edit: Edit) -> StoredObject | None:
    """What an edit makes of an object, or of what an earlier one left of it."""
    if stored is None or edit is None:
        return None
    return StoredObject(stored.generation, {**stored.attributes, **edit})


def labelled(objects: Mapping[str, StoredObject], label: str, token_key: bytes) -> dict[str, StoredObject]:
    """Those of the objects that bear the label."""
    wanted = label.encode(errors="surrogateescape")
    return {name: stored for name, stored in objects.items() if clear(stored, CKA_LABEL, token_key) == wanted}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFaults:
    """The family KEYS."""

    lab: LabFolder
    book: FaultBook
    siblings: Callable[[str], Sequence[str]]
    """The other HSMs of an HSM's cluster."""
    replicator: Replicator
    """Nothing is carried while a folder is bent."""

    def prepare(self, fault: Fault) -> Fault:
        """The fault with its edits, by HSM and file.

        Raises:
            Conflict: the HSM has no such key, or one that the fault cannot bend.
        """
        hsm, key = str(fault.hsm), str(fault.key)
        if not self._found(hsm, key)[0]:
            raise Conflict(f"no key {key} on {hsm}", "nothing there bears this label", "hsmctl --lab key list")
        bent = self.siblings(hsm) if fault.name == "key-sole" else [hsm]
        found = {each: edits(fault.name, *self._found(each, key)) for each in bent if self._found(each, key)[0]}
        if not found:
            raise Conflict(
                f"{hsm} has the only copy already", "no other HSM has one", "hsmctl --lab sync check --via lab-node"
            )
        return replace(fault, detail={"edits": {each: _to_json(edit) for each, edit in found.items()}})

    def settle(self, fault: Fault) -> None:
        """Make the folders the fault is about what the book wants.

        Raises:
            Unreachable: a stopped HSM has its folder locked.
        """
        for hsm in fault.detail["edits"]:
            self.replicator.in_order(partial(self._settle, hsm)).result()

    def _found(self, hsm: str, label: str) -> tuple[dict[str, StoredObject], bytes]:
        """The objects of a key on an HSM as they are without faults, and its token key."""
        folder = self.lab.node(hsm)
        token_key = bytes.fromhex(NodeRecord.read(folder).token_key)
        return labelled(dict(_without_faults(folder)), label, token_key), token_key

    def _settle(self, hsm: str) -> None:
        folder = self.lab.node(hsm)
        wanted = self._edits(hsm)
        kept = {str(path.relative_to(folder.held)) for path in folder.held.glob("*/*.object")}
        for path in sorted(kept | wanted.keys()):
            held, token = folder.held / path, folder.tokens / Path(path).parent
            if not held.exists():
                write_private(held, (folder.tokens / path).read_bytes() if (folder.tokens / path).exists() else b"")
            stored = _whole(held)
            for edit in wanted.get(path, ()):
                stored = edited(stored, edit)
            _put(token, held.name, stored)
            if path not in wanted:
                held.unlink()

    def _edits(self, hsm: str) -> dict[str, list[Edit]]:
        """What the faults in the book do to each file of an HSM, oldest first."""
        found: dict[str, list[Edit]] = {}
        for fault in self.book.family(Family.KEYS):
            for path, edit in _from_json(fault.detail["edits"].get(hsm, {})).items():
                found.setdefault(path, []).append(edit)
        return found


def _put(token: Path, name: str, stored: StoredObject | None) -> None:
    """Make a token have this object, or none of this name.

    Raises:
        Unreachable: a stopped HSM has the token locked.
    """
    try:
        if stored is None:
            remove_object(token, name)
        elif not holds(token, name, stored):
            # A process that saw an object of this name with a count of its own must take this for a newer one.
            write_object(token, name, StoredObject(time.time_ns(), stored.attributes))
    except TimeoutError as error:
        why = "a stopped process has its folder locked"
        raise Unreachable(f"{token.parent.parent.name} was not changed", why, "clear what stops it first") from error


def _without_faults(folder: NodeFolder) -> Iterator[tuple[str, StoredObject]]:
    """Every whole object of an HSM, by token and name."""
    for token in sorted(path for path in folder.tokens.iterdir() if path.is_dir()):
        held = folder.held / token.name
        names = {*object_files(token), *(object_files(held) if held.exists() else ())}
        for name in sorted(names):
            if stored := _whole(held / name if (held / name).exists() else token / name):
                yield f"{token.name}/{name}", stored


def _whole(path: Path) -> StoredObject | None:
    try:
        return check_whole(path.read_bytes())
    except (FileNotFoundError, Torn):
        return None


def _to_json(found: Mapping[str, Edit]) -> dict[str, object]:
    return {name: None if edit is None else _edit_to_json(edit) for name, edit in found.items()}


def _edit_to_json(edit: Mapping[int, Attribute]) -> dict[str, tuple[int, str]]:
    return {str(number): (kind, value.hex()) for number, (kind, value) in edit.items()}


def _from_json(kept: Mapping[str, Mapping[str, tuple[int, str]] | None]) -> dict[str, Edit]:
    return {name: None if edit is None else _edit_from_json(edit) for name, edit in kept.items()}


def _edit_from_json(kept: Mapping[str, tuple[int, str]]) -> dict[int, Attribute]:
    return {int(number): Attribute(Kind(kind), bytes.fromhex(value)) for number, (kind, value) in kept.items()}
