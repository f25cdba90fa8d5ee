"""SQL of re-encryption, made from the names in `sealed`."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from api.core.rotation.sealed import SealedTable

_LOCK_WAIT = text("set local lock_timeout = '5s'")
Row = Sequence[Any]


def counts(session: Session, table: SealedTable, header: bytes) -> tuple[int, int]:
    """Rows with something sealed, and how many of them are sealed with another key than `header`'s."""
    some = " or ".join(f"{column} is not null" for column in table.columns)
    found = session.execute(
        text(f"select count(*), count(*) filter (where {_stale(table)}) from {table.name} where {some}"),  # noqa: S608 - names from a literal
        {"header": header},
    ).one()
    return found[0], found[1]


def hold_stale(
    session: Session, table: SealedTable, header: bytes, after: Sequence[str] | None, limit: int
) -> list[Row]:
    """The next rows behind the key `after`: key, then the sealed columns. Held until the transaction ends.

    Rows that somebody else holds are left for the next pass: whoever waits for nobody blocks nobody."""
    session.execute(_LOCK_WAIT)
    keys = ", ".join(table.key)
    behind = f"and ({keys}) > ({_named('after', table.key)})" if after else ""
    query = f"""
        select {keys}, {", ".join(table.columns)} from {table.name}
         where ({_stale(table)}) {behind}
         order by {keys} limit :limit for no key update skip locked"""  # noqa: S608 - names from a literal
    known = {f"after{at}": word for at, word in enumerate(after or ())}
    return list(session.execute(text(query), {"header": header, "limit": limit, **known}).all())


def put(session: Session, table: SealedTable, rows: Sequence[dict[str, Any]]) -> None:
    """Write the columns of rows that this transaction holds. `rows`: column name → value, the key as well."""
    written = [*table.columns, *(index for index in table.columns.values() if index)]
    names = [*table.key, *written]
    types = ["text[]"] * len(table.key) + ["bytea[]"] * len(written)
    arrays = ", ".join(f"cast(:{name} as {kind})" for name, kind in zip(names, types, strict=True))
    query = f"""
        update {table.name} as kept set {", ".join(f"{name} = fresh.{name}" for name in written)}
          from unnest({arrays}) as fresh ({", ".join(names)})
         where {" and ".join(f"kept.{name} = fresh.{name}" for name in table.key)}"""  # noqa: S608 - names from a literal
    session.execute(text(query), {name: [row[name] for row in rows] for name in names})


def sample(session: Session, table: SealedTable, size: int, of: int) -> list[Row]:
    """About `size` of the table's `of` rows, at random: key, sealed columns, blind indexes."""
    share = min(100.0, 100.0 * 2 * size / of)
    indexes = [index for index in table.columns.values() if index]
    some = " or ".join(f"{column} is not null" for column in table.columns)
    query = f"""
        select {", ".join([*table.key, *table.columns, *indexes])}
          from {table.name} tablesample bernoulli (:share) where {some} limit :size"""  # noqa: S608 - names from a literal
    return list(session.execute(text(query), {"share": share, "size": size}).all())


def _stale(table: SealedTable) -> str:
    """Sealed with another key. No row of NULLs: those compare to NULL."""
    return " or ".join(f"substring({column} from 1 for 5) <> :header" for column in table.columns)


def _named(name: str, words: Sequence[str]) -> str:
    return ", ".join(f":{name}{at}" for at in range(len(words)))
