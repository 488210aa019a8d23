"""The cockpit of a quorum: how many approvals each service takes, who can give them, what is open and for how long."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from hsmctl.domain.quorum import TOKEN_LIFE, Bundle, QuorumToken, largest
from hsmctl.mark import Mark
from hsmctl.services.quorum import QuorumState

from .glyph import Role, Spans, role, sign

SOON = timedelta(minutes=2)
"""What is left of a token's ten minutes when it is high time."""


def values(state: QuorumState) -> Iterator[Spans]:
    """The approvals each service needs, and who can give them with how many to spare."""
    approvers = [user.name for user in state.admins if user.approves]
    needed = largest(state.values)
    spare = len(approvers) - needed
    yield (" approvals needed  ", Role.MUTED), (_asked(state.values), Role.PLAIN)
    mark = Mark.REPORTED if not needed or spare > 0 else Mark.ATTENTION if spare == 0 else Mark.BAD
    said = f" {', '.join(approvers) or 'nobody'}"
    yield (" approvers         ", Role.MUTED), sign(mark), (said, Role.PLAIN), (_spare(spare, needed), role(mark))
    others = [user.name for user in state.admins if not user.approves]
    if others:
        yield (" not registered      ", Role.MUTED), (", ".join(others), Role.MUTED)
    if not needed:
        yield (" next              ", Role.MUTED), _first_step(approvers)


def _spare(spare: int, needed: int) -> str:
    """How many approvers may be lost; nothing where no approval is needed."""
    if not needed:
        return ""
    return f"  {spare} to spare" if spare > 0 else "  none to spare" if spare == 0 else f"  {-spare} too few"


def _first_step(approvers: Sequence[str]) -> tuple[str, Role]:
    words = ":set_quorum asks for approvals" if approvers else ":register makes this admin an approver"
    return words, Role.ACCENT


def open_tokens(tokens: Sequence[QuorumToken], told_at: datetime, now: datetime) -> Iterator[Spans]:
    """Each open token: what for, how many have approved, and what is left of its life at most."""
    for token in tokens:
        life = timedelta(seconds=token.seconds) if token.seconds is not None else TOKEN_LIFE
        words = f" {token.service} for {token.user}  {_dots(token.approvals or 0, token.required or 0)}  "
        yield (" open              ", Role.MUTED), sign(Mark.PENDING), (words, Role.PLAIN), _left(told_at + life - now)


def bundle(path: str, asked: Bundle, approvers: Sequence[str], now: datetime) -> Iterator[Spans]:
    """What a file asks approval for: by whom, who has signed, who still can, and until when."""
    missing = asked.needs - len(asked.signers)
    yield ((f" APPROVAL {path}", Role.STRONG),)
    yield (" asked             ", Role.MUTED), (f"{asked.asked_by}: {asked.says}", Role.STRONG)
    yield (" on                ", Role.MUTED), (asked.cluster_id, Role.PLAIN)
    signed = f" {', '.join(asked.signers) or 'nobody yet'}   {_dots(len(asked.signers), asked.needs)}"
    yield (
        (" signed            ", Role.MUTED),
        sign(Mark.REPORTED if missing <= 0 else Mark.PENDING),
        (signed, Role.PLAIN),
    )
    yield (" left              ", Role.MUTED), _left(asked.expires_at - now)
    if missing > 0 and asked.expires_at > now:
        others = ", ".join(name for name in approvers if name not in asked.signers) or "an approver"
        yield (" next              ", Role.MUTED), (f":approve, or hand the file to {others}", Role.ACCENT)


def _asked(by_service: Mapping[str, int | None]) -> str:
    words = {service: "differs" if value is None else value for service, value in by_service.items()}
    return ", ".join(f"{service} {word}" for service, word in words.items()) or "none"


def _dots(given: int, wanted: int) -> str:
    """How far it is, for the eye and in numbers."""
    return f"{'●' * given}{'◌' * max(0, wanted - given)} {given} of {wanted or '?'}"


def _left(left: timedelta) -> tuple[str, Role]:
    """The countdown."""
    if left <= timedelta():
        return "ended: ask anew", Role.BAD
    minutes, seconds = divmod(int(left.total_seconds()), 60)
    return f"{minutes}:{seconds:02d} left at most", Role.BAD if left < SOON else Role.WARN
