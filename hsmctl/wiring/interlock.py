"""Puts interlocks together: what KMS, CloudWatch and this machine say before something is removed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from hsmctl.settings import Context, ContextKind

if TYPE_CHECKING:
    from hsmctl.adapters.aws import Aws
    from hsmctl.ports import Clock
    from hsmctl.services.interlock import Interlocks

_SPAN = timedelta(minutes=15)
_LAB_SPAN = timedelta(seconds=90)
"""The lab replicates within seconds and measures when it is asked: its last value is enough."""


def interlocks(aws: Aws, context: Context, clock: Clock, state_folder: Path) -> Interlocks:
    """What stands between an operator and a removal."""
    from hsmctl.adapters.aws_kms import AwsKeyStores
    from hsmctl.adapters.aws_metric import AwsMetrics
    from hsmctl.adapters.customer_ca import FileCustomerCa
    from hsmctl.adapters.hold import FileHolds
    from hsmctl.services.interlock import Interlocks

    plane = aws.plane
    return Interlocks(
        clock=clock,
        plane=plane,
        holds=FileHolds(state_folder / "holds"),
        key_stores=AwsKeyStores(lambda: aws.client("kms", plane.region)),
        metrics=AwsMetrics(lambda: aws.client("cloudwatch", plane.region), clock),
        customer_ca=FileCustomerCa(context.customer_ca),
        span=_LAB_SPAN if context.kind is ContextKind.LAB else _SPAN,
    )
