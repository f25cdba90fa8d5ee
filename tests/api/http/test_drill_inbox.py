"""The outbox from afar: only of a restored copy, only with the pass of that copy."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.core.drills.inbox import PATH, pass_for
from api.core.ports import OutgoingMessage
from api.providers.messaging.outbox import Outbox
from api.settings import Settings
from tests.product import BASE_URL, DATA_KEY, OWNER_PHONE

ANOTHER = "c29tZXRoaW5nIHRoYXQgaXMgMzIgYnl0ZXMgbG9uZy4="


@pytest.mark.parametrize(
    ("copy", "shown", "status"),
    [
        ("drill-1", pass_for([DATA_KEY], "drill-1"), 200),
        ("drill-1", pass_for([DATA_KEY], "drill-2"), 404),
        ("drill-1", pass_for([ANOTHER], "drill-1"), 404),
        ("drill-1", "no hex", 404),
        ("drill-1", "", 404),
        (None, pass_for([DATA_KEY], "drill-1"), 404),
    ],
)
def test_it_opens_for_the_copys_own_pass(seeded: Settings, copy: str | None, shown: str, status: int) -> None:
    settings = replace(seeded, service=seeded.service.model_copy(update={"restored_copy": copy}))
    Outbox(settings.service.outbox_dir).send(OutgoingMessage("sms", OWNER_PHONE, "", "123456 is it."))
    asked = {"to": OWNER_PHONE, "after": (datetime.now(UTC) - timedelta(minutes=1)).isoformat()}
    with TestClient(create_app(settings), base_url=BASE_URL) as client:
        answer = client.get(PATH, params=asked, headers={"Authorization": f"Bearer {shown}"})
        assert answer.status_code == status
        assert ("123456" in answer.text) == (status == 200)
