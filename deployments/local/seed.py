"""A realistic data set of any size, loaded once: `seed(database_url, settings, scale, now)`.

Scale 1: about 12 founders and spaces, 20 integrations, 20,000 entries, 8,000 grants, 5,000 presence rows,
a handful of conversations in each space.
People grow with the scale, companies with its square root. Everything is one transaction: there or not.
The plaintext keys of the first integrations go to `secrets/partner_keys.json` for the traffic generator.
"""

import json
import random
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from api.core.crypto import Vault, data_keys
from api.core.founders.models import Founder
from api.db.engine import driver_connection, make_engine, session_scope
from api.settings import Settings
from deployments.local import seed_chat, seed_companies, seed_rows
from deployments.local.seed_people import Place

_PARTNERS_WITH_KNOWN_KEYS = 5
_TABLES = "founders, spaces, integrations, api_keys, entries, grants, presence, conversations, messages"


@dataclass(frozen=True, slots=True)
class SeedReport:
    """Rows written per table; all zero when there was data already."""

    founders: int = 0
    spaces: int = 0
    integrations: int = 0
    entries: int = 0
    grants: int = 0
    presence: int = 0
    conversations: int = 0


def seed(database_url: str, settings: Settings, scale: float, now: datetime) -> SeedReport:
    """Fill an empty, migrated database. Idempotent: with founders present nothing is written."""
    engine = make_engine(database_url, application_name="firstuser-seed")
    try:
        with session_scope(engine) as session:
            session.execute(text("set local statement_timeout = 0"))
            session.execute(text("set local firstuser.webhooks = off"))  # made-up partners hear nothing
            session.execute(text("lock table founders in share row exclusive mode"))
            if session.scalar(select(func.count()).select_from(Founder)):
                return SeedReport()
            report = _fill(session, settings, scale, now)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"analyze {_TABLES}"))
    finally:
        engine.dispose()
    return report


def _fill(session: Session, settings: Settings, scale: float, now: datetime) -> SeedReport:
    rng = random.Random(20_260_102)  # noqa: S311  made-up companies, no secrets
    vault = Vault(data_keys(settings.service.data_key.get_secret_value()))
    companies = max(3, round(12 * scale**0.5))
    owners = seed_companies.founders(session, settings.platform, vault, rng, companies, now)
    spaces = seed_companies.spaces(session, settings.platform, rng, owners, now)
    integrations = seed_companies.integrations(session, rng, spaces, max(5, round(20 * scale**0.5)), now)
    _keep_keys(settings, seed_companies.mint(session, integrations, now))
    places = [Place(made.id, made.space_id, 1 / (rank + 2)) for rank, made in enumerate(integrations)]
    counts = seed_rows.load(driver_connection(session), vault, places, max(50, round(20_000 * scale)), now)
    conversations = seed_chat.load(session, now)
    return SeedReport(len(owners), len(spaces), len(integrations), *counts, conversations)


def _keep_keys(settings: Settings, minted: list[tuple[str, str]]) -> None:
    """Written before the commit: a key that nobody knows could not be got back."""
    path = partner_keys_file(settings)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(dict(minted[:_PARTNERS_WITH_KNOWN_KEYS]), indent=2))
    fresh.replace(path)


def partner_keys_file(settings: Settings) -> Path:
    """`{integration id: plaintext key}`; staging's own data set keeps its keys apart."""
    name = "partner_keys.staging.json" if settings.service.env == "staging" else "partner_keys.json"
    return settings.stack.state_dir.absolute() / "secrets" / name
