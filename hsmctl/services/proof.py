"""The signatures of one run of proofs: each is verified once, and as soon as the replica that made it has answered.

While slow replicas use their keys there is time to verify; once all have answered everybody waits for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from hsmctl.domain.evidence import Ok
from hsmctl.domain.proof import foresee, settle
from hsmctl.domain.sync import Reading
from hsmctl.ports import SignatureVerifier


class Signatures:
    """What the signatures of the run with one nonce are worth."""

    def __init__(self, verifier: SignatureVerifier, nonce: bytes) -> None:
        self._fits = cache(verifier.fits)
        self._certify = cache(verifier.certify)
        self._nonce = nonce

    def foresee(self, reading: Reading) -> None:
        """Verify what a reading's own public halves answer for; it takes a millisecond a key."""
        if isinstance(reading.outcome, Ok):
            foresee(reading.outcome.value, self._nonce, self._fits, self._certify)

    def settled(self, readings: Iterable[Reading]) -> tuple[Reading, ...]:
        """The readings with every signature verified, once all of them are there."""
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor() as pool:
            return settle(readings, self._nonce, self._fits, self._certify, pool.map)
