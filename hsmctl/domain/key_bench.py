"""What `key bench` measures: an algorithm, the session key it is done with, and what its figures come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from hsmctl.domain.key import KeyKind
from hsmctl.domain.mechanism import Mechanism, Speed, TokenFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """One thing that is done again and again."""

    name: str
    kind: KeyKind
    size: str
    """Of the key."""
    how: str
    """sign or encrypt."""
    mechanism: Mechanism
    bytes: int
    """Of data, each time."""

    def offered(self, facts: TokenFacts) -> bool:
        """Whether the token names the mechanism, by its usual name."""
        return facts.offers(self.mechanism.name)


def _signs(name: str, kind: KeyKind, size: str, mechanism: Mechanism, data: int) -> Bench:
    return Bench(name=name, kind=kind, size=size, how="sign", mechanism=mechanism, bytes=data)


def _encrypts(name: str, mechanism: Mechanism) -> Bench:
    return Bench(name=name, kind=KeyKind.AES, size="256", how="encrypt", mechanism=mechanism, bytes=1024)


_PSS = Mechanism(name="RSA_PKCS_PSS", hash="sha256", salt=32)
BENCHES: Mapping[str, Bench] = {
    bench.name: bench
    for bench in (
        *(
            _signs(f"rsa-{bits}", KeyKind.RSA, bits, Mechanism(name="RSA_PKCS"), 51)
            for bits in ("2048", "3072", "4096")
        ),
        _signs("rsa-2048-pss", KeyKind.RSA, "2048", _PSS, 32),
        _signs("ec-p256", KeyKind.EC, "P-256", Mechanism(name="ECDSA"), 32),
        _signs("ec-p384", KeyKind.EC, "P-384", Mechanism(name="ECDSA"), 48),
        _signs("ed25519", KeyKind.ED25519, "Ed25519", Mechanism(name="EDDSA"), 32),
        _signs("hmac-sha256", KeyKind.GENERIC, "256", Mechanism(name="SHA256_HMAC"), 1024),
        _encrypts("aes-256-cbc", Mechanism(name="AES_CBC", iv=bytes(16))),
        _encrypts("aes-256-gcm", Mechanism(name="AES_GCM", iv=bytes(12))),
    )
}
"""By name: signatures of a SHA-256 digest, or of one in a DigestInfo, MACs and ciphertexts of 1 KiB."""


def together(speeds: Sequence[Speed]) -> Speed:
    """What several conversations did at the same time, over the time from the first beginning to the last end."""
    began = min(each.began for each in speeds)
    end = max(each.began + each.seconds for each in speeds)
    latencies = tuple(sorted(latency for each in speeds for latency in each.latencies))
    return Speed(count=sum(each.count for each in speeds), began=began, seconds=end - began, latencies=latencies)


def percentile(latencies: Sequence[float], share: float) -> float:
    """The latency, of sorted ones, that this share of them does not exceed (the nearest rank)."""
    return latencies[max(0, ceil(len(latencies) * share) - 1)]
