"""The chain finds any changed, removed or reordered record and names it, signed or not."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from api.core.evidence.chain import Record
from api.core.evidence.trust import Trust
from api.core.evidence.verification import check_stream
from tests.api.core.evidence.ledgers import Ledger, sealed

bodies = st.lists(
    st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5) | st.none(), max_size=3),
    min_size=3,
    max_size=8,
)


def chain(contents: list[dict[str, object]]) -> list[Record]:
    ledger = Ledger(None)
    return [ledger.append("drills", "drill", body) for body in contents]


def first_fault(records: list[Record]) -> str:
    report = check_stream("drills", records, Trust())
    return str(report.faults[0]) if report.faults else ""


@given(bodies)
def test_an_untouched_chain_is_whole(contents: list[dict[str, object]]) -> None:
    assert first_fault(chain(contents)) == ""


@given(bodies, st.data())
def test_any_tampering_is_found_and_named(contents: list[dict[str, object]], data: st.DataObject) -> None:
    records = chain(contents)
    place = data.draw(st.integers(0, len(records) - 2))
    how = data.draw(st.sampled_from(["change", "remove", "swap"]))
    if how == "change":
        records[place] = replace(records[place], body={**records[place].body, "planted": True})
    elif how == "remove":
        del records[place]
    else:
        records[place], records[place + 1] = records[place + 1], records[place]
    found = first_fault(records)
    assert f"evd_drills_{place + 1} " in found or f"evd_drills_{place + 2} " in found


def test_a_rewritten_record_with_a_fresh_hash_breaks_at_its_successor() -> None:
    records = chain([{"n": 1}, {"n": 2}, {"n": 3}])
    records[1] = sealed(replace(records[1], body={"n": 99}), None)
    assert first_fault(records) == "drills: evd_drills_3 (record 3) does not follow its predecessor"


def test_of_many_faults_a_hundred_are_named_and_all_counted() -> None:
    records = [replace(record, kind="planted") for record in chain([{"n": n} for n in range(150)])]
    report = check_stream("drills", records, Trust())
    assert (len(report.faults), report.found) == (100, 150)
