"""The composition root of this door: settings → engines, providers, clock. Built once per process.

What only some flows work with is imported where it is built: minutely runs pay for every import.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from functools import cache, partial
from time import sleep
from typing import TYPE_CHECKING

from api import dispatching, evidence_keys
from api.core.alerts.desk import Desk
from api.core.alerts.outbox import Words
from api.core.clock import system_clock
from api.core.crypto import Vault, data_keys
from api.core.drills.drilling import STAGING, Drilling
from api.core.drills.inbox import pass_for
from api.core.drills.product import Visitor
from api.core.drills.runner import DrillRun
from api.core.drills.service import LOCK
from api.core.errors import Conflict, Refused
from api.core.flags.rules import parse_overrides
from api.core.keys import service as keys
from api.core.masking import masked
from api.core.ports import BackupKeeper, DatabaseProvider, HostingProvider, OnProgress
from api.core.preflight import owner_calls, owners
from api.core.preflight.records import Role
from api.core.privacy import tombstones
from api.core.webhooks.dispatcher import Ports
from api.db import migrate
from api.db.address import DatabaseAddress
from api.db.engine import Engine, Session, make_engine, session_scope
from api.db.locks import advisory_lock
from api.following import followed
from api.providers.alerting import channels
from api.providers.hosting import hosting_provider
from api.providers.messaging import messenger
from api.providers.messaging.outbox import Outbox
from api.providers.product.inbox import RemoteInbox
from api.providers.product.visitor import HttpVisitor
from api.providers.webhooks import sender as webhook_sender
from api.settings import Settings, load, named_file
from api.settings.rings import DATA_KEY, rings
from flows import run_log

if TYPE_CHECKING:
    from api.rotating import Rotations

LOCK_WAIT_S = 30.0
SMOKE_LOCK = 7_303_015


@cache
def settings() -> Settings:
    found = load()
    run_log.begin(found)
    return found


@cache
def address() -> DatabaseAddress:
    """A run goes on when the login, or the data key, is rotated meanwhile."""
    return followed(settings(), named_file(), vault())


@cache
def engine() -> Engine:
    """Our own rows: drills, evidence, beacons."""
    made = make_engine(address(), application_name="firstuser-flows")
    evidence_keys.sign(made, settings(), named_file())
    return made


@cache
def source_engine() -> Engine:
    """Production, read-only: what a drill may see of it."""
    reader = settings().drills.reader_database_url.get_secret_value()
    return make_engine(
        DatabaseAddress(reader) if reader else address(), application_name="drill-source", read_only=True
    )


@cache
def database() -> DatabaseProvider:
    from api.providers.databases.registry import database_provider

    return database_provider(settings())


@cache
def hosting() -> HostingProvider:
    return hosting_provider(settings())


def backup_keeper() -> BackupKeeper:
    """The provider as a keeper of backups. Raises `Refused` where the vendor keeps them itself."""
    provider = database()
    if not isinstance(provider, BackupKeeper):
        raise Refused(
            f"{provider.name} takes its own backups.", fix="Preflight checks the vendor's backup policy."
        )
    return provider


def webhook_ports() -> Ports | None:
    """Made anew for each run, whose loop the sender belongs to. None on a restored copy: it sends nothing."""
    if settings().service.restored_copy:
        return None
    return dispatching.ports(settings(), "webhook-retries", address=address())


def transaction() -> AbstractContextManager[Session]:
    return session_scope(engine())


def source() -> AbstractContextManager[Session]:
    return session_scope(source_engine())


def visitor() -> AbstractContextManager[Visitor]:
    """A person in front of staging, who reads codes from staging's outbox: here, or where that is."""
    base_url = hosting().base_url(STAGING)
    if settings().drills.hosting_provider == "local":
        outbox = Outbox(settings().service.outbox_dir.parent / STAGING)
        return HttpVisitor(base_url, outbox.latest)
    copy = hosting().state(STAGING).restored_copy or ""
    keys = rings(settings().platform, settings().service).get(DATA_KEY, [])
    return HttpVisitor(base_url, RemoteInbox(base_url, pass_for(keys, copy)).latest)


def mint_key(session: Session, integration_id: str, now: datetime) -> str:
    return keys.mint(session, integration_id, now)[1]


@cache
def vault() -> Vault:
    configured = settings()
    return Vault(data_keys(*rings(configured.platform, configured.service)[DATA_KEY]))


def call_owner(role: Role, by: str) -> str:
    """Send the owner a link that confirms; returns where to, masked. Raises `NotFound`, and what the
    messenger raises."""
    with transaction() as session:
        call = owners.call(session, vault(), role, by, system_clock())
    messenger(settings()).send(owner_calls.message(call, settings().platform.public_app_url))
    return masked(call.address)


@cache
def alert_desk() -> Desk:
    configured = settings()
    service, platform = configured.service, configured.platform
    words = Words(service.env, platform.public_app_url, configured.alerts.runbooks_url)
    overdue = partial(dispatching.check_overdue, service.env, parse_overrides(service.flags))
    return Desk(transaction, channels(platform, configured.alerts, service), words, system_clock, overdue)


@cache
def rotations() -> Rotations:
    from api import rotating

    configured = settings()
    return rotating.rotations(
        configured,
        engine(),
        transaction,
        vault(),
        messenger(configured),
        partial(webhook_sender, configured),
        system_clock,
        wait=sleep,
    )


@cache
def drilling() -> Drilling:
    configured = settings()
    return Drilling(
        transaction=transaction,
        source=source,
        database=database(),
        hosting=hosting(),
        visitor=visitor,
        mint_key=mint_key,
        replay_tombstones=tombstones.replay,
        clock=system_clock,
        owner_phone=configured.platform.homepage_owner_phone,
        live_window=timedelta(seconds=configured.service.live_ttl_seconds),
        copy_ttl=timedelta(seconds=configured.drills.drill_copy_ttl_seconds),
        wait_timeout_s=configured.drills.staging_wait_seconds,
        code_migration_head=migrate.head(),
        durable=configured.drills.drill_fsync,
    )


@cache
def drill_run(drill_id: str, on_progress: OnProgress) -> DrillRun:
    """The same object for every step of a drill in this process: it remembers the plan it made."""
    return DrillRun(drilling(), drill_id, on_progress)


@contextmanager
def smoke_lock(wait_s: float = LOCK_WAIT_S) -> Generator[None]:
    """One smoke test at a time. Raises `Conflict` when another goes on for too long."""
    with advisory_lock(engine(), SMOKE_LOCK, wait_s) as held:
        if not held:
            raise Conflict("Another smoke test is running.", fix="Wait for it, then run this one again.")
        yield


@contextmanager
def drill_lock(wait_s: float = LOCK_WAIT_S) -> Generator[None]:
    """One drill, or one sweep, at a time. Raises `Conflict` when another keeps it."""
    with advisory_lock(engine(), LOCK, wait_s) as held:
        if not held:
            raise Conflict(
                "Another restore drill is running.",
                fix="Wait for it (`firstuser drill list`), or cancel it in the Prefect UI, then start again.",
            )
        yield
