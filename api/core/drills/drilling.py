"""What a drill needs to run: its checks by name, and the ports it works through."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from api.core.clock import Clock
from api.core.drills import product
from api.core.ports import DatabaseProvider, HostingProvider

STAGING = "staging"
DATABASE_CHECKS = ("checksums", "canary", "digests", "migration_head", "sequences", "collations")
PRODUCT_CHECKS = tuple(product.PRODUCT_CHECKS)
DEFAULT_CHECKS = (*DATABASE_CHECKS, *PRODUCT_CHECKS)
OPTIONAL_CHECKS = ("amcheck",)

Transaction = Callable[[], AbstractContextManager[Session]]


@dataclass(frozen=True, slots=True)
class Drilling:
    """What a drill needs: where its row lives, the providers, and how the product is used on the copy.

    `source` opens a read-only session on production; `mint_key` makes a partner key inside the copy;
    `replay_tombstones(source, copy)` makes the copy forget whom the source has forgotten, and returns how
    many tombstones that were, how many of their people were back in the copy, and how many still are;
    `durable` is False when copies run with fsync off, which makes their RTO one that does not count.
    """

    transaction: Transaction
    source: Transaction
    database: DatabaseProvider
    hosting: HostingProvider
    visitor: Callable[[], AbstractContextManager[product.Visitor]]
    mint_key: Callable[[Session, str, datetime], str]
    replay_tombstones: Callable[[Session, Session], tuple[int, int, int]]
    clock: Clock
    owner_phone: str
    live_window: timedelta
    copy_ttl: timedelta
    wait_timeout_s: float
    code_migration_head: str
    durable: bool = True


def database_name(drill_id: str) -> str:
    """`drl_abc` → `drill-abc`: deterministic, so that a retry adopts what it made."""
    return "drill-" + drill_id.removeprefix("drl_")
