"""The emulated Security Token Service: says who the caller is, which is always the lab's only user."""

from __future__ import annotations

import uuid
from urllib.parse import parse_qs

from hsmctl.lab.wire import Answer, Call, not_implemented

_IDENTITY = """\
<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <GetCallerIdentityResult>
    <Arn>arn:aws:iam::{account_id}:user/lab</Arn>
    <UserId>{user_id}</UserId>
    <Account>{account_id}</Account>
  </GetCallerIdentityResult>
  <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>
</GetCallerIdentityResponse>
"""


class Sts:
    """A lab.wire.Service; its signing name is `sts`."""

    def __init__(self, account_id: str) -> None:
        self._account_id = account_id

    def answer(self, call: Call) -> Answer:
        """The answer to GetCallerIdentity.

        Raises:
            AwsError: any other operation.
        """
        action = parse_qs(call.body.decode(errors="replace")).get("Action", ["(none)"])[0]
        if action != "GetCallerIdentity":
            raise not_implemented(f"The operation {action} of sts")
        body = _IDENTITY.format(
            account_id=self._account_id, user_id=f"AIDA{call.access_key_id[4:]}", request_id=uuid.uuid4()
        )
        return Answer(body=body.encode(), content_type="text/xml")
