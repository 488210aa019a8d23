"""One run of the command line: what was typed, the façade it leads to, and where the answer goes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TextIO, TypeVar

from hsmctl.cli.output import Format, Output
from hsmctl.errors import Conflict, ExitCode, UsageError
from hsmctl.secret import Secret
from hsmctl.settings import ContextKind, Flags, Settings

if TYPE_CHECKING:
    from hsmctl.bootstrap import Hsmctl
    from hsmctl.cli.view import View
    from hsmctl.domain.plan import Plan
    from hsmctl.domain.sync import Replica

T = TypeVar("T")
_NAMING = 30.0
"""Seconds after which AWS is no longer waited for, where nobody says."""
ALL = "all"
"""Stands for every region."""
Connect = Callable[[Settings, Callable[[str], Secret]], "Hsmctl"]


@dataclass(kw_only=True)
class Session:
    """What a command gets; the façade is made when it is first asked for."""

    out: Output
    environ: Mapping[str, str]
    connect: Connect | None = None
    """Makes the façade; None is the real one."""
    lived: Callable[[], float] = lambda: 0.0
    """Seconds since the process was started: whoever types a deadline waits from there."""
    typed: dict[str, object] = field(default_factory=dict)
    """The shared options that were typed, by name; the one nearest to the verb wins."""
    logs: bool = True
    """Whether log records go where this run's narration goes."""
    hand_over: Callable[[Plan], None] | None = None
    """Takes a plan that would otherwise be confirmed and run here."""
    _account: str | None = None

    @cached_property
    def hsmctl(self) -> Hsmctl:
        """The façade over the chosen context.

        Raises:
            UsageError: the configuration or the choice makes no sense.
            Conflict: the lab was chosen and there is none.
        """
        from hsmctl.settings_loader import load

        return self.connected(load(self.flags, self.environ))

    def elsewhere(self, context: str) -> Hsmctl:
        """The façade over another context, for what reads several at once.

        Raises:
            UsageError: there is no such context.
        """
        from dataclasses import replace

        from hsmctl.settings_loader import load

        return self.connected(load(replace(self.flags, context=context, lab=context == "lab"), self.environ))

    def in_region(self, facade: Hsmctl, region: str) -> Hsmctl:
        """The façade over the same context in another region."""
        from dataclasses import replace

        context = replace(facade.context, region=region)
        return self.connected(replace(facade.settings, context=context))

    @cached_property
    def unbound(self) -> Hsmctl:
        """The façade without a context: the clock, and the lab whether it exists or not."""
        from hsmctl.settings_loader import folders

        return self.connected(folders(self.environ))

    @property
    def flags(self) -> Flags:
        """The typed options that choose and bend the context."""
        return Flags(
            context=self._text("context"),
            lab="lab" in self.typed,
            profile=self._text("profile"),
            region=self._text("region"),
            endpoint_url=self._text("endpoint_url"),
        )

    @property
    def names_lab(self) -> bool:
        """Whether this is about the lab; before there is a façade, as far as what was typed can tell."""
        from hsmctl.settings_loader import LAB, chosen

        if "hsmctl" in vars(self):
            return self.hsmctl.context.kind is ContextKind.LAB
        return self.flags.lab or chosen(self.flags, self.environ) == LAB

    def begin(self, *, may_check: bool) -> None:
        """Take what was typed into account, and refuse early what could not be answered later."""
        self.out.query = self._text("query")
        usual = Format.TABLE if self.out.query is None else Format.JSON
        self.out.format = Format(self._text("output") or usual)
        self.out.colour = "no_color" not in self.typed
        self.out.check(may_check=may_check)
        if self.logs:
            self.log_to(self.out.stderr)

    def log_to(self, stream: TextIO) -> None:
        """Send log records there."""
        from hsmctl.cli.logs import configure

        configure(int(self._text("verbose") or 0), stream)

    def check_account(self, cluster_id: str | None = None) -> None:
        """Compare the caller's account with the context's, before a verdict or a change.

        A context of tokens alone, without an account or a cluster, has nothing to compare.

        Raises:
            Denied: it is another account.
        """
        context = self.hsmctl.context
        if cluster_id or context.account_id or not context.tokens:
            self._account = self.hsmctl.aws.identity(context.account_id).caller().account

    def show(
        self,
        view: View[T],
        document: T,
        *,
        region: str | None = None,
        warnings: tuple[str, ...] = (),
        code: int = ExitCode.OK,
    ) -> int:
        """Write an answer that comes from the chosen context; the exit code, in the convention of the format."""
        from hsmctl.cli.view import Origin

        context = self.hsmctl.context
        account, place = self._account or context.account_id, region or context.region
        origin = Origin(environment=context.kind, account=account, region=place)
        return self.out.answer(view, document, origin, self.hsmctl.clock.now(), warnings, code)

    def show_local(
        self,
        view: View[T],
        document: T,
        environment: ContextKind | None = None,
        code: int = ExitCode.OK,
        warnings: tuple[str, ...] = (),
    ) -> int:
        """Write an answer that comes from this machine; the exit code."""
        from hsmctl.cli.view import Origin

        chosen = ContextKind.LAB if self.names_lab else ContextKind.AWS
        origin = Origin(environment=environment or chosen, account=None, region=None)
        return self.out.answer(view, document, origin, self.unbound.clock.now(), warnings, code)

    def cluster_id(self, text: str, seconds: float | None = None) -> str:
        """The id of the cluster that was typed, by its id or its name; AWS is asked only for a name.

        Raises:
            Conflict: no cluster is called so, or more than one.
            Unreachable: AWS did not answer within so many seconds.
        """
        from hsmctl.domain.cluster import called, is_id

        if is_id(text):
            return text
        from hsmctl.services.fanout import within

        facade, clock = self.hsmctl, self.hsmctl.clock
        deadline = clock.monotonic() + (seconds or _NAMING)
        return called(text, within(facade.cluster.list, "AWS", clock=clock, deadline=deadline)).cluster_id

    def place(self, name: str) -> str:
        """The id of the lab's cluster that has this name; any other name of a replica as it is."""
        context = self.hsmctl.context
        tokens = (entry.name for entry in context.tokens)
        if (
            context.kind is not ContextKind.LAB
            or name.startswith(("hsm-", "cluster-"))
            or "=" in name
            or name in tokens
        ):
            return name
        found = [cluster.cluster_id for cluster in self.hsmctl.cluster.list() if cluster.name == name]
        return found[0] if len(found) == 1 else name

    def replicas(self, cluster_id: str | None, names: Sequence[str] = ()) -> tuple[Replica, ...]:
        """Where the keys of the cluster, or of the context's tokens, can be asked; only `names` if there are any.

        A name is an HSM's, a token's, a lab cluster's, which stands for its HSMs, or `NAME=ADDRESS` of any other token.

        Raises:
            Conflict: a name is none of theirs.
        """
        facade = self.hsmctl
        if not names and cluster_id is None and facade.context.kind is ContextKind.AWS:
            return facade.token_replicas()
        if not names:
            return facade.replicas(facade.cluster.only(cluster_id))
        return self._named(cluster_id, names)

    def _named(self, cluster_id: str | None, names: Sequence[str]) -> tuple[Replica, ...]:
        """The replicas of these names, each once; AWS is asked only where one may be an HSM or a cluster."""
        facade, others = self.hsmctl, [self.place(name) for name in names if "=" not in name]
        known = list(facade.token_replicas() if facade.context.tokens else ())
        missing = set(others) - {replica.name for replica in known}
        if missing and facade.context.kind is ContextKind.LAB:
            clusters = [facade.cluster.show(cluster_id)] if cluster_id else facade.cluster.list()
            known += [replica for cluster in clusters for replica in facade.replicas(cluster)]
        whole = {name for name in others if name in {replica.realm for replica in known}}
        wanted = [name for name in others if name not in whole]
        wanted += [replica.name for replica in known if replica.realm in whole]
        return (*named(known, wanted), *(_at(name) for name in names if "=" in name))

    def _text(self, name: str) -> str | None:
        return str(self.typed[name]) if name in self.typed else None

    def connected(self, settings: Settings) -> Hsmctl:
        """The façade over these settings."""
        if self.connect is not None:
            return self.connect(settings, ask)
        from hsmctl.bootstrap import Hsmctl

        return Hsmctl(settings, ask)


