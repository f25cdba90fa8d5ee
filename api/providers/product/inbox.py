"""The outbox of a staging on a platform, read over HTTP with the pass of the copy that it serves."""

from datetime import datetime, timedelta

import httpx

from api.core.drills.inbox import PATH
from api.core.errors import FirstUserError
from api.providers.http import VendorHttp
from api.providers.messaging.outbox import StoredMessage

SKEW = timedelta(seconds=5)
"""Two machines rarely agree about the second."""


class RemoteInbox:
    def __init__(self, base_url: str, shown: str, transport: httpx.BaseTransport | None = None) -> None:
        headers = {"Authorization": f"Bearer {shown}"}
        self._http = VendorHttp("staging", base_url, secrets=[shown], headers=headers, transport=transport)

    def latest(self, to: str, after: datetime) -> StoredMessage | None:
        """As `Outbox.latest`. None also while staging does not answer: whoever waits asks again."""
        asked = {"to": to, "after": (after - SKEW).isoformat()}
        try:
            answer = self._http.call("read the outbox", "GET", PATH, params=asked)
            found = self._http.json("read the outbox", answer)
        except FirstUserError:
            return None
        if not found.get("body"):
            return None
        at = datetime.fromisoformat(str(found["at"]))
        return StoredMessage("", "sms", to, "", str(found["body"]), at)
