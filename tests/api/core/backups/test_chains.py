from datetime import timedelta

from hypothesis import given

from api.core.backups.catalogue import BackupRecord, from_json, to_json
from api.core.backups.chains import MAX_LENGTH, Server, by_id, chain_of, next_parent
from tests.api.core.backups.strategies import START, histories, record

SERVER = Server("1", 1)
DAY = timedelta(days=1)


def test_a_record_survives_as_json() -> None:
    made = record(2, parent=record(1), verified=False)
    assert from_json(to_json(made)) == made


@given(histories())
def test_a_chain_is_whole_or_none(records: list[BackupRecord]) -> None:
    known = by_id(records)
    for each in records:
        chain = chain_of(known, each.id)
        if chain is not None:
            assert chain[0].kind == "full"
            assert chain[-1] == each
            assert [link.parent for link in chain[1:]] == [link.id for link in chain[:-1]]


def test_a_chain_across_servers_is_none() -> None:
    parent = record(1, system="other")
    child = record(2, parent=parent)
    assert chain_of(by_id([parent, child]), child.id) is None


def test_the_first_backup_is_full_and_so_is_one_a_day() -> None:
    full = record(1, days=0)
    assert next_parent([], SERVER, START, DAY) is None
    assert next_parent([full], SERVER, START + timedelta(hours=1), DAY) == full
    assert next_parent([full], SERVER, START + DAY, DAY) is None


def test_after_a_failover_or_on_another_server_the_next_is_full() -> None:
    full = record(1, days=0)
    assert next_parent([full], Server("1", 2), START, DAY) is None
    assert next_parent([full], Server("2", 1), START, DAY) is None


def test_no_chain_grows_beyond_its_limit() -> None:
    """Taking one after the other for long: each builds on the newest, or starts anew from the full one."""
    records = [record(1, days=0)]
    for number in range(2, 40):
        parent = next_parent(records, SERVER, START, DAY)
        assert parent is not None
        records.append(record(number, parent=parent, days=0))
        assert len(chain_of(by_id(records), records[-1].id) or ()) <= MAX_LENGTH
