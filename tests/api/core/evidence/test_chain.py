"""The chain finds any changed, removed or reordered record and names it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from api.core.evidence.chain import GENESIS, Record, first_break, record_hash

START = datetime(2026, 11, 22, tzinfo=UTC)


def chain(bodies: list[dict[str, Any]]) -> list[Record]:
    records: list[Record] = []
    previous = GENESIS
    for seq, body in enumerate(bodies, start=1):
        fields: dict[str, Any] = {
            "id": f"evd_{seq}",
            "stream": "drills",
            "seq": seq,
            "kind": "drill",
            "recorded_at": START + timedelta(minutes=seq),
            "body": body,
        }
        digest = record_hash(**fields, previous=previous)
        records.append(Record(**fields, previous_hash=previous, hash=digest))
        previous = digest
    return records


bodies = st.lists(
    st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5) | st.none(), max_size=3),
    min_size=3,
    max_size=8,
)


@given(bodies)
def test_an_untouched_chain_is_whole(contents: list[dict[str, Any]]) -> None:
    assert first_break(chain(contents)) is None


@given(bodies, st.data())
def test_any_tampering_is_found_and_named(contents: list[dict[str, Any]], data: st.DataObject) -> None:
    records = chain(contents)
    place = data.draw(st.integers(0, len(records) - 2))
    how = data.draw(st.sampled_from(["change", "remove", "swap"]))
    if how == "change":
        records[place] = replace(records[place], body={**records[place].body, "planted": True})
    elif how == "remove":
        del records[place]
    else:
        records[place], records[place + 1] = records[place + 1], records[place]
    found = first_break(records)
    assert found is not None
    assert f"evd_{place + 1}" in found or f"evd_{place + 2}" in found


def test_a_rewritten_record_with_a_fresh_hash_breaks_at_its_successor() -> None:
    records = chain([{"n": 1}, {"n": 2}, {"n": 3}])
    old = records[1]
    fresh = record_hash(
        id=old.id,
        stream=old.stream,
        seq=old.seq,
        kind=old.kind,
        recorded_at=old.recorded_at,
        body={"n": 99},
        previous=old.previous_hash,
    )
    records[1] = replace(old, body={"n": 99}, hash=fresh)
    assert first_break(records) == "drills: evd_3 (record 3) does not follow its predecessor"
