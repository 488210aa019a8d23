"""Puts ceremonies together: their folder, X.509, and the operator's CA wherever it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hsmctl.errors import Conflict, UsageError
from hsmctl.settings import Context

if TYPE_CHECKING:
    from hsmctl.adapters.aws import Aws
    from hsmctl.domain.cluster import Cluster
    from hsmctl.ports import Authority, Clock, HardwareIdentity, Journal
    from hsmctl.secret import Secret
    from hsmctl.services.ceremony import CeremonyService
    from hsmctl.services.key_certificate import KeyCertificates


def ceremony_service(
    *,
    aws: Aws,
    context: Context,
    clock: Clock,
    journal: Journal,
    state_folder: Path,
    cluster: Callable[[str], Cluster],
    authority: Authority | None,
    hardware: HardwareIdentity | None,
    ask: Callable[[str], Secret],
    certificates: Callable[[], KeyCertificates],
    guard: Callable[[], str | None],
) -> CeremonyService:
    """The ceremonies that claim clusters."""
    from hsmctl.adapters.authorities import NamedAuthorities
    from hsmctl.adapters.ceremony import FileCeremonies
    from hsmctl.adapters.papers import X509Papers
    from hsmctl.services.ceremony import CeremonyService
    from hsmctl.services.draft import Drafts
    from hsmctl.wiring.cluster import look_seconds

    return CeremonyService(
        clock=clock,
        plane=aws.plane,
        drafts=Drafts(clock=clock, plane=aws.plane, identity=aws.identity(context.account_id)),
        journal=journal,
        cluster=cluster,
        ceremonies=FileCeremonies(state_folder / "ceremony", clock),
        papers=X509Papers(),
        authorities=NamedAuthorities(
            context_authority=authority,
            passphrase=passphrases(ask),
            token=_token_authority(context, certificates, journal),
            clock=clock,
            state_folder=state_folder,
            protected=context.protect,
        ),
        hardware=lambda roots: _hardware(roots, hardware, clock),
        guard=guard,
        every=look_seconds(context),
    )


def _token_authority(
    context: Context, certificates: Callable[[], KeyCertificates], journal: Journal
) -> Callable[[Mapping[str, str], str], Authority]:
    """Makes a CA of what names its key on a token of the context, and of its certificate, or "" where that is there."""
    from hsmctl.domain.key_name import KeyName
    from hsmctl.services.authority import TokenAuthority
    from hsmctl.wiring.sync import token_replicas

    def make(named: Mapping[str, str], anchor: str) -> Authority:
        replica = next((each for each in token_replicas(context) if each.name == named["token"]), None)
        if replica is None:
            raise Conflict(f"no token {named['token']}", "the plan was made where there was one", "hsmctl config show")
        key = KeyName.parse(named["key"])
        return TokenAuthority(certificates=certificates(), journal=journal, replica=replica, key=key, anchor=anchor)

    return make


def passphrases(ask: Callable[[str], Secret]) -> Callable[[Mapping[str, str]], Secret]:
    """How the passphrase of a CA is had: from the file that is named, or by asking; twice for a key yet to be made."""
    from hsmctl.secret import Source, SourceKind, read_secret

    def read(named: Mapping[str, str]) -> Secret:
        file, prompt = named.get("passphrase_file"), f"passphrase of {named['key']}"
        if file:
            return read_secret(Source(SourceKind.FILE, (file,)), lambda: ask(prompt))
        given = ask(prompt)
        if named["ca"] == "new" and not Path(named["key"]).exists() and ask(f"{prompt}, again") != given:
            raise UsageError(prompt, "the two differ", "try again")
        return given

    return read


def _hardware(roots: Mapping[str, str], configured: HardwareIdentity | None, clock: Clock) -> HardwareIdentity | None:
    """What verifies against the roots that are named, or against the context's."""
    from hsmctl.wiring.cluster import hardware_identity

    if "aws_root" in roots and "manufacturer_root" in roots:
        return hardware_identity([Path(roots["aws_root"]), Path(roots["manufacturer_root"])], clock)
    return configured
