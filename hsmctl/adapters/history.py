"""The history of checks in SQLite: one file in the state folder, for its owner alone.

The format is `PRAGMA user_version`; older files are brought forward step by step, newer ones are refused. Checks older
than the memory are forgotten. No secret is in it: labels, ids and counts.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from hsmctl.domain.key import Identity, ObjectClass
from hsmctl.domain.sync import Cell
from hsmctl.domain.sync_history import Past, ReplicaPast, TroublePast
from hsmctl.errors import Conflict, Unreachable
from hsmctl.private import private_folder

MEMORY = timedelta(days=400)
_WAIT_SECONDS = 1.0
"""How long another process may be writing before we give up."""
_STEPS = (
    """
    CREATE TABLE checks (
        id INTEGER PRIMARY KEY, at TEXT NOT NULL, scope TEXT NOT NULL, verdict TEXT NOT NULL, says TEXT NOT NULL,
        exit INTEGER NOT NULL, keys INTEGER NOT NULL
    );
    CREATE INDEX checks_by_scope ON checks (scope, at);
    CREATE TABLE replicas (
        check_id INTEGER NOT NULL REFERENCES checks ON DELETE CASCADE, name TEXT NOT NULL, keys INTEGER,
        wrong INTEGER NOT NULL
    );
    CREATE INDEX replicas_by_check ON replicas (check_id);
    CREATE TABLE troubles (
        check_id INTEGER NOT NULL REFERENCES checks ON DELETE CASCADE, class TEXT NOT NULL, key_id BLOB NOT NULL,
        label BLOB NOT NULL, replica TEXT NOT NULL, cell TEXT NOT NULL
    );
    CREATE INDEX troubles_by_check ON troubles (check_id);
    CREATE TABLE sightings (
        scope TEXT NOT NULL, class TEXT NOT NULL, key_id BLOB NOT NULL, label BLOB NOT NULL, first_seen TEXT NOT NULL,
        appeared INTEGER NOT NULL, PRIMARY KEY (scope, class, key_id, label)
    ) WITHOUT ROWID;
    """,
)
"""What each version adds to the one before."""
VERSION = len(_STEPS)


class SqliteHistory:
    """ports_sync.History in a file, which is made when something is first recorded."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def record(self, check: Past, keys: frozenset[Identity]) -> None:
        """Remember a check and the keys it saw."""
        with self._opened() as database:
            known = database.execute("SELECT 1 FROM checks WHERE scope = ? LIMIT 1", (check.scope,)).fetchone()
            _insert(database, check)
            _sight(database, check, keys, appeared=known is not None)
            database.execute("DELETE FROM checks WHERE at < ?", (_text(check.at - MEMORY),))

    def checks(self, scope: str | None, since: datetime) -> tuple[Past, ...]:
        """The checks of a scope, or of all, oldest first."""
        if not self._path.exists():
            return ()
        with self._opened() as database:
            rows = database.execute(
                "SELECT id, at, scope, verdict, says, exit, keys FROM checks"
                " WHERE at >= ? AND scope = coalesce(?, scope) ORDER BY at, id",
                (_text(since), scope),
            ).fetchall()
            return tuple(_past(database, row) for row in rows)

    def appeared(self, scope: str) -> Mapping[Identity, datetime]:
        """When keys appeared that an earlier check of this scope did not see."""
        return self._sightings(scope, "appeared")

    def sighted(self, scope: str) -> Mapping[Identity, datetime]:
        """When the keys of this scope that are still there were first seen."""
        return self._sightings(scope, "1")

    def _sightings(self, scope: str, where: str) -> Mapping[Identity, datetime]:
        if not self._path.exists():
            return {}
        chosen = "SELECT class, key_id, label, first_seen FROM sightings WHERE scope = ? AND "
        with self._opened() as database:
            rows = database.execute(chosen + where, (scope,))
            return {_identity(*row[:3]): datetime.fromisoformat(row[3]) for row in rows}

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """The database of this version, in one transaction."""
        try:
            private_folder(self._path.parent)
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            with closing(sqlite3.connect(self._path, timeout=_WAIT_SECONDS, isolation_level=None)) as database:
                database.execute("PRAGMA foreign_keys = ON")
                database.execute("BEGIN IMMEDIATE")
                _bring_forward(database, self._path)
                yield database
                database.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            raise Unreachable(str(self._path), str(error), "try again, or move the file away") from error


def _bring_forward(database: sqlite3.Connection, path: Path) -> None:
    """Give the database the format of this version.

    Raises:
        Conflict: it has a later one.
    """
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise Conflict(str(path), f"its format is {version}, this hsmctl knows up to {VERSION}", "update hsmctl")
    for step in _STEPS[version:]:
        for statement in filter(str.strip, step.split(";")):
            database.execute(statement)
    if version < VERSION:
        database.execute(f"PRAGMA user_version = {VERSION}")


def _insert(database: sqlite3.Connection, check: Past) -> None:
    row = (_text(check.at), check.scope, check.verdict, check.says, check.exit, check.keys)
    number = database.execute(
        "INSERT INTO checks (at, scope, verdict, says, exit, keys) VALUES (?, ?, ?, ?, ?, ?)", row
    ).lastrowid
    database.executemany(
        "INSERT INTO replicas VALUES (?, ?, ?, ?)", [(number, one.name, one.keys, one.wrong) for one in check.replicas]
    )
    database.executemany(
        "INSERT INTO troubles VALUES (?, ?, ?, ?, ?, ?)",
        [(number, *_columns(one.identity), one.replica, one.cell.value) for one in check.troubles],
    )


def _sight(database: sqlite3.Connection, check: Past, keys: frozenset[Identity], *, appeared: bool) -> None:
    """Note the keys that are new to the scope; forget those that are gone, unless a mute replica may have them."""
    known = {
        _identity(*row)
        for row in database.execute("SELECT class, key_id, label FROM sightings WHERE scope = ?", (check.scope,))
    }
    database.executemany(
        "INSERT INTO sightings VALUES (?, ?, ?, ?, ?, ?)",
        [(check.scope, *_columns(name), _text(check.at), appeared) for name in keys - known],
    )
    if all(one.keys is not None for one in check.replicas):
        database.executemany(
            "DELETE FROM sightings WHERE scope = ? AND class = ? AND key_id = ? AND label = ?",
            [(check.scope, *_columns(name)) for name in known - keys],
        )


def _past(database: sqlite3.Connection, row: tuple[int, str, str, str, str, int, int]) -> Past:
    number, at, scope, verdict, says, code, keys = row
    replicas = database.execute("SELECT name, keys, wrong FROM replicas WHERE check_id = ?", (number,))
    troubles = database.execute(
        "SELECT class, key_id, label, replica, cell FROM troubles WHERE check_id = ?", (number,)
    )
    return Past(
        at=datetime.fromisoformat(at),
        scope=scope,
        verdict=verdict,
        says=says,
        exit=code,
        keys=keys,
        replicas=tuple(ReplicaPast(name=name, keys=held, wrong=wrong) for name, held, wrong in replicas),
        troubles=tuple(
            TroublePast(identity=_identity(*each[:3]), replica=each[3], cell=Cell(each[4])) for each in troubles
        ),
    )


def _columns(name: Identity) -> tuple[str, bytes, bytes]:
    return name.object_class.value, name.key_id, name.label


def _identity(object_class: str, key_id: bytes, label: bytes) -> Identity:
    return Identity(ObjectClass(object_class), key_id, label)


def _text(moment: datetime) -> str:
    """A time that sorts as text."""
    return moment.isoformat(timespec="microseconds")
