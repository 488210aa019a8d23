"""Where the lab keeps what, and how it writes it: the one place that spells the paths of a lab's folder.

Refuses to know what the files say.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

_MODE = 0o600


@dataclass(frozen=True, slots=True)
class NodeFolder:
    """The folder of one HSM; its process is the only one that touches `tokens` while it runs."""

    path: Path

    @property
    def record(self) -> Path:
        """What the HSM is: its place, its tokens' PINs."""
        return self.path / "node.json"

    @property
    def tokens(self) -> Path:
        """SoftHSM's token folders, one for each crypto user; its presence means the HSM was built to its end."""
        return self.path / "tokens"

    @property
    def backups(self) -> Path:
        """Each token's `token.object`, as it was made."""
        return self.path / "backups"

    @property
    def quarantine(self) -> Path:
        """Objects that were never finished."""
        return self.path / "quarantine"

    @property
    def outbox(self) -> Path:
        """Reports of changes that not every sibling has acted on."""
        return self.path / "outbox"

    @property
    def held(self) -> Path:
        """Objects as they would be without the faults that hold them, in a folder for each token."""
        return self.path / "held"

    @property
    def users(self) -> Path:
        """The HSM's users."""
        return self.path / "users.json"

    @property
    def policies(self) -> Path:
        """The HSM's quorum values, trust anchors and mTLS enforcement, once one was set."""
        return self.path / "policy.json"

    @property
    def configuration(self) -> Path:
        """SoftHSM's configuration."""
        return self.path / "softhsm2.conf"

    @property
    def outer_certificate(self) -> Path:
        """Key and self-signed certificate of the outer TLS layer."""
        return self.path / "tls" / "outer.pem"

    @property
    def certificate(self) -> Path:
        """Key and certificate of the inner TLS layer, once the cluster is claimed."""
        return self.path / "tls" / "inner.pem"

    @property
    def false_certificate(self) -> Path:
        """Key and certificate of the inner TLS layer while a fault has it show another one."""
        return self.path / "tls" / "false.pem"

    @property
    def pin(self) -> Path:
        """The PIN of a clone for an outside program."""
        return self.path / "pin"

    @property
    def removing(self) -> Path:
        """Present once the HSM is deleted, until its folder is moved away."""
        return self.path / "removing"

    @property
    def foreign_certificate(self) -> Path:
        """Key and certificate the outer TLS layer shows instead, while there is one."""
        return self.path / "tls" / "foreign.pem"

    @property
    def closed(self) -> Path:
        """Present while clients cannot reach the HSM."""
        return self.path / "closed"

    def configure(self) -> None:
        """Write SoftHSM's configuration."""
        self.configuration.write_text(
            f"directories.tokendir = {self.tokens}\nobjectstore.backend = file\nlog.level = ERROR\n"
        )

    @property
    def lock(self) -> Path:
        """Held by the process that owns the folder, and says which it is."""
        return self.path / "lock"


@dataclass(frozen=True, slots=True)
class LabFolder:
    """The folder of one lab."""

    path: Path

    @property
    def configuration(self) -> Path:
        """What the lab was made with."""
        return self.path / "lab.json"

    @property
    def supervisor(self) -> Path:
        """Which process serves the lab, and where; present while one does."""
        return self.path / "supervisor.json"

    @property
    def lock(self) -> Path:
        """Held by the supervisor, and says which process it is."""
        return self.path / "supervisor.lock"

    @property
    def log(self) -> Path:
        """What the supervisor and the HSMs say."""
        return self.path / "supervisor.log"

    @property
    def aws(self) -> Path:
        """The emulated services' state."""
        return self.path / "aws"

    @property
    def pki(self) -> Path:
        """The AWS and manufacturer roots and the hardware keys."""
        return self.path / "pki"

    @property
    def ca(self) -> Path:
        """The operator's certificate authority; hsmctl makes it."""
        return self.path / "ca"

    @property
    def context(self) -> Path:
        """The lab as a context of hsmctl's settings."""
        return self.path / "context.toml"

    @property
    def nodes(self) -> Path:
        """The HSMs' folders."""
        return self.path / "nodes"

    @property
    def faults(self) -> Path:
        """The faults that last."""
        return self.path / "faults.json"

    @property
    def clones(self) -> Path:
        """The folders of clones for outside programs, and where else such clones are."""
        return self.path / "clones"

    @property
    def removed(self) -> Path:
        """The folders of HSMs that were deleted."""
        return self.path / "removed"

    @property
    def backups(self) -> Path:
        """What the emulated backups hold: the contents of an HSM, a folder each."""
        return self.path / "backups"

    @property
    def audit(self) -> Path:
        """The HSMs' audit logs."""
        return self.aws / "audit"

    @property
    def client(self) -> Path:
        """The client host's files."""
        return self.path / "client"

    @property
    def start_lock(self) -> Path:
        """Held by a command that starts the supervisor."""
        return self.path / "start.lock"

    @property
    def secrets(self) -> Path:
        """Passwords and keys, a file each."""
        return self.path / "secrets"

    def everything(self) -> tuple[Path, ...]:
        """Every file and folder a lab makes; what else is in its folder is not the lab's."""
        files = (self.configuration, self.supervisor, self.lock, self.start_lock, self.log, self.context)
        folders = (self.aws, self.pki, self.ca, self.nodes, self.removed, self.backups, self.clones, self.client)
        return (*files, self.faults, *folders, self.secrets)

    def node(self, hsm_id: str) -> NodeFolder:
        """The folder of an HSM, of one that was deleted, or of a backup, which has the same layout."""
        kept = (folder / hsm_id for folder in (self.removed, self.backups))
        return NodeFolder(next((path for path in kept if path.exists()), self.nodes / hsm_id))

    def secret(self, name: str) -> Path:
        """The file of a password or key."""
        return self.secrets / name


def copy_administration(source: NodeFolder, destination: NodeFolder) -> None:
    """Copy an HSM's users and policies."""
    shutil.copyfile(source.users, destination.users)
    if source.policies.exists():
        shutil.copyfile(source.policies, destination.policies)


def write_private(path: Path, data: bytes) -> None:
    """Write a file only its owner can read, whole or not at all; its folder is made if missing."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _MODE)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
