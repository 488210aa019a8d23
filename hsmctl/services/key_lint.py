"""Keys held to the rules, with what is known beside their listing: cloudhsm-cli's word, this machine's notes.

Whoever cannot be asked leaves a doubt, never silence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from hsmctl.domain.key_age import Births, births, first_seen
from hsmctl.domain.key_lint import Beside, Verdict, Wanted, judge
from hsmctl.domain.key_rule import Doubt
from hsmctl.domain.key_share import Reports, reports_of
from hsmctl.domain.sync import Replica
from hsmctl.domain.user import Role
from hsmctl.errors import HsmctlError
from hsmctl.ports import Clock, Journal, Login
from hsmctl.ports_sync import History
from hsmctl.services.console import ConsoleService
from hsmctl.services.key import Listing

_NO_CLUSTER = {"KY-09": "a token's keys have one user, and PKCS#11 knows no approvals"}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLint:
    """Judges keys."""

    clock: Clock
    journal: Journal
    history: Callable[[], History]
    console: Callable[[], ConsoleService]
    login: Callable[[Replica], Login]

    def judge(self, listing: Listing, replicas: Sequence[Replica], wanted: Wanted) -> Verdict:
        """What breaks a rule, and what could not be judged; `replicas` are the places these keys may be made on."""
        replica, keys = listing.replica, listing.inventory.keys
        born = self._births(replica, [each.name for each in replicas])
        beside = Beside(now=self.clock.now(), births=born, beyond={} if replica.realm else _NO_CLUSTER)
        alone = judge(keys, wanted, beside)
        open_ = {each.rule.rule_id for each in alone.unjudged} - {"KY-07"}
        if not replica.realm or not open_:
            return alone
        return judge(keys, wanted, replace(beside, reports=self._reports(replica)))

    def _births(self, replica: Replica, places: Sequence[str]) -> Births | Doubt:
        """What this machine wrote down; the journal knows better than the checks."""
        try:
            seen = first_seen(self.history().sighted(replica.realm or replica.name))
            return {**seen, **births(self.journal.records(), replica.realm, places)}
        except HsmctlError as error:
            return _doubt("this machine's notes cannot be read", error)

    def _reports(self, replica: Replica) -> Reports | Doubt:
        """What cloudhsm-cli tells the user whose keys were listed; no key is used."""
        try:
            with (
                self.console().open(replica.realm) as console,
                console.login(self.login(replica), Role.CRYPTO_USER) as session,
            ):
                keys, _ = session.keys()
                return reports_of(keys)
        except HsmctlError as error:
            return _doubt("sharing and approvals are cloudhsm-cli's to tell", error)


def _doubt(what: str, error: HsmctlError) -> Doubt:
    return Doubt(f"{what}: {error}", error.hint)
