"""`config`: where the configuration is, what it means, whether it is right, and a first one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from hsmctl.cli.session import Session
from hsmctl.cli.table import details
from hsmctl.cli.verb import Noun, verb
from hsmctl.cli.view import Page, View
from hsmctl.errors import Conflict
from hsmctl.mark import Mark
from hsmctl.private import write_private
from hsmctl.secret import Source, SourceKind
from hsmctl.settings import Settings
from hsmctl.settings_entry import ClientEntry, TokenEntry
from hsmctl.settings_loader import config_path, read

EXAMPLE = """\
# hsmctl's contexts. A key nobody knows is an error: `hsmctl config check`.
# default_context = "prod"

# [ui]
# theme = "hsmctl-contrast"             # hsmctl ui lists them: :theme
# keys = { refresh = "f5" }             # by the name of a command, as `?` lists them

# [context.prod]
# profile = "prod"                      # the AWS profile, as for the AWS CLI
# region = "eu-central-1"
# account_id = "111122223333"           # every check and change compares the caller's account with it
# clusters = ["cluster-a2b3c4d5e6f"]
# user = "ops_check"                    # the crypto user that looks at keys
# password = { keyring = ["hsmctl", "ops_check"] }
#            # or { prompt = true }, { file = "…" }, { fd = 3 }, { command = ["pass", "hsm/ops_check"] }
# customer_ca = "customerCA.crt"
# deep_allow = ["app-*"]                # labels of keys that sync check --deep may use
# canary = true                         # sync canary may make keys here, as a user that has no others
# protect = true                        # changes need --break-glass REASON
# price_per_hour = 1.60                 # USD per HSM
#
# [[context.prod.tokens]]               # PKCS#11 tokens that are compared
# name = "onprem-1"
# module = "/usr/lib/softhsm/libsofthsm2.so"
# label = "prod"
# user = "ops_check"
# password = { file = "onprem-1.pin" }  # mode 600
# environment = { SOFTHSM2_CONF = "/etc/softhsm2-prod.conf" }
#            # or serial = "…", slot = 0; site = "Frankfurt"; cluster = "cluster-…" if it is CloudHSM's library;
#            # host = "app1": the library is on that client, where hsmctl's agent runs for as long as a check
#
# [[context.prod.clients]]              # who uses the HSMs: net explain, net probe, net exposure
# name = "app1"
# host = "app1.internal"                # where ssh goes; user and port as in ssh's own configuration
# source = "i-0a1b2c3d4e5f60718"        # what it is to AWS: instance, interface, address or prefix
# cli = "/opt/cloudhsm/bin/cloudhsm-cli"
# config_folder = "/opt/cloudhsm/etc"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRow:
    """One PKCS#11 token of a context."""

    name: str
    module: str
    label: str
    serial: str
    slot: int | None
    environment: Mapping[str, str]
    host: str
    """The client host whose library it is; empty for this machine's."""
    cluster: str
    site: str
    user: str
    password: str | None
    """Where it comes from; never what it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRow:
    """One registered client of a context."""

    name: str
    host: str | None
    user: str | None
    port: int | None
    source: str | None
    """What it is to AWS."""
    cli: str | None
    """Where its cloudhsm-cli is; null is /opt/cloudhsm/bin."""
    config_folder: str | None
    """Where that one's configuration is; null is /opt/cloudhsm/etc."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextDetails:
    """The context in force, flags and environment included."""

    name: str | None
    kind: str
    profile: str | None
    region: str | None
    endpoint_url: str | None
    account_id: str | None
    clusters: tuple[str, ...]
    user: str | None
    password: str | None
    """Where it comes from; never what it is."""
    customer_ca: str | None
    hardware_roots: tuple[str, ...]
    subnets: Mapping[str, str]
    tokens: tuple[TokenRow, ...]
    clients: tuple[ClientRow, ...]
    ssh_config: str | None
    deep_allow: tuple[str, ...]
    protect: bool
    read_only: bool
    price_per_hour: str | None
    """USD per HSM, a decimal number as text."""
    config: str
    state_folder: str
    lab_home: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigChecked:
    """A configuration in which nothing is wrong."""

    path: str
    exists: bool
    contexts: tuple[str, ...]


@verb("path", "hsmctl config path")
def path(session: Session) -> int:
    """Print where the configuration file is, or would be."""
    return session.show_local(PATH, str(config_path(session.environ)))


