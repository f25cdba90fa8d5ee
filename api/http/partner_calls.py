"""Whose call is it, and may it be made now: key, limit, switch, in this order."""

from functools import partial

from api.core.errors import Refused
from api.core.keys import recognising, token
from api.core.keys.known import KnownKey
from api.http import retired_keys
from api.http.errors import RateLimited, Unauthenticated
from api.http.rate_limits import RawHeaders
from api.http.services import Services


async def admit(at: Services, authorization: str, network: str) -> tuple[str, RawHeaders]:
    """The integration's id, and the headers that say what is left of its limit.

    Raises `Unauthenticated`, `RateLimited`, and `Refused` `integration_disabled`."""
    key = await _key(at, authorization, network)
    if key is None:
        wait = at.limits.failed(network)
        if wait:
            raise RateLimited(wait)
        raise Unauthenticated("invalid_api_key", "The API key is missing or not valid.", scheme="Bearer")
    taken = at.limits.of_key(key.id)
    if taken.retry_after:
        raise RateLimited(taken.retry_after)
    refuse_disabled(at, key.integration_id)
    return key.integration_id, at.limits.headers(taken)


def refuse_disabled(at: Services, integration_id: str) -> None:
    """Raises `Refused` `integration_disabled` for one that is switched off."""
    if not at.flags.integration_enabled(integration_id):
        raise Refused(
            "This integration is switched off.", fix="Ask the founder.", code="integration_disabled"
        )


async def _key(at: Services, authorization: str, network: str) -> KnownKey | None:
    """The good key of the call, its use noted; None for every kind of bad one."""
    scheme, _, rest = authorization.partition(" ")
    plaintext = rest.strip()
    presented = token.parse(plaintext) if scheme.lower() == "bearer" else None
    if presented is None:
        return None
    kept = plaintext.encode()
    key = at.keys.get(kept)
    if key is None:
        if at.limits.blocked(network) and not at.keys.was_good(kept):
            return None  # it is not even looked up: guessing must cost us nothing
        changes = at.keys.changes
        key = await at.hot.run(partial(recognising.recognise, presented=presented))
        if key is not None:
            at.keys.add(kept, key, changes)
    now = at.clock()
    if key is None or not key.valid(now):
        retired_keys.note(at, presented, network)
        return None
    if at.keys.due_for_touch(key.id):
        await at.hot.run(partial(recognising.touch, key_id=key.id, now=now))
    return key
