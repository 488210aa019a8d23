"""Proves that a ceremony cut off anywhere ends with one claim, and that nothing false is ever handed over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pytest
import world
from ceremony_estate import (
    AWS,
    CUSTOMER,
    HARDWARE_KEY,
    MANUFACTURER,
    OTHER_KEY,
    OURS,
    REQUEST,
    SHOWN,
    STRANGER,
    Estate,
    Killed,
    with_hsm,
)
from certificates import Issuer, csr, root
from cryptography.hazmat.primitives.asymmetric import rsa
from world import CLUSTER, NOW

from hsmctl.domain.ceremony import Stage
from hsmctl.domain.cluster import Certificates, ClusterState
from hsmctl.domain.hsm import adding
from hsmctl.errors import Conflict, Denied, HsmctlError, UsageError
from hsmctl.services.ceremony import CeremonyService


def records(folder: Path) -> int:
    """How many records a whole ceremony writes."""
    estate = Estate(folder, words=True)
    estate.run()
    assert estate.cluster().state is ClusterState.INITIALIZED
    return len(list(estate.journal().records()))


def test_a_ceremony_that_dies_at_any_record_ends_with_one_claim(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    for place in range(1, records(tmp_path / "whole") + 1):
        for written in (False, True):
            folder = tmp_path / f"{place}-{written}"
            folder.mkdir()
            estate = Estate(folder, words=True)
            with pytest.raises(Killed):
                estate.run(place, written=written)
            estate.run()
            assert estate.cluster().state is ClusterState.INITIALIZED, (place, written)
            assert len(estate.plane.claims) == 1
            assert len(estate.cluster().hsms) == 1


def test_a_claim_whose_answer_was_lost_is_not_repeated(tmp_path: Path) -> None:
    estate = Estate(tmp_path)
    estate.plane.dies = True
    with pytest.raises(Killed):
        estate.run()
    estate.run()
    assert (len(estate.plane.claims), estate.cluster().state) == (1, ClusterState.INITIALIZED)


def test_what_somebody_else_claimed_meanwhile_is_no_success(tmp_path: Path) -> None:
    estate = Estate(tmp_path)
    estate.plane.dies = True
    with pytest.raises(Killed):
        estate.run()
    estate.plane.claims[:] = [STRANGER.sign(REQUEST, NOW)]
    with pytest.raises(Conflict, match="another certificate"):
        estate.run()


@dataclass(frozen=True)
class False_:
    """One thing that is false, and what is said of it."""

    says: str
    shown: Certificates = SHOWN
    roots: tuple[Issuer, Issuer] = (AWS, MANUFACTURER)
    error: type[HsmctlError] = Denied


FALSE = (
    False_("AWS hardware certificate is not issued by the AWS root", roots=(STRANGER, MANUFACTURER)),
    False_("manufacturer hardware certificate is not issued", roots=(AWS, STRANGER)),
    False_("HSM certificate is not issued by the AWS", replace(SHOWN, hsm=STRANGER.sign(REQUEST, NOW))),
    False_(
        "AWS hardware certificate expired",
        replace(SHOWN, aws_hardware=AWS.below("hardware", NOW, HARDWARE_KEY, days=(-20, -10)).pem),
    ),
    False_(
        "manufacturer hardware certificate expired",
        replace(SHOWN, manufacturer_hardware=MANUFACTURER.below("hardware", NOW, HARDWARE_KEY, days=(-20, -10)).pem),
    ),
    False_("key of the certificate signing request is not that", replace(SHOWN, csr=csr(OTHER_KEY))),
    False_("AWS hardware certificate is missing", replace(SHOWN, aws_hardware=None)),
)


@pytest.mark.parametrize("case", FALSE, ids=lambda case: case.says)
def test_false_hardware_is_refused_by_name_and_nothing_is_submitted(case: False_, tmp_path: Path) -> None:
    estate = Estate(tmp_path, with_hsm(case.shown), roots=case.roots)
    with pytest.raises(case.error, match=case.says):
        estate.run()
    assert estate.plane.claims == []
    assert estate.cluster().state is ClusterState.UNINITIALIZED
    assert not (tmp_path / "ceremony" / CLUSTER / "signed.pem").exists()


def signed(estate: Estate) -> CeremonyService:
    """A ceremony up to its signature."""
    service = estate.service()
    service.fetch(estate.cluster())
    service.verify(estate.cluster(), {})
    service.sign(estate.cluster(), OURS)
    return service


def test_a_csr_swapped_after_it_was_signed_stops_everything(tmp_path: Path) -> None:
    estate = Estate(tmp_path, with_hsm())
    service = signed(estate)
    plan = service.plan_submit(estate.cluster())
    estate.plane.shown = replace(SHOWN, csr=csr(OTHER_KEY))

    with pytest.raises(Conflict, match="has changed since it was signed"):
        service.plan_submit(estate.cluster())
    journal = estate.journal()
    with pytest.raises(Conflict, match="has changed since it was signed"):
        list(estate.operations(journal).apply(plan, estate.playbook(journal)))
    with pytest.raises(Conflict, match="has changed since it was signed"):
        service.fetch(estate.cluster())
    where = service.standing(estate.cluster())
    assert (where.stage, bool(where.critical)) == (Stage.CHANGED, True)
    assert estate.plane.claims == []
    # Anew, the false CSR does not pass either: its key is not the HSM's.
    service.fetch(estate.cluster(), restart=True)
    with pytest.raises(Denied, match="key of the certificate signing request"):
        service.verify(estate.cluster(), {})


def test_a_csr_that_changes_before_it_is_signed_is_noticed(tmp_path: Path) -> None:
    estate = Estate(tmp_path, with_hsm())
    service = estate.service()
    service.fetch(estate.cluster())
    service.verify(estate.cluster(), {})
    estate.plane.shown = replace(SHOWN, csr=csr(OTHER_KEY))
    with pytest.raises(Conflict, match="has changed"):
        service.sign(estate.cluster(), OURS)


def test_verb_by_verb_it_says_what_comes_next(tmp_path: Path) -> None:
    estate = Estate(tmp_path)
    service = estate.service()
    stages = [service.standing(estate.cluster()).stage]
    estate.plane.create_hsm(CLUSTER, world.ZONES[0])
    estate.cluster()
    stages.append(service.standing(estate.cluster()).stage)
    service.fetch(estate.cluster())
    stages.append(service.standing(estate.cluster()).stage)
    service.verify(estate.cluster(), {})
    stages.append(service.standing(estate.cluster()).stage)
    service.sign(estate.cluster(), OURS)
    stages.append(service.standing(estate.cluster()).stage)
    journal = estate.journal()
    list(estate.operations(journal).apply(service.plan_submit(estate.cluster()), estate.playbook(journal)))
    where = service.standing(estate.cluster())
    assert stages == [Stage.NO_HSM, Stage.CSR, Stage.CSR, Stage.VERIFIED, Stage.SIGNED]
    assert (where.stage, where.next) == (Stage.INITIALIZED, f"hsmctl cluster activate {CLUSTER}")
    assert "not activated" in where.critical
    written = "\n".join(service.ceremonies.transcript(CLUSTER))
    for part in (
        "csr fetched",
        "identity verified",
        "CSR signed by the CA of the context",
        "InitializeCluster accepted",
    ):
        assert part in written
    assert service.papers.fingerprint(CUSTOMER.pem) in written


def test_nothing_is_signed_that_was_not_verified_and_unverified_is_said_for_ever(tmp_path: Path) -> None:
    estate = Estate(tmp_path, with_hsm())
    service = estate.service()
    service.fetch(estate.cluster())
    with pytest.raises(Conflict, match="not verified"):
        service.sign(estate.cluster(), OURS)
    service.verify(estate.cluster(), {}, skip="no roots at hand")
    service.sign(estate.cluster(), OURS)
    assert service.ceremonies.load(CLUSTER).unverified == "no roots at hand"
    assert "UNVERIFIED" in "\n".join(service.ceremonies.transcript(CLUSTER))


def test_an_offline_ca_hands_over_what_it_signed(tmp_path: Path) -> None:
    estate = Estate(tmp_path, with_hsm())
    service = estate.service()
    service.fetch(estate.cluster())
    service.verify(estate.cluster(), {})
    below = CUSTOMER.below("issuing", NOW)
    (tmp_path / "signed.pem").write_text(below.sign(REQUEST, NOW))
    (tmp_path / "anchor.pem").write_text(below.pem + CUSTOMER.pem)
    named = {"ca": "offline", "signed": str(tmp_path / "signed.pem"), "anchor": str(tmp_path / "anchor.pem")}
    assert service.sign(estate.cluster(), named).signed_by == "offline CA"
    service.plan_submit(estate.cluster())


def chain(length: int, moment: datetime = NOW) -> list[Issuer]:
    """Authorities from the root down."""
    links = [root("root", moment)]
    for number in range(length - 1):
        links.append(links[-1].below(f"ca {number}", moment))
    return links


def long_chain() -> tuple[str, str]:
    links = chain(5)
    return links[-1].sign(REQUEST, NOW), "".join(link.pem for link in reversed(links))


def no_root() -> tuple[str, str]:
    below = CUSTOMER.below("issuing", NOW)
    return below.sign(REQUEST, NOW), below.pem


def weak() -> tuple[str, str]:
    issuer = root("weak", NOW, rsa.generate_private_key(65537, 1024))
    return issuer.sign(REQUEST, NOW), issuer.pem


def no_authority() -> tuple[str, str]:
    issuer = root("no CA", NOW, ca=False)
    return issuer.sign(REQUEST, NOW), issuer.pem


def expired() -> tuple[str, str]:
    return CUSTOMER.sign(REQUEST, NOW, days=(-20, -10)), CUSTOMER.pem


@pytest.mark.parametrize(
    ("handed", "says"),
    [
        (lambda: (CUSTOMER.sign(csr(OTHER_KEY), NOW), CUSTOMER.pem), "another key than the CSR"),
        (lambda: (STRANGER.sign(REQUEST, NOW), CUSTOMER.pem), "is not issued by"),
        (lambda: ("no PEM", CUSTOMER.pem), "neither a PEM"),
        (long_chain, "has 5 certificates"),
        (no_root, "not issued by itself"),
        (weak, "neither RSA 2048"),
        (no_authority, "is not a CA"),
        (expired, "not valid today"),
    ],
)
def test_what_cloudhsm_would_refuse_is_refused_before(
    handed: Callable[[], tuple[str, str]], says: str, tmp_path: Path
) -> None:
    estate = Estate(tmp_path, with_hsm())
    service = estate.service()
    service.fetch(estate.cluster())
    service.verify(estate.cluster(), {})
    for name, text in zip(("signed", "anchor"), handed(), strict=True):
        (tmp_path / f"{name}.pem").write_text(text)
    named = {"ca": "offline", "signed": str(tmp_path / "signed.pem"), "anchor": str(tmp_path / "anchor.pem")}
    with pytest.raises(Conflict, match=says):
        service.sign(estate.cluster(), named)
    assert service.ceremonies.document(CLUSTER, "signed.pem") is None


def test_a_new_software_ca_lies_outside_the_state_folder_and_sealed(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    estate = Estate(tmp_path / "state", with_hsm())
    service = estate.service()
    service.fetch(estate.cluster())
    service.verify(estate.cluster(), {})
    inside = {"ca": "new", "key": str(tmp_path / "state" / "ca.key"), "certificate": "x", "name": "CA"}
    with pytest.raises(UsageError, match="keeps no private keys"):
        service.sign(estate.cluster(), inside)
    key = tmp_path / "media" / "ca.key"
    named = {"ca": "new", "key": str(key), "certificate": str(key) + ".crt", "name": "Example Ltd"}
    service.sign(estate.cluster(), named)
    assert "ENCRYPTED" in key.read_text()
    assert key.stat().st_mode & 0o777 == 0o600
    kept = "".join(path.read_text() for path in (tmp_path / "state").rglob("*") if path.is_file())
    assert "PRIVATE KEY" not in kept


def test_a_protected_context_takes_no_software_ca_unless_somebody_accepts_it(tmp_path: Path) -> None:
    estate = Estate(tmp_path, with_hsm(), protected=True)
    service = estate.service()
    service.fetch(estate.cluster())
    service.verify(estate.cluster(), {})
    with pytest.raises(Denied, match="protected"):
        service.sign(estate.cluster(), {"ca": "file", "key": "k", "certificate": "c"})


def test_a_claimed_cluster_takes_no_ceremony(tmp_path: Path) -> None:
    estate = Estate(tmp_path)
    estate.run()
    with pytest.raises(Conflict, match="initialized"):
        estate.service().plan(estate.cluster(), OURS, {})


def test_steps_of_hsms_begin_a_ceremony_only_where_there_is_none(tmp_path: Path) -> None:
    estate = Estate(tmp_path)
    plan = estate.service().plan(estate.cluster(), OURS, {})
    assert plan.steps[:2] == adding(estate.cluster(), [world.ZONES[0]])
    there = Estate(tmp_path, with_hsm())
    assert len(there.service().plan(there.cluster(), OURS, {}).steps) == 5
