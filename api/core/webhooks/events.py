"""The bodies that are sent: `{type, timestamp, data}`, ids and not personal data. These bytes are signed."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

TEST = "webhook.test"
LIVE, LEFT, DELETED = "user.live", "user.left", "user.deleted"
TYPES: Mapping[str, str] = {
    "waitlist.entry.created": "Somebody joined the waiting list.",
    "waitlist.entry.accepted": "They were let in: a code is on its way.",
    "waitlist.entry.rejected": "They were turned down.",
    "access.granted": "A code was exchanged for a grant.",
    "access.revoked": "A grant was taken back.",
    LIVE: "Somebody is using the product now. Only where it is asked for by name.",
    LEFT: "They are gone, or have not been heard of. Only where it is asked for by name.",
    "chat.message.created": "One side of a conversation said something.",
    "onboarding.paused": "Nobody new joins for now.",
    "onboarding.resumed": "People can join again.",
    "integration.key.rotated": "There is a new API key; the old one ends soon.",
    "integration.secret.rotated": "There is a new signing secret; the old one ends soon.",
    DELETED: "A person was deleted: delete what you keep of them.",
    TEST: "A test: sent whenever you or the partner ask for it.",
}
"""What is sent, by type."""


_OF_DELETION = f'{{"type":"{DELETED}",'.encode()


def answers_kept(body: bytes) -> bool:
    """What partners say to a deletion may name whom it is about, and nobody is left whose deletion would
    reach it."""
    return not body.startswith(_OF_DELETION)


def body(type: str, at: datetime, data: Mapping[str, Any]) -> bytes:
    timestamp = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    event = {"type": type, "timestamp": timestamp, "data": dict(data)}
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
