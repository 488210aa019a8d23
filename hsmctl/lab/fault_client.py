"""Faults of the client host: a configuration that no longer lists the HSMs there are, a certificate of another CA.

Nobody brings either up to date but the operator. Clearing puts back what was there before, unless somebody has
configured the client since.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from hsmctl.errors import Conflict
from hsmctl.lab.cli_config import COMPONENTS, UNCONFIGURED, Installation, read, servers
from hsmctl.lab.fault import Fault, FaultBook
from hsmctl.lab.folder import write_private

_NOBODY = 254
"""The last host of a subnet, which no HSM of the lab ever gets."""
Files = Mapping[str, tuple[str, str]]
"""What files hold before and after, by path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientFaults:
    """The family CLIENT."""

    installation: Installation
    book: FaultBook
    address: Callable[[str], str]
    """The address of an HSM."""

    def prepare(self, fault: Fault) -> Fault:
        """The fault with the files it bends.

        Raises:
            Conflict: the client is not configured.
        """
        files = self._stale(fault.hsm) if fault.name == "client-stale" else self._strange()
        if all(before == after for before, after in files.values()):
            raise Conflict(f"{fault.name} makes no sense here", "it is so already", "hsmctl lab fault list")
        return replace(fault, detail={"files": files})

    def settle(self, fault: Fault) -> None:
        """Have the files as the book wants them, unless somebody has changed them since."""
        inside = any(each.fault_id == fault.fault_id for each in self.book.all())
        for name, (before, after) in fault.detail["files"].items():
            path = self.installation.root / name
            have, want = (before, after) if inside else (after, before)
            if path.read_text() == have:
                mode = path.stat().st_mode & 0o777
                write_private(path, want.encode())
                path.chmod(mode)

    def _stale(self, hsm: str | None) -> Files:
        """Configurations without an HSM; or, if none is named, with the first and one that is long gone."""
        files = {}
        for component in COMPONENTS:
            path = self.installation.configuration(component)
            document = read(path)
            before = path.read_text()
            entry = document["clusters"][0]["cluster"]
            known = [each["hostname"] for each in entry["servers"]]
            if known == [UNCONFIGURED]:
                raise Conflict("the client is not configured", "there is nothing to be stale", "hsmctl lab up")
            gone = f"{known[0].rpartition('.')[0]}.{_NOBODY}"
            left = [each for each in known if each != self.address(hsm)] if hsm else [known[0], gone]
            entry["servers"] = servers(left or [gone])
            files[str(path.relative_to(self.installation.root))] = (before, json.dumps(document, indent=2) + "\n")
        return files

    def _strange(self) -> Files:
        """Another CA's certificate."""
        from hsmctl.lab.provision import outer_certificate

        path = self.installation.customer_ca
        if not path.exists():
            raise Conflict("the client has no CA certificate", "there is none to exchange", "hsmctl lab up")
        pem = outer_certificate("lab", "another CA").decode()
        stranger = pem[pem.index("-----BEGIN CERTIFICATE") :]
        return {str(path.relative_to(self.installation.root)): (path.read_text(), stranger)}
