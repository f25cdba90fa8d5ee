"""Who may do what: a decision for every route. A route without one fails the suite.

`DECISIONS` is in the order in which allowed calls are made: what ends things comes last. A body is given
where whose it is shows only after the body has been read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class For(Enum):
    """Whom a route is for; everybody else is refused."""

    ANYBODY = "anybody"
    LINK = "whoever has the link, which is a secret"
    FOUNDER = "any founder who is signed in"
    SPACE = "the founder whose space it is"
    SPACE_PROVEN = "the founder whose space it is, who typed a code just now"
    HOMEPAGE = "the owner of the homepage's space"
    PARTNER = "whoever has an integration's key, for what is the integration's"
    PARTNER_OWN = "the integration whose thing it is"
    WIDGET = "a person with access, in the widget on a registered page"
    WATCHER = "our own watcher, by its signature"
    METRICS = "whoever has the metrics token"
    DRILL = "a restore drill, where a restored copy is served; anywhere else nothing is there"


@dataclass(frozen=True, slots=True)
class Decision:
    """`form`: the body is one, else JSON. `stream`: it does not end by itself. `unknown`: the status for a
    link that nobody was given. `by`: who makes the allowed calls, where one ends the others."""

    method: str
    path: str
    audience: For
    body: Mapping[str, Any] | None = None
    form: bool = False
    stream: bool = False
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    unknown: int = 404
    by: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


_KEYED = {"Idempotency-Key": "of-the-matrix"}
_F, _I, _W = "/api/founder/v1", "/api/integration/v1", "/api/widget/v1/chat"
_HOOKS = f"{_F}/integrations/{{integration_id}}/webhooks"
_PAGE_HOOKS = "/app/webhooks/{integration_id}"
_SETUP = "/app/integrate/{integration_id}"
_SPAN = {"since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z"}
_WHY = {"reason": "the matrix"}
_TOKEN = {"token": "of-the-matrix"}


def _get(audience: For, *paths: str) -> list[Decision]:
    return [Decision("GET", path, audience, stream=path.endswith("/stream")) for path in paths]


def _json(
    audience: For, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
) -> Decision:
    return Decision(method, path, audience, body, headers=headers or {})


def _form(audience: For, path: str, body: Mapping[str, Any] | None = None) -> Decision:
    return Decision("POST", path, audience, body or {}, form=True)


DECISIONS: tuple[Decision, ...] = (
    *_get(For.ANYBODY, "/api/healthz", "/api/readyz", "/api/openapi.json", "/static/{path}"),
    *_get(For.ANYBODY, "/login", "/outbox", "/", "/join", "/join/challenge", "/widget.js", "/widget/frame"),
    _json(For.ANYBODY, "POST", "/auth/otp/start", {"phone": "+15550109999"}),
    Decision("POST", "/auth/otp/verify", For.LINK, {"code": "000000"}, unknown=401),
    _form(For.ANYBODY, "/join", {"email": "somebody@example.com"}),
    _form(For.ANYBODY, "/join/confirm", {"token": "made-up"}),
    *_get(For.METRICS, "/api/metrics"),
    *_get(For.DRILL, "/api/drill/outbox?to=%2B15550100001&after=2026-01-01T00:00:00Z"),
    _json(For.WATCHER, "POST", "/api/ops/v1/watcher"),
    *_get(For.LINK, "/ack/{code}", "/duty/{code}", "/w/{token}", "/w/embed/{token}"),
    Decision("GET", "/w/{token}/state", For.LINK, unknown=204),
    Decision("GET", "/w/embed/{token}/state", For.LINK, unknown=200),  # a frame is told to stop asking
    _form(For.LINK, "/ack/{code}", {"name": "Anna"}),
    Decision("POST", "/duty/{code}", For.LINK, {}, form=True, unknown=410),
    _form(For.LINK, "/w/embed/{token}/code"),
    # partners
    *_get(For.PARTNER, f"{_I}/users/live", f"{_I}/me"),
    _json(For.PARTNER, "POST", f"{_I}/heartbeat", {"users": [{"external_user_id": "u1"}]}),
    _json(For.PARTNER, "POST", f"{_I}/access/exchange", {"code": "made-up"}),
    _json(For.PARTNER, "POST", f"{_I}/waitlist/start", {"mode": "embedded"}, _KEYED),
    _json(
        For.PARTNER, "POST", f"{_I}/widget/token", {"external_user_id": "u1", "origin": "https://a.example"}
    ),
    _json(For.PARTNER, "POST", f"{_I}/webhooks/test"),
    *_get(For.PARTNER_OWN, f"{_I}/access/grants/{{grant_id}}"),
    # the widget
    _json(For.WIDGET, "POST", f"{_W}/load"),
    *_get(For.WIDGET, f"{_W}/messages", f"{_W}/stream"),
    _json(For.WIDGET, "POST", f"{_W}/messages", {"client_id": "client-1", "text": "Hello"}),
    _json(For.WIDGET, "POST", f"{_W}/read", {"seq": 0}),
    # founders: what is their own, or everybody's
    *_get(For.FOUNDER, "/app", "/app/live", "/app/chat", "/app/chat/list", "/app/webhooks", "/app/integrate"),
    *_get(For.FOUNDER, "/app/waitlist", "/app/account", "/app/ops", "/app/ops/state", "/app/ops/runs"),
    *_get(For.FOUNDER, "/app/ops/drills/{drill_id}", "/app/ops/preflights/{preflight_id}"),
    *_get(For.FOUNDER, "/app/ops/preflights/{preflight_id}/state"),
    *_get(
        For.FOUNDER, f"{_F}/sessions", f"{_F}/ops/flags", f"{_F}/ops/drills", f"{_F}/ops/drills/{{drill_id}}"
    ),
    *_get(For.FOUNDER, f"{_F}/ops/backups", f"{_F}/ops/preflights", f"{_F}/ops/preflights/{{preflight_id}}"),
    _json(For.FOUNDER, "POST", f"{_F}/ops/drills"),
    _json(For.FOUNDER, "POST", f"{_F}/ops/preflights"),
    _json(For.FOUNDER, "POST", f"{_F}/ops/preflights/{{preflight_id}}/sign-off", {"approve": True}),
    _form(For.FOUNDER, "/app/ops/drills", _TOKEN),
    _form(For.FOUNDER, "/app/ops/preflights", _TOKEN),
    _form(For.FOUNDER, "/app/ops/preflights/{preflight_id}/sign-off", {"approve": "true"}),
    _form(For.FOUNDER, "/app/ops/preflights/waivers/new", {"check": "none", "days": "1", **_WHY}),
    _form(For.FOUNDER, "/app/ops/preflights/waivers/{waiver_id}/approve"),
    _form(For.FOUNDER, "/app/ops/preflights/waivers/{waiver_id}/end"),
    # founders: what belongs to a space
    *_get(
        For.SPACE, f"{_F}/spaces/{{slug}}", f"{_F}/spaces/{{slug}}/live", f"{_F}/spaces/{{slug}}/live/stream"
    ),
    *_get(For.SPACE, f"{_F}/spaces/{{slug}}/conversations", f"{_F}/spaces/{{slug}}/entries"),
    *_get(For.SPACE, f"{_F}/spaces/{{slug}}/features", f"{_F}/entries/{{entry_id}}"),
    *_get(For.SPACE, f"{_F}/conversations/{{conversation_id}}/messages"),
    *_get(For.SPACE, f"{_F}/conversations/{{conversation_id}}/stream"),
    *_get(For.SPACE, f"{_F}/integrations/{{integration_id}}", f"{_HOOKS}/endpoints", f"{_HOOKS}/replays"),
    *_get(For.SPACE, f"{_HOOKS}/endpoints/{{endpoint_id}}/deliveries"),
    *_get(For.SPACE, f"{_HOOKS}/deliveries/{{delivery_id}}"),
    *_get(For.SPACE, "/app/chat/{conversation_id}", _SETUP, f"{_SETUP}/checklist", "/app/users/{user_id}"),
    *_get(For.SPACE, f"{_PAGE_HOOKS}/endpoints/{{endpoint_id}}", f"{_PAGE_HOOKS}/deliveries/{{delivery_id}}"),
    *_get(For.SPACE_PROVEN, f"{_F}/users/{{user_id}}/export", "/app/users/{user_id}/export"),
    _json(
        For.SPACE,
        "POST",
        f"{_F}/conversations/{{conversation_id}}/messages",
        {"client_id": "client-2", "text": "Hello"},
    ),
    _json(For.SPACE, "POST", f"{_F}/conversations/{{conversation_id}}/read", {"seq": 0}),
    _json(For.SPACE, "PATCH", f"{_F}/integrations/{{integration_id}}", {"name": "Another name"}),
    _json(For.SPACE, "POST", f"{_F}/entries/{{entry_id}}/accept"),
    _json(For.SPACE, "POST", f"{_F}/entries/{{entry_id}}/reject"),
    _json(
        For.SPACE, "POST", f"{_F}/spaces/{{slug}}/entries/bulk", {"action": "accept", "first_n": 1}, _KEYED
    ),
    _json(For.SPACE, "PATCH", f"{_F}/spaces/{{slug}}/onboarding", {"paused": False, **_WHY}),
    _json(
        For.SPACE,
        "PATCH",
        f"{_F}/spaces/{{slug}}/features/webhook_retries_paused",
        {"enabled": False, **_WHY},
    ),
    _json(For.SPACE, "POST", f"{_F}/integrations/{{integration_id}}/secrets/try"),
    _form(For.SPACE, f"{_SETUP}/secrets/try"),
    _json(For.SPACE, "POST", f"{_HOOKS}/test"),
    _json(For.SPACE, "POST", f"{_HOOKS}/endpoints", {"url": "https://hooks.example.com/x"}),
    _json(For.SPACE, "PATCH", f"{_HOOKS}/endpoints/{{endpoint_id}}", {"state": "enabled"}),
    _json(For.SPACE, "POST", f"{_HOOKS}/deliveries/{{delivery_id}}/resend"),
    _json(
        For.SPACE,
        "POST",
        f"{_HOOKS}/replays",
        {"endpoint_id": "{endpoint_id}", "dry_run": True, **_SPAN},
    ),
    _json(For.SPACE, "POST", f"{_HOOKS}/replays/{{replay_id}}/cancel"),
    _form(For.SPACE, "/app/chat/{conversation_id}", {"client_id": "client-3", "text": "Hello"}),
    _form(For.SPACE, f"{_PAGE_HOOKS}/test"),
    _form(For.SPACE, f"{_PAGE_HOOKS}/pause", {"paused": "false"}),
    _form(For.SPACE, "/app/webhooks/pause?space={slug}", {"paused": "false"}),
    _form(
        For.SPACE,
        f"{_PAGE_HOOKS}/endpoints/{{endpoint_id}}/replays",
        {"hours": "1", "which": "all", "act": "count"},
    ),
    _form(For.SPACE, f"{_PAGE_HOOKS}/endpoints/{{endpoint_id}}/replays/{{other_replay_id}}/cancel"),
    _form(For.SPACE, f"{_PAGE_HOOKS}/endpoints/{{endpoint_id}}/state", {"state": "enabled"}),
    _form(For.SPACE, f"{_PAGE_HOOKS}/deliveries/{{delivery_id}}/resend"),
    _form(For.SPACE, f"{_SETUP}/name", {"name": "A third name"}),
    _form(For.SPACE, f"{_SETUP}/webhook", {"address": "https://hooks.example.com/y"}),
    _form(For.SPACE, f"{_SETUP}/{{kind}}/add", {"address": "https://more.example"}),
    _form(For.SPACE, f"{_SETUP}/{{kind}}/remove", {"address": "https://more.example"}),
    _form(For.SPACE, "/app/waitlist/decide?space={slug}", {**_TOKEN, "accept": "{entry_id}"}),
    # the homepage's owner
    *_get(For.HOMEPAGE, f"{_F}/ops/flags/changes", f"{_F}/ops/alerts", f"{_F}/ops/alerts/{{alert_id}}"),
    *_get(For.HOMEPAGE, f"{_F}/ops/silences", "/app/ops/secrets", "/app/ops/incidents"),
    *_get(For.HOMEPAGE, "/app/ops/evidence", "/app/ops/evidence/{record_id}"),
    *_get(For.HOMEPAGE, "/app/ops/incidents/{incident_id}", "/app/ops/incidents/{incident_id}/postmortem.md"),
    _json(For.HOMEPAGE, "PATCH", f"{_F}/ops/flags/webhook_retries_paused", {"enabled": False, **_WHY}),
    _json(For.HOMEPAGE, "POST", f"{_F}/ops/alerts/test"),
    _json(For.HOMEPAGE, "POST", f"{_F}/ops/alerts/{{alert_id}}/acknowledge"),
    _json(For.HOMEPAGE, "POST", f"{_F}/ops/silences", {"minutes": 5, **_WHY}),
    _json(For.HOMEPAGE, "DELETE", f"{_F}/ops/silences/{{silence_id}}"),
    _form(For.HOMEPAGE, "/app/ops/flags/webhook_retries_paused", {"enabled": "false", **_WHY}),
    _form(For.HOMEPAGE, "/app/ops/secrets/rotate", {"name": "NO_SUCH_SECRET"}),
    _form(For.HOMEPAGE, "/app/ops/secrets/{rotation_id}/retire"),
    _form(For.HOMEPAGE, "/app/ops/secrets/{rotation_id}/rollback"),
    _form(For.HOMEPAGE, "/app/ops/alerts/test"),
    _form(For.HOMEPAGE, "/app/ops/alerts/{alert_id}/acknowledge"),
    _form(For.HOMEPAGE, "/app/ops/silences", {"minutes": "5", **_WHY}),
    _form(For.HOMEPAGE, "/app/ops/silences/{silence_id}/end"),
    _form(For.HOMEPAGE, "/app/ops/incidents/{incident_id}/confirm", _WHY),
    _form(For.HOMEPAGE, "/app/ops/incidents/{incident_id}/resume", _WHY),
    _form(For.HOMEPAGE, "/app/ops/owners", {"role": "release", "name": "", "address": "a@example.com"}),
    _form(For.HOMEPAGE, "/app/ops/owners/{role}/call"),
    _form(For.HOMEPAGE, "/app/ops/owners/{role}/drop"),
    # what ends things
    _json(For.PARTNER_OWN, "DELETE", f"{_I}/access/grants/{{grant_id}}"),
    _json(For.SPACE_PROVEN, "POST", f"{_F}/spaces/{{slug}}/integrations", {"name": "New"}, _KEYED),
    _form(For.SPACE_PROVEN, "/app/integrate/new?space={slug}", {**_TOKEN, "name": "Newer"}),
    _json(For.SPACE_PROVEN, "POST", f"{_F}/integrations/{{integration_id}}/keys/rotate", {}, _KEYED),
    _json(For.SPACE_PROVEN, "POST", f"{_F}/integrations/{{integration_id}}/secrets/rotate", {}, _KEYED),
    _form(For.SPACE_PROVEN, f"{_SETUP}/keys/rotate", _TOKEN),
    _form(For.SPACE_PROVEN, f"{_SETUP}/secrets/rotate", _TOKEN),
    _json(For.SPACE_PROVEN, "POST", f"{_F}/integrations/{{integration_id}}/keys/{{key_id}}/revoke"),
    _json(For.SPACE_PROVEN, "POST", f"{_F}/integrations/{{integration_id}}/secrets/{{secret_id}}/revoke"),
    _form(For.SPACE_PROVEN, f"{_SETUP}/keys/{{key_id}}/revoke"),
    _form(For.SPACE_PROVEN, f"{_SETUP}/secrets/{{secret_id}}/revoke"),
    _json(For.SPACE, "DELETE", f"{_HOOKS}/endpoints/{{endpoint_id}}"),
    _form(For.SPACE_PROVEN, "/app/users/{user_id}/delete", {"confirm": "no"}),
    _json(For.SPACE_PROVEN, "DELETE", f"{_F}/users/{{user_id}}"),
    _json(For.SPACE, "DELETE", f"{_F}/sessions/{{session_id}}"),
    _form(For.SPACE, "/app/account/sessions/{other_session_id}/end"),
    # whoever calls these is signed out by them, or was not signed in
    Decision("DELETE", f"{_F}/sessions", For.FOUNDER, by=("owner",)),
    Decision("POST", "/app/account/sessions/end-all", For.FOUNDER, {}, form=True, by=("stranger",)),
    Decision("POST", "/auth/logout", For.ANYBODY, by=("homepage",)),
)
