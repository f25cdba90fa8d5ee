"""Signing secrets of webhooks: `webhook_secret:<integration>`. Sealed here; the partner has a copy."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from api.core.access import owners
from api.core.clock import Clock
from api.core.crypto import Vault
from api.core.errors import NotFound, Refused
from api.core.ids import new_id
from api.core.rotation import service
from api.core.rotation.cadence import Held
from api.core.rotation.kinds import SWITCHED, Current, Proof
from api.core.rotation.models import RotationRow
from api.core.rotation.records import RotationView
from api.core.rotation.steps import Mode
from api.core.webhooks import events, lanes, secrets, signing, succession
from api.core.webhooks.attempts import Attempt, Sender
from api.core.webhooks.signing import Verdict
from api.providers.secret_kinds.partners import Partners, held, integration_of

_HELD = timedelta(seconds=lanes.KEYS_END_S + 1)  # and a moment until its end was committed
_OTHERS = "; of what was claimed before, for {:.0f} s more, there may be a signature of it beside the new one"


@dataclass(frozen=True, slots=True)
class WebhookSecrets:
    """`sender` makes one for the loop that runs it. `wait` takes seconds; None where somebody waits for the
    answer."""

    transaction: Callable[[], AbstractContextManager[Session]]
    vault: Vault
    sender: Callable[[], Sender]
    partners: Partners
    clock: Clock
    wait: Callable[[float], None] | None = None

    kind = "webhook_secret"
    held_by_partner = True

    def secrets(self, session: Session, now: datetime) -> Sequence[Held]:
        known = succession.current(session, besides=service.pending(session, self.kind))
        return held(session, self.kind, "Webhook secret", known, now)

    def current(self, session: Session, name: str) -> Current:
        for one in succession.current(session, integration_of(name)):
            return Current(1, one.id, one.created_at, one.created_by or "set up")
        raise NotFound(f"{name} has no secret of its own.", fix="Make one on the Integrate page.")

    def mint(self, session: Session, row: RotationRow, now: datetime) -> str:
        old = self.current(session, row.name)
        secret_id, plaintext = succession.add(
            session, self.vault, integration_of(row.name), now, row.asked_by
        )
        row.detail = {**row.detail, "secret_id": secret_id, "previous_secret_id": old.reference}
        row.handover = self.vault.seal(plaintext, row.id)
        return secret_id

    def store(self, rotation: RotationView) -> Sequence[Proof]:
        where = f"webhook_secrets {rotation.detail['secret_id']}, sealed"
        return [Proof("written", True, "sealed with the data key", where)]

    def reload(self, rotation: RotationView) -> Sequence[Proof]:
        """Nothing to do: secrets are read with each claim, and again while a lane takes its time."""
        return []

    def prove(self, rotation: RotationView) -> Sequence[Proof]:
        """A test event as every webhook is signed now, old and new. Who pressed the button sees how it went
        and decides; a flow goes no further without it; a leaked secret ends all the same."""
        required = rotation.mode is Mode.SCHEDULED
        with self.transaction() as session:
            keys = secrets.valid(session, self.vault, integration_of(rotation.name), self.clock())
        return [self._accepted("a test webhook, signed with both", rotation, keys, required)]

    def tell(self, rotation: RotationView) -> Sequence[Proof]:
        return [self.partners.tell(rotation, "webhook secret")]

    def overlap(self, session: Session, row: RotationRow, until: datetime) -> None:
        integration_id, secret_id = integration_of(row.name), row.detail["secret_id"]
        succession.end_others(session, integration_id, secret_id, self.clock(), until)

    def retire(self, rotation: RotationView) -> Sequence[Proof]:
        """Whether the partner's validator knows the new one, now that the old one ends."""
        return [self.switched(rotation)]

    def switched(self, rotation: RotationView) -> Proof:
        """A test event signed with nothing but the new secret."""
        with self.transaction() as session:
            integration_id, secret_id = integration_of(rotation.name), rotation.detail["secret_id"]
            key = succession.opened(session, self.vault, integration_id, secret_id)
        if key is None:
            raise NotFound(f"{rotation.id} has lost its secret.", fix="Rotate again.")
        return self._accepted(SWITCHED, rotation, [key], False)

    def retired(self, session: Session, row: RotationRow, now: datetime) -> None:
        integration_id, secret_id = integration_of(row.name), row.detail["secret_id"]
        succession.revoke_others(session, integration_id, secret_id, now, row.asked_by)

    def refuse(self, rotation: RotationView) -> Sequence[Proof]:
        """What is signed from now on holds no signature of the old one. A dispatcher that read it before it
        ended may hold it still: that is waited for, or said."""
        held = self._held_s(rotation)
        if held and self.wait:
            self.wait(held)
            held = 0
        integration_id, now = integration_of(rotation.name), self.clock()
        with self.transaction() as session:
            keys = secrets.valid(session, self.vault, integration_id, now)
            old = succession.opened(
                session, self.vault, integration_id, rotation.detail["previous_secret_id"]
            )
        if old is None or not keys:
            return [Proof("the old one is refused", old is None, "no signature of it", "it is gone")]
        message_id, body = _event(integration_id, now)
        sent = signing.headers(keys, message_id, now, body)
        verdict = signing.verify([old], sent, body, now)
        genuine = signing.verify(keys, sent, body, now)
        observed = f"{verdict.value}{_OTHERS.format(held) if held else ''}"
        return [
            Proof("the old one is refused", verdict is Verdict.NO_MATCH, Verdict.NO_MATCH, observed),
            Proof("the new one signs", genuine is Verdict.GENUINE, Verdict.GENUINE, genuine.value),
        ]

    def roll_back(self, rotation: RotationView) -> Sequence[Proof]:
        return []

    def rolled_back(self, session: Session, row: RotationRow, now: datetime) -> None:
        gone, kept = row.detail["secret_id"], row.detail["previous_secret_id"]
        succession.withdraw(session, integration_of(row.name), gone, kept, now, row.asked_by)

    def _held_s(self, rotation: RotationView) -> float:
        """For how long a dispatcher may hold the old one yet."""
        since = self.clock() - rotation.retired_at if rotation.retired_at else timedelta(0)
        return min(max((_HELD - since).total_seconds(), 0), _HELD.total_seconds())

    def _accepted(self, name: str, rotation: RotationView, keys: Sequence[str], required: bool) -> Proof:
        integration_id, now = integration_of(rotation.name), self.clock()
        with self.transaction() as session:
            integration = owners.of_integration(session, integration_id)
        expected = "2xx from the registered address"
        if integration is None or not integration.webhook_url:
            return Proof(name, False, expected, "no address is registered: nobody to ask", required=False)
        message_id, body = _event(integration_id, now)
        try:
            attempt = asyncio.run(
                self.sender().post(
                    integration.webhook_url, signing.headers(keys, message_id, now, body), body
                )
            )
        except Refused as error:
            return Proof(name, False, expected, error.message, required)
        return Proof(name, attempt.delivered, expected, _said(attempt), required)


def _event(integration_id: str, now: datetime) -> tuple[str, bytes]:
    message_id = new_id("msg")
    body = events.body(events.TEST, now, {"integration_id": integration_id, "message_id": message_id})
    return message_id, body


def _said(attempt: Attempt) -> str:
    if attempt.delivered:
        return f"accepted: {attempt.status_code} in {attempt.latency_ms} ms"
    status = f" ({attempt.status_code})" if attempt.status_code else ""
    return f"{attempt.failure}{status}"
