"""The file of a baseline: what `sync check --save-baseline` writes and `--baseline` reads; it holds no secret."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from hsmctl.domain.key import Identity, Material, MaterialKind, ObjectClass
from hsmctl.domain.sync_baseline import Baseline
from hsmctl.encoding import encoded
from hsmctl.errors import Conflict, Denied, UsageError
from hsmctl.private import write_private

_SCHEMA = "hsmctl/sync.baseline@1"
_HINT = "hsmctl sync check --save-baseline FILE writes one"


def load(path: Path) -> Baseline:
    """The baseline of a file.

    Raises:
        Conflict: there is no such file.
        Denied: it may not be read.
        UsageError: it is no baseline, or one of a newer hsmctl.
    """
    try:
        document = json.loads(path.read_bytes())
        if not isinstance(document, dict) or document.get("schema") != _SCHEMA:
            raise UsageError(str(path), f"it is not of the schema {_SCHEMA}", _HINT)
        return Baseline(taken_at=datetime.fromisoformat(document["taken_at"]), keys=dict(map(_key, document["keys"])))
    except FileNotFoundError as error:
        raise Conflict(str(path), "there is no such file", _HINT) from error
    except OSError as error:
        raise Denied(str(path), error.strerror or str(error), f"ls -l {path}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(str(path), f"no baseline: {error!r}", _HINT) from error


def save(path: Path, found: Baseline) -> None:
    """Write the file, for its owner alone.

    Raises:
        Denied: it cannot be written.
    """
    document = {"schema": _SCHEMA, "taken_at": encoded(found.taken_at), "keys": list(_entries(found))}
    try:
        write_private(path.absolute(), json.dumps(document, indent=1).encode() + b"\n")
    except OSError as error:
        raise Denied(str(path), error.strerror or str(error), "choose another place") from error


def _entries(found: Baseline) -> Iterator[Mapping[str, object]]:
    for name, materials in found.keys.items():
        prints = [{"kind": one.kind.value, "by": one.by, "digest": one.digest.hex()} for one in sorted(materials)]
        yield {
            "class": name.object_class.value,
            "id": name.key_id.hex(),
            "label": name.label.hex(),
            "fingerprints": prints,
        }


def _key(raw: Mapping[str, Any]) -> tuple[Identity, frozenset[Material]]:
    name = Identity(ObjectClass(raw["class"]), bytes.fromhex(raw["id"]), bytes.fromhex(raw["label"]))
    prints = (
        Material(MaterialKind(one["kind"]), bytes.fromhex(one["digest"]), str(one["by"])) for one in raw["fingerprints"]
    )
    return name, frozenset(prints)
