"""Three founders with a space each, and everything that a route may be asked about, of one of them.

anna    whose things they are
bruno   another founder
hanna   the owner of the homepage's space
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from api.core.access.models import Grant, Integration, Space
from api.core.alerts import reports
from api.core.alerts.reports import Report
from api.core.chat import service as chat
from api.core.chat.token import Bearer
from api.core.founders import queries, sessions
from api.core.founders import service as founders
from api.core.ids import new_id
from api.core.keys import service as keys
from api.core.webhooks import secrets
from api.core.webhooks.models import WebhookDelivery, WebhookMessage, WebhookReplay
from api.http.services import Services
from tests.codes import issue
from tests.product import OTHER_PHONE, OWNER_PHONE, SLUG

ANNA_PHONE = "+15550100003"
ORIGIN = "https://anna.example"
METRICS_TOKEN = "a metrics token that is long enough"
NO_PAGE = "owner of no page"
"""A program that has the cookie and does not say where it comes from."""
OLD = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class World:
    """`given`: what stands for a path's parameters. `roles`: the headers of each."""

    given: Mapping[str, str]
    roles: Mapping[str, Mapping[str, str]]


def build(at: Services) -> World:
    now = datetime.now(UTC)
    with at.transaction() as session:
        hanna = founders.add(session, at.vault, "Hanna", OWNER_PHONE, None, now)
        anna = founders.add(session, at.vault, "Anna", ANNA_PHONE, None, now)
        bruno = founders.add(session, at.vault, "Bruno", OTHER_PHONE, None, now)
        _place(session, hanna, SLUG, now)
        space, integration = _place(session, anna, "anna", now)
        _, foreign = _place(session, bruno, "bruno", now)
        given, token = _things(at, session, space, integration, anna, now)
        roles = _roles(at, session, now, hanna=hanna, anna=anna, bruno=bruno)
        roles |= _keys(session, integration, foreign, now)
    roles |= {"widget": token, "widget token, ended": _ended(at, integration, given)}
    ours = {"Origin": at.settings.platform.public_app_url}
    roles = {role: {**ours, **headers} for role, headers in roles.items() if role != NO_PAGE} | {
        NO_PAGE: roles[NO_PAGE]
    }
    given |= {"session_id": _session(at, anna, now), "other_session_id": _session(at, anna, now)}
    return World(given, roles)


def watcher_body(at: Services) -> tuple[bytes, Mapping[str, str]]:
    """A report that the API believes."""
    return reports.seal(Report(datetime.now(UTC)), at.watcher_signer)


def _place(session: Session, owner: str, slug: str, now: datetime) -> tuple[str, str]:
    space = Space(id=new_id("spc"), slug=slug, name=slug.title(), owner_id=owner, created_at=now)
    session.add(space)
    session.flush()
    integration = Integration(
        id=new_id("int"),
        space_id=space.id,
        name="Web app",
        return_urls=[f"https://{slug}.example/welcome"],
        origins=[f"https://{slug}.example"],
        webhook_url=f"https://{slug}.example/hooks",
        created_at=now,
    )
    session.add(integration)
    session.flush()
    return space.id, integration.id


def _things(
    at: Services, session: Session, space: str, integration: str, anna: str, now: datetime
) -> tuple[dict[str, str], dict[str, str]]:
    guest = issue(session, integration, now, status="accepted")
    waiting = issue(session, integration, now, status="waiting")
    grant = Grant(
        id=new_id("grt"),
        integration_id=integration,
        entry_id=guest.entry_id,
        external_user_id=guest.external_user_id,
    )
    session.add(grant)
    session.flush()
    user_id = session.execute(text("select user_id from entries where id = :i"), {"i": guest.entry_id})
    user = str(user_id.scalar_one())
    endpoint = str(
        session.execute(
            text("select id from webhook_endpoints where integration_id = :i"), {"i": integration}
        ).scalar_one()
    )
    key_id, _ = keys.mint(session, integration, now)
    secret_id, _ = secrets.rotate(session, at.vault, integration, timedelta(0), now, anna)
    bearer = Bearer(user, integration, grant.id, ORIGIN)
    widget, _ = at.widget_keys.mint(bearer, timedelta(minutes=10), now)
    given = {
        "slug": "anna",
        "integration_id": integration,
        "entry_id": waiting.entry_id,
        "user_id": user,
        "grant_id": grant.id,
        "conversation_id": chat.opened(session, space, guest.entry_id, now).id,
        "endpoint_id": endpoint,
        "delivery_id": _delivery(session, integration, endpoint, now),
        "replay_id": _replay(session, integration, endpoint, anna, now),
        "other_replay_id": _replay(session, integration, endpoint, anna, now),
        "key_id": key_id,
        "secret_id": secret_id,
        "kind": "origins",
        "role": "release",
        "code": "made-up-code",
        "token": "made-up-token",
        "path": "base.css",
        **{f"{name}_id": f"{name}_none" for name in _PLATFORMS},
    }
    return given, {"Authorization": f"Bearer {widget}", "Widget-Origin": ORIGIN}


