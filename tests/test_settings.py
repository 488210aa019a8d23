"""Proves where settings come from and which wins, that the lab is never implicit, and that nothing unknown passes."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from pathlib import Path

import pytest

from hsmctl import settings_value
from hsmctl.errors import Conflict, Denied, ExitCode, UsageError
from hsmctl.secret import Source, SourceKind
from hsmctl.settings import Context, ContextKind, Flags, check_may_write
from hsmctl.settings_entry import ClientEntry, TokenEntry
from hsmctl.settings_loader import folders, load, read, with_lab_context

CONFIG = """
default_context = "prod"
[context.prod]
profile = "prod"
region = "eu-central-1"
account_id = "111122223333"
clusters = ["cluster-a"]
user = "ops"
password = { file = "ops.pin" }
customer_ca = "ca/customerCA.crt"
hardware_roots = ["/aws.pem", "maker.pem"]
deep_allow = ["app-*"]
protect = true
price_per_hour = 1.60
subnets = { eu-central-1a = "subnet-1" }
[[context.prod.tokens]]
name = "onprem"
module = "lib/p11.so"
password = { command = ["pass", "hsm"] }
[context.stage]
region = "us-east-1"
"""
LAB = """
[context.lab]
kind = "lab"
region = "eu-central-1"
endpoint_url = "http://127.0.0.1:4599"
account_id = "111122223333"
access_key_id = "LAB"
secret_access_key_file = "secrets/aws"
user = "crypto_user"
password = { file = "secrets/crypto_user" }
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "config.toml").write_text(CONFIG)
    return {"HSMCTL_CONFIG": str(tmp_path / "config.toml"), "HSMCTL_STATE_HOME": str(tmp_path / "state")}


def write_lab(home: Path) -> None:
    home.mkdir(parents=True)
    (home / "context.toml").write_text(LAB)


def test_every_field_of_a_context_is_read(environ: dict[str, str], tmp_path: Path) -> None:
    assert load(Flags(), environ).context == Context(
        name="prod",
        profile="prod",
        region="eu-central-1",
        account_id="111122223333",
        clusters=("cluster-a",),
        user="ops",
        password=Source(SourceKind.FILE, (str(tmp_path / "ops.pin"),)),
        customer_ca=tmp_path / "ca/customerCA.crt",
        hardware_roots=(Path("/aws.pem"), tmp_path / "maker.pem"),
        deep_allow=("app-*",),
        protect=True,
        price_per_hour=Decimal("1.60"),
        subnets={"eu-central-1a": "subnet-1"},
        tokens=(
            TokenEntry(
                name="onprem",
                module=str(tmp_path / "lib/p11.so"),
                password=Source(SourceKind.COMMAND, ("pass", "hsm")),
            ),
        ),
    )


def test_keys_of_a_context_a_token_and_a_client_are_their_fields() -> None:
    lab_only = {"access_key_id", "secret_access_key_file"}
    context = {field.name for field in fields(Context)} - {"name", "access_key_id", "secret_access_key"}
    assert set(settings_value._KEYS) == context
    assert set(settings_value._LAB_KEYS) == context | lab_only
    assert set(settings_value._TOKEN_KEYS) == {field.name for field in fields(TokenEntry)}
    assert set(settings_value._CLIENT_KEYS) == {field.name for field in fields(ClientEntry)}


def test_the_flag_beats_the_variable_which_beats_the_default(environ: dict[str, str]) -> None:
    assert load(Flags(), environ).context.name == "prod"
    assert load(Flags(), environ | {"HSMCTL_CONTEXT": "stage"}).context.name == "stage"
    assert load(Flags(context="prod"), environ | {"HSMCTL_CONTEXT": "stage"}).context.name == "prod"


def test_a_typed_flag_beats_the_context_and_an_untyped_one_does_not(environ: dict[str, str]) -> None:
    bent = load(Flags(region="eu-west-1"), environ).context
    assert (bent.region, bent.profile) == ("eu-west-1", "prod")


def test_no_configuration_is_a_context_that_knows_nothing(tmp_path: Path) -> None:
    assert load(Flags(), {"HSMCTL_CONFIG": str(tmp_path / "none.toml")}).context == Context()


