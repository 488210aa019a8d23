"""Faults of policies: an HSM that asks for other approvals, lost its trust anchors, or demands certificates of all.

Policies are not replicated, so there is nothing to hold: the HSM's own are edited. Clearing puts back what was there
before, unless somebody has changed it since. `cryptography` is imported where it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from hsmctl.errors import Conflict
from hsmctl.lab.fault import Family, Fault, FaultBook
from hsmctl.lab.folder import LabFolder
from hsmctl.lab.policy import Anchor, Enforcement, Policies, policies_from

Put = Callable[[str, Policies], None]
"""Makes an HSM have these policies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFaults:
    """The family POLICIES."""

    lab: LabFolder
    book: FaultBook
    put: Put
    expire: Callable[[], None]
    """Ends the time of every quorum token that is open."""
    hsms: Callable[[], Sequence[str]]

    def prepare(self, fault: Fault) -> Fault:
        """The fault with each HSM's policies before and after.

        Raises:
            Conflict: another fault bends the policies of one of them, or there is nothing to bend.
        """
        if not fault.kind.lasts:
            return fault
        hsms = [fault.hsm] if fault.hsm else list(self.hsms())
        for other in self.book.family(Family.POLICIES):
            if set(other.hsms) & set(hsms):
                what = f"the policies of {other.hsms[0]} are bent already"
                raise Conflict(what, f"by {other.name}", f"hsmctl lab fault clear {other.fault_id}")
        edits = {hsm: self._edit(fault, Policies.read(self.lab.node(hsm).policies)) for hsm in hsms}
        return replace(fault, detail={"edits": edits})

    def settle(self, fault: Fault) -> None:
        """Have the HSMs' policies as the book wants them, unless somebody has changed them since.

        Raises:
            Unreachable: an HSM does not answer.
        """
        if not fault.kind.lasts:
            self.expire()
            return
        inside = any(each.fault_id == fault.fault_id for each in self.book.all())
        for hsm, edit in fault.detail["edits"].items():
            before, after = (policies_from(edit[name]) for name in ("before", "after"))
            have, want = (before, after) if inside else (after, before)
            if Policies.read(self.lab.node(hsm).policies) == have:
                self.put(hsm, want)

    def _edit(self, fault: Fault, before: Policies) -> Mapping[str, object]:
        after = _EDITS[fault.name](before)
        if after == before:
            raise Conflict(f"{fault.name} makes no sense here", "there is nothing to bend", "choose another fault")
        return {"before": asdict(before), "after": asdict(after)}


def _other_value(before: Policies) -> Policies:
    return replace(before, quorum={**before.quorum, "user": 2 if before.quorum["user"] != 2 else 3})


def _without_anchors(before: Policies) -> Policies:
    return replace(before, anchors=())


def _demanding(before: Policies) -> Policies:
    """Certificates of a stranger's anchor are demanded, so nobody has one."""
    from hsmctl.lab.provision import outer_certificate

    pem = outer_certificate("lab", "nobody").decode()
    stranger = pem[pem.index("-----BEGIN CERTIFICATE") :]
    anchors = before.anchors or (Anchor(1, stranger),)
    return replace(before, anchors=anchors, enforcement=Enforcement.CLUSTER)


_EDITS: Mapping[str, Callable[[Policies], Policies]] = {
    "quorum-value": _other_value,
    "anchor-missing": _without_anchors,
    "mtls-demanded": _demanding,
}
