"""The founder's side of the smoke test's synthetic tenant: capabilities of the product, composed.

It has one name. Whatever a killed run left there is found by it and removed by the next `sweep`, or by the
next run's `prepare`."""

from api.core.access import synthetic, waitlist
from api.core.chat import service as chat
from api.core.clock import system_clock
from api.core.errors import Conflict
from api.core.founders import service as founders
from api.core.keys import rotation
from api.core.keys import service as keys
from api.core.preflight.smoke import Credentials
from api.core.privacy import tombstones
from api.core.webhooks import secrets
from api.db.engine import Session
from flows import wiring

ACTOR = "preflight"


class SyntheticTenant:
    """The port `api.core.preflight.smoke.Tenant`, each call a transaction of its own."""

    def prepare(self, origin: str, return_url: str, webhook_url: str | None) -> Credentials:
        self.clear()
        now, vault = system_clock(), wiring.vault()
        with wiring.transaction() as session:
            founders.ensure(session, vault, synthetic.OWNER_ID, synthetic.NAME, synthetic.PHONE, now)
            synthetic.ensure(session, synthetic.OWNER_ID, now)
            synthetic.address(session, return_url, origin, webhook_url)
            _, api_key = keys.mint(session, synthetic.INTEGRATION_ID, now, ACTOR)
            _, secret = _new_secret(session)
        return Credentials(synthetic.INTEGRATION_ID, api_key, secret)

    def accept(self, entry_id: str) -> None:
        with wiring.transaction() as session:
            waitlist.decide(session, entry_id, "accept", system_clock())

    def reply(self, entry_id: str, text: str) -> None:
        now = system_clock()
        with wiring.transaction() as session:
            talk = chat.opened(session, synthetic.SPACE_ID, entry_id, now)
            chat.post(session, talk.id, "founder", f"preflight-{now.timestamp():.0f}", text, now)

    def clear(self) -> None:
        """People with tombstones, so that a restore drill can account for them."""
        now = system_clock()
        with wiring.transaction() as session:
            synthetic.unaddress(session)
            rotation.end(session, synthetic.INTEGRATION_ID, now)
            secrets.end(session, synthetic.INTEGRATION_ID, now)
            left = synthetic.people(session)
        for user_id in left:
            with wiring.transaction() as session:
                tombstones.forget(session, user_id, by=ACTOR, at=now)


def sweep() -> list[str]:
    """Empty the tenant after a smoke test that was killed; a sentence when there was something left."""
    try:
        with wiring.smoke_lock(wait_s=0):
            with wiring.transaction() as session:
                if not synthetic.left_behind(session):
                    return []
            SyntheticTenant().clear()
    except Conflict:
        return []  # a smoke test is under way
    return ["a smoke test was interrupted: its tenant is empty again"]


def _new_secret(session: Session) -> tuple[str, str]:
    """`clear` has ended those before."""
    zero = secrets.MAX_GRACE * 0
    return secrets.rotate(
        session, wiring.vault(), synthetic.INTEGRATION_ID, zero, system_clock(), ACTOR, forced=True
    )