@pytest.mark.parametrize(
    ("flags", "more"),
    [
        (Flags(lab=True), {}),
        (Flags(context="lab"), {}),
        (Flags(lab=True, context="lab"), {}),
        (Flags(), {"HSMCTL_CONTEXT": "lab"}),
        (Flags(), {"HSMCTL_LAB_HOME": "{home}"}),
        (Flags(lab=True), {"HSMCTL_CONTEXT": "prod"}),
    ],
)
def test_the_lab_is_what_was_named(environ: dict[str, str], tmp_path: Path, flags: Flags, more: dict[str, str]) -> None:
    home = tmp_path / "state" / "lab"
    write_lab(home)
    context = load(flags, environ | {name: value.format(home=home) for name, value in more.items()}).context

    assert context.kind is ContextKind.LAB
    assert context.secret_access_key == Source(SourceKind.FILE, (str(home / "secrets/aws"),))
    assert context.access_key_id == "LAB"


def test_the_lab_is_never_implicit(environ: dict[str, str], tmp_path: Path) -> None:
    write_lab(tmp_path / "state" / "lab")
    (tmp_path / "config.toml").write_text("")
    assert load(Flags(), environ).context == Context()
    home = {"HSMCTL_LAB_HOME": str(tmp_path / "state" / "lab")}
    (tmp_path / "config.toml").write_text("[context.prod]\n")
    assert load(Flags(context="prod"), environ | home).context.name == "prod"
    assert load(Flags(), environ | home | {"HSMCTL_CONTEXT": "prod"}).context.name == "prod"


