"""Client hosts in memory: a cluster's users, quorum and anchors HSM by HSM, as cloudhsm-cli shows and changes them.

What a host is not connected to, it neither shows nor changes: a test takes HSMs out of `connected` or bends `users` of
one HSM, and coverage follows.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256

from hsmctl.domain.client import ClientState, Component, Configuration, ConfiguredCluster
from hsmctl.domain.coverage import ReportedKey
from hsmctl.domain.mtls import Anchor, Level
from hsmctl.domain.quorum import QuorumToken, Service
from hsmctl.domain.user import HsmInfo, HsmUser, Role, check_may_log_in, find
from hsmctl.errors import Conflict, Denied, HsmctlError, PinRefused, Unreachable
from hsmctl.ports import Login
from hsmctl.ports_cli import Approval, Factor
from hsmctl.secret import Secret

ADMIN_PASSWORD = "correct horse"


@dataclass(frozen=True)
class Stored:
    """One user on one HSM."""

    role: str
    password: str
    failures: int = 0
    mfa: bool = False
    quorum: bool = False


@dataclass
class MemoryCluster:
    """The state behind every client host."""

    hsms: Sequence[str]
    addresses: tuple[str, ...]
    users: dict[str, dict[str, Stored]] = field(default_factory=dict)
    """By HSM, then by name."""
    connected: set[str] = field(default_factory=set)
    values: dict[str, int] = field(default_factory=lambda: {"user": 0, "quorum": 0, "cluster": 0})
    tokens: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Open tokens: who asked and for which service, by the token."""
    anchors: dict[str, tuple[str, set[str]]] = field(default_factory=dict)
    """PEM and the HSMs that have it, by reference."""
    enforced: Level = Level.NONE
    keys: tuple[ReportedKey, ...] = ()
    attempts: list[str] = field(default_factory=list)
    """Every password that was sent for a login, by user."""
    cut_after: int | None = None
    """The connection is lost after so many more changes of an HSM."""
    client_certificate: str = ""
    """The path in every host's configuration of cloudhsm-cli."""
    down: dict[str, HsmctlError] = field(default_factory=dict)
    """Client hosts that fail, with what they fail with."""

    def __post_init__(self) -> None:
        admin = Stored("admin", ADMIN_PASSWORD)
        app = Stored("internal(APPLIANCE_USER)", "")
        ops = Stored("crypto-user", ADMIN_PASSWORD)
        self.users = self.users or {hsm: {"admin": admin, "app_user": app, "crypto_user": ops} for hsm in self.hsms}
        self.connected = self.connected or set(self.hsms)

    def reached(self) -> list[str]:
        return [hsm for hsm in self.hsms if hsm in self.connected]

    def each(self, change: object) -> None:
        """Do it on every connected HSM in turn, as the client does."""
        for hsm in self.reached():
            if self.cut_after == 0:
                raise Unreachable("user create", "the connection ended before its answer", "look first")
            if self.cut_after is not None:
                self.cut_after -= 1
            change(self.users[hsm])  # type: ignore[operator]

    def listing(self) -> tuple[HsmUser, ...]:
        names = dict.fromkeys(name for hsm in self.reached() for name in self.users[hsm])
        return tuple(self._user(name) for name in names)

    def _user(self, name: str) -> HsmUser:
        held = [self.users[hsm].get(name) for hsm in self.reached()]
        there = [each for each in held if each is not None]
        return HsmUser(
            name=name,
            role=_word({each.role for each in there}),
            locked=_word({str(each.failures >= 5).lower() for each in there}),
            mfa=_status({each.mfa for each in there}),
            quorum=_status({each.quorum for each in there}),
            coverage="full" if len(there) == len(held) else "inconsistent",
        )


def _word(words: set[str]) -> str:
    return words.pop() if len(words) == 1 else "inconsistent"


def _status(flags: set[bool]) -> str:
    return "" if flags == {False} else "enabled" if flags == {True} else "inconsistent"


