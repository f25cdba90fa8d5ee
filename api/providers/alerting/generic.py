"""Any receiver of JSON: one POST a message, with its id as the Idempotency-Key."""

import httpx

from api.core.alerts.messages import AlertMessage
from api.providers.alerting.posting import Posting


class Generic:
    kind = "json"

    def __init__(self, url: str, transport: httpx.BaseTransport | None = None) -> None:
        self._http = Posting(self.kind, url, transport)

    @property
    def fingerprint(self) -> str:
        return self._http.fingerprint

    def send(self, message: AlertMessage) -> str:
        headers = {"Idempotency-Key": message.id}
        self._http.call("send", "POST", self._http.url, json=message.document(), headers=headers)
        return ""

    def read_back(self, sent_id: str) -> bool | None:
        return None
