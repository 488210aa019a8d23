"""The users of a cluster over every HSM a client host reaches, and its quorum: who approves, what is open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.geometry import Size

from hsmctl.domain.cluster import Cluster
from hsmctl.domain.form import Filled, Form
from hsmctl.domain.quorum import Bundle
from hsmctl.domain.user import HsmUser, Trouble
from hsmctl.errors import HsmctlError, UsageError
from hsmctl.mark import Mark
from hsmctl.services.quorum import QuorumState
from hsmctl.services.user import Users
from hsmctl.words import counted

from . import quorum
from .column import Column
from .command import COPY, DESCRIBE, FILTER, HELP, LINE, SYNC, Command, Takes
from .detail import Detail, beside, facts, noted
from .facts import Fact, failure, of_error
from .glyph import Role, Spans, role, sign
from .lines import Lines
from .offload import call
from .place import Description, Place
from .survey import Survey
from .words import cluster_name

USER_SECONDS = 150.0
"""How long cloudhsm-cli on a client host may take to say who there is."""

_ROOMY = 110
"""The width from which on the user stands beside the quorum."""
_ASKING: tuple[Spans, ...] = (((f"{Mark.PENDING.glyph} asking cloudhsm-cli on a client host", Role.ACCENT),),)


def _form(name: str, says: str, *path: str, changes: bool = True) -> Command:
    return Command(name=name, help=says, form=path, changes=changes)


_OWN = (
    _form("create_user", "make a user on every HSM", "user", "create"),
    _form("password", "set this user's password on every HSM", "user", "change-password"),
    _form("unlock", "let this locked user in again, with a new password", "user", "unlock"),
    _form("repair", "make this user the same on every HSM", "user", "repair"),
    _form("delete_user", "delete this user from every HSM", "user", "delete"),
    Command(name="bundle", help="look at what a file asks approval for", takes=Takes.PATH),
    _form("approve", "approve what a file asks for, with a key of yours", "quorum", "sign", changes=False),
    _form("register", "make this admin an approver", "quorum", "register"),
    _form("set_quorum", "set how many approvals a service takes", "quorum", "set"),
    _form("drop_tokens", "delete open tokens, so that they are asked for again", "quorum", "delete"),
)
_ABOUT_ONE = {("user", verb) for verb in ("change-password", "unlock", "repair", "delete")} | {("quorum", "register")}
"""Commands about the user under the cursor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Users and quorum as one client host has told them."""

    users: Users
    quorum: QuorumState
    at: datetime


class UserScreen(Place):
    """The users."""

    commands: ClassVar[tuple[Command, ...]] = (*Place.commands, *_OWN)
    offered: ClassVar[tuple[Command, ...]] = (DESCRIBE, SYNC, COPY, FILTER, LINE, HELP)

    def __init__(self, survey: Survey, cluster: Cluster) -> None:
        self._cluster = cluster
        self._people: People | None = None
        self._error: HsmctlError | None = None
        self._asking = False
        self._bundle_path = ""
        self._bundle: Bundle | None = None
        """What that file asks approval for."""
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
        if self._bundle or (self._people and self._people.quorum.tokens):
            self.detail.refresh()

    def describe(self, width: int) -> Description | None:
        """The user under the cursor, or why nobody is known."""
        user = self.users.current
        if user is None:
            return of_error(self._error) if self._error else None
        return user.name, [*_amiss(user, width), *facts(_facts(user), width)]

    def after_change(self) -> None:
        """Read who there is again."""
        self.read()

    def action_refresh(self) -> None:
        """Ask again."""
        self.read()

    def preset(self, form: Form) -> Filled | None:
        """The cluster; the user under the cursor, where it is about one; the file that asks for approval."""
        known = dict(super().preset(form) or {})
        if form.path in _ABOUT_ONE and self.subject:
            known["name"] = (self.subject,)
        if form.path == ("quorum", "sign") and self._bundle_path:
            known["bundle"] = (self._bundle_path,)
        return known

    def arguments(self, takes: Takes) -> Sequence[str]:
        """The users that are listed here, too."""
        if takes is Takes.USER:
            return sorted({user.name for user in self.users.rows.items})
        return super().arguments(takes)

    def told(self, form: Form) -> Sequence[Spans]:
        """The user it is about, or what is approved."""
        if form.path == ("quorum", "sign") and self._bundle:
            return [((f"  {self._bundle.asked_by} asks: {self._bundle.says}", Role.STRONG),)]
        return [((f"  {self.subject}", Role.STRONG),)] if form.path in _ABOUT_ONE and self.subject else []

    def action_bundle(self, path: str = "") -> None:
        """Show what a file asks approval for; without one, no longer."""
        self._bundle_path, self._bundle = path, None
        self.read()

    @work(group="users", exclusive=True)
    async def read(self) -> None:
        """Ask in the background; what was known stays until it is known anew."""
        self._asking = True
        self.verdict.refresh()
        try:
            if self._bundle_path:
                self._bundle = await call(lambda: self.survey.hsmctl.signing.read(self._bundle_path))
                self.detail.draw(self._detail)
            self._people, self._error = await call(self._ask, seconds=USER_SECONDS), None
            self.users.show(sorted(self._people.users.users, key=lambda user: (user.sound, user.role, user.name)))
        except UsageError as error:
            self._bundle_path = ""
            self.complain(f"{error} · {error.hint}")
        except HsmctlError as error:
            self._error = error
            self.users.teach(failure(error, self.size.width))
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

    def _reach(self) -> Spans:
        """Who said it, and about how many HSMs."""
        pending: Spans = (sign(Mark.PENDING), (" asking  ", Role.ACCENT)) if self._asking else ()
        if self._people is None:
            return pending
        users = self._people.users
        wrong = sum(not user.sound for user in users.users)
        partial = users.connected != users.active
        mark = Mark.BAD if wrong else Mark.PARTIAL if partial else Mark.REPORTED
        agree = f"users agree{' where seen' if partial else ''} (reported)"
        words = f"{counted(wrong, 'user')} not the same everywhere" if wrong else agree
        far = f"   seen from {users.host}, on {users.connected} of {users.active} ACTIVE HSMs"
        return *pending, sign(mark), (f" {words}", role(mark)), (far, Role.WARN if partial else Role.MUTED)

    def _detail(self, room: Size) -> list[Spans]:
        """The user under the cursor and the quorum: side by side where there is room, else what is wrong on top."""
        user, cockpit = self.users.current, list(self._cockpit())
        if user is None:
            return cockpit[: room.height]
        if room.width >= _ROOMY:
            part = room.width * 2 // 5
            return beside(_told(user, part), cockpit, part)[: room.height]
        amiss = [*_amiss(user, room.width), ()] if user.troubles else []
        return [*amiss, *cockpit][: room.height]

    def _cockpit(self) -> Iterator[Spans]:
        """What asks for approval, what is open and runs out, how many approvals are needed and who gives them."""
        people, now = self._people, self.survey.hsmctl.clock.now()
        if self._bundle is not None:
            approvers = [each.name for each in people.quorum.admins if each.approves] if people else []
            yield from quorum.bundle(self._bundle_path, self._bundle, approvers, now)
            yield ()
        if people is not None:
            yield ((" QUORUM", Role.STRONG),)
            yield from quorum.open_tokens(people.quorum.tokens, people.at, now)
            yield from quorum.values(people.quorum)


def _told(user: HsmUser, width: int) -> Iterator[Spans]:
    """A user with everything that is known of them, what is wrong on top."""
    yield ((f" {user.name}", Role.STRONG),)
    yield from _amiss(user, width)
    yield from facts(_facts(user), width)


def _amiss(user: HsmUser, width: int) -> Iterator[Spans]:
    """What is wrong with a user, and what mends it."""
    for trouble in user.troubles:
        yield from noted(sign(Mark.BAD), f"{user.name}: {trouble}", width)
        yield ("   ", Role.PLAIN), (f"hsmctl {trouble.repair} {user.name}", Role.ACCENT), _HERE.get(trouble, _NOWHERE)


_NOWHERE = ("", Role.MUTED)
_HERE = {trouble: ("  or :repair here", Role.MUTED) for trouble in Trouble if trouble.repair == "user repair"}


def _facts(user: HsmUser) -> Iterator[Fact]:
    yield "role", user.role
    yield "locked", "no" if user.locked == "false" else user.locked
    yield "second factor", user.mfa or "none"
    yield "approver", user.quorum or "no"
    yield "coverage", user.coverage
    yield from ((name.replace("-", " "), str(value)) for name, value in user.more.items())


def _wrong(user: HsmUser) -> str:
    return "; ".join(user.troubles)


def _drawn(user: HsmUser) -> Spans:
    return sign(Mark.REPORTED if user.sound else Mark.BAD), (f" {user.name}", Role.STRONG)


_COLUMNS: tuple[Column[HsmUser], ...] = (
    Column(heads=("USER",), text=lambda user: user.name, draw=_drawn, width=18),
    Column(heads=("ROLE",), text=lambda user: user.role, width=24),
    Column(heads=("LOCKED",), text=lambda user: "no" if user.locked == "false" else user.locked, width=12, room=110),
    Column(heads=("MFA",), text=lambda user: user.mfa or "–", role=Role.MUTED, width=9, room=110),
    Column(heads=("QUORUM",), text=lambda user: user.quorum or "–", role=Role.MUTED, width=12, room=94),
    Column(heads=("COVERAGE",), text=lambda user: user.coverage, width=12),
    Column(heads=("WRONG",), text=_wrong, role=Role.BAD, width=12, grows=True, room=70),
)
"""At 80 columns what is wrong says of a locked user that they are."""
