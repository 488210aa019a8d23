"""What an HSM is asked about its policies: quorum values and tokens, trust anchors, mutual TLS.

Knows CloudHSM's rules about them (cloudhsm_cli-qm-token, cloudhsm_cli-cluster-mtls and their pages).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from hsmctl.agent.inventory import Refused
from hsmctl.lab.desk import ADMINS, ANYBODY, USERS, Answer, Arguments, Guest, Operation
from hsmctl.lab.policy import Anchor, Enforcement, Service

if TYPE_CHECKING:
    from hsmctl.lab.administration import Administration


def _values(hsm: Administration, _: Guest, __: Arguments) -> Answer:
    return {"values": dict(hsm.policies.quorum)}


def _set_value(hsm: Administration, guest: Guest, args: Arguments) -> Answer:
    """Set a quorum value; a service that never asked for approvals is opened with those of `quorum`."""
    changed = hsm.policies.with_value(str(args["service"]), int(args["value"]))
    hsm.approve(guest, Service.QUORUM, args)
    hsm.set_policies(changed)
    hsm.note("set value", hsm.users.named(guest.user))
    return {}


def _open_token(hsm: Administration, guest: Guest, args: Arguments) -> Answer:
    service = Service(args["service"])
    number = hsm.quorum.open(guest.user, service, guest.number)
    hsm.note("get token", hsm.users.named(guest.user))
    return {"number": base64.b64encode(number).decode()}


def _tokens(hsm: Administration, _: Guest, __: Arguments) -> Answer:
    return {"tokens": hsm.quorum.listed()}


def _delete_tokens(hsm: Administration, guest: Guest, args: Arguments) -> Answer:
    hsm.quorum.delete(None if args["scope"] == "all" else guest.user)
    return {}


def _timeouts(hsm: Administration, _: Guest, args: Arguments) -> Answer:
    """Read, or set, how long tokens live (cloudhsm_cli-qm-token-set-tm, in the guide of 2023 only)."""
    now = hsm.policies
    changed = replace(
        now, generated=float(args.get("generated", now.generated)), approved=float(args.get("approved", now.approved))
    )
    if changed != now:
        hsm.set_policies(changed)
    return {"generated": int(hsm.policies.generated), "approved": int(hsm.policies.approved)}


def _anchors(hsm: Administration, _: Guest, __: Arguments) -> Answer:
    return {
        "anchors": [{"reference": each.reference, "certificate": each.certificate} for each in hsm.policies.anchors]
    }


def _register_anchor(hsm: Administration, guest: Guest, args: Arguments) -> Answer:
    changed = hsm.policies.with_anchor(Anchor(int(args["reference"]), str(args["certificate"])))
    hsm.approve(guest, Service.CLUSTER, args)
    hsm.set_policies(changed)
    return {}


def _deregister_anchor(hsm: Administration, guest: Guest, args: Arguments) -> Answer:
    hsm.approve(guest, Service.CLUSTER, args)
    hsm.set_policies(hsm.policies.without_anchor(int(args["reference"])))
    return {}


def _enforcement(hsm: Administration, _: Guest, __: Arguments) -> Answer:
    return {"level": hsm.policies.enforcement}


def _enforce(hsm: Administration, guest: Guest, args: Arguments) -> Answer:
    """Demand client certificates, or stop; whoever is connected without one is cut off at once."""
    level = Enforcement(args["level"])
    if guest.user != "admin":
        raise Refused("", "An Admin must be logged in to set policy on an HSM")
    if level is Enforcement.CLUSTER and not guest.mutual:
        raise Refused(
            "", "Failed to set the mtls enforcement. Current connection must be mtls to set this enforcement."
        )
    hsm.approve(guest, Service.CLUSTER, args)
    hsm.set_policies(replace(hsm.policies, enforcement=level))
    return {}


OPERATIONS: Mapping[str, Operation] = {
    "quorum values": (ANYBODY, _values),
    "quorum value": (ADMINS, _set_value),
    "token open": (USERS, _open_token),
    "tokens": (ANYBODY, _tokens),
    "tokens delete": (ADMINS, _delete_tokens),
    "timeouts": (USERS, _timeouts),
    "anchors": (ANYBODY, _anchors),
    "anchor register": (ADMINS, _register_anchor),
    "anchor deregister": (ADMINS, _deregister_anchor),
    "enforcement": (USERS, _enforcement),
    "enforce": (ADMINS, _enforce),
}
"""By their names in a frame."""
