"""What a killed process leaves in the token folders of an HSM, healed before the next one opens them.

Nothing is thrown away: what was never finished goes to quarantine. Refuses to know what the HSM was doing; the outbox
does, and says which objects a call had made that was cut off.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from io import FileIO
from pathlib import Path

from hsmctl.lab.material import lone_halves
from hsmctl.lab.softhsm import TOKEN_OBJECT, count, is_whole, lock_file, locked, object_files, read_object


def sweep(tokens: Path, backups: Path, quarantine: Path) -> tuple[str, ...]:
    """Heal what a killed process left in a folder of tokens nobody uses now; what was done, a sentence each.

    `backups` holds each token's `token.object` as `<token>.object`: C_Login rewrites the file in place, so a process
    killed meanwhile destroys it, and what it says never changes. Each token is locked while it is healed: a sibling's
    objects may be on their way into it.

    Raises:
        TimeoutError: somebody holds a token's lock.
    """
    done: list[str] = []
    for token in sorted(path for path in tokens.iterdir() if path.is_dir()):
        with locked(token) as counter:
            done += _heal_counter(token, counter)
            done += _heal_token(token, backups / f"{token.name}.object")
            for name in sorted(object_files(token)):
                done += _heal_object(token, name, quarantine / token.name)
            done += _tidy(token)
    return tuple(done)


def put_lone_halves_aside(token: Path, names: Iterable[str], token_key: bytes, quarantine: Path) -> Iterator[str]:
    """Put aside the public halves without a private one among the objects of a call that was cut off; what was done."""
    objects = {name: read_object(token, name) for name in names}
    for name in lone_halves(objects, token_key):
        _put_aside(token, name, quarantine)
        yield f"{token.name}: {name} is half of a pair that was never finished and is in quarantine"


def _heal_counter(token: Path, counter: FileIO) -> Iterator[str]:
    """Make the counter anew where it is torn; through the descriptor that holds its lock, which another would drop."""
    if len(counter.read(9)) != 8:
        counter.truncate(0)
        count(counter)
        yield f"{token.name}: generation counter made anew"


def _heal_token(token: Path, backup: Path) -> Iterator[str]:
    """Restore `token.object` where it is torn."""
    if is_whole(token / TOKEN_OBJECT):
        return
    if is_whole(backup):
        shutil.copyfile(backup, token / TOKEN_OBJECT)
        yield f"{token.name}: {TOKEN_OBJECT} restored from its backup"
    else:
        yield f"{token.name}: {TOKEN_OBJECT} is destroyed and has no backup"


def _heal_object(token: Path, name: str, quarantine: Path) -> Iterator[str]:
    """Move an unfinished object away; give a whole one its lock."""
    if is_whole(token / name):
        lock_file(token, name).touch(mode=0o600)
        return
    _put_aside(token, name, quarantine)
    yield f"{token.name}: {name} was never finished and is in quarantine"


def _tidy(token: Path) -> Iterator[str]:
    """Remove locks without an object and copies that were cut off."""
    for path in sorted(token.iterdir()):
        orphan = path.suffix == ".lock" and not path.with_suffix(".object").exists()
        if orphan or path.suffix == ".new":
            path.unlink()
            yield f"{token.name}: {path.name} removed"


def _put_aside(token: Path, name: str, quarantine: Path) -> None:
    """Move an object out of a token nobody uses now."""
    quarantine.mkdir(mode=0o700, parents=True, exist_ok=True)
    (token / name).replace(quarantine / name)
    lock_file(token, name).unlink(missing_ok=True)
