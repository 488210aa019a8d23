"""Changes that AWS throttled, sent again: a request that was refused for its rate was not looked at.

Everything else is sent once: cloudhsmv2 takes no client token, and a change whose answer was lost may have happened.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

TRIES = 5
_FIRST_PAUSE = 0.5
_CODES = frozenset({"Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded"})


class Unthrottled:
    """A boto3 client whose throttled calls are repeated, each time after twice the pause."""

    def __init__(self, client: Any, sleep: Callable[[float], None] = time.sleep) -> None:  # noqa: ANN401 - any client
        self._client = client
        self._sleep = sleep

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """The operation of this name."""
        operation = getattr(self._client, name)

        def call(**asked: object) -> Any:  # noqa: ANN401 - any answer
            return self._sent(operation, asked)

        return call

    def _sent(self, operation: Callable[..., Any], asked: dict[str, object]) -> Any:  # noqa: ANN401 - any answer
        from botocore.exceptions import ClientError

        for attempt in range(1, TRIES + 1):
            try:
                return operation(**asked)
            except ClientError as error:
                if error.response["Error"]["Code"] not in _CODES or attempt == TRIES:
                    # The message counts the tries from here.
                    error.response["ResponseMetadata"]["RetryAttempts"] = attempt - 1
                    raise
                self._sleep(_FIRST_PAUSE * 2 ** (attempt - 1))
        raise AssertionError("unreachable")
