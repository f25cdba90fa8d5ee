"""The companies of the seeded data set: founders, their spaces, the integrations of those, and their keys."""

import random
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from api.core.access.models import Integration, Milestone, Space
from api.core.crypto import Vault
from api.core.founders import service
from api.core.keys.service import mint as mint_key
from api.settings import PlatformSettings
from deployments.local.seed_people import full_name, seeded_id

_COMPANIES = (  # noqa: SIM905  a list would take a line each
    "Northwind Kettle|Plumline|Harbor Notes|Quiet Metrics|Fernway|Lumen Desk|Tidebook|Oak & Signal|"
    "Paperfleet|Sundial Health|Moss Studio|Brightcart|Kitefield|Copperleaf|Stillwater|Inkwell Labs|"
    "Parcelbird|Rowan Pay"
).split("|")
_REACHED = ("first_call", "waitlist_start", "exchange", "heartbeat")
_KEY_AGES = 30  # days
_PRODUCTS = ("Web app", "Mobile app", "Beta portal", "Desktop client", "Partner console")


def founders(
    session: Session, platform: PlatformSettings, vault: Vault, rng: random.Random, count: int, now: datetime
) -> list[str]:
    """Ids; the owner of the homepage's space first, then the other founders who may log in."""
    known = [phone for phone in (platform.homepage_owner_phone, *platform.founder_phone_list) if phone]
    invented = [f"+447700900{number:03d}" for number in range(1000)]  # reserved for fiction
    phones = list(dict.fromkeys([*known, *invented]))[: max(count, len(known))]
    ids: list[str] = []
    for number, phone in enumerate(phones):
        name = full_name(rng)
        email = f"{name.lower().replace(' ', '.')}.{number}@example.com"
        ids.append(service.add(session, vault, name, phone, email, now - timedelta(days=200)))
    return ids


def spaces(
    session: Session, platform: PlatformSettings, rng: random.Random, owners: list[str], now: datetime
) -> list[Space]:
    """One per founder; the first has the homepage's slug."""
    made: list[Space] = []
    for number, owner in enumerate(owners):
        name = _COMPANIES[number % len(_COMPANIES)] + (f" {number}" if number >= len(_COMPANIES) else "")
        slug = "-".join("".join(c if c.isalnum() else " " for c in name.lower()).split())
        if number == 0 and platform.homepage_space_slug:
            slug = platform.homepage_space_slug
        created = now - timedelta(days=195, hours=-number)
        made.append(Space(id=seeded_id(rng, "spc"), slug=slug, name=name, owner_id=owner, created_at=created))
    session.add_all(made)
    session.flush()
    return made


def integrations(
    session: Session, rng: random.Random, spaces: list[Space], count: int, now: datetime
) -> list[Integration]:
    """The first space has exactly one; the others share the rest."""
    homes = [spaces[0], *spaces[1:]]
    homes += [rng.choice(spaces[1:]) for _ in range(max(0, count - len(homes)))]
    taken: dict[str, int] = {}
    made: list[Integration] = []
    for number, space in enumerate(homes):
        nth = taken[space.id] = taken.get(space.id, -1) + 1
        site = f"https://{'app' if nth == 0 else f'app{nth + 1}'}.{space.slug}.example"
        made.append(
            Integration(
                id=seeded_id(rng, "int"),
                space_id=space.id,
                name=_PRODUCTS[nth % len(_PRODUCTS)],
                return_urls=[f"{site}/welcome"],
                origins=[site],
                webhook_url=f"{site}/hooks/firstuser" if rng.random() < 0.7 else None,
                first_call_at=now - timedelta(days=180),
                created_at=now - timedelta(days=190, minutes=-number),
            )
        )
    session.add_all(made)
    session.flush()
    reached = now - timedelta(days=180)
    session.add_all(
        Milestone(integration_id=one.id, key=key, reached_at=reached) for one in made for key in _REACHED
    )
    return made


def mint(session: Session, integrations: Iterable[Integration], now: datetime) -> list[tuple[str, str]]:
    """Keys that were rotated in the last month: none is past its cadence, nor are all of them due at once."""
    return [
        (one.id, mint_key(session, one.id, now - timedelta(days=1 + number % _KEY_AGES))[1])
        for number, one in enumerate(integrations)
    ]
