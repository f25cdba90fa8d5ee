"""What callers show, as the OpenAPI document names it. These only describe: `deps` and `widget_chat` judge,
and give every bad credential the same answer."""

from typing import Annotated, Any

from fastapi import Depends
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from api.http.cookies import SESSION_NAME

_INTEGRATION_KEY = HTTPBearer(
    scheme_name="integrationKey",
    bearerFormat="fu_live_<id>_<secret><checksum>",
    description="An API key of the integration, from its Integrate page. For back ends only.",
    auto_error=False,
)
_WIDGET_TOKEN = HTTPBearer(
    scheme_name="widgetToken",
    bearerFormat="JWT",
    description="From `POST /api/integration/v1/widget/token`: one user, one origin, for minutes.",
    auto_error=False,
)
_FOUNDER_SESSION = APIKeyCookie(
    name=SESSION_NAME,
    scheme_name="founderSession",
    description="Set by `POST /auth/otp/verify`. Where the service is not on https the name has no `__Host-`;"
    " outside production it ends in `_` and the environment.",
    auto_error=False,
)

IntegrationKey = Annotated[HTTPAuthorizationCredentials | None, Depends(_INTEGRATION_KEY)]
WidgetBearer = Annotated[HTTPAuthorizationCredentials | None, Depends(_WIDGET_TOKEN)]
FounderCookie = Annotated[str | None, Depends(_FOUNDER_SESSION)]

PUBLIC: dict[str, Any] = {"security": []}
"""`openapi_extra` of a route that anybody may call."""
