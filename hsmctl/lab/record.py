"""What one HSM of the lab is, as its folder remembers it: its place, its origin, its tokens and their PINs."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from typing import Self

from hsmctl.lab.folder import NodeFolder, write_private
from hsmctl.lab.machines import Place

# SoftHSM gives its empty slot the number of tokens as its id, and aborts where a token has that slot already.
_FIRST_SLOT = 0x10000


@dataclass(frozen=True, slots=True)
class TokenAccess:
    """How one crypto user's token is opened on one HSM."""

    slot: int
    pin: str = field(repr=False)
    """Random, and never leaves the HSM's folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRecord:
    """One HSM of the lab."""

    place: Place
    clone_of: str | None = None
    """The HSM it is, or is to be, a clone of."""
    token_key: str = field(repr=False)
    """The key of all tokens of the cluster and its clones, hex: with one key, object files are copied as they are."""
    tokens: dict[str, TokenAccess] = field(default_factory=dict)
    """By crypto user; the token's folder bears the user's name."""

    def with_token(self, user: str, pin: str) -> Self:
        """The same HSM with one more token, in a slot nobody used."""
        slot = max((access.slot for access in self.tokens.values()), default=_FIRST_SLOT) + 1
        return replace(self, tokens={**self.tokens, user: TokenAccess(slot, pin)})

    def serial(self, user: str) -> str:
        """The serial number of a user's token; SoftHSM takes the slot id from its last eight digits."""
        digest = hashlib.sha256(self.place.hsm_id.encode()).hexdigest()
        return f"{digest[:8]}{self.tokens[user].slot:08x}"

    def info(self) -> dict[str, str]:
        """What `cluster hsm-info` says of it; no id and no address (cloudhsm_cli-cluster-hsm-info)."""
        fips = self.place.mode == "FIPS"
        number = int(hashlib.sha256(self.place.hsm_id.encode()).hexdigest()[:8], 16)
        return {
            "vendor": "Marvell Semiconductors, Inc.",
            "model": "LS2-G-AXT-T-M-8",  # UNCONFIRMED for hsm2m.medium, as the numbers below are
            "serial-number": f"5.3G{number % 10**10:010d}-LAB",
            "hardware-version-major": "5",
            "hardware-version-minor": "3",
            "firmware-version-major": "2",
            "firmware-version-minor": "6",
            "firmware-build-number": "16",
            "firmware-id": "LAB-FW-2.06-16",
            "fips-state": f"{'2 [FIPS' if fips else '0 [non-FIPS'} mode with single factor authentication]",
        }

    @classmethod
    def read(cls, folder: NodeFolder) -> Self:
        """The record of an HSM's folder."""
        loaded = json.loads(folder.record.read_text())
        tokens = {user: TokenAccess(**access) for user, access in loaded.pop("tokens").items()}
        return cls(place=Place(**loaded.pop("place")), tokens=tokens, **loaded)

    def write(self, folder: NodeFolder) -> None:
        """Keep the record in the HSM's folder."""
        write_private(folder.record, json.dumps(asdict(self), indent=1).encode())
