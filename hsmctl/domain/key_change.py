"""Changes to keys as steps of a plan: an object travels as text, exactly, and comes back as what it was.

What is remembered of a disabled key is in the journal's record of the step that disabled it: which uses it had, and
on which token, for the same key may be on several. A key that is renamed meanwhile is followed: the record of that has
both names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from hsmctl.domain.cluster import Backup, BackupState
from hsmctl.domain.key import Identity, Key, Material, MaterialKind, ObjectClass
from hsmctl.domain.key_purpose import USES
from hsmctl.domain.plan import Action, Effect, Step
from hsmctl.domain.uri import uri_of

QUARANTINE = timedelta(days=7)
"""How long a key is disabled before it is deleted: a week shows who still needs it."""
_UNWRAPS = frozenset({"unwrap"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Disabled:
    """A key whose uses were taken away, as the journal has it."""

    at: datetime
    uses: tuple[str, ...]
    """What it could do before."""


def named(key: Key) -> dict[str, str]:
    """The object as text, for a step's inputs."""
    material = key.material
    return {
        "class": key.identity.object_class.value,
        "id": key.identity.key_id.hex(),
        "label": key.identity.label.hex(),
        "material": f"{material.kind.value}:{material.digest.hex()}:{material.by}" if material else "",
    }


def meant(inputs: Mapping[str, str]) -> Key:
    """The object that a step's inputs mean; only what identifies it is known."""
    identity = Identity(ObjectClass(inputs["class"]), bytes.fromhex(inputs["id"]), bytes.fromhex(inputs["label"]))
    kind, digest, by = (*inputs["material"].split(":", 2), "", "")[:3]
    material = Material(MaterialKind(kind), bytes.fromhex(digest), by) if kind else None
    return Key(identity=identity, key_type="", material=material)


def delete_step(key: Key, replica: str) -> Step:
    """Destroy one object; nothing but a backup brings it back."""
    says = f"destroy {key.identity.object_class} {uri_of(key.identity)} on {replica}"
    return Step(action=Action.DELETE_KEY, says=says, effect=Effect.DESTROY, inputs={**named(key), "on": replica})


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """The token whose keys are changed."""

    name: str
    """What the context calls it."""
    place: str
    """What it is for good (`Replica.lasting`)."""


def change_step(key: Key, at: Where, wanted: Mapping[str, bool | bytes], says: str, why: str = "") -> Step:
    """Give one object other attributes; `why` is disable or enable where it is that."""
    uses = " ".join(sorted(key.attributes & {*USES}))
    inputs = {**named(key), "on": at.name, "place": at.place, "why": why, "uses": uses}
    told = {f"set:{name}": value.hex() if isinstance(value, bytes) else str(value) for name, value in wanted.items()}
    return Step(action=Action.CHANGE_KEY, says=says, inputs={**inputs, **told})


def wanted_of(inputs: Mapping[str, str]) -> dict[str, bool | bytes]:
    """The attributes that a step sets."""
    told = {name[4:]: value for name, value in inputs.items() if name.startswith("set:")}
    return {
        name: value == "True" if name not in ("label", "id") else bytes.fromhex(value) for name, value in told.items()
    }


def called_after(identity: Identity, wanted: Mapping[str, object]) -> Identity:
    """What an object is called once these attributes are set."""
    label, key_id = wanted.get("label"), wanted.get("id")
    return identity._replace(
        label=label if isinstance(label, bytes) else identity.label,
        key_id=key_id if isinstance(key_id, bytes) else identity.key_id,
    )


def renamed(key: Key, wanted: Mapping[str, object]) -> dict[str, str]:
    """What is remembered before an object gets another label or id: what it was called, and what it will be."""
    after = replace(key, identity=called_after(key.identity, wanted))
    return {**named(key), **{f"to_{name}": value for name, value in named(after).items()}}


def disabled(records: Iterable[Mapping[str, Any]], key: Key, place: str) -> Disabled | None:
    """When and from what the key was disabled there, unless it was enabled since; another name takes that along.

    The first records named no place: they count wherever the key is.
    """
    known: dict[tuple[Any, ...], Disabled] = {}
    names = named(key)
    for record in (each for each in records if each.get("place", place) == place):
        called = tuple(record.get(name) for name in names)
        if record.get("kind") == "key-disabled":
            at, uses = datetime.fromisoformat(str(record["at"])), tuple(str(record["uses"]).split())
            known[called] = Disabled(at=at, uses=uses)
        elif record.get("kind") == "key-enabled":
            known.pop(called, None)
        elif record.get("kind") == "key-renamed":
            after = tuple(record.get(f"to_{name}") for name in names)
            known.pop(after, None)
            # The old name stays known: a change that was cut off may never have been made.
            if called in known:
                known[after] = known[called]
    return known.get(tuple(names.values()))


def sole_unwrapper(key: Key, keys: Sequence[Key]) -> bool:
    """Whether it is the only key there that unwraps: without it, everything it wrapped is lost."""
    able = [each for each in keys if _UNWRAPS & each.attributes]
    return key in able and len(able) == 1


def way_back(backups: Iterable[Backup], retention_days: int | None) -> str:
    """From which backup a deleted key could come back, and until when, in a sentence."""
    ready = [backup for backup in backups if backup.state is BackupState.READY and backup.created]
    newest = max(ready, key=lambda backup: (backup.created is not None, backup.created), default=None)
    if newest is None or newest.created is None:
        return "no backup is READY: nothing brings the key back"
    until = "for ever" if newest.never_expires else "until it is deleted"
    if retention_days and not newest.never_expires:
        until = f"until {newest.created + timedelta(days=retention_days):%Y-%m-%d}"
    return (
        f"{newest.backup_id} of {newest.created:%Y-%m-%d %H:%M} UTC holds what was there then, {until}: restore it"
        " into a new cluster (CreateCluster --source-backup-id) and copy the key back with key replicate"
    )
