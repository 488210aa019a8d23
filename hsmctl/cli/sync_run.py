"""One check as the commands of `sync` run it: where to ask is found out within the same time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hsmctl.cli.session import Session
from hsmctl.cli.sync_view import progress
from hsmctl.domain.sync import Reading, Replica, Report
from hsmctl.services.fanout import within


def checked(
    session: Session,
    cluster: str | None,
    names: Sequence[str],
    seconds: float,
    nonce: Callable[[], bytes | None] = lambda: None,
    spent: float = 0.0,
) -> Report:
    """The check; `spent` seconds of its time are gone, and so is what AWS is asked before; what is typed is not."""
    facade = session.hsmctl
    deadline = facade.clock.monotonic() + seconds - spent

    def find() -> tuple[Replica, ...]:
        session.check_account(cluster)
        return session.replicas(cluster, names)

    replicas = within(find, "AWS", clock=facade.clock, deadline=deadline)
    left = max(0.0, deadline - facade.clock.monotonic())

    def heard(reading: Reading) -> None:
        if session.out.interactive:
            session.out.say(progress(reading))

    return facade.sync.check(replicas, seconds=left, nonce=nonce(), heard=heard)
