"""Slack, Discord and a receiver of any JSON as fakes; each gives `answers` first, then its usual one."""

import json
from typing import Any

import httpx

from tests.carriers import Answer, Fake

SLACK = "https://hooks.slack.com/services/T0123ABCD/B0456EFGH/s3cr3tTokenOfSlack"
DISCORD = "https://discord.com/api/v10/webhooks/1084752394857234/d1scord-S3cret_Token"
GENERIC = "https://pager.example/hooks/s3cretpath?key=s3cretquery"
ID = "1150000000000000001"


def fake(kind: str, *answers: Answer) -> Fake:
    return Fake({"slack": _slack, "discord": _discord, "json": _ok}[kind], list(answers))


def status(code: int, text: str = "", **headers: str) -> Answer:
    return lambda _: httpx.Response(code, text=text, headers=headers)


def _ok(_: httpx.Request) -> httpx.Response:
    return httpx.Response(204)


def _slack(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, text="ok")


def _discord(request: httpx.Request) -> httpx.Response:
    asked: Any = json.loads(request.content) if request.content else {}
    embeds = [{"type": "rich", **embed} for embed in asked.get("embeds", [])]
    return httpx.Response(
        200,
        json={
            "id": ID,
            "type": 0,
            "content": "",
            "channel_id": "1084752394857000",
            "author": _AUTHOR,
            "timestamp": "2026-11-24T07:00:00.000000+00:00",
            "edited_timestamp": None,
            "flags": 0,
            "pinned": False,
            "mention_everyone": False,
            "tts": False,
            "mentions": [],
            "mention_roles": [],
            "attachments": [],
            "components": [],
            "embeds": embeds,
            "webhook_id": "1084752394857234",
        },
    )


_AUTHOR = {
    "id": "1084752394857234",
    "username": "Ops",
    "avatar": None,
    "discriminator": "0000",
    "public_flags": 0,
    "flags": 0,
    "bot": True,
    "global_name": None,
    "primary_guild": None,
}
