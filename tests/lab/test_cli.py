"""Proves that the emulated cloudhsm-cli has the grammar, the envelopes and the quirks of the real one."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from certificates import root
from cli_lab import ADMIN, PASSWORD, CliLab, approve, public_pem, sign_tokens
from cryptography.hazmat.primitives.asymmetric import rsa

from hsmctl.lab.cli_command import COMMANDS
from hsmctl.lab.cli_config import Installation, write
from hsmctl.lab.cli_grammar import Usage, parse
from hsmctl.lab.cli_main import HANDLERS
from hsmctl.lab.keylist import attributes
from hsmctl.lab.objectfile import CKA_CLASS, CKA_KEY_TYPE, CKO_PUBLIC_KEY, Attribute, Kind, StoredObject
from hsmctl.lab.user import MAX_FAILURES, Role

BOB = ("--username", "bob", "--role", "crypto-user")


@pytest.fixture
def lab(tmp_path: Path) -> CliLab:
    """Two activated HSMs."""
    made = CliLab(tmp_path)
    made.add("10.0.1.10", "10.0.2.10")
    return made


def test_every_command_is_handled() -> None:
    assert {" ".join(path) for path in COMMANDS} == set(HANDLERS)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("user", "requires a subcommand"),
        ("user info", "unrecognized subcommand 'info'"),
        ("user create --username bob", "--role <ROLE>"),
        ("user create --username bob --role co", r"\[possible values: crypto-user, admin\]"),
        ("user list --verbose", "unexpected argument '--verbose'"),
        ("user create --username", "a value is required"),
        ("login --username a --role admin user list", "unexpected argument 'user'"),
    ],
)
def test_what_is_no_command_is_refused_in_claps_words(words: str, says: str) -> None:
    with pytest.raises(Usage, match=says):
        parse(words.split())


def test_options_are_taken_in_both_spellings() -> None:
    asked = parse(["user", "create", "--username=bob", "--role", "admin", "--password=a=b"])
    assert (asked.text("username"), asked.text("role"), asked.text("password")) == ("bob", "admin", "a=b")


def test_an_unconfigured_client_gets_nowhere_and_answers_no_json(tmp_path: Path) -> None:
    ran = CliLab(tmp_path).run("user", "list")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == 'Error: "Config key hostname has invalid value %%HSM_IP_ADDRESS%%"\n'


def test_nobody_reached_is_an_early_error_and_some_reached_is_none(lab: CliLab) -> None:
    lab.down = {"10.0.1.10"}
    assert len(lab.run("cluster", "hsm-info", env={}).data["hsms"]) == 1
    lab.down = set(lab.hsms)
    assert lab.run("cluster", "hsm-info", env={}).err == 'Error: "HSM is disconnected"\n'


def test_several_clusters_need_a_choice(lab: CliLab) -> None:
    path = lab.installation.configuration("cli")
    document = json.loads(path.read_text())
    write(path, {"clusters": document["clusters"] * 2})
    assert "multiple clusters provided in configuration file" in lab.run("user", "list").err


def test_a_referenced_file_that_is_missing_is_named(lab: CliLab) -> None:
    lab.configure(*lab.hsms, client_cert_hsm_tls_path="/nowhere.pem")
    assert "Could not read configuration-referenced file client_cert_hsm_tls_path" in lab.run("user", "list").err


def test_activation_prompts_twice_before_the_json_and_answers_a_string(tmp_path: Path) -> None:
    lab = CliLab(tmp_path)
    lab.add("10.0.1.10", activated=False)
    assert lab.user("admin")["role"] == "unactivated-admin"
    ran = lab.run("cluster", "activate", typed=f"{PASSWORD}\n{PASSWORD}\n", env={})
    assert ran.out.startswith("Enter password:\nConfirm password:\n{")
    assert ran.data == "Cluster activation successful"
    assert (lab.user("admin")["role"], lab.user("app_user")["role"]) == ("admin", "internal(APPLIANCE_USER)")
    assert lab.run("cluster", "activate", "--password", PASSWORD, env={}).code == 1
    assert lab.events("10.0.1.10") == [{"event": "activated"}]


def test_two_passwords_that_differ_change_nothing(lab: CliLab) -> None:
    ran = lab.run("user", "create", *BOB, typed="password1\npassword2\n")
    assert ran.code == 1
    assert all(hsm.users.get("bob") is None for hsm in lab.hsms.values())


def test_flags_are_strings_and_names_lower_case(lab: CliLab) -> None:
    lab.run("user", "create", "--username", "BOB", "--role", "crypto-user", "--password", PASSWORD)
    assert lab.user("bob") == {
        "username": "bob",
        "role": "crypto-user",
        "locked": "false",
        "mfa": [],
        "quorum": [],
        "cluster-coverage": "full",
    }


def test_a_hsm_that_is_down_misses_a_user_and_the_same_command_repairs_it(lab: CliLab) -> None:
    lab.down = {"10.0.2.10"}
    assert lab.run("user", "create", *BOB, "--password", PASSWORD).code == 0
    lab.down.clear()
    assert lab.user("bob")["cluster-coverage"] == "inconsistent"
    assert lab.run("user", "create", *BOB, "--password", PASSWORD).code == 0
    assert lab.user("bob")["cluster-coverage"] == "full"
    again = lab.run("user", "create", *BOB, "--password", PASSWORD)
    assert (again.code, again.data) == (1, "User bob already exists")


@pytest.mark.parametrize(
    ("change", "member", "shown"),
    [
        ({"role": Role.ADMIN}, "role", "inconsistent"),
        ({"failures": MAX_FAILURES}, "locked", "inconsistent"),
        ({"mfa": True}, "mfa", [{"strategy": "token-sign", "status": "inconsistent"}]),
        ({"quorum": True}, "quorum", [{"strategy": "token-sign", "status": "inconsistent"}]),
    ],
)
def test_hsms_that_disagree_about_a_user_show_as_inconsistent(
    lab: CliLab, change: dict[str, object], member: str, shown: object
) -> None:
    lab.run("user", "create", *BOB, "--password", PASSWORD)
    users = lab.hsms["10.0.2.10"].users
    users.store(replace(users.named("bob"), **change))  # type: ignore[arg-type]
    assert lab.user("bob")[member] == shown


def test_changing_a_user_an_hsm_misses_fails_and_deleting_it_does_not(lab: CliLab) -> None:
    lab.run("user", "create", *BOB, "--password", PASSWORD)
    lab.hsms["10.0.2.10"].users.remove("bob")
    assert lab.run("user", "change-password", *BOB, "--password", PASSWORD).data == "Specified user does not exist"
    assert lab.run("user", "delete", *BOB).code == 0
    assert lab.run("user", "delete", *BOB).data == "Specified user does not exist"


def test_a_user_who_owns_keys_or_is_logged_in_is_not_deleted(lab: CliLab) -> None:
    lab.run("user", "create", *BOB, "--password", PASSWORD)
    lab.nodes["10.0.1.10"].owned["bob"] = 1
    assert "owns keys" in lab.run("user", "delete", *BOB).data


def test_a_wrong_password_costs_one_attempt_on_one_hsm(lab: CliLab) -> None:
    ran = lab.run("user", "delete", *BOB, env={**ADMIN, "CLOUDHSM_PIN": "admin:wrong wrong"})
    assert ran.code == 1
    assert sorted(hsm.users.named("admin").failures for hsm in lab.hsms.values()) == [0, 1]


def test_changing_the_password_unlocks(lab: CliLab) -> None:
    lab.run("user", "create", *BOB, "--password", PASSWORD)
    for hsm in lab.hsms.values():
        hsm.users.store(replace(hsm.users.named("bob"), failures=MAX_FAILURES))
    assert lab.user("bob")["locked"] == "true"
    lab.run("user", "change-password", *BOB, "--password", PASSWORD)
    assert lab.user("bob")["locked"] == "false"


def test_nobody_changes_users_without_a_login(lab: CliLab) -> None:
    assert lab.run("user", "delete", *BOB, env={}).code == 1


def test_an_interactive_session_goes_on_after_a_failed_command(lab: CliLab) -> None:
    ran = lab.run("interactive", typed="user delete --username x --role admin\n\nuser frob\nuser list\nquit\n", env={})
    assert [envelope["error_code"] for envelope in ran.envelopes] == [1, 0]
    assert ran.out.startswith("aws-cloudhsm > {")
    assert "unrecognized subcommand 'frob'" in ran.err
    assert ran.code == 0


def test_a_session_logs_in_once_and_out(lab: CliLab) -> None:
    login = f"login --username ADMIN --role admin --password '{PASSWORD}'"
    answers = lab.typed(login, login, "logout", "user delete --username bob --role admin")
    assert [each["error_code"] for each in answers] == [0, 1, 0, 1]
    assert answers[0]["data"] == {"username": "admin", "role": "admin"}
    assert answers[2]["data"] == "Logout successful"


def test_a_second_factor_is_enrolled_asked_for_and_removed(lab: CliLab, tmp_path: Path) -> None:
    key, file = rsa.generate_private_key(65537, 2048), tmp_path / "mfa.json"
    pem = public_pem(tmp_path / "key.pem", key)
    lab.run("user", "create", *BOB, "--password", PASSWORD)
    enrol = ("user", "change-mfa", "token-sign", *BOB, "--change-password", PASSWORD)
    signs = {"": lambda: sign_tokens(file, key)}

    assert "signature" in lab.run(*enrol, "--token", str(file), typed=f"\n{pem}\n").data
    assert lab.run(*enrol, "--token", str(file), typed=f"\n{pem}\n", before=signs).envelopes[0]["error_code"] == 0
    assert lab.user("bob")["mfa"] == [{"strategy": "token-sign", "status": "enabled"}]

    login = ("login", *BOB, "--password", PASSWORD)
    assert lab.run(*login).code == 1
    assert lab.run(*login, "mfa-token-sign", "--token", str(file), typed="\n", before=signs).code == 0
    lab.run(*enrol, "--deregister")
    assert (lab.user("bob")["mfa"], lab.run(*login).code) == ([], 0)


def test_a_quorum_of_two_lets_a_user_in_only_with_two_signatures_in_time(lab: CliLab, tmp_path: Path) -> None:
    signers = {name: lab.add_admin(name) for name in ("ann", "eve")}
    file = tmp_path / "approval.json"
    login = f"login --username admin --role admin --password '{PASSWORD}'"
    lab.run("quorum", "token-sign", "set-quorum-value", "--service", "user", "--value", "2")
    assert lab.run("quorum", "token-sign", "list-quorum-values", env={}).data == {"user": 2, "quorum": 0, "cluster": 0}
    bare = lab.run("user", "create", *BOB, "--password", PASSWORD)
    assert bare.data == "Quorum approval is required for this operation"

    def attempt(names: tuple[str, ...], later: float = 0.0) -> str:
        def signed() -> None:
            approve(file, {name: signers[name] for name in names})
            lab.now += later

        create = f"user create {' '.join(BOB)} --password '{PASSWORD}' --approval {file}"
        lines = (login, f"quorum token-sign generate --service user --token {file}", create)
        done = lab.run("interactive", typed="\n".join((*lines, "")), env={}, before={create: signed})
        return str(done.envelopes[-1]["data"])

    assert attempt(("ann",)) == "Quorum Failed"
    assert attempt(("ann", "ann")) == "Quorum Failed"
    assert attempt(("ann", "eve"), later=601) == "Quorum Failed"
    assert attempt(("ann", "eve")) == str({"username": "bob", "role": "crypto-user"})
    assert lab.run("quorum", "token-sign", "list", env={}).data == {"tokens": []}


def test_open_tokens_are_listed_while_their_session_lives(lab: CliLab, tmp_path: Path) -> None:
    login = f"login --username admin --role admin --password '{PASSWORD}'"
    generate = f"quorum token-sign generate --service quorum --token {tmp_path / 't'}"
    seen = lab.typed(login, generate, "quorum token-sign list", "logout", "quorum token-sign list")
    assert seen[1]["data"] == {"path": str(tmp_path / "t")}
    assert seen[2]["data"]["tokens"] == [
        {
            "username": "admin",
            "service": "quorum",
            "approvals-required": 0,
            "number-of-approvals": 0,
            "token-timeout-seconds": 600,
            "cluster-coverage": "full",
        }
    ]
    assert seen[4]["data"] == {"tokens": []}


def test_an_admin_registers_by_signing_a_number_of_every_hsm(lab: CliLab, tmp_path: Path) -> None:
    key, file = rsa.generate_private_key(65537, 2048), tmp_path / "registration.json"
    pem = public_pem(tmp_path / "key.pem", key)
    register = f"user change-quorum token-sign register --public-key {pem} --signed-token {file}"
    lines = (
        f"login --username admin --role admin --password '{PASSWORD}'",
        f"quorum token-sign generate --service registration --token {file}",
        register,
    )
    done = lab.run(
        "interactive", typed="\n".join((*lines, "")), env={}, before={register: lambda: sign_tokens(file, key)}
    )
    assert done.envelopes[-1]["data"] == {"username": "admin", "role": "admin"}
    assert lab.user("admin")["quorum"] == [{"strategy": "token-sign", "status": "enabled"}]


def test_registering_an_anchor_again_says_no_and_repairs(lab: CliLab, tmp_path: Path) -> None:
    register = ("cluster", "mtls", "register-trust-anchor", "--path", str(anchor(tmp_path / "ca.pem")))
    made = lab.run(*register).data["trust_anchor"]
    assert (made["certificate-reference"], made["cluster-coverage"]) == ("0x01", "full")
    assert lab.run(*register).data == "Invalid Certificate: Trust anchor already exists."

    lost = lab.hsms["10.0.2.10"]
    lost.set_policies(lost.policies.without_anchor(1))
    listing = ("cluster", "mtls", "list-trust-anchors")
    assert lab.run(*listing, env={}).data["trust_anchors"][0]["cluster-coverage"] == "inconsistent"
    again = lab.run(*register)
    assert (again.code, again.data) == (
        1,
        "Certificate error received from Hsm. Trust anchor is already installed in Hsm.",
    )
    assert lab.run(*listing, env={}).data["trust_anchors"] == [made]
    for name in ("two.pem", "three.pem"):
        last = lab.run(*register[:-1], str(anchor(tmp_path / name)))
    assert last.data == "Maximum number of certificates registered."
    gone = lab.run("cluster", "mtls", "deregister-trust-anchor", "--certificate-reference", "0x01").data
    assert gone == {"message": "Trust anchor with reference 0x01 deregistered successfully"}


def test_enforcing_takes_a_mutual_connection_of_the_user_admin(lab: CliLab, tmp_path: Path) -> None:
    enforce = ("cluster", "mtls", "set-enforcement", "--level", "cluster")
    assert "Current connection must be mtls" in lab.run(*enforce).data
    pem = str(anchor(tmp_path / "client.pem"))
    lab.configure(*lab.hsms, client_cert_hsm_tls_path=pem, client_key_hsm_tls_path=pem)
    lab.add_admin("ann")
    other = lab.run(*enforce, env={"CLOUDHSM_ROLE": "admin", "CLOUDHSM_PIN": f"ann:{PASSWORD}"})
    assert other.data == "An Admin must be logged in to set policy on an HSM"
    assert lab.run(*enforce).data == {"message": "Mtls enforcement level set to Cluster successfully"}
    assert lab.run("cluster", "mtls", "get-enforcement").data == {"mtls-enforcement-level": "cluster"}


def test_policies_survive_the_process(lab: CliLab) -> None:
    lab.run("quorum", "token-sign", "set-quorum-value", "--service", "user", "--value", "3")
    hsm = lab.hsms["10.0.1.10"]
    assert type(hsm)(hsm.node).policies == hsm.policies
    assert hsm.policies.quorum["user"] == 3


def test_help_names_every_command_and_its_options(lab: CliLab) -> None:
    assert "quorum token-sign set-quorum-value" in lab.run("help").out
    assert "--deregister-mfa" in lab.run("help", "user", "change-password").out
    assert lab.run("help", "nonsense").code == 2


def test_the_installation_is_laid_out_like_the_real_one(lab: CliLab) -> None:
    installation: Installation = lab.installation
    names = {path.relative_to(installation.root).as_posix() for path in installation.root.rglob("*") if path.is_file()}
    assert names == {
        "bin/cloudhsm-cli",
        "bin/configure-cli",
        "bin/configure-pkcs11",
        "etc/cloudhsm-cli.cfg",
        "etc/cloudhsm-pkcs11.cfg",
    }
    assert (installation.bin / "cloudhsm-cli").stat().st_mode & stat.S_IXUSR


def anchor(path: Path) -> Path:
    """A self-signed CA certificate."""
    path.write_text(root("mtls", datetime.now(UTC)).pem)
    return path


def test_a_key_of_a_kind_nobody_knows_is_listed_all_the_same() -> None:
    numbers = {CKA_CLASS: CKO_PUBLIC_KEY, CKA_KEY_TYPE: 0x40}
    stored = StoredObject(1, {name: Attribute(Kind.ULONG, value.to_bytes(8)) for name, value in numbers.items()})
    shown = attributes(stored, bytes(32))
    assert (shown["key-type"], shown["class"], "check-value" in shown) == ("other", "public-key", False)