class MemorySession:
    """ports_cli.ConsoleSession."""

    def __init__(self, cluster: MemoryCluster, user: str) -> None:
        self._cluster = cluster
        self._user = user

    def create_user(self, name: str, role: Role, password: Secret, approval: Approval | None = None) -> None:
        self._approved(Service.USER, approval)
        self._cluster.each(lambda users: users.setdefault(name, Stored(role, password.reveal())))

    def delete_user(self, name: str, role: str, approval: Approval | None = None) -> None:
        self._approved(Service.USER, approval)
        self._cluster.each(lambda users: users.pop(name, None) if name in users and users[name].role == role else None)

    def change_password(self, name: str, role: Role, password: Secret, approval: Approval | None = None) -> None:
        self._approved(Service.USER, approval)

        def change(users: dict[str, Stored]) -> None:
            if name in users:
                users[name] = replace(users[name], password=password.reveal(), failures=0, quorum=False)

        self._cluster.each(change)

    def register_mfa(
        self, name: str, role: Role, password: Secret, factor: Factor, approval: Approval | None = None
    ) -> None:
        self._approved(Service.USER, approval)
        assert factor.sign(sha256(b"mfa").digest())
        changed = {"password": password.reveal(), "mfa": True, "failures": 0}
        self._cluster.each(lambda users: users.update({name: replace(users[name], **changed)}))

    def deregister_mfa(self, name: str, role: Role, password: Secret, approval: Approval | None = None) -> None:
        self._approved(Service.USER, approval)
        changed = {"password": password.reveal(), "mfa": False, "quorum": False, "failures": 0}
        self._cluster.each(lambda users: users.update({name: replace(users[name], **changed)}))

    def register_approver(self, factor: Factor) -> None:
        assert factor.sign(sha256(b"registration").digest())
        self._cluster.each(lambda users: users.update({self._user: replace(users[self._user], quorum=True)}))

    def new_token(self, service: Service) -> Approval:
        token = base64.b64encode(sha256(f"{service} {len(self._cluster.tokens)}".encode()).digest()).decode()
        self._cluster.tokens[token] = (self._user, service)
        return {"version": "2.0", "service": service, "approval_data": "ZGF0YQ==", "token": token, "signatures": []}

    def set_quorum_value(self, service: Service, value: int, approval: Approval | None = None) -> None:
        self._approved(Service.QUORUM, approval)
        self._cluster.values[service] = value

    def delete_tokens(self, *, everybody: bool) -> None:
        kept = {} if everybody else {k: v for k, v in self._cluster.tokens.items() if v[0] != self._user}
        self._cluster.tokens = kept

    def register_anchor(self, certificate: str, approval: Approval | None = None) -> None:
        self._approved(Service.CLUSTER, approval)
        known = next((ref for ref, (pem, _) in self._cluster.anchors.items() if pem == certificate), None)
        reference = known or f"0x{len(self._cluster.anchors) + 1:02x}"
        self._cluster.anchors[reference] = (certificate, set(self._cluster.reached()))

    def deregister_anchor(self, reference: str, approval: Approval | None = None) -> None:
        self._approved(Service.CLUSTER, approval)
        del self._cluster.anchors[reference]

    def enforcement(self) -> str:
        return self._cluster.enforced

    def set_enforcement(self, level: Level, approval: Approval | None = None) -> None:
        self._approved(Service.CLUSTER, approval)
        self._cluster.enforced = level

    def keys(self, only: Mapping[str, str] | None = None) -> tuple[tuple[ReportedKey, ...], int | None]:
        wanted = (only or {}).items()
        found = tuple(key for key in self._cluster.keys if all(key.attributes.get(k) == v for k, v in wanted))
        return found, len(found)

    def set_attribute(self, reference: str, name: str, value: str, approval: Approval | None = None) -> None:
        kept = {"true": True, "false": False}.get(value, value)

        def changed(key: ReportedKey) -> ReportedKey:
            differing = tuple(each for each in key.differing if each != name)
            label = value if name == "label" else key.label
            return replace(key, attributes={**key.attributes, name: kept}, differing=differing, label=label)

        self._change_key(reference, changed, approval)

    def share_key(self, reference: str, user: str, approval: Approval | None = None) -> None:
        self._change_key(reference, lambda key: replace(key, shared={**key.shared, user: "full"}), approval)

    def unshare_key(self, reference: str, user: str, approval: Approval | None = None) -> None:
        def changed(key: ReportedKey) -> ReportedKey:
            return replace(key, shared={name: said for name, said in key.shared.items() if name != user})

        self._change_key(reference, changed, approval)

    def _change_key(
        self, reference: str, change: Callable[[ReportedKey], ReportedKey], approval: Approval | None
    ) -> None:
        key = next(key for key in self._cluster.keys if key.reference == reference)
        if key.manage_quorum and approval is None:
            raise Denied("key set-attribute", "Quorum approval is required for this operation", "--bundle FILE")
        self._cluster.keys = tuple(change(each) if each is key else each for each in self._cluster.keys)

    def _approved(self, service: Service, approval: Approval | None) -> None:
        """Refuse what lacks approvals; a token is good once."""
        needed = self._cluster.values[service]
        if not needed:
            return
        if approval is None:
            raise Denied("cloudhsm-cli", "Quorum approval is required for this operation", "--bundle FILE")
        signers = {each["username"] for each in approval["signatures"]}
        able = {user.name for user in self._cluster.listing() if user.approves}
        if self._cluster.tokens.pop(approval["token"], None) is None or len(signers & able) < needed:
            raise Denied("cloudhsm-cli", "Quorum Failed", "--bundle FILE")