def names_in(text: str | None) -> list[str]:
    """Names with commas between, as options of many take them."""
    return [name for name in (text or "").split(",") if name]


def ask(prompt: str) -> Secret:
    """The secret somebody types at the terminal.

    Raises:
        UsageError: nobody is there to ask.
    """
    if not sys.stdin.isatty():
        raise UsageError(prompt, "no terminal to ask at", 'name its source in the context: password = { file = "…" }')
    from getpass import getpass

    try:
        typed = getpass(f"{prompt}: ", sys.stderr)
    except EOFError:
        typed = ""
    if not typed:
        raise UsageError(prompt, "nothing was typed", "try again")
    return Secret(typed)


def _at(name: str) -> Replica:
    """A token that no context lists, as `NAME=ADDRESS`; the context's user logs in to it."""
    from hsmctl.domain.sync import Replica

    title, _, address = name.partition("=")
    return Replica(name=title or address, address=address)


def named(replicas: Sequence[Replica], names: Sequence[str]) -> tuple[Replica, ...]:
    """The replicas of these names, in their own order.

    Raises:
        Conflict: a name is none of theirs.
    """
    known = {replica.name: replica for replica in replicas}
    for name in names:
        if name not in known:
            raise Conflict(f"no replica {name}", f"there are {', '.join(known) or 'none'}", "name one of them")
    return tuple(replica for replica in replicas if replica.name in names)
