"""Which sender the settings ask for."""

import asyncio
from dataclasses import replace

import pytest

from api.core.errors import Refused
from api.core.webhooks.attempts import Failure
from api.providers.webhooks import sender
from api.settings import Settings, load
from tests.receiver import receiving


def settings(public_url: str, restored_copy: str | None = None) -> Settings:
    found = load()
    return replace(
        found,
        platform=found.platform.model_copy(update={"public_app_url": public_url}),
        service=found.service.model_copy(update={"restored_copy": restored_copy}),
    )


def test_a_restored_copy_tells_partners_nothing() -> None:
    with receiving() as receiver:
        held = sender(settings("http://127.0.0.1:8000", "drill-1"))
        attempt = asyncio.run(held.post(receiver.url, {}, b"{}"))
        assert (attempt.failure, attempt.delivered) == (Failure.HELD, False)
        assert not receiver.received


def test_loopback_is_open_on_loopback_only() -> None:
    with receiving() as receiver:
        assert asyncio.run(sender(settings("http://127.0.0.1:8000")).post(receiver.url, {}, b"")).delivered
        with pytest.raises(Refused):
            asyncio.run(sender(settings("https://firstuser.example")).post(receiver.url, {}, b""))
