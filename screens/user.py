"""The users of a cluster over every HSM a client host reaches, and its quorum: who approves, what is open."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.geometry import Size

from hsmctl.domain.cluster import Cluster
from hsmctl.domain.quorum import TOKEN_LIFE, largest
from hsmctl.domain.user import HsmUser
from hsmctl.domain.user import Role as UserRole
from hsmctl.errors import HsmctlError
from hsmctl.mark import Mark
from hsmctl.services.quorum import QuorumState
from hsmctl.services.readiness import Way
from hsmctl.services.user import Users
from hsmctl.words import counted, lasting

from .change import propose
from .column import Column
from .command import (
    COPY,
    CREATE_USER,
    DELETE_USER,
    DESCRIBE,
    FILTER,
    HELP,
    LINE,
    PASSWORD,
    REPAIR,
    SYNC,
    UNLOCK,
    Command,
    bindings,
)
from .detail import Detail, facts
from .facts import of_error
from .glyph import Role, Spans, sign
from .lines import Lines
from .offload import call
from .place import Description, Place
from .survey import Survey
from .words import cluster_name

USER_SECONDS = 150.0
"""How long cloudhsm-cli on a client host may take to say who there is."""

_ASKING: tuple[Spans, ...] = (((f"{Mark.PENDING.glyph} asking cloudhsm-cli on a client host", Role.ACCENT),),)
_CHANGES = (CREATE_USER, PASSWORD, UNLOCK, REPAIR, DELETE_USER)


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Users and quorum as one client host has told them."""

    users: Users
    quorum: QuorumState
    at: datetime


