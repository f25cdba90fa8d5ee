"""Bring everything that is sealed to the current data key, and prove that the old one is needed no more.

Batches of their own transactions: killed at any line, the next call goes on with what is still sealed with
another key; that is all there is to remember. Other writers may be at work, with the new ring or still with
the old one: passes are repeated until a whole one finds nothing.

The old key is needed for as long as something may come back that was sealed with it: `sealed.DIES_OUT`, links
in e-mails (24 hours), and every backup that a restore may start from.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from sqlalchemy.orm import Session

from api.core.crypto import Vault
from api.core.errors import Refused
from api.core.ports import OnProgress, Progress
from api.core.rotation import reencryption_queries as queries
from api.core.rotation.sealed import SEALED, SealedTable

BATCH = 500
_IDLE_PASSES = 3  # that moved nothing: the rest is held by others, or cannot be opened
Transaction = Callable[[], AbstractContextManager[Session]]


@dataclass(frozen=True, slots=True)
class Standing:
    """Rows of one table with something sealed, and how many wait for the current key."""

    table: str
    rows: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Moved:
    """`unreadable`: rows (`table id`) that no key of the ring opens."""

    rows: int
    unreadable: Sequence[str]


@dataclass(frozen=True, slots=True)
class Proof:
    """`opened` of `sampled` rows could be read, and found by their blind index, with the current key alone.
    `unlike`: rows where that failed."""

    standings: Sequence[Standing]
    sampled: int
    opened: int
    unlike: Sequence[str]

    @property
    def holds(self) -> bool:
        return not self.unlike and all(one.waiting == 0 for one in self.standings)


def standings(session: Session, vault: Vault) -> list[Standing]:
    return [Standing(one.name, *queries.counts(session, one, vault.header)) for one in SEALED]


def reencrypt(transaction: Transaction, vault: Vault, on_progress: OnProgress, batch: int = BATCH) -> Moved:
    """Until nothing is left that the ring opens. The vault's first key is the one to move to."""
    moved, unreadable = 0, set[str]()
    for table in SEALED:
        moved += _table(transaction, vault, table, on_progress, batch, unreadable)
    return Moved(moved, sorted(unreadable))


def prove(transaction: Transaction, current: bytes, sample: int = 200) -> Proof:
    """By count, and by opening samples with the current key alone."""
    alone = Vault([current])
    with transaction() as session:
        found = standings(session, alone)
        rows = [
            (table, row)
            for table, one in zip(SEALED, found, strict=True)
            if one.rows
            for row in queries.sample(session, table, sample, one.rows)
        ]
    unlike = [_name(table, row) for table, row in rows if not _opens(alone, table, row)]
    return Proof(found, len(rows), len(rows) - len(unlike), unlike)


def _table(
    transaction: Transaction,
    vault: Vault,
    table: SealedTable,
    on_progress: OnProgress,
    batch: int,
    unreadable: set[str],
) -> int:
    with transaction() as session:
        _, total = queries.counts(session, table, vault.header)
    moved = idle = 0
    left = total
    while left and idle < _IDLE_PASSES:
        before = moved
        after: Sequence[str] | None = None
        while True:
            with transaction() as session:
                rows = queries.hold_stale(session, table, vault.header, after, batch)
                fresh = _resealed(vault, table, rows, unreadable)
                if fresh:
                    queries.put(session, table, fresh)
            moved += len(fresh)
            on_progress(Progress(f"Re-encrypting {table.name}", moved, max(total, moved), "rows"))
            if not rows:
                break
            after = rows[-1][: len(table.key)]
        idle = idle + 1 if moved == before else 0
        with transaction() as session:
            _, left = queries.counts(session, table, vault.header)
        left -= sum(1 for name in unreadable if name.startswith(f"{table.name} "))
    return moved


def _resealed(
    vault: Vault, table: SealedTable, rows: Sequence[queries.Row], unreadable: set[str]
) -> list[dict[str, object]]:
    fresh: list[dict[str, object]] = []
    for row in rows:
        try:
            fresh.append(_fresh(vault, table, row))
        except Refused:
            unreadable.add(_name(table, row))
    return fresh


def _fresh(vault: Vault, table: SealedTable, row: queries.Row) -> dict[str, object]:
    """The row's columns for the current key. Raises `Refused` when no key of the ring opens it."""
    known: dict[str, object] = dict(zip(table.key, row, strict=False))
    for (column, index), blob in zip(table.columns.items(), row[len(table.key) :], strict=True):
        text = vault.open(blob, _row_id(table, row)) if blob is not None else None
        known[column] = vault.seal(text, _row_id(table, row)) if text is not None else None
        if index:
            known[index] = vault.index(text) if text is not None else None
    return known


def _opens(vault: Vault, table: SealedTable, row: queries.Row) -> bool:
    key, sealed = len(table.key), len(table.columns)
    indexes = iter(row[key + sealed :])
    for (_, index), blob in zip(table.columns.items(), row[key : key + sealed], strict=True):
        found = next(indexes) if index else None
        if blob is None:
            continue
        try:
            text = vault.open(blob, _row_id(table, row))
        except Refused:
            return False
        if index and found != vault.index(text):
            return False
    return True


def _row_id(table: SealedTable, row: queries.Row) -> str:
    return " ".join(row[: len(table.key)])


def _name(table: SealedTable, row: queries.Row) -> str:
    return f"{table.name} {_row_id(table, row)}"
