"""What an owner is sent: which role they have, and the link by which they confirm that they are reached."""

from api.core.ports import OutgoingMessage
from api.core.preflight.owners import Call


def message(call: Call, public_url: str) -> OutgoingMessage:
    link = f"{public_url.rstrip('/')}/duty/{call.code}"
    what = f"{call.name}: you are the {call.role.value} owner of FirstUser."
    body = f"{what} Confirm that this reaches you: {link}"
    return OutgoingMessage(call.channel, call.address, f"You are the {call.role.value} owner", body)
