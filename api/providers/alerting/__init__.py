"""How alerts reach people. One adapter, one file, one line in `ADAPTERS`.

Which one an address is for is seen from the address: nothing else has to be set.
"""

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from api.core.alerts.messages import AlertChannel
from api.providers.alerting.discord import Discord
from api.providers.alerting.generic import Generic
from api.providers.alerting.local import Local
from api.providers.alerting.slack import Slack
from api.settings.alerts import AlertSettings
from api.settings.platform import PlatformSettings
from api.settings.service import ServiceSettings

Adapter = Callable[[str, httpx.BaseTransport | None], AlertChannel]
ADAPTERS: Mapping[str, Adapter] = {"slack": Slack, "discord": Discord, "json": Generic}
_SLACK = {"hooks.slack.com", "hooks.slack-gov.com"}
_DISCORD = {"discord.com", "discordapp.com", "ptb.discord.com", "canary.discord.com"}


def recognise(url: str) -> str:
    """`slack`, `discord` or `json`."""
    parts = urlsplit(url)
    if parts.hostname in _SLACK:
        return "slack"
    if parts.hostname in _DISCORD and parts.path.startswith("/api/") and "/webhooks/" in parts.path:
        return "discord"
    return "json"


def channel(url: str, transport: httpx.BaseTransport | None = None) -> AlertChannel:
    return ADAPTERS[recognise(url)](url, transport)


def channels(
    platform: PlatformSettings, alerts: AlertSettings, service: ServiceSettings
) -> Mapping[str, AlertChannel]:
    """`primary`, and `fallback` where there is one. Without an address the outbox; on a restored copy too."""
    urls = {"primary": _text(platform.ops_alert_webhook_url), "fallback": _text(alerts.alert_fallback_url)}
    given = {name: url for name, url in urls.items() if url}
    if service.restored_copy or not given:
        return {"primary": Local(service.outbox_dir)}
    return {name: channel(url) for name, url in given.items()}


def _text(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""
