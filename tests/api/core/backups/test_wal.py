import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.core.backups.wal import (
    Gap,
    Run,
    Segment,
    format_lsn,
    gaps,
    parse_lsn,
    parse_segment,
    runs,
    segment_before,
    segment_of,
)
from api.core.errors import Refused

segments = st.builds(Segment, st.integers(1, 3), st.integers(0, 2**32))
numbers = st.sets(st.integers(0, 60))


def test_names_are_those_of_postgresql() -> None:
    """Taken from a server: segment 255 of a log file is the last one before the next."""
    assert Segment(1, 3).name == "000000010000000000000003"
    assert Segment(1, 255).name == "0000000100000000000000FF"
    assert Segment(1, 256).name == "000000010000000100000000"
    assert segment_of(1, parse_lsn("1/2FFFFFF")).name == "000000010000000100000002"
    assert segment_before(1, parse_lsn("0/3000000")).name == "000000010000000000000002"


@given(segments)
def test_names_and_positions_agree(segment: Segment) -> None:
    assert parse_segment(segment.name) == segment
    assert segment_of(segment.timeline, segment.start_lsn) == segment
    assert segment_before(segment.timeline, segment.end_lsn) == segment


@given(st.integers(0, 2**64 - 1))
def test_an_lsn_is_written_and_read_back(lsn: int) -> None:
    assert parse_lsn(format_lsn(lsn)) == lsn


@pytest.mark.parametrize("text", ["", "0", "0/", "x/1", "0/3000060; DROP TABLE", "123456789/0"])
def test_anything_else_is_no_lsn(text: str) -> None:
    with pytest.raises(Refused, match="0/3000060"):
        parse_lsn(text)


@pytest.mark.parametrize(
    "name",
    ["00000002.history", "000000010000000000000003.00000028.backup", "000000010000000000000003.partial"],
)
def test_other_files_of_an_archive_are_no_segments(name: str) -> None:
    assert parse_segment(name) is None


@given(numbers)
def test_runs_and_gaps_together_are_everything(stored: set[int]) -> None:
    there = [Segment(1, number) for number in stored]
    found = gaps(there, Segment(1, 0))
    missing = {n for gap in found for n in range(gap.first.number, gap.last.number + 1)}
    covered = {segment.number for run in runs(there) for segment in run.segments(0)}
    assert covered == stored
    assert missing == set(range(max(stored, default=0))) - stored


def test_a_gap_is_named_by_its_ends() -> None:
    there = [Segment(1, number) for number in (3, 4, 8)]
    assert gaps(there, Segment(1, 3)) == [Gap(Segment(1, 5), Segment(1, 7))]
    assert gaps(there, Segment(1, 2))[0].missing == 1
    assert runs(there) == [Run(1, 3, 4), Run(1, 8, 8)]
