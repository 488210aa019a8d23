"""Errors of boto3 as errors of ours, once, at the edge.

Knows AWS's error codes and what to do about each. Imports botocore's exceptions only when something is called.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hsmctl.errors import Conflict, Denied, HsmctlError, Unreachable, UsageError

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "CloudHsmAccessDeniedException", "UnauthorizedOperation"})
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
_FOREIGN = frozenset(
    {
        "AuthFailure",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "OptInRequired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_REFUSED = frozenset(
    {
        "CloudHsmInvalidRequestException",
        "CloudHsmResourceLimitExceededException",
        "CloudHsmResourceNotFoundException",
        "CloudHsmTagException",
        "ValidationException",
    }
)
_CREDENTIALS = "check the profile, or log in again: aws sso login"


@contextmanager
def translated(action: str) -> Iterator[None]:
    """Turn what boto3 raises during an action, named as IAM names it, into errors of ours.

    Raises:
        Denied: IAM or the credentials say no.
        Conflict: the service says that the request cannot be.
        Unreachable: the service, or the way to it, failed or throttled; the message counts the tries.
        UsageError: profile, region or a value is wrong, or the lab does not emulate the action.
    """
    from botocore import exceptions as boto

    try:
        yield
    except boto.ClientError as error:
        raise _refusal(action, error) from error
    except (boto.NoCredentialsError, boto.PartialCredentialsError, boto.CredentialRetrievalError) as error:
        raise Denied("no AWS credentials", _why(error), _CREDENTIALS) from error
    except (boto.SSOError, boto.TokenRetrievalError, boto.LoginError) as error:
        raise Denied("AWS session expired", _why(error), _CREDENTIALS) from error
    except (boto.ProfileNotFound, boto.ConfigParseError) as error:
        raise UsageError("AWS configuration", _why(error), "aws configure list-profiles") from error
    except (boto.NoRegionError, boto.InvalidRegionError) as error:
        raise UsageError("no AWS region", _why(error), "name one: --region, AWS_REGION or the context") from error
    except boto.ParamValidationError as error:
        raise UsageError(action, _why(error), "correct the value") from error
    except boto.BotoCoreError as error:
        raise Unreachable(action, _why(error), "check the network and the endpoint, then try again") from error


def _refusal(action: str, error: ClientError) -> HsmctlError:
    """Our error for one of AWS's."""
    code, why = error.response["Error"]["Code"], error.response["Error"].get("Message", "").rstrip(".")
    metadata = error.response["ResponseMetadata"]
    if code in _DENIED:
        return Denied(f"{action} denied", why, f"have {action} allowed by IAM")
    if code in _EXPIRED:
        return Denied("AWS session expired", why, _CREDENTIALS)
    if code in _FOREIGN:
        return Denied("AWS does not know these credentials", why, _CREDENTIALS)
    if code in _REFUSED:
        return Conflict(f"{action} refused", why or code, "hsmctl cluster list")
    if metadata["HTTPStatusCode"] == 501:
        return UsageError(action, why or code, "do this on AWS")
    retries = metadata.get("RetryAttempts", 0)
    tries = f"{retries + 1} tries" if retries else "1 try"
    return Unreachable(f"{action} failed", f"{code} after {tries}: {why}", "try again in a minute")


def _why(error: Exception) -> str:
    """An error's text on one line, without its full stop."""
    return " ".join(str(error).split()).rstrip(".")