class UserScreen(Place):
    """The users."""

    commands: ClassVar[tuple[Command, ...]] = (*Place.commands, *_CHANGES)
    BINDINGS = bindings(_CHANGES)
    offered: ClassVar[tuple[Command, ...]] = (DESCRIBE, SYNC, COPY, FILTER, LINE, HELP)

    def __init__(self, survey: Survey, cluster: Cluster) -> None:
        self._cluster = cluster
        self._people: People | None = None
        self._error: HsmctlError | None = None
        self._asking = False
        self.users: Lines[HsmUser] = Lines(_COLUMNS, lambda user: (user.name, user.role), id="users", empty=_ASKING)
        self.verdict = Detail(id="verdict")
        super().__init__(survey, ("fleet", cluster_name(cluster), "users"), self.users)

    @property
    def cluster(self) -> Cluster:
        """The cluster."""
        return self.survey.estate.cluster(self._cluster.cluster_id) or self._cluster

    @property
    def aged(self) -> datetime | None:
        """When the host was asked."""
        return self._people.at if self._people else None

    @property
    def subject(self) -> str | None:
        """The user's name."""
        return self.users.current.name if self.users.current else None

    def body(self) -> ComposeResult:
        """How far the answer goes, the users, the quorum."""
        yield self.verdict
        yield self.users
        yield self.detail

    def on_mount(self) -> None:
        """Ask."""
        super().on_mount()
        self.verdict.draw(lambda _: [((" ", Role.PLAIN), *self._reach())])
        self.read()

    def tick(self) -> None:
        """Keep the countdown of open approvals true."""
        super().tick()
        if self._people and self._people.quorum.tokens:
            self.detail.refresh()

    def describe(self, width: int) -> Description | None:
        """The user under the cursor, or why nobody is known."""
        user = self.users.current
        if user is None:
            return of_error(self._error) if self._error else None
        told = [
            ("name", user.name),
            ("role", user.role),
            ("locked", user.locked),
            ("second factor", user.mfa or "none"),
        ]
        told += [("approver", user.quorum or "no"), ("coverage", user.coverage)]
        told += [("wrong", "; ".join(user.troubles))]
        told += [(name.replace("-", " "), str(value)) for name, value in user.more.items()]
        return user.name, facts(told, width)

    def action_refresh(self) -> None:
        """Ask again."""
        self.read()

    def action_create_user(self, words: str = "") -> None:
        """Make a user on every HSM; its role is crypto-user unless admin is said after the name."""
        name, _, role = words.strip().partition(" ")
        if not name or role not in ("", *UserRole):
            self.complain(":create_user NAME, or :create_user NAME admin")
            return
        wanted = UserRole(role) if role else UserRole.CRYPTO_USER
        facade, cluster = self.survey.hsmctl, self.cluster
        propose(self, lambda: facade.user.plan_create(cluster, self._way(), name, wanted))

    def action_password(self) -> None:
        """Set the password of the user under the cursor."""
        facade, cluster, name = self.survey.hsmctl, self.cluster, self.subject
        if name:
            propose(self, lambda: facade.user.plan_password(cluster, self._way(), name))

    def action_unlock(self) -> None:
        """Let the user under the cursor in again, with a new password."""
        facade, cluster, name = self.survey.hsmctl, self.cluster, self.subject
        if name:
            propose(self, lambda: facade.user.plan_unlock(cluster, self._way(), name))

    def action_repair(self) -> None:
        """Make the user under the cursor the same on every HSM."""
        facade, cluster, name = self.survey.hsmctl, self.cluster, self.subject
        if name:
            propose(self, lambda: facade.user.plan_repair(cluster, self._way(), name))

    def action_delete_user(self) -> None:
        """Delete the user under the cursor from every HSM."""
        facade, cluster, name = self.survey.hsmctl, self.cluster, self.subject
        if name:
            propose(self, lambda: facade.user.plan_delete(cluster, self._way(), name))

    @work(group="users", exclusive=True)
    async def read(self) -> None:
        """Ask in the background; what was known stays until it is known anew."""
        self._asking = True
        self.verdict.refresh()
        try:
            self._people, self._error = await call(self._ask, seconds=USER_SECONDS), None
            self.users.show(sorted(self._people.users.users, key=lambda user: (user.sound, user.role, user.name)))
        except HsmctlError as error:
            self._error = error
            self.users.teach(((sign(Mark.UNREADABLE), (f" {error}", Role.PLAIN)), ((error.hint, Role.ACCENT),)))
        finally:
            self._asking = False
            self.verdict.refresh()
            self.detail.draw(self._detail)
            self.tick()

    @on(Lines.Moved)
    def _moved(self) -> None:
        self.detail.draw(self._detail)

    def _ask(self) -> People:
        facade, cluster = self.survey.hsmctl, self.cluster
        users = facade.user.list(cluster)
        return People(users=users, quorum=facade.quorum.state(cluster, users.host), at=facade.clock.now())

    def _way(self) -> Way:
        return Way(cluster_id=self._cluster.cluster_id, host=self._people.users.host if self._people else "")

    def _reach(self) -> Spans:
        """Who said it, and about how many HSMs."""
        pending: Spans = (sign(Mark.PENDING), (" asking  ", Role.ACCENT)) if self._asking else ()
        if self._people is None:
            return pending
        users = self._people.users
        wrong = sum(not user.sound for user in users.users)
        partial = users.connected != users.active
        mark = Mark.BAD if wrong else Mark.PARTIAL if partial else Mark.REPORTED
        words = f"{counted(wrong, 'user')} not the same everywhere" if wrong else "users agree (reported)"
        far = f"   cloudhsm-cli on {users.host}, connected to {users.connected} of {users.active} active HSMs"
        return *pending, sign(mark), (f" {words}", Role.PLAIN), (far, Role.WARN if partial else Role.MUTED)

    def _detail(self, room: Size) -> list[Spans]:
        return list(self._quorum())[: room.height] if self._people else []

    def _quorum(self) -> Iterator[Spans]:
        """The cockpit: how many approvals each service takes, who can give them, and what is waiting for some."""
        people = self._people
        if people is None:
            return
        state = people.quorum
        approvers = [user.name for user in state.admins if user.approves]
        needed = largest(state.values)
        spare = len(approvers) - needed
        yield ((" QUORUM", Role.STRONG),)
        asked = {service: "differs" if value is None else value or "none" for service, value in state.values.items()}
        values = "   ".join(f"{service} {word}" for service, word in asked.items())
        yield (" approvals needed  ", Role.MUTED), (values or "none", Role.PLAIN)
        mark = Mark.REPORTED if not needed or spare > 0 else Mark.ATTENTION if spare == 0 else Mark.BAD
        said = f" {', '.join(approvers) or 'nobody'}" + (f" ({spare} to spare)" if needed else "")
        yield (" approvers         ", Role.MUTED), sign(mark), (said, Role.PLAIN)
        gone = self.survey.hsmctl.clock.now() - people.at
        for token in state.tokens:
            life = timedelta(seconds=token.seconds) if token.seconds is not None else TOKEN_LIFE
            left = max(timedelta(), life - gone)
            words = f" {token.service} for {token.user}: {token.approvals or 0} of {token.required or '?'} approvals"
            yield (
                (" open              ", Role.MUTED),
                sign(Mark.PENDING),
                (words, Role.PLAIN),
                (
                    f"   {lasting(left)} left at most",
                    Role.WARN,
                ),
            )


def _drawn(user: HsmUser) -> Spans:
    return sign(Mark.REPORTED if user.sound else Mark.BAD), (f" {user.name}", Role.STRONG)


_COLUMNS: tuple[Column[HsmUser], ...] = (
    Column(heads=("USER",), text=lambda user: user.name, draw=_drawn, width=20, grows=True),
    Column(heads=("ROLE",), text=lambda user: user.role, width=18),
    Column(heads=("LOCKED",), text=lambda user: "no" if user.locked == "false" else user.locked, width=12),
    Column(heads=("MFA",), text=lambda user: user.mfa or "–", role=Role.MUTED, width=9, room=70),
    Column(heads=("QUORUM",), text=lambda user: user.quorum or "–", role=Role.MUTED, width=12, room=90),
    Column(heads=("COVERAGE",), text=lambda user: user.coverage, width=13),
    Column(heads=("WRONG",), text=lambda user: "; ".join(user.troubles), role=Role.BAD, width=10, grows=True, room=70),
)
