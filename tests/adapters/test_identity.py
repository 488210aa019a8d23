"""Proves that hardware is believed only when every link of both chains holds, and that each wrong link is named."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from certificates import Issuer, csr, root, tampered
from cryptography.hazmat.primitives.asymmetric import ec
from world import NOW, FakeClock

from hsmctl.adapters.clock import SystemClock
from hsmctl.adapters.identity import Hardware
from hsmctl.domain.cluster import Certificates
from hsmctl.errors import Denied, UsageError
from hsmctl.lab.pki import AWS_ROOT, MANUFACTURER_ROOT, new_papers
from hsmctl.ports import HardwareIdentity

LATE, EARLY = (-20, -10), (10, 20)
KEY, HARDWARE_KEY, OTHER_KEY = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
AWS, MANUFACTURER, STRANGER = root("AWS", NOW), root("Marvell", NOW), root("Mallory", NOW)
HARDWARE = AWS.below("hardware", NOW, HARDWARE_KEY)
REQUEST = csr(KEY)
SHOWN = Certificates(
    csr=REQUEST,
    hsm=HARDWARE.sign(REQUEST, NOW),
    aws_hardware=HARDWARE.pem,
    manufacturer_hardware=MANUFACTURER.below("hardware", NOW, HARDWARE_KEY).pem,
)
"""Certificates in which every link holds."""


@dataclass(frozen=True)
class Case:
    """One thing that is wrong, and what is said about it."""

    says: str
    aws: Issuer = AWS
    manufacturer: Issuer = MANUFACTURER
    csr: str | None = SHOWN.csr
    hsm: str | None = SHOWN.hsm
    aws_hardware: str | None = SHOWN.aws_hardware
    manufacturer_hardware: str | None = SHOWN.manufacturer_hardware

    @property
    def shown(self) -> Certificates:
        return replace(
            SHOWN,
            csr=self.csr,
            hsm=self.hsm,
            aws_hardware=self.aws_hardware,
            manufacturer_hardware=self.manufacturer_hardware,
        )


def identity(folder: Path, aws: Issuer = AWS, manufacturer: Issuer = MANUFACTURER) -> HardwareIdentity:
    """The verifier that was given these roots."""
    (folder / "aws.pem").write_text(aws.pem)
    (folder / "manufacturer.pem").write_text(manufacturer.pem)
    return Hardware(aws_root=folder / "aws.pem", manufacturer_root=folder / "manufacturer.pem", clock=FakeClock())


def test_hardware_is_believed_when_every_link_holds(tmp_path: Path) -> None:
    said = identity(tmp_path).verify(SHOWN)
    assert [sentence.partition(", SHA-256 ")[0] for sentence in said] == [
        "the AWS root is the one given",
        "the AWS hardware certificate is issued by the AWS root",
        "the HSM certificate is issued by the AWS hardware certificate",
        "the manufacturer root is the one given",
        "the manufacturer hardware certificate is issued by the manufacturer root",
        "the HSM certificate is issued by the manufacturer hardware certificate",
        "the certificate signing request is for the key of the HSM certificate and signed by it",
    ]
    assert all(len(sentence.partition(", SHA-256 ")[2].split(":")) == 32 for sentence in said[:-1])


def _hardware(issuer: Issuer, *, ca: bool = True, days: tuple[int, int] = (-1, 3652)) -> str:
    return issuer.below("hardware", NOW, HARDWARE_KEY, ca=ca, days=days).pem


@pytest.mark.parametrize(
    "case",
    [
        Case("the AWS hardware certificate is not issued by the AWS root", aws=STRANGER),
        Case("the AWS hardware certificate is not issued by the AWS root", aws_hardware=_hardware(STRANGER)),
        Case(
            "the AWS hardware certificate is not issued by the AWS root",
            aws_hardware=_hardware(Issuer(AWS.certificate, OTHER_KEY)),
        ),
        Case(
            "the manufacturer hardware certificate is not issued by the manufacturer root",
            manufacturer_hardware=SHOWN.aws_hardware,
        ),
        Case(
            "the HSM certificate is not issued by the AWS hardware certificate",
            aws_hardware=AWS.below("hardware", NOW, OTHER_KEY).pem,
        ),
        Case(
            "the HSM certificate is not issued by the manufacturer hardware certificate",
            manufacturer_hardware=MANUFACTURER.below("hardware", NOW, OTHER_KEY).pem,
        ),
        Case(
            "the HSM certificate is not issued by the AWS hardware certificate",
            hsm=Issuer(HARDWARE.certificate, OTHER_KEY).sign(REQUEST, NOW),
        ),
        Case("the AWS root is not issued by itself", aws=STRANGER.below("AWS", NOW)),
        Case(
            "the AWS hardware certificate is not allowed to issue certificates", aws_hardware=_hardware(AWS, ca=False)
        ),
        Case("the AWS hardware certificate expired on 2026-11-13", aws_hardware=_hardware(AWS, days=LATE)),
        Case("the HSM certificate expired on 2026-11-13", hsm=HARDWARE.sign(REQUEST, NOW, LATE)),
        Case("the HSM certificate is valid only from 2026-12-03", hsm=HARDWARE.sign(REQUEST, NOW, EARLY)),
        Case("the manufacturer root expired on 2026-11-13", manufacturer=root("Marvell", NOW, days=LATE)),
        Case("the key of the certificate signing request is not that of the HSM certificate", csr=csr(OTHER_KEY)),
        Case(
            "the certificate signing request is not signed by its own key",
            csr=tampered(REQUEST, b"somebody", b"somebodx"),
        ),
        Case("the certificate signing request is missing", csr=None),
        Case("the certificate signing request is not PEM", csr="junk"),
        Case("the HSM certificate is missing", hsm=None),
        Case("the AWS hardware certificate is no PEM certificate", aws_hardware="junk"),
        Case("the manufacturer hardware certificate is missing", manufacturer_hardware=""),
    ],
    ids=lambda case: case.says,
)
def test_one_wrong_link_is_named(tmp_path: Path, case: Case) -> None:
    with pytest.raises(Denied) as denied:
        identity(tmp_path, case.aws, case.manufacturer).verify(case.shown)
    assert denied.value.what == "hardware not verified"
    assert denied.value.why.startswith(case.says)
    assert "do not initialize" in denied.value.hint


def test_the_papers_of_the_lab_are_believed_under_its_own_roots_alone(tmp_path: Path) -> None:
    papers = new_papers(tmp_path, "hsm-aaaaaaaaaaa", "FIPS", datetime.now(UTC))
    shown = Certificates(
        csr=papers.csr,
        hsm=papers.hsm_certificate,
        aws_hardware=papers.aws_hardware_certificate,
        manufacturer_hardware=papers.manufacturer_hardware_certificate,
    )
    roots = {"aws_root": tmp_path / AWS_ROOT, "manufacturer_root": tmp_path / MANUFACTURER_ROOT}
    assert len(Hardware(**roots, clock=SystemClock()).verify(shown)) == 7
    swapped = {"aws_root": roots["manufacturer_root"], "manufacturer_root": roots["aws_root"]}
    with pytest.raises(Denied, match="the AWS hardware certificate is not issued by the AWS root"):
        Hardware(**swapped, clock=SystemClock()).verify(shown)


def test_a_root_that_cannot_be_read_is_a_usage_error(tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.pem"
    with pytest.raises(UsageError, match=r"nothing\.pem: cannot be read"):
        Hardware(aws_root=nothing, manufacturer_root=nothing, clock=FakeClock()).verify(SHOWN)
