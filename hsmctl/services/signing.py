"""Approving off-line: a bundle is read, its token signed with a key of one's own, and the bundle written back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hsmctl.domain.quorum import Bundle
from hsmctl.domain.user import Role, check_name
from hsmctl.errors import Conflict
from hsmctl.ports import Clock
from hsmctl.ports_cli import Bundles, SigningKeys
from hsmctl.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningService:
    """Signs bundles; neither AWS nor an HSM is asked."""

    clock: Clock
    keys: SigningKeys
    bundles: Bundles
    ask: Callable[[str], Secret]

    def read(self, path: str) -> Bundle:
        """The bundle of a file.

        Raises:
            UsageError: it is none.
        """
        return self.bundles.read(path)

    def sign(self, path: str, user: str, key: str) -> Bundle:
        """The bundle with one more signature, written back.

        Raises:
            UsageError: it is no bundle, or there is no RSA-2048 key.
            Denied: others may read the key, or its passphrase is wrong.
            Conflict: the token has ended, so that a signature would be for nothing.
        """
        bundle = self.bundles.read(path)
        if bundle.expires_at <= self.clock.now():
            ended = f"it ended at {bundle.expires_at:%H:%M:%S} UTC"
            raise Conflict("the token of this bundle", ended, f"{bundle.asked_by} has to ask again")
        factor = self.keys.open(key, lambda: self.ask(f"passphrase of {key}"))
        signed = bundle.signed(check_name(user), Role.ADMIN, factor.sign(bundle.digest))
        self.bundles.write(path, signed)
        return signed
