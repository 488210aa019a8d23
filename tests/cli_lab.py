"""The emulated cloudhsm-cli over HSMs in memory: what they administer is real, the wires between them are not."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsmctl.agent.inventory import Refused
from hsmctl.lab import desk
from hsmctl.lab.administration import Administration
from hsmctl.lab.cli_config import Cluster, Installation, servers, write
from hsmctl.lab.cli_line import Disconnected, Refusal
from hsmctl.lab.cli_main import Tool
from hsmctl.lab.cli_prompt import Prompt
from hsmctl.lab.client_software import install
from hsmctl.lab.folder import NodeFolder
from hsmctl.lab.limit import Room, limits
from hsmctl.lab.machines import Place
from hsmctl.lab.reception import OPERATIONS
from hsmctl.lab.record import NodeRecord
from hsmctl.lab.user import Role, Users

PASSWORD = "correct horse"
ADMIN = {"CLOUDHSM_ROLE": "admin", "CLOUDHSM_PIN": f"admin:{PASSWORD}"}


class FakeNode:
    """What an HSM's administration needs of its process."""

    def __init__(self, path: Path, address: str) -> None:
        self.folder = NodeFolder(path)
        self.folder.tokens.mkdir(parents=True)
        self.users = Users(self.folder.users)
        self.record = NodeRecord(
            place=Place(cluster_id="cluster-a", hsm_id=path.name, zone="us-east-1a", address=address), token_key="00"
        )
        self.room = Room(self.folder.tokens, limits("hsm2m.medium"))
        self.events: list[Mapping[str, object]] = []
        self.owned: dict[str, int] = {}
        self.say: Callable[[Mapping[str, object]], None] = self.events.append

    def objects_of(self, user: str) -> int:
        return self.owned.get(user, 0)

    def add_token(self, user: str, _: object) -> None:
        self.record = self.record.with_token(user, "pin")


class FakeLine:
    """A connection to such an HSM."""

    def __init__(self, lab: CliLab, host: str, *, mutual: bool) -> None:
        self.host = host
        self._lab = lab
        self._hsm = lab.hsms[host]
        self._guest = self._hsm.new_guest(mutual=mutual)

    def ask(self, op: str, **args: object) -> dict[str, Any]:
        if self.host in self._lab.down:
            raise Disconnected(self.host)
        self._lab.asked.append((self.host, op))
        sent = json.loads(json.dumps(args))
        try:
            if op == "sign out":
                self.close()
                return {}
            if op == "login":
                user = self._hsm.identify(self._guest, sent["user"], sent["password"], sent["token"]["tokens"])
                self._guest.user, self._guest.role = user.name, user.role
                return {}
            return json.loads(json.dumps(desk.answer(OPERATIONS[op], self._hsm, self._guest, sent)))  # type: ignore[no-any-return]
        except Refused as refused:
            raise Refusal(refused.ckr, refused.what) from refused

    def stream(self, op: str, **args: object) -> Iterator[dict[str, Any]]:
        yield self.ask(op, **args)

    def close(self) -> None:
        self._hsm.quorum.forget(self._guest.number)
        self._guest.user, self._guest.role = "", None


class Typist(io.StringIO):
    """Types lines, and does something before some of them."""

    def __init__(self, text: str, before: Mapping[str, Callable[[], None]]) -> None:
        super().__init__(text)
        self._before = before

    def readline(self, size: int | None = -1, /) -> str:  # type: ignore[override]
        line = super().readline(-1 if size is None else size)
        if act := self._before.get(line.rstrip("\n")):
            act()
        return line


@dataclass
class Done:
    """What one run printed."""

    code: int
    out: str
    err: str

    @property
    def envelopes(self) -> list[dict[str, Any]]:
        """Every envelope, whatever stands between them."""
        found, at, decoder = [], 0, json.JSONDecoder()
        while (start := self.out.find("{", at)) >= 0:
            envelope, at = decoder.raw_decode(self.out, start)
            found.append(envelope)
        return found

    @property
    def data(self) -> Any:  # noqa: ANN401 - JSON
        (envelope,) = self.envelopes
        return envelope["data"]


