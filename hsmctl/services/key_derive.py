"""New secrets out of keys: ECDH with another side's public key, HKDF out of one secret; in the clear, or as a key.

Only the named key is used and only once for each request.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hsmctl.domain.key import KeyKind, ObjectClass
from hsmctl.domain.key_material import Peer
from hsmctl.domain.key_name import KeyName
from hsmctl.domain.key_offer import DERIVES
from hsmctl.domain.mechanism import Mechanism
from hsmctl.errors import DeviceError, UsageError
from hsmctl.ports import Journal
from hsmctl.services.key_door import KeyDoor, offered, only
from hsmctl.services.key_move import KINDS, Wanted, check_free, uses_of

if TYPE_CHECKING:
    from hsmctl.domain.key import Key
    from hsmctl.domain.sync import Replica
    from hsmctl.ports import Token


_KEPT = frozenset({"CKR_KEY_FUNCTION_NOT_PERMITTED", "CKR_ATTRIBUTE_SENSITIVE", "CKR_TEMPLATE_INCONSISTENT"})
"""How tokens say that a secret stays one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDerive:
    """Derives."""

    door: KeyDoor
    journal: Journal
    guard: Callable[[], str | None]

    def agree(self, replicas: Sequence[Replica], name: KeyName, peer: Peer, *, seconds: float) -> bytes:
        """The ECDH secret with the other side, in the clear, as it is before any derivation function.

        Raises:
            UsageError: the other side's key is on another curve.
            DeviceError: the token refused.
        """

        def work(replica: Replica, token: Token) -> bytes:
            key = only(token, name, (ObjectClass.PRIVATE,), replica.name)
            if key.curve and key.curve != peer.curve:
                raise UsageError(f"--peer on {peer.curve}", f"{key.identity} is on {key.curve}", "the two must agree")
            how = Mechanism(name="ECDH1_DERIVE", public=peer.point)
            with offered(token, f"{replica.name} does no ECDH on {peer.curve}", [how.name], DERIVES):
                return token.uses.agree(key, how, peer.size)

        return self.door.change(replicas, seconds, work)

    def expand(self, replicas: Sequence[Replica], name: KeyName, how: Mechanism, size: int, *, seconds: float) -> bytes:
        """So many bytes of HKDF out of a secret key, in the clear.

        Raises:
            DeviceError: the token has no HKDF, or refused.
        """

        def work(replica: Replica, token: Token) -> bytes:
            key = only(token, name, (ObjectClass.SECRET,), replica.name)
            try:
                with offered(token, f"{replica.name} does no HKDF", [how.name], DERIVES):
                    return token.uses.agree(key, how, size)
            except DeviceError as error:
                if error.ckr not in _KEPT or "sensitive" not in key.attributes:
                    raise
                why = f"{key.identity} is sensitive, and so is what comes out of it ({error.ckr})"
                raise DeviceError(
                    f"{replica.name} tells no HKDF output", why, "--label NAME, which makes it a key", ckr=error.ckr
                ) from error

        return self.door.change(replicas, seconds, work)

    def key(
        self,
        replicas: Sequence[Replica],
        name: KeyName,
        how: Mechanism,
        kind: KeyKind,
        bits: int,
        wanted: Wanted,
        *,
        seconds: float,
    ) -> Key:
        """A new token key of HKDF out of a secret key, which nobody sees.

        Raises:
            Conflict: its label or id is taken.
            DeviceError: the token has no HKDF, or refused.
        """
        number = next(number for number, each in KINDS.items() if each is kind)
        template = {"key_type": number, "bits": bits, **uses_of(kind, ObjectClass.SECRET, wanted)}
        break_glass = self.guard()

        def work(replica: Replica, token: Token) -> Key:
            check_free(token, replica, wanted, ObjectClass.SECRET)
            key = only(token, name, (ObjectClass.SECRET,), replica.name)
            fields = {"on": replica.name, "label": wanted.label, "id": wanted.key_id, "by": str(key.identity)}
            self.journal.append("key-derive", {**fields, "mechanism": how.name, "break_glass": break_glass})
            with offered(token, f"{replica.name} does no HKDF", [how.name], DERIVES):
                return token.uses.derive(key, how, template)

        return self.door.change(replicas, seconds, work)
