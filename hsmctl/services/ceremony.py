"""The ceremony `cluster init`: CSR, verification, signature, submission, each by itself or run through as one plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from hsmctl.domain.ceremony import Ceremony, Standing, check_may_submit, check_unchanged, standing
from hsmctl.domain.cluster import Cluster, ClusterState
from hsmctl.domain.hsm import adding
from hsmctl.domain.operation import Found
from hsmctl.domain.plan import Action, Effect, Plan, Step
from hsmctl.domain.scale import emptiest_zones
from hsmctl.errors import Conflict, UsageError
from hsmctl.ports import Clock, ControlPlane, HardwareIdentity, Journal
from hsmctl.ports_ceremony import Authorities, Ceremonies, Papers
from hsmctl.services.draft import Drafts
from hsmctl.services.operation import Runner
from hsmctl.services.wait import Wait, until

CSR, SIGNED, ANCHOR = "csr.pem", "signed.pem", "anchor.pem"
_SHOWN = {"hsm": "hsm.pem", "aws_hardware": "aws-hardware.pem", "manufacturer_hardware": "manufacturer-hardware.pem"}
"""The certificates that only an uninitialized cluster shows, by the names of their files."""

_DESCRIBES = ("cloudhsm:DescribeClusters",)
_LIMIT = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class CeremonyService:
    """Ceremonies of clusters; their plans are run by the clusters' playbook."""

    clock: Clock
    plane: ControlPlane
    drafts: Drafts
    journal: Journal
    cluster: Callable[[str], Cluster]
    """Reads a cluster anew."""
    ceremonies: Ceremonies
    papers: Papers
    authorities: Authorities
    hardware: Callable[[Mapping[str, str]], HardwareIdentity | None]
    """What verifies against the roots that inputs name as `aws_root` and `manufacturer_root`, or the context's."""
    guard: Callable[[], str | None]
    every: float

    def standing(self, cluster: Cluster) -> Standing:
        """Where the ceremony stands and what comes next."""
        return standing(cluster, self.ceremonies.load(cluster.cluster_id), self._csr_sha256(cluster))

    def fetch(self, cluster: Cluster, *, restart: bool = False) -> Ceremony:
        """Keep the CSR and the certificates that the cluster shows; with `restart` in place of earlier ones.

        Raises:
            Conflict: there is no CSR yet, or it is not the one that was fetched before.
        """
        name, now = cluster.cluster_id, self._csr_sha256(cluster)
        ceremony = self.ceremonies.load(name)
        if not restart:
            check_unchanged(name, ceremony.signed_csr_sha256, now, "signed")
            check_unchanged(name, ceremony.csr_sha256, now, "fetched")
        if not now:
            check_unchanged(name, "", now, "fetched")
        if ceremony.csr_sha256 == now:
            return ceremony
        shown = {file: getattr(cluster.certificates, field) for field, file in _SHOWN.items()}
        csr = cluster.certificates.csr or ""
        self.ceremonies.keep(name, {CSR: csr, **{file: text for file, text in shown.items() if text}})
        return self._remember(Ceremony(cluster_id=name, csr_sha256=now), "csr fetched", csr_sha256=now)

    def verify(self, cluster: Cluster, roots: Mapping[str, str], skip: str = "") -> Ceremony:
        """Verify the hardware against both roots, or with a reason to `skip` take it unverified for ever.

        Raises:
            Denied: a link of a chain does not hold, something has expired, or the CSR has another key.
            Conflict: the CSR has changed.
            UsageError: no roots are named.
        """
        ceremony = self.fetch(cluster)
        if skip:
            told = replace(ceremony, verified_sha256=ceremony.csr_sha256, unverified=skip, statements=())
            return self._remember(told, "identity UNVERIFIED", reason=skip)
        hardware = self.hardware(roots)
        if hardware is None:
            hint = "--aws-root FILE --manufacturer-root FILE, or hardware_roots in the context"
            raise UsageError("hardware not verified", "no root certificates", hint)
        said = hardware.verify(cluster.certificates)
        # A cluster that was once taken unverified and is now verified is verified: this very CSR's hardware is.
        told = replace(ceremony, verified_sha256=ceremony.csr_sha256, statements=said, unverified="")
        return self._remember(told, "identity verified", statements=said)

    def sign(self, cluster: Cluster, named: Mapping[str, str]) -> Ceremony:
        """Have the CSR signed by the CA that is named, or take what an offline CA has signed.

        Raises:
            Conflict: the hardware is not verified, the CSR has changed, or the result breaks a rule.
            Denied: the CA's passphrase or PIN is wrong.
        """
        name = cluster.cluster_id
        ceremony = self.ceremonies.load(name)
        now = self._csr_sha256(cluster)
        check_unchanged(name, ceremony.signed_csr_sha256 or ceremony.csr_sha256, now, "fetched")
        if ceremony.verified_sha256 != now:
            raise Conflict(f"the hardware of {name} is not verified", "", f"hsmctl cluster init verify {name}")
        csr = cluster.certificates.csr or ""
        authority = self.authorities.open(named)
        signed, anchor = authority.sign(csr), authority.certificate()
        said = self.papers.check_signed(csr, signed, anchor, self.clock.now())
        self.ceremonies.keep(name, {SIGNED: signed, ANCHOR: anchor})
        told = replace(
            ceremony,
            signed_csr_sha256=now,
            signed_sha256=self.papers.fingerprint(signed),
            anchor_sha256=self.papers.fingerprint(anchor),
            signed_by=self.authorities.words(named),
        )
        return self._remember(told, f"CSR signed by {told.signed_by}", statements=said, csr_sha256=now)

    def plan_submit(self, cluster: Cluster) -> Plan:
        """Claim the cluster with what was signed.

        Raises:
            Conflict: something is missing or has changed.
        """
        self._check_may_submit(cluster)
        return self.drafts.plan(f"initialize {cluster.cluster_id}", cluster, (_submitting(), _waiting("initialized")))

    def plan(self, cluster: Cluster, named: Mapping[str, str], identity: Mapping[str, str]) -> Plan:
        """The whole ceremony from where the cluster is: HSM, CSR, verification, signature, submission.

        `named` says which CA signs; `identity` names the roots, or as `skip` the reason why nobody verifies.

        Raises:
            Conflict: the cluster is claimed already, or in a state nothing leads from.
        """
        if cluster.state is not ClusterState.UNINITIALIZED:
            where = self.standing(cluster)
            raise Conflict(f"{cluster.cluster_id} is {cluster.state}", "it takes no initialization", where.next)
        first = () if cluster.hsms else adding(cluster, emptiest_zones(cluster, 1))
        steps = (*first, _fetching(), _verifying(identity), _signing(named, self.authorities.words(named)))
        warnings = ("nobody verifies the hardware: UNVERIFIED for ever",) if "skip" in identity else ()
        steps = (*steps, _submitting(), _waiting("initialized"))
        return self.drafts.plan(f"initialize {cluster.cluster_id}", cluster, steps, warnings=warnings)

    def runners(self) -> Mapping[Action, Runner]:
        """The runner of each action of a ceremony."""
        return {
            Action.WAIT_CSR: Runner(self._run_fetch),
            Action.VERIFY_IDENTITY: Runner(self._run_verify),
            Action.SIGN_CSR: Runner(self._run_sign),
            Action.INITIALIZE: Runner(self._run_submit, self._submitted),
        }

    def _run_fetch(self, _: Step, found: Found) -> Wait[Found]:
        cluster = yield from until(
            lambda: self.cluster(found["cluster_id"]),
            lambda cluster: bool(cluster.certificates.csr),
            lambda cluster: f"{cluster.cluster_id} shows no CSR yet",
            clock=self.clock,
            every=self.every,
            limit=_LIMIT,
        )
        return {"csr_sha256": self.fetch(cluster).csr_sha256}

    def _run_verify(self, step: Step, found: Found) -> Wait[Found]:
        cluster = self.cluster(found["cluster_id"])
        ceremony = self.verify(cluster, step.inputs, step.inputs.get("skip", ""))
        yield from ceremony.statements
        return {"identity": "UNVERIFIED" if ceremony.unverified else "verified"}

    def _run_sign(self, step: Step, found: Found) -> Wait[Found]:
        cluster = self.cluster(found["cluster_id"])
        ceremony = self.ceremonies.load(cluster.cluster_id)
        if ceremony.signed_csr_sha256 == self._csr_sha256(cluster):
            # What was signed is kept: a second signature would be another certificate for the same key.
            yield "the CSR is signed already"
        else:
            yield "signing"
            ceremony = self.sign(cluster, step.inputs)
        return {"signed_sha256": ceremony.signed_sha256, "anchor_sha256": ceremony.anchor_sha256}

    def _run_submit(self, _: Step, found: Found) -> Wait[Found]:
        cluster = self.cluster(found["cluster_id"])
        self._check_may_submit(cluster)
        name = cluster.cluster_id
        signed, anchor = (self._document(name, file) for file in (SIGNED, ANCHOR))
        yield "calling InitializeCluster"
        self._note(name, "InitializeCluster called", {})
        self.plane.initialize(name, signed, anchor)
        self._remember(replace(self.ceremonies.load(name), submitted_at=self.clock.now()), "InitializeCluster accepted")
        return {}

    def _submitted(self, _: Step, found: Found) -> Found | None:
        """Nothing found, where the cluster has been claimed with our certificate.

        Raises:
            Conflict: it has been claimed with another.
        """
        cluster = self.cluster(found["cluster_id"])
        if cluster.state is ClusterState.UNINITIALIZED:
            return None
        shown, ours = cluster.certificates.cluster, self.ceremonies.load(cluster.cluster_id).signed_sha256
        # Only while it initializes may the certificate not be shown yet.
        if shown and self.papers.fingerprint(shown) != ours:
            raise Conflict(
                f"{cluster.cluster_id} is {cluster.state}",
                "it was claimed with another certificate than this ceremony's",
                "find out who did: CloudTrail, InitializeCluster",
            )
        return {}

    def _check_may_submit(self, cluster: Cluster) -> None:
        name = cluster.cluster_id
        check_may_submit(cluster, self.ceremonies.load(name), self._csr_sha256(cluster))
        documents = (self._document(name, SIGNED), self._document(name, ANCHOR))
        self.papers.check_signed(cluster.certificates.csr or "", *documents, self.clock.now())

    def _document(self, cluster_id: str, name: str) -> str:
        text = self.ceremonies.document(cluster_id, name)
        if text is None:
            raise Conflict(f"{name} is missing", "the folder lost it", f"hsmctl cluster init sign {cluster_id}")
        return text

    def _csr_sha256(self, cluster: Cluster) -> str:
        csr = cluster.certificates.csr
        return self.papers.fingerprint(csr) if csr else ""

    def _remember(self, ceremony: Ceremony, what: str, **about: str | tuple[str, ...]) -> Ceremony:
        """Journal it, remember it, and write it into the transcript, in this order."""
        self._note(ceremony.cluster_id, what, about)
        self.ceremonies.save(ceremony)
        return ceremony

    def _note(self, cluster_id: str, what: str, about: Mapping[str, str | tuple[str, ...]]) -> None:
        """Write it into the journal and, a line for each thing, into the transcript."""
        kept = {"cluster": cluster_id, "what": what, "break_glass": self.guard(), **about}
        self.journal.append("ceremony", kept)
        lines = [what]
        for name, value in about.items():
            lines += [f"  {name}: {value}"] if isinstance(value, str) else [f"  {each}" for each in value]
        for line in lines:
            self.ceremonies.note(cluster_id, line)


