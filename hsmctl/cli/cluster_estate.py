"""`cluster list` over many regions and contexts at once."""

from __future__ import annotations

from collections.abc import Sequence

from hsmctl.cli.cluster_view import LIST, row, worst_first
from hsmctl.cli.session import ALL, Session, names_in
from hsmctl.domain.evidence import Failed, Ok
from hsmctl.errors import Denied, ExitCode, HsmctlError
from hsmctl.services.estate import Listed, listing


def list_estate(session: Session, regions: str | None, contexts: str | None, seconds: float) -> int:
    """Ask every place at once; exit 6 where some did not answer, and the error's own code where none did."""
    names = names_in(contexts)
    facades = [session.elsewhere(name) for name in names] or [session.hsmctl]
    wanted = names_in(regions)
    places = [
        place for facade in facades for place in facade.places(wanted, everywhere=wanted == [ALL], named=bool(names))
    ]
    listed = listing(places, session.unbound.clock, seconds)
    rows = worst_first(
        row(cluster, each.place.context or None)
        for each in listed
        if isinstance(each.outcome, Ok)
        for cluster in each.outcome.value
    )
    failed = [(each, each.outcome.error) for each in listed if isinstance(each.outcome, Failed)]
    warnings = tuple(f"{each.place} did not answer: {error}" for each, error in failed)
    code = _code(listed, [error for _, error in failed])
    return session.show(
        LIST, rows, region=",".join(dict.fromkeys(place.region for place in places)), warnings=warnings, code=code
    )


def _code(listed: Sequence[Listed], errors: Sequence[HsmctlError]) -> ExitCode:
    if not errors:
        return ExitCode.OK
    if len(errors) < len(listed):
        return ExitCode.PARTIAL
    return ExitCode.DENIED if all(isinstance(error, Denied) for error in errors) else ExitCode.UNKNOWN
