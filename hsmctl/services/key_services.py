"""Everything that works on single keys, together: what `bootstrap` hands to the front ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hsmctl.domain.key import Key
from hsmctl.ports_key import KeyFormats
from hsmctl.services.key_arrival import KeyArrival
from hsmctl.services.key_bench import KeyBench
from hsmctl.services.key_certificate import KeyCertificates
from hsmctl.services.key_change import KeyChange
from hsmctl.services.key_copy import KeyCopy
from hsmctl.services.key_derive import KeyDerive
from hsmctl.services.key_door import KeyDoor
from hsmctl.services.key_lint import KeyLint
from hsmctl.services.key_move import KeyMove
from hsmctl.services.key_rotate import KeyRotate
from hsmctl.services.key_use import KeyUse
from hsmctl.services.operation import Playbook


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyServices:
    """Work on single keys of one context."""

    door: KeyDoor
    formats: KeyFormats
    use: KeyUse
    derive: KeyDerive
    move: KeyMove
    certificates: KeyCertificates
    change: KeyChange
    rotate: KeyRotate
    copy: KeyCopy
    arrival: KeyArrival
    bench: KeyBench
    lint: KeyLint
    bill: Callable[[str, Sequence[Key]], bytes]
    """A CycloneDX bill of a token's keys; raises UsageError where the extra is not installed."""

    @property
    def playbook(self) -> Playbook:
        """How all plans of keys are carried out."""
        runners = {**self.change.runners, **self.copy.runners, **self.arrival.runners, **self.rotate.runners}
        return Playbook(runners=runners, readers=self.change.readers)
