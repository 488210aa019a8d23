"""Backups listed, checked, and changed as plans; a copy is followed into its own region until it is READY."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from hsmctl.domain.backup import (
    SPARE,
    Checked,
    check_accounts,
    checked,
    may_copy,
    shared_with,
    sharing_policy,
    spare,
)
from hsmctl.domain.cluster import Backup, BackupState, Cluster
from hsmctl.domain.operation import Found
from hsmctl.domain.plan import Action, Effect, Plan, Precondition, Step
from hsmctl.errors import Conflict, UsageError
from hsmctl.ports import Clock, ControlPlane
from hsmctl.ports_backup import Backups
from hsmctl.services.draft import Drafts
from hsmctl.services.operation import Playbook, Runner
from hsmctl.services.wait import Wait, until

_LIMIT = timedelta(hours=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """A backup, whom it is shared with, and whether it may be deleted."""

    backup: Backup
    shared_with: tuple[str, ...]
    spare: Precondition


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupService:
    """The backups of one region."""

    clock: Clock
    plane: ControlPlane
    drafts: Drafts
    backups: Backups
    every: float
    """Seconds between two looks while waiting."""

    def list(self, cluster_id: str | None = None, *, shared: bool = False) -> tuple[Backup, ...]:
        """The backups, newest first: of a cluster, of the region, or those that others share with us."""
        found = self.backups.shared() if shared else self.plane.backups(cluster_id)
        return tuple(sorted(found, key=lambda backup: str(backup.created), reverse=True))

    def show(self, backup_id: str) -> Backup:
        """The backup.

        Raises:
            Conflict: there is none with this id in this region and account.
        """
        for backup in self.plane.backups():
            if backup.backup_id == backup_id:
                return backup
        raise Conflict(f"{backup_id} not found", f"no such backup in {self.plane.region}", "hsmctl backup list")

    def inspect(self, backup_id: str) -> Inspected:
        """The backup, whom it is shared with, and whether it may be deleted."""
        backup = self.show(backup_id)
        accounts = shared_with(self.backups.policy(backup.arn)) if backup.arn else ()
        return Inspected(backup=backup, shared_with=accounts, spare=self._spare(backup))

    def check(self, clusters: Sequence[Cluster], most: timedelta) -> tuple[Checked, ...]:
        """How the newest READY backup of each cluster stands against the age it may have."""
        now = self.clock.now()
        return tuple(checked(each, self.plane.backups(each.cluster_id), now, most) for each in clusters)

    def plan_copy(self, backup: Backup, region: str) -> Plan:
        """Copy it to another region and follow the copy until it is READY there.

        Raises:
            UsageError: it is in that region already.
        """
        if region == self.plane.region:
            raise UsageError(f"copy to {region}", "it is there already", "name another region")
        inputs = {"backup": backup.backup_id, "region": region}
        steps = (
            Step(
                action=Action.COPY_BACKUP,
                says=f"copy {backup.backup_id} to {region}",
                inputs=inputs,
                permissions=("cloudhsm:CopyBackupToRegion", "cloudhsm:TagResource", "cloudhsm:UntagResource"),
            ),
            Step(
                action=Action.WAIT_COPY,
                says=f"wait until the copy is READY in {region}",
                effect=Effect.WAIT,
                inputs=inputs,
                permissions=("cloudhsm:DescribeBackups",),
            ),
        )
        warnings = (f"no retention policy counts in {region}: the copy stays until somebody deletes it",)
        return self._plan(f"copy {backup.backup_id} to {region}", backup, steps, may_copy(backup), warnings=warnings)

    def plan_delete(self, backup: Backup) -> Plan:
        """Delete it; for seven days it can be restored."""
        step = _one(Action.DELETE_BACKUP, f"delete {backup.backup_id}", backup, "cloudhsm:DeleteBackup", Effect.DESTROY)
        step = replace(step, preconditions=(self._spare(backup),))
        return self._plan(
            f"delete {backup.backup_id}", backup, (step,), may_copy(backup), warnings=("it can be restored for 7 days",)
        )

    def plan_restore(self, backup: Backup) -> Plan:
        """Take its pending deletion back."""
        pending = Precondition(
            what=f"{backup.backup_id} is pending deletion",
            holds=backup.state is BackupState.PENDING_DELETION,
            why=f"it is {backup.state}",
            way_out="hsmctl backup list",
        )
        step = _one(Action.RESTORE_BACKUP, f"restore {backup.backup_id}", backup, "cloudhsm:RestoreBackup")
        warnings = ("a backup that its retention policy purged is purged again: retain it, or keep backups longer",)
        return self._plan(f"restore {backup.backup_id}", backup, (step,), pending, warnings=warnings)

    def plan_retain(self, backup: Backup, *, for_ever: bool) -> Plan:
        """Exempt it from the retention policy, or put it back under it."""
        what = "retain" if for_ever else "release"
        words = "for ever" if for_ever else "to its retention policy"
        says = f"{what} {backup.backup_id} {words}"
        step = _one(Action.RETAIN_BACKUP, says, backup, "cloudhsm:ModifyBackupAttributes")
        step = replace(step, inputs={**step.inputs, "for_ever": str(for_ever).lower()})
        return self._plan(f"{what} {backup.backup_id}", backup, (step,))

    def plan_share(self, backup: Backup, accounts: Sequence[str]) -> Plan:
        """Let these accounts restore it, beside those that may already.

        Raises:
            UsageError: an account id is none.
        """
        check_accounts(accounts)
        every = sorted({*shared_with(self.backups.policy(backup.arn)), *accounts})
        warnings = ("listed there only once promoted: aws ram promote-resource-share-created-from-policy",)
        return self._sharing(f"share {backup.backup_id}", backup, every, warnings)

    def plan_unshare(self, backup: Backup, accounts: Sequence[str]) -> Plan:
        """Take the leave of these accounts away, or of all if none is named.

        Raises:
            Conflict: it is not shared with them.
        """
        shared = shared_with(self.backups.policy(backup.arn))
        missing = [account for account in accounts if account not in shared]
        if missing or not shared:
            what = f"{backup.backup_id} is shared with {', '.join(shared) or 'nobody'}"
            raise Conflict(what, f"not with {', '.join(missing) or 'anybody'}", "hsmctl backup inspect")
        left = [account for account in shared if accounts and account not in accounts]
        warnings = ("clusters that were restored from it stay as they are",)
        return self._sharing(f"unshare {backup.backup_id}", backup, left, warnings)

    def playbook(self) -> Playbook:
        """How plans about backups are carried out."""
        runners = {
            Action.COPY_BACKUP: Runner(self._copy, self._copied, self._known_copies),
            Action.WAIT_COPY: Runner(self._wait_copy),
            Action.DELETE_BACKUP: Runner(self._delete, self._deleted),
            Action.RESTORE_BACKUP: Runner(self._restore, self._restored),
            # Each of these says how it is to be: twice is once.
            Action.RETAIN_BACKUP: Runner(self._retain, lambda *_: None),
            Action.SHARE_BACKUP: Runner(self._share, lambda *_: None),
        }
        return Playbook(runners, {SPARE: self._read_spare})

    def _known_copies(self, step: Step, _: Found) -> Found:
        copies = self.backups.copies(step.inputs["backup"], step.inputs["region"])
        return {"known_copies": " ".join(copy.backup_id for copy in copies)}

    def _copy(self, step: Step, found: Found) -> Wait[Found]:
        known = self._known_copies(step, found)
        yield "calling CopyBackupToRegion"
        self.backups.copy(step.inputs["backup"], step.inputs["region"])
        return known

    def _copied(self, step: Step, found: Found) -> Found | None:
        """What was known before, where there is one copy more."""
        new = self._new_copy(step, found)
        return {"known_copies": found.get("known_copies", "")} if new else None

    def _new_copy(self, step: Step, found: Found) -> Backup | None:
        known = found.get("known_copies", "").split()
        copies = self.backups.copies(step.inputs["backup"], step.inputs["region"])
        return next((copy for copy in copies if copy.backup_id not in known), None)

    def _wait_copy(self, step: Step, found: Found) -> Wait[Found]:
        """Find the copy, whose id no answer told, and follow it.

        Raises:
            Conflict: the copy failed: it shows as DELETED (user guide, copy-backup-to-region).
        """

        def look() -> Backup | None:
            copy = self._new_copy(step, found)
            if copy is not None and copy.state is BackupState.DELETED:
                raise Conflict(f"the copy {copy.backup_id} failed", "it is DELETED", "copy it again")
            return copy

        copy = yield from until(
            look,
            lambda copy: copy is not None and copy.state is BackupState.READY,
            lambda copy: f"{copy.backup_id} is {copy.state}" if copy else "the copy does not show yet",
            clock=self.clock,
            every=self.every,
            limit=_LIMIT,
        )
        return {"copy_id": copy.backup_id} if copy else {}

    def _delete(self, step: Step, _: Found) -> Wait[Found]:
        yield "calling DeleteBackup"
        self.backups.delete(step.inputs["backup"])
        return {}

    def _deleted(self, step: Step, _: Found) -> Found | None:
        gone = (BackupState.PENDING_DELETION, BackupState.DELETED)
        return {} if self.show(step.inputs["backup"]).state in gone else None

    def _restore(self, step: Step, _: Found) -> Wait[Found]:
        yield "calling RestoreBackup"
        self.backups.restore(step.inputs["backup"])
        return {}

    def _restored(self, step: Step, _: Found) -> Found | None:
        return {} if self.show(step.inputs["backup"]).state is BackupState.READY else None

    def _retain(self, step: Step, _: Found) -> Wait[Found]:
        yield "calling ModifyBackupAttributes"
        self.backups.retain(step.inputs["backup"], for_ever=step.inputs["for_ever"] == "true")
        return {}

    def _share(self, step: Step, _: Found) -> Wait[Found]:
        arn, accounts = step.inputs["arn"], step.inputs["accounts"].split()
        yield "calling PutResourcePolicy" if accounts else "calling DeleteResourcePolicy"
        self.backups.share(arn, sharing_policy(arn, accounts) if accounts else None)
        return {}

    def _read_spare(self, precondition: Precondition, _: Found) -> Precondition:
        return self._spare(self.show(precondition.inputs["backup"]))

    def _spare(self, backup: Backup) -> Precondition:
        """Whether it may go, as things are now."""
        clusters = self.plane.clusters([backup.cluster_id]) if backup.cluster_id else ()
        backups = self.plane.backups(backup.cluster_id) if backup.cluster_id else ()
        return spare(backup, backups, clusters[0] if clusters else None)

    def _sharing(self, title: str, backup: Backup, accounts: Sequence[str], warnings: tuple[str, ...]) -> Plan:
        says = f"share it with {', '.join(accounts)}" if accounts else "share it with nobody"
        step = _one(Action.SHARE_BACKUP, says, backup, "cloudhsm:PutResourcePolicy")
        step = replace(step, inputs={**step.inputs, "arn": backup.arn, "accounts": " ".join(accounts)})
        return self._plan(title, backup, (step,), may_copy(backup), warnings=warnings)

    def _plan(
        self,
        title: str,
        backup: Backup,
        steps: tuple[Step, ...],
        *preconditions: Precondition,
        warnings: tuple[str, ...] = (),
    ) -> Plan:
        return self.drafts.plan(title, None, steps, preconditions, subject=backup.backup_id, warnings=warnings)


def _one(action: Action, says: str, backup: Backup, permission: str, effect: Effect = Effect.CHANGE) -> Step:
    return Step(action=action, says=says, effect=effect, inputs={"backup": backup.backup_id}, permissions=(permission,))