_PLATFORMS = ("drill", "preflight", "waiver", "alert", "silence", "rotation", "incident", "record")
"""Whose things are the platform's: for whom their routes are does not depend on which."""


def _delivery(session: Session, integration: str, endpoint: str, now: datetime) -> str:
    message = WebhookMessage(integration_id=integration, type="user.live", body=b"{}", created_at=now)
    session.add(message)
    session.flush()
    found = WebhookDelivery(
        message_id=message.id, endpoint_id=endpoint, state="exhausted", next_attempt_at=now, attempts=10
    )
    session.add(found)
    session.flush()
    return f"dlv_{found.id.hex}"


def _replay(session: Session, integration: str, endpoint: str, anna: str, now: datetime) -> str:
    found = WebhookReplay(
        id=new_id("rpl"),
        integration_id=integration,
        endpoint_id=endpoint,
        since=now - OLD,
        until=now,
        only_exhausted=True,
        total=1,
        created_by=anna,
        created_at=now,
    )
    session.add(found)
    session.flush()
    return found.id


def _roles(
    at: Services, session: Session, now: datetime, *, hanna: str, anna: str, bruno: str
) -> dict[str, Mapping[str, str]]:
    name = at.cookies._name("session")  # pyright: ignore[reportPrivateUsage]

    def cookie(founder: str, moment: datetime = now) -> str:
        return sessions.open_session(session, at.session_signer, founder, "matrix", moment)

    good, revoked, idle = cookie(anna), cookie(anna), cookie(anna, now - sessions.IDLE - OLD)
    sessions.close_session(session, at.session_signer, revoked, now)
    stale = cookie(anna, now - OLD)
    queries.touch_session(session, _hash(stale), now)
    values = {
        "owner": good,
        "stranger": cookie(bruno),
        "homepage": cookie(hanna),
        "session ended": revoked,
        "session idle": idle,
        "session forged": good[:-3] + ("AAA" if not good.endswith("AAA") else "BBB"),
        "proof too old": stale,
    }
    made: dict[str, Mapping[str, str]] = {
        role: {"Cookie": f"{name}={value}"} for role, value in values.items()
    }
    made["anonymous"] = {}
    made["owner on a foreign page"] = {"Cookie": f"{name}={good}", "Origin": "https://evil.example"}
    made[NO_PAGE] = {"Cookie": f"{name}={good}"}
    made["metrics"] = {"Authorization": f"Bearer {METRICS_TOKEN}"}
    return made


def _hash(cookie: str) -> bytes:
    return hashlib.sha256(cookie.partition(".")[0].encode()).digest()


def _keys(session: Session, integration: str, foreign: str, now: datetime) -> dict[str, Mapping[str, str]]:
    _, good = keys.mint(session, integration, now)
    _, other = keys.mint(session, foreign, now)
    revoked_id, revoked = keys.mint(session, integration, now)
    session.execute(text("update api_keys set revoked_at = :n where id = :i"), {"n": now, "i": revoked_id})
    made = {"key": good, "key of another": other, "key revoked": revoked, "key forged": good[:-1] + "_"}
    return {role: {"Authorization": f"Bearer {value}"} for role, value in made.items()}


def _ended(at: Services, integration: str, given: Mapping[str, str]) -> dict[str, str]:
    bearer = Bearer(given["user_id"], integration, given["grant_id"], ORIGIN)
    before = datetime.now(UTC) - OLD
    token, _ = at.widget_keys.mint(bearer, timedelta(minutes=1), before)
    return {"Authorization": f"Bearer {token}", "Widget-Origin": ORIGIN}


def _session(at: Services, anna: str, now: datetime) -> str:
    """Of another of Anna's browsers, which is her own to end."""
    browser = new_id("browser")
    with at.transaction() as session:
        sessions.open_session(session, at.session_signer, anna, browser, now)
        return next(one.id for one in sessions.of_founder(session, anna, now) if one.browser == browser)
