"""The template environment: escaped by default, strict about names, and what every page has in common."""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from api.http.pages import format as words

HTTP = Path(__file__).parent.parent
STATIC = HTTP / "static"
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def render(
    request: Request,
    template: str,
    context: Mapping[str, object],
    *,
    title: str = "",
    status: int = 200,
) -> HTMLResponse:
    """The page as a response. `title` is what the browser's tab and the page's heading say."""
    service = request.app.state.services.settings.service
    common: dict[str, object] = {
        "title": title,
        "path": request.url.path,
        "service": service,
        "show_outbox": outbox_is_public(request),
        "static": static_url,
    }
    body = _environment().get_template(template).render({**common, **context})
    return HTMLResponse(body, status)


def text(template: str, context: Mapping[str, object]) -> str:
    """A template that is no HTML: nothing is escaped."""
    return _environment().get_template(template).render(context)


def outbox_is_public(request: Request) -> bool:
    """Messages are shown only on one's own machine: anywhere else, login codes would lie in the open.

    The host is compared so that no foreign name that resolves to this machine gets to read them."""
    services = request.app.state.services
    public = urlsplit(services.settings.platform.public_app_url).hostname
    return services.messenger.name == "outbox" and public in _LOOPBACK and request.url.hostname in _LOOPBACK


@cache
def static_url(name: str) -> str:
    """The file's address with the hash of its content: it may be cached for ever."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HTTP / "templates"),
        autoescape=select_autoescape(default=True, disabled_extensions=("txt",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "moment": words.moment,
        "day": words.day,
        "age": words.age,
        "ago": words.ago,
        "seconds": words.seconds,
        "switched": words.switched,
        "size": words.size,
        "count": words.count,
        "coded": words.coded,
    }
    return made
