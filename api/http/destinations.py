"""Where a login leads: only ever to one of our own tools, and back to where the person was."""

from urllib.parse import SplitResult, quote, urlencode, urlsplit

from fastapi import Request

HOME = "/app"


def safe(wanted: str) -> str:
    """The address when it is one of our tools', `HOME` otherwise: nobody is led to another site."""
    parts = _split(wanted)
    ours = parts.path == HOME or parts.path.startswith(f"{HOME}/")
    if not ours or parts.scheme or parts.netloc or "\\" in wanted:
        return HOME
    query = f"?{quote(parts.query, safe='=&%')}" if parts.query else ""
    return quote(parts.path, safe="/") + query


def login(request: Request, *, again: bool = False) -> str:
    """The login's address, which leads back. `again` asks for a code although somebody is signed in."""
    back = _seen_before(request)
    query = ({"next": back} if back else {}) | ({"again": "1"} if again else {})
    return f"/login?{urlencode(query, safe='/')}" if query else "/login"


def _seen_before(request: Request) -> str:
    """The page that the person has in front of them; "" when nothing says which."""
    if request.headers.get("hx-request"):
        shown = request.headers.get("hx-current-url", "")
    elif request.method == "GET":
        shown = str(request.url)
    else:
        shown = request.headers.get("referer", "")
    parts = _split(shown)
    if parts.netloc != request.url.netloc:
        return ""
    return parts.path + (f"?{parts.query}" if parts.query else "")


def _split(address: str) -> SplitResult:
    """Empty for what is no address."""
    try:
        return urlsplit(address)
    except ValueError:
        return SplitResult("", "", "", "", "")
