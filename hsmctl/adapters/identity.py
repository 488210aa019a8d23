"""Says whether a cluster's first HSM is the hardware it claims to be (user guide, verify-hsm-identity).

Knows which documents lead to which root. Leaves X.509 to `chain`, which is imported only when something is verified.
"""

from __future__ import annotations

from pathlib import Path

from hsmctl.domain.cluster import Certificates
from hsmctl.errors import UsageError
from hsmctl.ports import Clock


class Hardware:
    """ports.HardwareIdentity against two root certificates, which the operator obtained out of band."""

    def __init__(self, *, aws_root: Path, manufacturer_root: Path, clock: Clock) -> None:
        """Name the PEM files of the roots; nothing is read yet."""
        self._aws_root = aws_root
        self._manufacturer_root = manufacturer_root
        self._clock = clock

    def verify(self, certificates: Certificates) -> tuple[str, ...]:
        """What was verified, a sentence each: both chains, and that the CSR's key is the HSM's.

        Raises:
            Denied: a link does not verify; the error names it.
            UsageError: a root certificate cannot be read.
        """
        from hsmctl.adapters.chain import parsed, verified_chain, verified_request

        moment = self._clock.now()
        hsm = parsed("HSM certificate", certificates.hsm)
        aws = parsed("AWS hardware certificate", certificates.aws_hardware)
        manufacturer = parsed("manufacturer hardware certificate", certificates.manufacturer_hardware)
        aws_root = parsed("AWS root", _read(self._aws_root))
        manufacturer_root = parsed("manufacturer root", _read(self._manufacturer_root))
        return (
            *verified_chain((aws_root, aws, hsm), moment),
            *verified_chain((manufacturer_root, manufacturer, hsm), moment),
            verified_request(certificates.csr, hsm),
        )


def _read(path: Path) -> str:
    """A root certificate's file."""
    try:
        return path.read_text(errors="replace")
    except OSError as error:
        why = f"cannot be read: {error.strerror}"
        raise UsageError(f"root certificate {path}", why, "set hardware_roots in the context") from error
