"""`iam policy`: what to allow hsmctl, no more than it needs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import click

from hsmctl.cli.session import Session
from hsmctl.cli.verb import Noun, verb
from hsmctl.cli.view import Page, View
from hsmctl.domain.iam import Role, Scope, Statement, policy


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementRow:
    """One statement."""

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A role's policy."""

    role: str
    statements: tuple[StatementRow, ...]


@verb(
    "policy",
    "hsmctl iam policy viewer",
    "hsmctl iam policy scaler --account 111122223333 --only cluster-a2b3c4d5e6f",
)
@click.argument("role", type=click.Choice([role.value for role in Role]))
@click.option("--account", metavar="ID", default="*", help="Only resources of this account.")
@click.option("--in", "region", metavar="REGION", default="*", help="Only resources of this region.")
@click.option("--only", metavar="CLUSTER", default="*", help="Only this cluster, where IAM can tell.")
@click.option("--tag", default="hsmctl", show_default=True, help="The tag that lets backups be touched, clusters made.")
@click.option("--partition", default="aws", show_default=True, help="aws, aws-us-gov or aws-cn.")
def show_policy(session: Session, role: str, account: str, region: str, only: str, tag: str, partition: str) -> int:
    """Print the least that a role needs, as a policy that IAM takes as it is; asks nobody."""
    scope = Scope(partition=partition, region=region, account=account, cluster=only, tag=tag)
    statements = tuple(map(_row, policy(Role(role), scope)))
    return session.show_local(POLICY, Policy(role=role, statements=statements))


noun = Noun("iam", "What to allow hsmctl in AWS.", show_policy)


def _row(statement: Statement) -> StatementRow:
    return StatementRow(
        sid=statement.sid,
        actions=statement.actions,
        resources=statement.resources,
        conditions=statement.conditions,
    )


def _lines(shown: Policy, _: Page) -> list[str]:
    """The policy in IAM's own JSON."""
    statements = [
        {
            "Sid": each.sid,
            "Effect": "Allow",
            "Action": list(each.actions),
            "Resource": list(each.resources),
            **(
                {"Condition": {test: dict(pairs) for test, pairs in each.conditions.items()}} if each.conditions else {}
            ),
        }
        for each in shown.statements
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2).splitlines()


POLICY: View[Policy] = View(
    schema="iam.policy@1",
    document=Policy,
    lines=_lines,
    names=lambda shown: [action for each in shown.statements for action in each.actions],
    items=lambda shown: shown.statements,
)
