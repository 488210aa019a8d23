"""The control plane's bad days, as its callers feel them: throttled, failing, slow, down, denied, a CSR swapped.

The router asks before each call; what becomes of it follows from the faults in the book. Knows AWS's words
for these refusals in each of its protocols. Refuses to know what a call does.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from hsmctl.lab.fault import Family, FaultBook
from hsmctl.lab.wire import Answer, AwsError, Call, Service

_THROTTLING: Mapping[str, str] = {"ec2": "RequestLimitExceeded"}
"""EC2's own word (EC2 API reference, error codes); the others say ThrottlingException or, in XML, Throttling."""
_DENIED: Mapping[str, str] = {
    "kms-denied": "kms",
    "metrics-denied": "monitoring",
    "trail-denied": "cloudtrail",
    "logs-denied": "logs",
}
"""The signing name of the service that a fault has IAM deny."""
_XML_SERVICES = frozenset({"sts", "iam", "monitoring", "s3"})


class Weather:
    """What stands between a caller and the emulated services."""

    def __init__(self, book: FaultBook, home: str, sleep: Callable[[float], None] = time.sleep) -> None:
        """Follow the book; `home` is the region that is down where a fault names none."""
        self._book = book
        self._home = home
        self._sleep = sleep

    def before(self, service: str, operation: str, region: str) -> None:
        """Let a call through, late perhaps.

        Raises:
            AwsError: it does not get through.
        """
        for fault in self._book.family(Family.CLOUD):
            match fault.name:
                case "cloud-slow":
                    self._sleep(fault.seconds or 0)
                case "cloud-throttled":
                    raise _throttled(service, operation)
                case "cloud-failing":
                    raise AwsError("InternalFailure", f"{operation} failed: an internal error has occurred.", 500)
                case name if _DENIED.get(name) == service:
                    said = f"User is not authorized to perform: {operation} because no policy allows it"
                    raise AwsError("AccessDenied" if service in _XML_SERVICES else "AccessDeniedException", said, 400)
                case "region-down" if region == (fault.region or self._home):
                    raise AwsError("ServiceUnavailable", f"The service is unavailable in {region}.", 503)


class TamperedService:
    """CloudHSMv2 whose answers somebody changes on their way: the CSR in them is another one."""

    def __init__(self, service: Service, book: FaultBook) -> None:
        self._service = service
        self._book = book

    def answer(self, call: Call) -> Answer:
        """The answer to a call, as it arrives.

        Raises:
            AwsError: the service refuses.
        """
        given = self._service.answer(call)
        body = given.body
        for fault in self._book.of("csr-swapped"):
            shown, false = (json.dumps(fault.detail[name])[1:-1].encode() for name in ("true", "false"))
            body = body.replace(shown, false)
        return replace(given, body=body)


def _throttled(service: str, operation: str) -> AwsError:
    if service in _THROTTLING:
        return AwsError(_THROTTLING[service], "Request limit exceeded.", 503)
    code = "Throttling" if service in _XML_SERVICES else "ThrottlingException"
    return AwsError(code, f"Rate exceeded for {operation}.", 400)
