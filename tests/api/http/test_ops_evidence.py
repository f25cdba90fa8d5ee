"""The Ops page of evidence: streams, records and a verification on demand, for the homepage's owner."""

from fastapi import FastAPI
from sqlalchemy import text
from starlette.testclient import TestClient

from api.core.evidence import service
from api.http.services import Services
from api.providers.messaging.outbox import Outbox
from tests.api.http.conftest import Visit, log_in
from tests.product import NOW, OTHER_PHONE

PAGE = "/app/ops/evidence"


def test_records_are_shown_and_a_changed_one_is_named(app: FastAPI, founder: TestClient) -> None:
    at: Services = app.state.services
    with at.transaction() as session:
        ids = [service.append(session, "shown", "drill", {"n": n, "said": "<b>"}, NOW) for n in range(2)]
    page = founder.get(PAGE, params={"stream": "shown"})
    assert page.status_code == 200
    assert all(record in page.text for record in ids)
    assert "Whole." not in page.text  # nobody has looked
    record = founder.get(f"{PAGE}/{ids[0]}")
    assert "record 1 of shown" in record.text
    assert "<b>" not in record.text.partition("<pre")[2].partition("</pre>")[0]
    assert founder.get(f"{PAGE}/evd_none").status_code == 404
    with at.transaction() as session:
        session.execute(text("alter table ops.evidence disable trigger user"))
        change = "update ops.evidence set body = cast(:body as jsonb) where id = :id"
        session.execute(text(change), {"body": "{}", "id": ids[0]})
    broken = founder.get(PAGE, params={"verify": "true"}).text
    assert f"{ids[0]} (record 1) was changed" in broken
    with at.transaction() as session:
        session.execute(text(change), {"body": '{"n": 0, "said": "<b>"}', "id": ids[0]})
        session.execute(text("alter table ops.evidence enable trigger user"))
    assert "(record 1) was changed" not in founder.get(PAGE, params={"verify": "true"}).text


def test_it_is_the_homepage_owners(visit: Visit, outbox: Outbox, anyone: TestClient) -> None:
    assert anyone.get(PAGE).status_code in {303, 401}
    other = visit()
    log_in(other, outbox, OTHER_PHONE)
    assert other.get(PAGE).status_code == 403