@verb("show", "hsmctl config show", "hsmctl -c prod config show -o json")
def show(session: Session) -> int:
    """Show the context in force; of secrets only where they come from."""
    return session.show(SHOW, _details(session.hsmctl.settings, config_path(session.environ)))


@verb("check", "hsmctl config check")
def check(session: Session) -> int:
    """Read the whole configuration and say what is wrong with it."""
    where = config_path(session.environ)
    checked = ConfigChecked(path=str(where), exists=where.exists(), contexts=tuple(read(where)))
    return session.show_local(CHECK, checked)


@verb("init", "hsmctl config init")
def init(session: Session) -> int:
    """Write a first configuration with everything in it as comments; an existing one is left alone."""
    where = config_path(session.environ)
    if where.exists():
        raise Conflict(f"{where} exists", "it is yours and stays as it is", "hsmctl config check")
    write_private(where, EXAMPLE.encode())
    session.out.say("written; every line is a comment until you take its # away")
    return session.show_local(INIT, str(where))


noun = Noun("config", "The configuration file and its contexts.", path, show, check, init)


def _details(settings: Settings, config: Path) -> ContextDetails:
    context = settings.context
    return ContextDetails(
        name=context.name or None,
        kind=context.kind,
        profile=context.profile,
        region=context.region,
        endpoint_url=context.endpoint_url,
        account_id=context.account_id,
        clusters=context.clusters,
        user=context.user or None,
        password=_place(context.password),
        customer_ca=str(context.customer_ca) if context.customer_ca else None,
        hardware_roots=tuple(map(str, context.hardware_roots)),
        subnets=context.subnets,
        tokens=tuple(map(_token, context.tokens)),
        clients=tuple(map(_client, context.clients)),
        ssh_config=str(context.ssh_config) if context.ssh_config else None,
        deep_allow=context.deep_allow,
        protect=context.protect,
        read_only=context.read_only,
        price_per_hour=None if context.price_per_hour is None else str(context.price_per_hour),
        config=str(config),
        state_folder=str(settings.state_folder),
        lab_home=str(settings.lab_home),
    )


def _token(entry: TokenEntry) -> TokenRow:
    values = {each.name: getattr(entry, each.name) for each in fields(entry)}
    return TokenRow(**{**values, "password": _place(entry.password)})


def _client(entry: ClientEntry) -> ClientRow:
    return ClientRow(
        name=entry.name,
        host=entry.host or None,
        user=entry.user or None,
        port=entry.port,
        source=entry.source or None,
        cli=entry.cli or None,
        config_folder=entry.config_folder or None,
    )


def _place(source: Source | None) -> str | None:
    """Where a secret comes from, in words; of a command only the program, its arguments are nobody's business."""
    if source is None:
        return None
    where = source.where[:1] if source.kind is SourceKind.COMMAND else source.where
    return " ".join([source.kind, *where])


def _show_lines(context: ContextDetails, _: Page) -> list[str]:
    """Every field that says something, one a line; the names are those of the file."""
    return details([(field.name, _value(getattr(context, field.name))) for field in fields(context)])


def _value(value: object) -> str:
    match value:
        case None | False:
            return ""
        case True:
            return "true"
        case TokenRow() | ClientRow():
            return value.name
        case Mapping():
            return " ".join(f"{name}={each}" for name, each in value.items())
        case tuple():
            return " ".join(map(_value, value))
    return str(value)


def _check_lines(checked: ConfigChecked, _: Page) -> list[str]:
    if not checked.exists:
        return [f"{Mark.ATTENTION.glyph} {checked.path} does not exist: hsmctl config init"]
    return [f"{Mark.PROVED.glyph} {checked.path} is right", f"  contexts: {', '.join(checked.contexts) or 'none'}"]


def _path_view(schema: str) -> View[str]:
    return View(schema=schema, document=str, lines=lambda where, _: [where], names=lambda where: [where])


PATH = _path_view("config.path@1")
INIT = _path_view("config.init@1")
SHOW: View[ContextDetails] = View(
    schema="config.show@1",
    document=ContextDetails,
    lines=_show_lines,
    names=lambda context: [context.name or ""],
)
CHECK: View[ConfigChecked] = View(
    schema="config.check@1",
    document=ConfigChecked,
    lines=_check_lines,
    names=lambda checked: checked.contexts,
)
