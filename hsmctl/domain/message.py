"""What cloudhsm-cli and Client SDK 5 say when something is wrong, what it means, and what to do next.

The texts are fragments to look for: releases change the words around them. A message nobody knows is passed on as it
stands and never given a meaning. Sources are pages of the AWS CloudHSM user guide, named with each entry; `measured`
marks what others saw on real clusters and AWS does not document.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from hsmctl.errors import Conflict, Denied, DeviceError, HsmctlError, Partial, Unreachable, UsageError
from hsmctl.words import printable

_LONGEST = 300
"""Characters of a message that are passed on."""
_LOG = "its log on that host says more: /opt/cloudhsm/run/cloudhsm-cli.log"


class Where(StrEnum):
    """Who says it."""

    CLI = "cloudhsm-cli"
    LOG = "sdk log"


@dataclass(frozen=True, slots=True)
class Known:
    """A message and what is known about it."""

    text: str
    """The fragment to look for, whatever its case."""
    error: type[HsmctlError]
    """What it comes to where hsmctl itself gets it for an answer."""
    means: str
    next: str
    """What to do about it."""
    page: str
    """The page of the user guide, or `measured`."""
    where: Where = Where.CLI


ALREADY_IN_HSM = "Trust anchor is already installed in Hsm"
"""Said with error_code 1 while it repairs the HSMs that lack the anchor (measured)."""

CATALOGUE = (
    Known(
        "Quorum approval is required",
        Denied,
        "the operation needs approvals by other admins",
        "run it again with --bundle FILE and have it signed: hsmctl quorum sign FILE",
        "quorum-auth-chsm-cli-admin",
    ),
    Known(
        "Quorum Failed",
        Denied,
        "the approvals are too few, expired, or not for this token",
        "run it again with --bundle FILE: a token is good for one operation and ten minutes",
        "quorum-auth-chsm-cli-admin",
    ),
    Known(
        "Key selection criteria matched",
        Conflict,
        "the filter does not choose exactly one key",
        "choose the key by key-reference",
        "cloudhsm_cli-key-filtering",
    ),
    Known(
        "Signature verification failed",
        DeviceError,
        "the signature does not belong to this data and key",
        "compare key, data, hash function and signature encoding (ECDSA is raw r and s)",
        "cloudhsm_cli-crypto-verify",
    ),
    Known(
        "not synchronized throughout the cluster",
        Conflict,
        "some HSM lacks the key, or its attributes differ",
        "hsmctl sync check",
        "troubleshooting-keep-keys-in-sync",
    ),
    Known(
        "Key replicate failed on",
        Partial,
        "the key reached only some HSMs of the destination",
        "run it again once every HSM answers",
        "cloudhsm_cli-key-replicate",
    ),
    Known(
        "user is inconsistent across the cluster",
        Conflict,
        "some HSMs know the user differently, or not",
        "hsmctl user repair NAME",
        "troubleshooting-keep-hsm-users-in-sync",
    ),
    Known(
        "User replicate failed on",
        Partial,
        "the user reached only some HSMs of the destination",
        "run it again once every HSM answers",
        "cloudhsm_cli-user-replicate",
    ),
    Known(
        "user does not exist",
        Conflict,
        "no user of this name and role, on one HSM at least",
        "hsmctl user list",
        "measured",
    ),
    Known(
        "must be available on at least 2 HSMs",
        Conflict,
        "the key availability check: the client found the key on fewer than two HSMs (it says so after about 87 s)",
        "add an HSM, wait for the key to be copied, or --disable-key-availability-check in the client's configuration",
        "manage-key-sync",
    ),
    Known(
        "does not meet the availability requirements",
        Conflict,
        "the key availability check: the client found the key on fewer than two HSMs",
        "hsmctl sync check; a cluster needs two HSMs for token keys, three to lose one",
        "manage-key-sync",
        Where.LOG,
    ),
    Known(
        "Trust anchor already exists",
        Conflict,
        "every HSM has this trust anchor already",
        "hsmctl mtls status",
        "cloudhsm_cli-cluster-mtls-register-trust-anchor",
    ),
    Known(
        ALREADY_IN_HSM,
        Conflict,
        "some HSM had the anchor already; those that lacked it have it now",
        "look at the coverage again: hsmctl mtls status",
        "measured",
    ),
    Known(
        "Maximum number of certificates registered",
        Conflict,
        "a cluster takes two trust anchors",
        "deregister one first: hsmctl mtls status",
        "cloudhsm_cli-cluster-mtls-register-trust-anchor",
    ),
    Known(
        "Oversized Certificate",
        UsageError,
        "a trust anchor chain has at most 6980 bytes",
        "register the root, or a shorter chain",
        "cloudhsm_cli-cluster-mtls-register-trust-anchor",
    ),
    Known(
        "Current connection must be mtls",
        Denied,
        "enforcement is set only over a connection that shows a client certificate",
        "configure this host's client certificate first: hsmctl mtls status",
        "cloudhsm_cli-cluster-mtls-set-enforcement",
    ),
    Known(
        "An Admin must be logged in",
        Denied,
        "policies are the admin's business",
        "log in as an admin",
        "cloudhsm_cli-cluster-mtls-set-enforcement",
    ),
    Known(
        "HSM is disconnected",
        Unreachable,
        "the HSM does not answer, or mTLS is enforced and this client shows no certificate",
        "hsmctl net probe, then hsmctl client check",
        "measured",
    ),
    Known(
        "Could not read configuration-referenced file",
        UsageError,
        "the configuration names a file that is not there or not readable",
        "hsmctl client check names it; remove the member from the configuration, do not blank it",
        "measured",
    ),
    Known(
        "%%HSM_IP_ADDRESS%%",
        UsageError,
        "this component was never given an HSM's address",
        "hsmctl client configure HOST",
        "measured",
    ),
    Known(
        "multiple clusters provided",
        UsageError,
        "the configuration has several clusters and none was named",
        "--cluster-id",
        "cloudhsm_cli-configs-multi-cluster",
    ),
    Known(
        "No credentials in the property bag",
        Denied,
        "configure --cluster-id found no AWS credentials: a container needs an IMDS hop limit of 2",
        "raise the hop limit, or give the addresses with -a",
        "ki-all",
    ),
    Known(
        "User type should be CO or CU",
        DeviceError,
        "cloudhsm-cli 5.12 and older cannot set `trusted` on hsm2m",
        "update cloudhsm-cli",
        "ki-all",
    ),
    Known(
        "Response Code: 187",
        Unreachable,
        "the HSM is busy (0xBB); the client retries by itself since 5.8",
        "spread the load, add an HSM, or --default-retry-mode standard",
        "troubleshoot-hsm-throttling",
        Where.LOG,
    ),
    Known(
        "Digest security strength",
        UsageError,
        "FIPS mode refuses a digest weaker than the key since 5.16, such as SHA-1 with P-256",
        "use SHA-256 or better",
        "ki-all",
        Where.LOG,
    ),
    Known(
        "Maximum keep-alive attempts have been reached",
        Unreachable,
        "a connection died unnoticed (idle firewall, frozen Lambda) and is being built anew",
        "hsmctl net explain, if it goes on",
        "ki-all",
        Where.LOG,
    ),
    Known(
        "Tls disconnected",
        Unreachable,
        "a connection was dropped and is being built anew",
        "hsmctl net explain, if it goes on",
        "ki-all",
        Where.LOG,
    ),
    Known(
        "Sequence number is outside of window",
        Unreachable,
        "a fault of 5.17.0 and 5.17.1 under concurrency; retried since 5.17.2",
        "update the client SDK",
        "client-history",
        Where.LOG,
    ),
    Known(
        "CA certificate key too weak",
        UsageError,
        "5.17.0 and 5.17.1 refuse a customer CA with an RSA key below 2048 bits",
        "update the client SDK",
        "client-history",
        Where.LOG,
    ),
    Known(
        "NotPkcs8",
        UsageError,
        "the client key is not PKCS#8; fixed in 5.12",
        "update the client SDK, or convert it: openssl pkcs8 -topk8 -nocrypt",
        "client-history",
        Where.LOG,
    ),
    Known(
        "Token key attribute cannot be supplied",
        UsageError,
        "`token` is no attribute of --attributes",
        "--session makes a session key",
        "measured",
    ),
)
"""Every message known, the more telling fragments first where two might fit."""

_ERRORS: Mapping[str, type[HsmctlError]] = {
    "unknown option": UsageError,
    "unexpected argument": UsageError,
    "required arguments were not provided": UsageError,
}
"""What the argument parser says about a command of ours: this cloudhsm-cli is older or newer than we know."""


def known(text: str) -> tuple[Known, ...]:
    """Everything that is known about a text, in the catalogue's order."""
    folded = text.casefold()
    return tuple(entry for entry in CATALOGUE if entry.text.casefold() in folded)


def as_error(what: str, text: str) -> HsmctlError:
    """A message of cloudhsm-cli as an error; one that nobody knows is the device's own refusal, in its own words."""
    said = printable(" ".join(text.split()))[:_LONGEST]
    if found := known(text):
        return found[0].error(what, f"{said}: {found[0].means}", found[0].next)
    kind = next((error for part, error in _ERRORS.items() if part in text), DeviceError)
    return kind(what, said or "it failed and did not say why", _LOG)
