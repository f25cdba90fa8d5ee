"""Random but possible histories: full backups, incrementals on them, some verified, some lost."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from api.core.backups.catalogue import BackupRecord
from api.core.backups.wal import SEGMENT_BYTES

START = datetime(2026, 1, 1, tzinfo=UTC)


def record(
    number: int,
    *,
    parent: BackupRecord | None = None,
    days: float | None = None,
    verified: bool = True,
    timeline: int = 1,
    system: str = "1",
) -> BackupRecord:
    """The `number`th backup; it begins in segment 10 × number and ends in the next one."""
    at = START + timedelta(days=number if days is None else days)
    return BackupRecord(
        id=f"b{number:03d}",
        kind="incremental" if parent else "full",
        parent=parent.id if parent else None,
        timeline=timeline,
        start_lsn=10 * number * SEGMENT_BYTES + 40,
        stop_lsn=(10 * number + 1) * SEGMENT_BYTES + 300,
        started_at=at - timedelta(minutes=5),
        stopped_at=at,
        system_identifier=system,
        pg_version="18.6",
        size_bytes=1000,
        restored_bytes=1000,
        verified_at=at if verified else None,
    )


@st.composite
def histories(draw: st.DrawFn) -> list[BackupRecord]:
    """Up to a dozen backups; a tenth of them has been lost since, whatever builds on them."""
    made: list[BackupRecord] = []
    for number in range(1, draw(st.integers(0, 12)) + 1):
        parent = draw(st.sampled_from([None, *made]))
        made.append(record(number, parent=parent, verified=draw(st.booleans())))
    return [each for each in made if draw(st.integers(0, 9)) > 0]
