"""The steps of claiming a cluster as the screens show them: what each does, what to check, how it stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hsmctl.domain.ceremony import Ceremony, Stage, Standing
from hsmctl.mark import Mark

from .detail import facts, noted
from .glyph import Role, Spans, sign


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One step."""

    number: int
    title: str
    command: str
    """The command of the place that does it."""
    does: str
    check: str
    """What people look at before they go on."""


RUNGS = (
    Rung(
        number=1,
        title="a first HSM",
        command="first_hsm",
        does="An HSM is created; it makes its own key pair and shows a signing request (CSR).",
        check="It is alone until the cluster is claimed: its replacement would make another CSR.",
    ),
    Rung(
        number=2,
        title="its CSR and certificates kept",
        command="csr",
        does="What the HSM shows is kept in the ceremony's folder; AWS shows it only until the cluster is claimed.",
        check="The fingerprint is the same on every machine that looks.",
    ),
    Rung(
        number=3,
        title="the hardware verified",
        command="verify",
        does="Both certificate chains are followed to roots you had out of band; the CSR's key must be the HSM's.",
        check="The roots came from AWS and the manufacturer, not from this screen. Skipping it is remembered for ever.",
    ),
    Rung(
        number=4,
        title="the CSR signed by your CA",
        command="sign",
        does="Your CA signs: a key file, a token's key, a new CA, or what an off-line CA brings back as --signed-cert.",
        check="Read the fingerprints below aloud to a second person. The CA's key is never kept here.",
    ),
    Rung(
        number=5,
        title="the cluster claimed",
        command="submit",
        does="The signed certificate and the trust anchor go to AWS (InitializeCluster); neither can be changed later.",
        check="Every client will trust this anchor. Type the end of the cluster's id.",
    ),
    Rung(
        number=6,
        title="the first admins set",
        command="activate",
        does="New passwords go into two sinks, are read back, set on the HSM and proved by a login. A client host that "
        "has never seen the cluster learns of it first: :configure and :install_ca.",
        check="Until then whoever reaches the HSM can set the first password. Nobody can recover a lost one.",
    ),
)
_AT = {
    Stage.NO_HSM: 1,
    Stage.NO_CSR: 1,
    Stage.CSR: 3,
    Stage.CHANGED: 2,
    Stage.VERIFIED: 4,
    Stage.SIGNED: 5,
    Stage.SUBMITTED: 5,
    Stage.INITIALIZED: 6,
    Stage.ACTIVE: 7,
}
"""The step a ceremony is at, by where it stands; 7 is beyond the last."""


STANDS = {
    Stage.NO_HSM: "it has no HSM yet",
    Stage.NO_CSR: "its HSM has shown no signing request yet",
    Stage.CSR: "its HSM shows a signing request (CSR) that nobody has verified",
    Stage.CHANGED: "it shows another CSR than before",
    Stage.VERIFIED: "the CSR is verified and not signed yet",
    Stage.SIGNED: "the CSR is signed and AWS has not been given the certificate yet",
    Stage.SUBMITTED: "AWS looks at the certificate",
    Stage.ACTIVE: "claimed and activated; nothing is left to do",
    Stage.OTHER: "nothing of a ceremony can be done now",
}
"""Where a ceremony stands, in words; what is critical says so itself."""


def at(standing: Standing, ceremony: Ceremony) -> int:
    """The number of the step to be done; 0 where the cluster is in a state that is none of a ceremony's."""
    if standing.stage is Stage.CSR and not ceremony.csr_sha256:
        return 2
    return _AT.get(standing.stage, 0)


def mark(rung: Rung, standing: Standing, ceremony: Ceremony) -> Mark | None:
    """How a step stands; None where its turn has not come."""
    here = at(standing, ceremony)
    if rung.number < here:
        unverified = rung.command == "verify" and not ceremony.statements
        known = Mark.UNPROVEN if unverified else Mark.PROVED if rung.command == "verify" else Mark.REPORTED
        return Mark.ATTENTION if unverified and ceremony.unverified else known
    if rung.number > here:
        return None
    if standing.critical or standing.stage is Stage.CHANGED:
        return Mark.BAD
    return Mark.PENDING if standing.stage in (Stage.NO_CSR, Stage.SUBMITTED) else Mark.ATTENTION


def says(rung: Rung, standing: Standing, ceremony: Ceremony) -> str:
    """The evidence of a step in a few words."""
    if rung.number == at(standing, ceremony):
        waits = {Stage.NO_CSR: "waiting for the HSM", Stage.SUBMITTED: "waiting for AWS"}
        return waits.get(standing.stage, "next" if not standing.critical else "NOW: it cannot be left like this")
    told = {
        "csr": f"SHA-256 {ceremony.csr_sha256[:16]}…" if ceremony.csr_sha256 else "",
        "verify": "UNVERIFIED: " + ceremony.unverified if ceremony.unverified else "both chains hold",
        "sign": f"by {ceremony.signed_by}" if ceremony.signed_by else "not by this machine",
        "submit": f"{ceremony.submitted_at:%Y-%m-%d %H:%M} UTC" if ceremony.submitted_at else "",
    }
    done = rung.number < at(standing, ceremony)
    known = rung.command != "verify" or ceremony.statements or ceremony.unverified
    return (told.get(rung.command, "") if known else "not by this machine") if done else ""


def evidence(rung: Rung, ceremony: Ceremony, width: int, *, done: bool) -> Iterator[Spans]:
    """What a step does, what to check unless it is done, and what is there to be compared."""
    yield ((f" STEP {rung.number}  {rung.title}", Role.STRONG),)
    yield from noted((" ", Role.PLAIN), rung.does, width)
    if not done:
        yield from noted(sign(Mark.ATTENTION), rung.check, width)
    prints = {
        "csr": (("CSR", ceremony.csr_sha256),),
        "sign": (("certificate", ceremony.signed_sha256), ("trust anchor", ceremony.anchor_sha256)),
        "submit": (("certificate", ceremony.signed_sha256), ("trust anchor", ceremony.anchor_sha256)),
    }
    for name, digest in prints.get(rung.command, ()):
        if digest:
            yield ()
            yield ((f" {name}, SHA-256", Role.MUTED),)
            yield from aloud(digest)
    if rung.command == "verify":
        for sentence in ceremony.statements:
            what, _, digest = sentence.partition(", SHA-256 ")
            yield ()
            yield from noted(sign(Mark.PROVED), what, width)
            yield from aloud(digest)
        if ceremony.unverified:
            yield from facts([("UNVERIFIED", ceremony.unverified)])


def aloud(digest: str) -> Iterator[Spans]:
    """A fingerprint in groups of four, eight a line, as one reads it to a second person."""
    digits = digest.replace(":", "").lower()
    groups = [digits[place : place + 4] for place in range(0, len(digits), 4)]
    for start in range(0, len(groups), 8):
        yield ("    ", Role.PLAIN), ("  ".join(groups[start : start + 8]), Role.STRONG)
