"""Widget tokens: what lets one person, on one partner's page, speak to the founder for a few minutes.

A JWT of our own making (RFC 7519), HS256 and nothing else, explicitly typed (RFC 8725 section 3.11):

    header  typ fu-widget+jwt · alg HS256 · kid of the signing key
    claims  iss our address · aud fu-widget-chat · sub the user · int the integration · grt the grant
            org the origin of the partner's page · iat nbf exp in whole seconds · jti

A token is bound to its origin and to its grant: whoever checks one names the origin that the frame stands
in, and looks the grant up.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OctKey
from joserfc.jwt import ClaimsOption, JWTClaimsRegistry

from api.core.crypto import derive
from api.core.errors import Refused
from api.core.ids import new_id

TYPE = "fu-widget+jwt"
AUDIENCE = "fu-widget-chat"
MAX_LIFETIME = timedelta(minutes=10)
CLOCK_SKEW = timedelta(seconds=5)
"""How far ahead the clock of the process that minted may be."""

_ALGORITHMS = ["HS256"]
_ESSENTIAL = ("sub", "int", "org", "grt", "iat", "nbf", "exp", "jti")
_HEADER = {"typ", "alg", "kid"}
_MAX_LENGTH = 4096
_MIN_SECRET = 32


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who a token speaks for, and from where."""

    user_id: str
    integration_id: str
    grant_id: str
    origin: str


@dataclass(frozen=True, slots=True)
class WidgetToken:
    bearer: Bearer
    expires_at: datetime


class WidgetKeys:
    """The ring of signing keys: signs with the current secret, accepts every secret's tokens."""

    def __init__(self, secrets: Sequence[str], issuer: str) -> None:
        if not secrets or len(secrets[0]) < _MIN_SECRET:
            raise Refused(
                f"INTEGRATION_WIDGET_SIGNING_SECRET has fewer than {_MIN_SECRET} characters.",
                fix="Set INTEGRATION_WIDGET_SIGNING_SECRET to at least 32 random characters.",
            )
        self._issuer = issuer
        self.turn(secrets)

    def turn(self, secrets: Sequence[str]) -> None:
        """From now on with these secrets."""
        keys = [_key(secret) for secret in secrets]
        self._keys = keys[0], KeySet(list(keys))

    def mint(self, bearer: Bearer, lifetime: timedelta, now: datetime) -> tuple[str, datetime]:
        """The token and when it expires. Raises `Refused` for a lifetime over `MAX_LIFETIME`."""
        if not timedelta(0) < lifetime <= MAX_LIFETIME:
            raise Refused(f"A widget token cannot live for {lifetime}.", fix="Ask for ten minutes at most.")
        issued = int(now.timestamp())
        expires = int((now + lifetime).timestamp())
        claims = {
            "iss": self._issuer,
            "aud": AUDIENCE,
            "sub": bearer.user_id,
            "int": bearer.integration_id,
            "org": bearer.origin,
            "grt": bearer.grant_id,
            "iat": issued,
            "nbf": issued,
            "exp": expires,
            "jti": new_id("jti"),
        }
        current, _ = self._keys
        header = {"typ": TYPE, "alg": "HS256", "kid": current.kid}
        token = jwt.encode(header, claims, current, algorithms=_ALGORITHMS, default_type=None)
        return token, datetime.fromtimestamp(expires, UTC)

    def verify(self, token: str, origin: str, now: datetime) -> WidgetToken:
        """What the token says. Raises `Refused` `invalid_widget_token`; its message is for the log only."""
        if len(token) > _MAX_LENGTH or not token.isascii():
            raise _refusal("not a token")
        try:
            decoded = jwt.decode(token, self._keys[1], algorithms=_ALGORITHMS)
            if set(decoded.header) != _HEADER or decoded.header["typ"] != TYPE:
                raise _refusal("another kind of token")
            self._rules(now).validate(decoded.claims)
        except (JoseError, ValueError) as error:
            raise _refusal(type(error).__name__) from error
        claims = decoded.claims
        if claims["org"] != origin:
            raise _refusal("another origin")
        issued, expires = int(claims["iat"]), int(claims["exp"])
        if expires <= now.timestamp() or expires - issued > MAX_LIFETIME.total_seconds():
            raise _refusal("expired")
        bearer = Bearer(*(str(claims[name]) for name in ("sub", "int", "grt", "org")))
        return WidgetToken(bearer, datetime.fromtimestamp(expires, UTC))

    def _rules(self, now: datetime) -> JWTClaimsRegistry:
        return JWTClaimsRegistry(
            now=int(now.timestamp()),
            leeway=int(CLOCK_SKEW.total_seconds()),
            iss=ClaimsOption(essential=True, value=self._issuer),
            aud=ClaimsOption(essential=True, value=AUDIENCE),
            **{name: ClaimsOption(essential=True) for name in _ESSENTIAL},
        )


def _key(secret: str) -> OctKey:
    material = derive(secret.encode(), "widget-token")
    kid = hashlib.sha256(b"key-id" + material).hexdigest()[:16]
    return OctKey.import_key(material, {"kid": kid, "alg": "HS256", "use": "sig"})


def _refusal(reason: str) -> Refused:
    return Refused(f"That is no widget token that we accept: {reason}.", code="invalid_widget_token")