@dataclass
class CliLab:
    """A client host and its HSMs."""

    folder: Path
    now: float = 1_000.0
    down: set[str] = field(default_factory=set)
    asked: list[tuple[str, str]] = field(default_factory=list)
    nodes: dict[str, FakeNode] = field(default_factory=dict)
    hsms: dict[str, Administration] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.installation: Installation = install(self.folder / "client")

    def add(self, *addresses: str, activated: bool = True) -> None:
        """More HSMs, and the client knows them all."""
        for address in addresses:
            node = FakeNode(self.folder / f"hsm-{address}", address)
            if activated:
                node.users.activate(PASSWORD)
            self.nodes[address] = node
            self.hsms[address] = Administration(node, lambda: self.now)  # type: ignore[arg-type]
        self.configure(*self.hsms)

    def configure(self, *addresses: str, **members: object) -> None:
        cluster = {"cluster_id": "cluster-a", "servers": servers(addresses), **members}
        write(self.installation.configuration("cli"), {"clusters": [{"type": "hsm1", "cluster": cluster}]})

    def events(self, address: str) -> list[Mapping[str, object]]:
        """What an HSM told its supervisor."""
        return self.nodes[address].events

    def run(
        self,
        *words: str,
        typed: str = "",
        env: Mapping[str, str] = ADMIN,
        before: Mapping[str, Callable[[], None]] | None = None,
    ) -> Done:
        """One run of cloudhsm-cli; `before` is what happens before a line is typed."""
        out, err = io.StringIO(), io.StringIO()
        tool = Tool(self.installation, env, Prompt(Typist(typed, before or {}), out), err, self.dial)
        return Done(tool.run(list(words)), out.getvalue(), err.getvalue())

    def typed(self, *lines: str, env: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """The envelopes of one interactive session."""
        return self.run("interactive", typed="\n".join((*lines, "")), env=env or {}).envelopes

    def user(self, username: str) -> dict[str, Any]:
        """A user as the tool lists it."""
        users = self.run("user", "list", env={}).data["users"]
        return next(user for user in users if user["username"] == username)

    def add_admin(self, name: str) -> rsa.RSAPrivateKey:
        """An admin on every HSM who is registered with the key that is returned."""
        key = rsa.generate_private_key(65537, 2048)
        pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        for hsm in self.hsms.values():
            hsm.users.store(replace(hsm.users.add(name, Role.ADMIN, PASSWORD), quorum=True, public_key=pem))
        return key

    def dial(self, host: str, _: int, cluster: Cluster, __: float) -> FakeLine:
        if host in self.down or host not in self.hsms:
            raise Disconnected(host)
        return FakeLine(self, host, mutual=cluster.certificate is not None)


def sign(key: rsa.RSAPrivateKey, digest: str) -> str:
    """A digest, signed as openssl pkeyutl does with digest:sha256; both base64."""
    return base64.b64encode(key.sign(base64.b64decode(digest), padding.PKCS1v15(), Prehashed(SHA256()))).decode()


def sign_tokens(path: Path, key: rsa.RSAPrivateKey) -> None:
    """Sign every entry of a token file in place."""
    document = json.loads(path.read_text())
    for entry in document["tokens"]:
        entry["signed"] = sign(key, entry["unsigned"])
    path.write_text(json.dumps(document))


def approve(path: Path, signers: Mapping[str, rsa.RSAPrivateKey]) -> None:
    """Put approvals into a quorum token file."""
    document = json.loads(path.read_text())
    for name, key in signers.items():
        signature = {"username": name, "role": "admin", "signature": sign(key, document["token"])}
        document["signatures"].append(signature)
    path.write_text(json.dumps(document))


def public_pem(path: Path, key: rsa.RSAPrivateKey) -> Path:
    """The public half in a file."""
    path.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path
