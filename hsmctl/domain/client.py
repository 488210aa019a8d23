"""A client host's CloudHSM client: its components, their configurations, and what is wrong with them.

Each component of Client SDK 5 has a configuration of its own, so one that works proves nothing about another. What is
compared: the configured addresses with the HSMs that exist, the CA with the cluster's, modes, the availability check.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

UNCONFIGURED = "%%HSM_IP_ADDRESS%%"
"""The address a component has before its configure tool ran."""
CLI_FOLDER = "/opt/cloudhsm/etc"
CLI = "/opt/cloudhsm/bin/cloudhsm-cli"
LEAST_CA_LIFE = timedelta(days=180)
MOST_SKEW = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredCluster:
    """One cluster in a component's configuration."""

    cluster_id: str = ""
    """Empty where it was configured by address."""
    addresses: tuple[str, ...] = ()
    ca_file: str = ""
    availability_check: bool = True
    client_certificate: str = ""
    client_key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """One component's configuration file."""

    clusters: tuple[ConfiguredCluster, ...]
    retry_mode: str = ""

    def of(self, cluster_id: str) -> ConfiguredCluster | None:
        """The entry of a cluster: named, or the only one where that has no name."""
        named = next((each for each in self.clusters if each.cluster_id == cluster_id), None)
        alone = self.clusters[0] if len(self.clusters) == 1 and not self.clusters[0].cluster_id else None
        return named or alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One installed part of the client, such as cli or pkcs11."""

    name: str
    path: str
    version: str = ""
    mode: int = 0
    configuration: Configuration | None = None
    problem: str = ""
    """Why its configuration could not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientState:
    """What a client host told about itself."""

    host: str
    components: tuple[Component, ...]
    ca_files: Mapping[str, str]
    """PEM by path, empty where the file cannot be read."""
    time: datetime
    """The host's clock."""


class Level(StrEnum):
    """How well a thing is."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientFinding:
    """One thing about a host's client that was looked at."""

    host: str
    component: str
    what: str
    level: Level
    says: str
    fix: str = ""


def check_client(
    state: ClientState, cluster_id: str, addresses: Sequence[str], now: datetime, trusted: Mapping[str, datetime | None]
) -> tuple[ClientFinding, ...]:
    """Every finding about a host; `trusted` are CA files that are the cluster's CA, with the time they end."""
    skew = abs(state.time - now)
    found = [
        ClientFinding(
            host=state.host,
            component="host",
            what="clock",
            level=Level.OK if skew <= MOST_SKEW else Level.WARN,
            says=f"{skew.total_seconds():.0f} s off",
            fix="" if skew <= MOST_SKEW else "synchronise the clock: TLS and MFA depend on it",
        )
    ]
    for component in state.components:
        found += _component(state, component, cluster_id, addresses, now, trusted)
    return tuple(found)


def _component(
    state: ClientState,
    component: Component,
    cluster_id: str,
    addresses: Sequence[str],
    now: datetime,
    trusted: Mapping[str, datetime | None],
) -> list[ClientFinding]:
    def finding(what: str, level: Level, says: str, fix: str = "") -> ClientFinding:
        return ClientFinding(
            host=state.host,
            component=component.name,
            what=what,
            level=level,
            says=says,
            fix="" if level is Level.OK else fix,
        )

    if component.configuration is None:
        return [finding("configuration", Level.BAD, component.problem, f"hsmctl client configure {state.host}")]
    entry = component.configuration.of(cluster_id)
    if entry is None:
        return [finding("cluster", Level.BAD, f"{cluster_id} is not in it", f"hsmctl client configure {state.host}")]
    level, says = _addresses(entry, addresses)
    ca_level, ca_says = _ca(entry, now, trusted)
    open_to_all = bool(component.mode & 0o022)
    check = "on" if entry.availability_check else "off: keys may exist on one HSM only"
    retry = component.configuration.retry_mode or "standard"
    return [
        finding("addresses", level, says, f"hsmctl client configure {state.host}"),
        finding("CA", ca_level, ca_says, f"hsmctl client install-ca {state.host}"),
        finding("availability check", Level.OK if entry.availability_check else Level.WARN, check, "enable it"),
        finding("retry mode", Level.OK if retry == "standard" else Level.WARN, retry, "--default-retry-mode standard"),
        finding(
            "mode",
            Level.BAD if open_to_all else Level.OK,
            f"{component.mode:04o}",
            f"others may change it: chmod go-w {component.path}",
        ),
    ]


def _addresses(entry: ConfiguredCluster, addresses: Sequence[str]) -> tuple[Level, str]:
    """Whether the configured addresses are the cluster's."""
    have, want = set(entry.addresses), set(addresses)
    if UNCONFIGURED in have or not have:
        return Level.BAD, "never configured"
    gone, lacking = sorted(have - want), sorted(want - have)
    if not have & want:
        return Level.BAD, f"none is an HSM of the cluster: {', '.join(gone)}"
    if gone or lacking:
        said = [f"{', '.join(gone)} no longer exist" if gone else "", f"lacks {', '.join(lacking)}" if lacking else ""]
        return Level.WARN, "; ".join(filter(None, said))
    return Level.OK, f"all {len(want)}"


def _ca(entry: ConfiguredCluster, now: datetime, trusted: Mapping[str, datetime | None]) -> tuple[Level, str]:
    """Whether the CA file is the cluster's CA, and for how long."""
    if entry.ca_file not in trusted:
        return Level.BAD, f"{entry.ca_file or 'no file'} is not the cluster's CA"
    ends = trusted[entry.ca_file]
    if ends is not None and ends - now < LEAST_CA_LIFE:
        return Level.WARN, f"ends {ends:%Y-%m-%d}"
    return Level.OK, "the cluster's" + (f", until {ends:%Y-%m-%d}" if ends else "")
