"""The emulated Security Token Service's GetCallerIdentity: the holder of the lab's own key is the lab's only user."""

from __future__ import annotations

import uuid

from hsmctl.lab.wire import Answer, Call

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
    """Answers for one account."""

    def __init__(self, account_id: str) -> None:
        self._account_id = account_id

    def answer(self, call: Call) -> Answer:
        """The answer to GetCallerIdentity."""
        body = _IDENTITY.format(
            account_id=self._account_id, user_id=f"AIDA{call.access_key_id[4:]}", request_id=uuid.uuid4()
        )
        return Answer(body=body.encode(), content_type="text/xml")
