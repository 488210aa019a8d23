"""Whether keys that came to one HSM of a cluster are on the others too: the last step of a copy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hsmctl.domain.key import Identity, Key
from hsmctl.domain.key_copy import awaited
from hsmctl.domain.operation import Found
from hsmctl.domain.plan import Action, Step
from hsmctl.domain.sync import Replica
from hsmctl.errors import Conflict, Partial
from hsmctl.services.key import KeyService
from hsmctl.services.operation import Runner
from hsmctl.services.wait import Wait

_SECONDS = 30.0
"""How long keys may take to be on every HSM."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyArrival:
    """Looks for keys on every HSM of a cluster."""

    key: Callable[[], KeyService]
    place: Callable[[str, str | None], Replica]
    beside: Callable[[str], Sequence[Replica]]
    """The replicas that a cluster's keys can be asked of."""

    @property
    def runners(self) -> Mapping[Action, Runner]:
        """How the step that `domain.key_copy.arrival_step` makes is run."""
        return {Action.WAIT_KEYS: Runner(run=self._run)}

    def _run(self, step: Step, _: Found) -> Wait[Found]:
        """Which HSMs list the keys.

        Raises:
            Conflict: the HSM they came to does not list them.
            Partial: another does not in time, or cannot be read; the next run looks again.
        """
        cluster_id, service = step.inputs["to_cluster"], self.key()
        first = self.place(step.inputs["to"], cluster_id)
        others = [each for each in self.beside(cluster_id) if each.realm == cluster_id and each != first]
        yield f"looking for them on {', '.join(each.name for each in (first, *others))}"
        keys = _listed(awaited(step.inputs), service.list([first], seconds=_SECONDS).inventory.keys, first)
        seen = service.seen(keys, (first, *others), seconds=_SECONDS)
        if seen.missing_on:
            what = f"not every HSM of {cluster_id} lists what was copied"
            why = f"seen on {', '.join(seen.seen_on) or 'none'}, not in time on {', '.join(seen.missing_on)}"
            raise Partial(what, why, f"hsmctl sync check {cluster_id}")
        # Each HSM listed them when its user asked, and proved nothing by that.
        return {"seen_on": f"{', '.join(seen.seen_on)} (reported)"}


def _listed(wanted: Sequence[Identity], keys: Sequence[Key], where: Replica) -> tuple[Key, ...]:
    """The keys that are meant, as the HSM they came to lists them."""
    found = tuple(key for key in keys if key.identity in wanted)
    gone = {*wanted} - {key.identity for key in found}
    if gone:
        raise Conflict(f"{gone.pop()} is gone", f"{where.name} does not list it any more", "hsmctl key list")
    return found