class MemoryConsole:
    """ports_cli.Console."""

    def __init__(self, cluster: MemoryCluster, cluster_id: str, host: str) -> None:
        self._cluster = cluster
        self._cluster_id = cluster_id
        self.host = host

    def hsms(self) -> tuple[HsmInfo, ...]:
        return tuple(HsmInfo(serial=hsm) for hsm in self._cluster.reached())

    def users(self) -> tuple[HsmUser, ...]:
        return self._cluster.listing()

    def anchors(self) -> tuple[Anchor, ...]:
        reached = set(self._cluster.reached())
        return tuple(
            Anchor(reference=ref, certificate=pem, coverage="full" if reached <= held else "inconsistent")
            for ref, (pem, held) in self._cluster.anchors.items()
        )

    def quorum(self) -> tuple[Mapping[str, int | None], Sequence[QuorumToken]]:
        open_tokens = [
            QuorumToken(user=user, service=service, required=self._cluster.values[service], approvals=0, seconds=600)
            for user, service in self._cluster.tokens.values()
        ]
        return dict(self._cluster.values), open_tokens

    def configuration(self) -> Configuration:
        entry = ConfiguredCluster(
            cluster_id=self._cluster_id,
            addresses=self._cluster.addresses,
            client_certificate=self._cluster.client_certificate,
        )
        return Configuration(clusters=(entry,))

    def activate(self, password: Secret) -> None:
        if all(user.role != "unactivated-admin" for user in self.users()):
            raise Conflict(f"{self._cluster_id} is activated already", "its admin has a password", "hsmctl user list")
        self._cluster.each(lambda users: users.update(admin=Stored("admin", password.reveal())))

    @contextmanager
    def login(self, login: Login, role: Role, factor: Factor | None = None) -> Iterator[MemorySession]:
        user = find(self.users(), login.user)
        check_may_log_in(user, role)
        if user.mfa and factor is None:
            raise Denied(f"user {user.name}", "it has a second factor", "--admin-key FILE")
        self._cluster.attempts.append(login.user)
        for hsm in self._cluster.reached():
            held = self._cluster.users[hsm]
            if held[login.user].password != login.password.reveal():
                held[login.user] = replace(held[login.user], failures=held[login.user].failures + 1)
                raise PinRefused(f"user {login.user}", "the cluster refused the password", "hsmctl user list")
        yield MemorySession(self._cluster, login.user)
        self._cluster.tokens = {k: v for k, v in self._cluster.tokens.items() if v[0] != login.user}


class MemoryConsoles:
    """ports_cli.Consoles."""

    def __init__(self, cluster: MemoryCluster, *hosts: str) -> None:
        self.cluster = cluster
        self._hosts = hosts or ("app1",)

    def names(self) -> tuple[str, ...]:
        return self._hosts

    @contextmanager
    def open(self, host: str, cluster_id: str) -> Iterator[MemoryConsole]:
        if host not in self._hosts:
            raise Conflict(f"no client {host}", f"the context has {', '.join(self._hosts)}", "name one of them")
        if host in self.cluster.down:
            raise self.cluster.down[host]
        yield MemoryConsole(self.cluster, cluster_id, host)


@dataclass
class MemoryClients:
    """ports_client.Clients: two components on each host, configured by addresses."""

    hosts: dict[str, tuple[str, ...]]
    """The configured addresses by host."""
    now: Callable[[], datetime]
    ca: str = ""
    """PEM of the CA file of every host."""
    certificates: dict[str, str] = field(default_factory=dict)
    """The client certificate in a host's configuration, PEM."""
    errors: dict[str, HsmctlError] = field(default_factory=dict)
    check: bool = True
    mode: int = 0o600
    retry: str = ""
    shown: dict[str, str] = field(default_factory=dict)
    """The path of the client certificate that a host is configured with."""
    skew: timedelta = timedelta()

    def names(self) -> tuple[str, ...]:
        return tuple(self.hosts)

    def look(self, host: str) -> ClientState:
        if host in self.errors:
            raise self.errors[host]
        entry = ConfiguredCluster(
            addresses=self.hosts[host],
            ca_file="/ca",
            availability_check=self.check,
            client_certificate=self.shown.get(host, ""),
        )
        components = tuple(
            Component(
                name=name,
                path=f"/etc/{name}.cfg",
                mode=self.mode,
                configuration=Configuration(clusters=(entry,), retry_mode=self.retry),
            )
            for name in ("cli", "pkcs11")
        )
        return ClientState(host=host, components=components, ca_files={"/ca": self.ca}, time=self.now() + self.skew)

    def read(self, host: str, path: str) -> str:
        if host not in self.certificates:
            raise Conflict(f"{host}: {path}", "there is no such file", "name another")
        return self.certificates[host]

    def configure(self, host: str, component: str, options: Sequence[str]) -> None:
        name, *values = options
        if name == "-a":
            self.hosts[host] = tuple(values)
        elif name == "--default-retry-mode":
            (self.retry,) = values
        else:
            self.shown[host] = values[0]

    def check_key(self, host: str, path: str) -> None:
        if path != "/k":
            raise Conflict(f"{host}: {path}", "it has a passphrase", "take another")

    def close_file(self, host: str, path: str) -> None:
        self.mode &= ~0o022

    def install_ca(self, host: str, path: str, certificate: str) -> None:
        self.ca = certificate
