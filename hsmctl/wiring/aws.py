"""Puts AWS together: the account of a context, which is the lab's or AWS's and never taken for the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hsmctl.errors import UsageError
from hsmctl.loopback import is_loopback
from hsmctl.settings import Context, ContextKind

if TYPE_CHECKING:
    from hsmctl.adapters.aws import Aws
    from hsmctl.secret import Secret, Source


def aws(context: Context, secret: Callable[[Source], Secret]) -> Aws:
    """The AWS account of the context.

    Raises:
        UsageError: a lab context points away from this machine, or another context at it.
    """
    from hsmctl.adapters.aws import Aws

    _check_endpoint(context)
    return Aws(
        profile=context.profile,
        region=context.region,
        endpoint_url=context.endpoint_url,
        access_key_id=context.access_key_id,
        secret_access_key=None if context.secret_access_key is None else secret(context.secret_access_key),
    )


def _check_endpoint(context: Context) -> None:
    """The lab reaches only this machine, and nothing else reaches this machine as if it were AWS."""
    local = context.endpoint_url is not None and is_loopback(context.endpoint_url)
    if context.kind is ContextKind.LAB and not local:
        raise UsageError(
            "the lab context", f"it points at {context.endpoint_url or 'AWS'}, not at this machine", "hsmctl lab up"
        )
    if context.kind is ContextKind.AWS and local:
        raise UsageError(
            f"context {context.name or 'without a name'}",
            f"its endpoint {context.endpoint_url} is this machine",
            "use --lab to work with the lab",
        )
