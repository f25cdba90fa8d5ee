"""The drain killed anywhere: every delivery is made, by this run or one that comes after its leases."""

from collections.abc import Mapping

from sqlalchemy import text

from api.core.crypto import Vault, data_keys
from api.core.webhooks.attempts import Attempt
from api.providers.webhooks.curl import CurlSender
from flows import webhook_retries
from tests.crash.points import POINTS
from tests.crash.scenario import engine, extra, run, state, tasks_of, transaction, wire
from tests.product import DATA_KEY
from tests.webhooks.dispatching import clear, end_leases, ports, work

COUNT = 6
BAD = "/status/500"
_GOOD = text("""
select 'msg_' || replace(m.id::text, '-', '') from webhook_messages m
join webhook_endpoints e using (integration_id) where e.url like '%/ok/1' and e.state <> 'removed'
""")


class Watched:
    def __init__(self) -> None:
        self._sender = CurlSender(loopback_allowed=True, deadline_s=5)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Attempt:
        with POINTS.around("POST"):
            return await self._sender.post(url, headers, body)


class WebhookRetries:
    def tasks(self) -> int:
        return tasks_of(webhook_retries)

    def before(self) -> None:
        clear(engine())
        with transaction() as session:
            session.execute(text("update founders set phone_index = convert_to(id, 'UTF8')"))
        receiver = extra("receiver")
        work(engine(), Vault(data_keys(DATA_KEY)), [f"{receiver}/ok/1", f"{receiver}{BAD}"], COUNT)

    def watch(self) -> None:
        """The sender's own calls are."""

    def run(self) -> None:
        vault = Vault(data_keys(DATA_KEY))
        wire(webhook_ports=lambda: ports(engine(), vault, Watched()))
        run(webhook_retries.webhook_retries, seconds=20)

    def next_run(self) -> None:
        """What has to have arrived is put on record, outside of the database."""
        with transaction() as session, (state() / "to-arrive").open("a") as file:
            file.writelines(f"{one}\n" for one in session.scalars(_GOOD))
        end_leases(engine())
        self.run()

    def wrong(self) -> list[str]:
        with transaction() as session:
            open_ones = session.execute(
                text(
                    "select e.url, d.attempts, d.next_attempt_at > now() as later from webhook_deliveries d"
                    " join webhook_endpoints e on e.id = d.endpoint_id where d.state = 'open'"
                )
            ).all()
        bad = [one for one in open_ones if one.url.endswith(BAD)]
        found = [f"due and left: {one.url}" for one in open_ones if not one.url.endswith(BAD)]
        if len(bad) != COUNT:
            found.append(f"{COUNT - len(bad)} deliveries that failed are lost")
        return found


SCENARIO = WebhookRetries()
