"""A partner's product on an origin of its own: a page with our widget, the route that mints its tokens."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Partner</title><link rel="icon" href="data:,"></head>
<body><h1>Our product</h1><div id="chat"></div>
<script src="{api}/widget.js"></script><script src="/page.js"></script></body></html>"""

_SCRIPT = """
window.problems = [];
window.widget = FirstUser.mount({
  container: "#chat",
  getToken: async () => {
    const answer = await fetch("/widget-token", { method: "POST" });
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  },
  onError: (error) => window.problems.push(error.message),
});
"""


@dataclass(slots=True)
class PartnerPage:
    """`minted`: (status, body) of each call that its back end made of us."""

    api: str
    key: str
    user: str
    origin: str = ""
    minted: list[tuple[int, dict[str, str]]] = field(default_factory=list[tuple[int, dict[str, str]]])

    def mint(self) -> tuple[int, dict[str, str]]:
        answer = httpx.post(
            f"{self.api}/api/integration/v1/widget/token",
            json={"external_user_id": self.user, "origin": self.origin},
            headers={"Authorization": f"Bearer {self.key}"},
        )
        self.minted.append((answer.status_code, answer.json()))
        return self.minted[-1]


@contextmanager
def partner_page(api: str, key: str, user: str) -> Iterator[PartnerPage]:
    partner = PartnerPage(api, key, user)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/page.js":
                self._answer(200, "text/javascript", _SCRIPT)
            else:
                self._answer(200, "text/html; charset=utf-8", _PAGE.format(api=partner.api))

        def do_POST(self) -> None:
            status, body = partner.mint()
            self._answer(status, "application/json", json.dumps(body))

        def _answer(self, status: int, kind: str, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        partner.origin = f"http://127.0.0.1:{server.server_port}"
        Thread(target=server.serve_forever, daemon=True).start()
        yield partner
        server.shutdown()
