"""Widget tokens: what we minted is accepted where it belongs; whatever was changed about it is not."""

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws, jwt
from joserfc.jwk import OctKey, RSAKey

from api.core.chat.token import CLOCK_SKEW, MAX_LIFETIME, TYPE, Bearer, WidgetKeys, WidgetToken
from api.core.crypto import derive
from api.core.errors import Refused
from tests.product import NOW

SECRET, OLDER, OLDEST = ("s" * 40, "o" * 40, "x" * 40)
ISSUER, ORIGIN = "https://firstuser.example", "https://app.partner.example"
BEARER = Bearer("usr_1", "int_1", "grt_1", ORIGIN)
KEYS = WidgetKeys([SECRET, OLDER], ISSUER)
TOKEN, EXPIRES = KEYS.mint(BEARER, MAX_LIFETIME, NOW)
SECOND = timedelta(seconds=1)


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, claims, _ = (base64.urlsafe_b64decode(part + "==") for part in token.split("."))
    return json.loads(header), json.loads(claims)


def signed(header: dict[str, Any], claims: dict[str, Any], secret: str = SECRET) -> str:
    """Signed with the real key, whatever it says."""
    key = OctKey.import_key(derive(secret.encode(), "widget-token"))
    return jwt.encode(header, claims, key, algorithms=[header["alg"]], default_type=None)


def refused(token: str, origin: str = ORIGIN, now: Any = NOW, keys: WidgetKeys = KEYS) -> bool:
    try:
        keys.verify(token, origin, now)
    except Refused as refusal:
        assert refusal.code == "invalid_widget_token"
        return True
    return False


HEADER, CLAIMS = parts(TOKEN)


def test_what_was_minted_is_accepted_until_it_expires() -> None:
    assert KEYS.verify(TOKEN, ORIGIN, NOW) == WidgetToken(BEARER, EXPIRES)
    assert KEYS.verify(TOKEN, ORIGIN, EXPIRES - SECOND).bearer == BEARER
    assert EXPIRES - NOW == MAX_LIFETIME
    assert refused(TOKEN, now=EXPIRES)
    assert HEADER["typ"] == TYPE and HEADER["alg"] == "HS256" and HEADER["kid"]
    assert set(CLAIMS) == {"iss", "aud", "sub", "int", "org", "grt", "iat", "nbf", "exp", "jti"}


@given(st.integers(1, 600), st.integers(-1200, 1200))
def test_it_is_good_within_its_time_and_at_no_other(lifetime: int, later: int) -> None:
    token, expires = KEYS.mint(BEARER, timedelta(seconds=lifetime), NOW)
    now = NOW + timedelta(seconds=later)
    assert refused(token, now=now) == (now >= expires or now < NOW - CLOCK_SKEW)


def test_keys_overlap_while_they_are_rotated() -> None:
    by_old, _ = WidgetKeys([OLDER], ISSUER).mint(BEARER, MAX_LIFETIME, NOW)
    assert KEYS.verify(by_old, ORIGIN, NOW).bearer == BEARER
    assert refused(by_old, keys=WidgetKeys([SECRET], ISSUER))
    assert refused(WidgetKeys([OLDEST], ISSUER).mint(BEARER, MAX_LIFETIME, NOW)[0])
    assert parts(by_old)[0]["kid"] != HEADER["kid"]


def test_a_token_lives_for_ten_minutes_at_most() -> None:
    with pytest.raises(Refused):
        KEYS.mint(BEARER, MAX_LIFETIME + SECOND, NOW)
    assert refused(signed(HEADER, CLAIMS | {"exp": CLAIMS["iat"] + 601}))


def test_a_weak_secret_is_refused() -> None:
    for ring in ([], [""], ["short"]):
        with pytest.raises(Refused, match="INTEGRATION_WIDGET_SIGNING_SECRET"):
            WidgetKeys(ring, ISSUER)


@pytest.mark.parametrize(
    "change",
    [
        {"typ": "JWT"},
        {"typ": None},
        {"kid": "0123456789abcdef"},
        {"kid": None},
        {"crit": ["b64"], "b64": False},
        {"jwk": {"kty": "oct", "k": "AAAA"}},
        {"alg": "HS384"},
        {"alg": "HS512"},
    ],
)
def test_another_header_is_refused_even_with_the_right_key(change: dict[str, Any]) -> None:
    header = {name: value for name, value in (HEADER | change).items() if value is not None}
    if "b64" in header or "jwk" in header:  # nothing signs such a header for us; the signature is beside it
        head = base64.urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=")
        token = head + TOKEN[TOKEN.index(".") :]
    else:
        token = signed(header, CLAIMS)
    assert refused(token)


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://evil.example"},
        {"aud": "another"},
        {"aud": []},
        {"org": "https://evil.example"},
        {"nbf": CLAIMS["iat"] + 60},
        {"iat": CLAIMS["iat"] + 60, "exp": CLAIMS["iat"] + 90},
        {"exp": CLAIMS["iat"]},
        {"exp": "soon"},
        {"exp": True},
        {"exp": float("nan")},
        {"sub": ""},
        {"sub": 5},
        {"grt": None},
    ],
)
def test_other_claims_are_refused_even_with_the_right_key(change: dict[str, Any]) -> None:
    assert refused(signed(HEADER, CLAIMS | change))


@pytest.mark.parametrize("name", sorted(CLAIMS))
def test_every_claim_is_needed(name: str) -> None:
    assert refused(signed(HEADER, {key: value for key, value in CLAIMS.items() if key != name}))


def test_algorithms_cannot_be_confused() -> None:
    body = TOKEN.split(".")[1]
    for alg in ("none", "None", "NONE", ""):
        head = base64.urlsafe_b64encode(json.dumps(HEADER | {"alg": alg}).encode()).decode().rstrip("=")
        assert refused(f"{head}.{body}.") and refused(f"{head}.{body}.{TOKEN.split('.')[2]}")
    private = RSAKey.import_key(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    by_rsa = jws.serialize_compact(
        HEADER | {"alg": "RS256"}, json.dumps(CLAIMS), private, algorithms=["RS256"]
    )
    assert refused(by_rsa)


@given(st.integers(0, len(TOKEN) - 1), st.characters(codec="ascii"))
def test_no_character_of_it_can_be_changed(place: int, character: str) -> None:
    changed = TOKEN[:place] + character + TOKEN[place + 1 :]
    # The last character of a signature carries two bits that mean nothing (RFC 4648 section 3.5).
    same = changed == TOKEN or (place == len(TOKEN) - 1 and not refused(changed))
    assert same or refused(changed)


@given(st.text(max_size=200) | st.lists(st.text(max_size=40), min_size=2, max_size=4).map(".".join))
def test_garbage_is_refused_and_nothing_else_happens(garbage: str) -> None:
    assert refused(garbage) and refused("9" * 5000 + garbage)


@given(st.text(max_size=60))
def test_it_is_good_at_its_own_origin_only(origin: str) -> None:
    assert refused(TOKEN, origin) == (origin != ORIGIN)