def _fetching() -> Step:
    return Step(
        action=Action.WAIT_CSR, says="keep the CSR and the certificates", effect=Effect.WAIT, permissions=_DESCRIBES
    )


def _verifying(identity: Mapping[str, str]) -> Step:
    says = "take the hardware UNVERIFIED" if "skip" in identity else "verify both hardware certificate chains"
    return Step(action=Action.VERIFY_IDENTITY, says=says, effect=Effect.WAIT, inputs=identity)


def _signing(named: Mapping[str, str], words: str) -> Step:
    return Step(action=Action.SIGN_CSR, says=f"sign the HSM's CSR: {words}", effect=Effect.WAIT, inputs=named)


def _submitting() -> Step:
    return Step(
        action=Action.INITIALIZE,
        says="hand the signed certificate and the trust anchor to AWS",
        effect=Effect.DESTROY,
        states=frozenset({ClusterState.UNINITIALIZED}),
        permissions=("cloudhsm:InitializeCluster",),
    )


def _waiting(state: str) -> Step:
    return Step(
        action=Action.WAIT_CLUSTER,
        says=f"wait until the cluster is {state.upper()}",
        effect=Effect.WAIT,
        inputs={"state": state},
        permissions=_DESCRIBES,
        usual=timedelta(minutes=4),
    )