def test_two_contexts_at_once_are_refused(environ: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        load(Flags(lab=True, context="prod"), environ)


def test_a_lab_that_was_never_made_is_a_conflict(environ: dict[str, str]) -> None:
    with pytest.raises(Conflict) as caught:
        load(Flags(lab=True), environ)
    assert caught.value.exit_code is ExitCode.CONFLICT
    assert caught.value.hint == "hsmctl lab up"


def test_a_file_that_is_no_lab_is_not_taken_for_one(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "state" / "lab").mkdir(parents=True)
    (tmp_path / "state" / "lab" / "context.toml").write_text("[context.prod]\n")
    with pytest.raises(Conflict):
        with_lab_context(folders(environ))


def test_the_environments_endpoint_counts_where_aws_would_take_it(environ: dict[str, str], tmp_path: Path) -> None:
    aimed = environ | {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    assert load(Flags(), aimed).context.endpoint_url == "http://127.0.0.1:1"
    assert load(Flags(endpoint_url="https://x"), aimed).context.endpoint_url == "https://x"
    ignored = aimed | {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}
    assert load(Flags(), ignored).context.endpoint_url is None
    write_lab(tmp_path / "state" / "lab")
    assert load(Flags(lab=True), aimed).context.endpoint_url == "http://127.0.0.1:4599"


def test_folders_move_with_their_variables(tmp_path: Path) -> None:
    moved = folders({"HSMCTL_STATE_HOME": str(tmp_path), "HSMCTL_LAB_HOME": str(tmp_path / "l")})
    assert (moved.state_folder, moved.lab_home) == (tmp_path, tmp_path / "l")
    assert folders({"HSMCTL_STATE_HOME": str(tmp_path)}).lab_home == tmp_path / "lab"
    assert folders({}).state_folder.name == "hsmctl"


@pytest.mark.parametrize(
    ("text", "what", "why", "hint"),
    [
        ("defalt_context = 'x'", "defalt_context", "unknown key", "did you mean default_context?"),
        ("[context.p]\nregoin = 'x'", "context.p.regoin", "unknown key", "did you mean region?"),
        ("[context.p]\nqqq = 1", "context.p.qqq", "unknown key", "known: kind, profile"),
        ("[context.p]\naccess_key_id = 'x'", "context.p.access_key_id", "unknown key", ""),
        ("[context.p]\nregion = 1", "context.p.region", "not a string", "quotes"),
        ("[context.p]\nprotect = 'yes'", "context.p.protect", "not true or false", ""),
        ("[context.p]\naccount_id = 111122223333", "context.p.account_id", "not a string", ""),
        ("[context.p]\naccount_id = '1'", "context.p.account_id", "not an account id", "twelve digits"),
        ("[context.p]\nprice_per_hour = '1.6'", "context.p.price_per_hour", "not an amount", ""),
        ("[context.p]\nprice_per_hour = true", "context.p.price_per_hour", "not an amount", ""),
        ("[context.p]\nclusters = 'x'", "context.p.clusters", "not a list", ""),
        ("[context.p]\nclusters = ['x', 1]", "context.p.clusters[1]", "not a string", ""),
        ("[context.p]\nsubnets = ['x']", "context.p.subnets", "not a table", ""),
        ("[context.p]\npassword = 'hunter2'", "context.p.password", "not the source of a secret", "{ prompt = true }"),
        ("[[context.p.tokens]]\nname = 'a'", "context.p.tokens[0].module", "missing", ""),
        ("[[context.p.tokens]]\nlable = 'a'", "context.p.tokens[0].lable", "unknown key", "did you mean label?"),
        ("[context]\np = 1", "context.p", "not a table", ""),
        ("context = 1", "context", "not a table", ""),
        ("[context.lab]", "context.lab", "belong together", ""),
        ("[context.p]\nkind = 'lab'", "context.p", "belong together", ""),
        ("[context.p]\nkind = 'gcp'", "context.p.kind", "no kind gcp", ""),
        ("default_context = 'lab'", "default_context", "never implicit", "--lab"),
        ("default_context = 'prd'\n[context.prod]", "default_context", "no context prd", "did you mean prod?"),
        ("[context.p\n", "config.toml", "not TOML", ""),
    ],
)
def test_what_is_wrong_is_named_with_file_and_key(tmp_path: Path, text: str, what: str, why: str, hint: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read(path)

    assert caught.value.what.startswith(str(path))
    assert caught.value.what.endswith(what)
    assert why in caught.value.why
    assert hint in caught.value.hint
    assert "hunter2" not in str(caught.value) + caught.value.hint


def test_two_tokens_of_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[[context.p.tokens]]\nname='a'\nmodule='m'\n" * 2)
    with pytest.raises(UsageError, match="one name"):
        read(path)


def test_clients_are_read_with_where_they_are_and_what_they_are(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        "[context.p]\nssh_config = 'ssh_config'\n"
        "[[context.p.clients]]\nname = 'app1'\nhost = 'app1.internal'\nuser = 'ops'\nport = 2222\nsource = 'i-1'\n"
        "[[context.p.clients]]\nname = 'site'\nsource = '192.168.0.0/16'\n"
        "[[context.p.clients]]\nname = 'local'\ncli = '/c/bin/cloudhsm-cli'\nconfig_folder = '/c/etc'\n"
    )
    context = read(path)["p"]
    assert context.ssh_config == tmp_path / "ssh_config"
    assert context.clients == (
        ClientEntry(name="app1", host="app1.internal", user="ops", port=2222, source="i-1"),
        ClientEntry(name="site", source="192.168.0.0/16"),
        ClientEntry(name="local", cli="/c/bin/cloudhsm-cli", config_folder="/c/etc"),
    )


@pytest.mark.parametrize(
    ("client", "words"),
    [
        ("name = 'local'\nhost = 'x'", "local is this machine"),
        ("host = 'x'", "missing"),
        ("name = 'app1'", "neither host nor source"),
        ("name = 'app1'\nhost = 'x'\nport = 70000", "not a TCP port"),
        ("name = 'app1'\nhost = 'x'\nport = true", "not a TCP port"),
        ("name = 'app1'\nhots = 'x'", "unknown key"),
        ("name = 'a'\nhost = 'x'\n[[context.p.clients]]\nname = 'a'\nhost = 'y'", "one name"),
    ],
)
def test_a_client_that_makes_no_sense_is_refused(tmp_path: Path, client: str, words: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f"[[context.p.clients]]\n{client}\n")
    with pytest.raises(UsageError, match=words):
        read(path)


def test_an_unknown_context_offers_the_nearest(environ: dict[str, str]) -> None:
    with pytest.raises(UsageError) as caught:
        load(Flags(context="prodd"), environ)
    assert caught.value.hint == "did you mean prod?"


def test_writing_needs_a_context_that_allows_it() -> None:
    check_may_write(Context(name="stage"))
    check_may_write(Context(name="prod", protect=True), "outage")
    for context in (Context(), Context(name="a", read_only=True), Context(name="a", protect=True)):
        with pytest.raises(Denied):
            check_may_write(context)
    with pytest.raises(Denied):
        check_may_write(Context(name="a", read_only=True), "outage")
