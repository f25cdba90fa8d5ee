"""An export proves itself: whatever is changed in it, anywhere, is found and named; untouched it passes."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.core.errors import Refused
from api.core.evidence import exports, offline
from api.core.evidence.chain import Record
from api.core.evidence.exports import FORMS, Export
from tests.api.core.evidence.ledgers import FIRST, SECOND, STRANGER, Ledger, sample, sealed, with_records

EXPORT = exports.read(sample().export())[0]
PLACES = [(stream, place) for stream, records in EXPORT.streams.items() for place in range(len(records))]


def faults(export: Export, form: str = "json", trusted: tuple[str, ...] = ()) -> list[str]:
    return [str(fault) for fault in offline.verify(exports.render(export, form), trusted).every_fault()]


@pytest.mark.parametrize("form", FORMS)
def test_an_untouched_export_passes_in_every_form_and_reads_back_the_same(form: str) -> None:
    text = sample().export(form)
    report = offline.verify(text, [FIRST.id])
    assert report.whole, report.every_fault()
    assert report.first_key == FIRST.id
    assert {stream.stream: stream.records for stream in report.streams} == {
        "signing-keys": 2,
        "drills": 4,
        "rotations": 2,
        "checkpoints": 2,
    }
    assert exports.read(text)[0] == EXPORT
    assert sample().export(form) == text  # the same ledger, the same bytes


@pytest.mark.parametrize("trusted", [FIRST.id, SECOND.id])
def test_any_key_of_the_chain_can_be_the_one_that_is_trusted(trusted: str) -> None:
    assert faults(EXPORT, trusted=(trusted,)) == []


def test_a_ledger_by_other_keys_is_not_ours() -> None:
    forged = Ledger(STRANGER)
    forged.append("drills", "drill", {"rto": 1})
    assert offline.verify(forged.export()).whole  # whole, but whose?
    (fault,) = offline.verify(forged.export(), [FIRST.id]).every_fault()
    assert FIRST.id in str(fault)


CHANGES: dict[str, Callable[[Record], Record]] = {
    "body": lambda r: replace(r, body={**r.body, "planted": True}),
    "kind": lambda r: replace(r, kind=r.kind + "x"),
    "id": lambda r: replace(r, id=r.id + "x"),
    "time": lambda r: replace(r, recorded_at=r.recorded_at + timedelta(microseconds=1)),
    "hash": lambda r: replace(r, hash="0" * 64),
    "previous": lambda r: replace(r, previous_hash="f" * 64),
    "signature": lambda r: replace(r, signature="0" * 128),
    "unsigned": lambda r: replace(r, key_id=None, signature=None),
    "another's key": lambda r: replace(r, key_id=STRANGER.id),
    "sealed by a stranger": lambda r: sealed(replace(r, body={"n": 99}), STRANGER),
    "hashed anew": lambda r: replace(
        sealed(replace(r, body={"n": 99}), None), key_id=r.key_id, signature=r.signature
    ),
}


@pytest.mark.parametrize("form", FORMS)
@given(st.sampled_from(PLACES), st.sampled_from(sorted(CHANGES)))
def test_any_changed_record_is_found_and_named(form: str, place: tuple[str, int], change: str) -> None:
    stream, at = place
    records = list(EXPORT.streams[stream])
    records[at] = CHANGES[change](records[at])
    found = faults(with_records(EXPORT, stream, records), form)
    assert any(said.startswith(f"{stream}: ") and records[at].id in said for said in found), found


@given(st.sampled_from(PLACES), st.sampled_from(["remove", "repeat", "swap", "move", "insert"]))
def test_any_removed_moved_or_inserted_record_is_found_and_named(place: tuple[str, int], how: str) -> None:
    stream, at = place
    records = list(EXPORT.streams[stream])
    touched, last = records[at], len(records) - 1
    if how == "remove":
        del records[at]
    elif how == "repeat":
        records.insert(at, touched)
    elif how == "insert":
        records.insert(at, sealed(replace(touched, id="evd_planted", body={}), STRANGER))
    else:
        del records[at]
        records.insert((at + 1) % (last + 1) if how == "swap" else 0 if at else last, touched)
    found = faults(with_records(EXPORT, stream, records))
    if how == "remove":
        assert any(str(touched.seq) in said and "missing" in said for said in found), found
    else:
        assert any(said.startswith(f"{stream}: ") for said in found), found
    if how == "insert":
        assert any("evd_planted" in said for said in found), found


@given(st.sampled_from(sorted(EXPORT.streams)), st.data())
def test_an_end_that_was_cut_off_is_missed(stream: str, data: st.DataObject) -> None:
    records = EXPORT.streams[stream]
    kept = data.draw(st.integers(0, len(records) - 1))
    found = faults(with_records(EXPORT, stream, records[:kept]))
    assert any(said.startswith(f"{stream}: ") and "missing from the end" in said for said in found), found


@given(st.sampled_from(sorted(EXPORT.streams)))
def test_a_stream_that_was_taken_away_is_missed(stream: str) -> None:
    rest = {name: records for name, records in EXPORT.streams.items() if name != stream}
    assert any(said.startswith(f"{stream}: ") for said in faults(replace(EXPORT, streams=rest)))
    heads = {name: head for name, head in EXPORT.heads.items() if name != stream}
    found = faults(replace(EXPORT, streams=rest, heads=heads))  # out of the manifest too
    assert any(said.startswith("(manifest): it was changed") or "no key" in said for said in found) or (
        stream == "signing-keys" and found
    )


@pytest.mark.parametrize("form", FORMS)
@given(st.data())
def test_no_byte_of_a_file_can_change(form: str, data: st.DataObject) -> None:
    text = sample().export(form)
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(exclude_characters=text[at], exclude_categories=["Cs"]))
    changed = data.draw(st.sampled_from([text[:at] + text[at + 1 :], text[:at] + other + text[at + 1 :]]))
    if changed == text:
        return
    try:
        assert not offline.verify(changed).whole
    except Refused as refusal:
        assert "no export" in refusal.message or "public key" in refusal.message


def test_what_a_retired_key_signs_later_is_a_fault() -> None:
    ledger = sample()
    ledger.append("drills", "drill", {"by": "a process that still has the old key"}, FIRST)
    assert offline.verify(ledger.export()).whole
    ledger.retire(FIRST, SECOND)
    assert offline.verify(ledger.export()).whole
    late = ledger.append("drills", "drill", {"by": "a thief"}, FIRST)
    (fault,) = offline.verify(ledger.export()).every_fault()
    assert late.id in str(fault)
    assert "retired" in str(fault)


def test_a_key_that_nothing_endorses_counts_only_for_who_trusts_it() -> None:
    ledger = Ledger()
    ledger.append("drills", "drill", {})
    ledger.introduce(STRANGER, STRANGER)
    ledger.key = STRANGER
    ledger.append("drills", "drill", {})
    found = offline.verify(ledger.export(), [FIRST.id]).every_fault()
    assert any("no earlier key endorses" in str(fault) for fault in found)
    assert offline.verify(ledger.export(), [STRANGER.id]).whole


def test_a_proof_of_a_key_cannot_be_taken_to_another_chain() -> None:
    stolen: Any = EXPORT.streams["signing-keys"][1].body
    forged = Ledger(STRANGER)
    forged.append("signing-keys", "key", {**stolen, "heads": {}}, STRANGER)
    assert any("does not prove" in str(fault) for fault in offline.verify(forged.export()).every_fault())


def test_records_from_before_there_was_a_key_are_pinned_by_it() -> None:
    ledger = Ledger(None)
    for n in range(2):
        ledger.append("drills", "drill", {"n": n})
    assert any("not signed" in str(fault) for fault in offline.verify(ledger.export()).every_fault())
    ledger.key = FIRST
    ledger.introduce(FIRST, FIRST)
    ledger.append("drills", "drill", {"n": 2})
    report = offline.verify(ledger.export())
    assert report.whole
    assert sum(stream.unsigned for stream in report.streams) == 2
    ledger.streams["drills"][0] = sealed(replace(ledger.streams["drills"][0], body={"n": 7}), None)
    ledger.streams["drills"][1] = sealed(
        replace(ledger.streams["drills"][1], previous_hash=ledger.streams["drills"][0].hash), None
    )
    assert any("is not what signing-keys" in str(f) for f in offline.verify(ledger.export()).every_fault())


@pytest.mark.parametrize("text", ["", "{}", "[]", "a,b\n1,2\n", "<!doctype html>\n", "\x00", "{" * 9999])
def test_what_is_no_export_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="no export"):
        offline.verify(text)


plain = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=6,
)


@given(st.sampled_from(["manifest", "streams", "heads", "drills", "record"]), plain)
def test_any_other_shape_is_refused_or_found_out(where: str, other: Any) -> None:
    document = json.loads(sample().export())
    if where == "heads":
        document["manifest"]["heads"] = other
    elif where == "drills":
        document["streams"]["drills"] = other
    elif where == "record":
        document["streams"]["drills"][0] = other
    else:
        document[where] = other
    try:
        assert not offline.verify(json.dumps(document)).whole
    except Refused as refusal:
        assert "no export" in refusal.message


@given(st.text())
def test_nothing_that_is_read_does_anything_but_refuse(text: str) -> None:
    with pytest.raises(Refused):
        offline.verify(text)


def test_the_page_says_first_what_is_wrong_and_leads_to_it() -> None:
    records = list(EXPORT.streams["drills"])
    records[1] = CHANGES["body"](records[1])
    good, bad = (
        exports.render(EXPORT, "html"),
        exports.render(with_records(EXPORT, "drills", records), "html"),
    )
    assert "✓ Verified</h2><p>10 records in 4 streams" in good
    assert "class=wrong" not in good
    assert "✗ Not verified: 1 fault<" in bad
    assert f'<a href="#drills-2">drills: {records[1].id} (record 2) was changed</a>' in bad
    assert bad.count("class=wrong>") == 2  # the stream in the summary, and the record
    assert '<tr id="drills-2" class=wrong>' in bad


def test_a_page_needs_nothing_from_outside() -> None:
    text = exports.render(EXPORT, "html").partition("<script")[0]
    assert "src=" not in text and "url(" not in text and "://" not in text


def test_a_page_of_the_first_releases_verifies_for_good() -> None:
    """Byte for byte as it was: whoever has one keeps it for years."""
    first = list(exports.renderings(EXPORT, "html"))[-1]
    written = "57b6ef1d9b981dfb17da110ef2734972d3aeeb5d47a70b12f9aaa09ccb68344b"
    assert hashlib.sha256(first.encode()).hexdigest() == written
    assert offline.verify(first, [FIRST.id]).whole
    assert not offline.verify(first.replace("<h1>Evidence", "<h1>Our evidence"), [FIRST.id]).whole
