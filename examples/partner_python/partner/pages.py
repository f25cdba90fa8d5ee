"""The few pages, and what a browser may load on them: our own files and FirstUser's widget."""

import html

from starlette.responses import HTMLResponse

_WELCOME = (
    '<form method="post" action="/signup"><label>Name <input name="user_id" required></label>'
    "<button>Sign up</button></form>"
)
_ASK = '<form method="post" action="/join"><button>Ask for access</button></form>'
_CHAT = (
    '<div id="chat"></div><script src="{widget}" defer></script><script src="/public/chat.js" defer></script>'
)
_LEAVE = '<form method="post" action="/logout"><button>Log out</button></form>'


class Pages:
    def __init__(self, firstuser_url: str) -> None:
        self._widget = html.escape(f"{firstuser_url}/widget.js")
        self._policy = (
            f"default-src 'none'; script-src 'self' {firstuser_url}; frame-src {firstuser_url};"
            " connect-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
        )

    def welcome(self) -> HTMLResponse:
        return self._page("Welcome", _WELCOME)

    def ask(self, user_id: str) -> HTMLResponse:
        return self._page(f"Hello {user_id}", _ASK)

    def product(self, user_id: str) -> HTMLResponse:
        """With FirstUser's chat on it."""
        return self._page(f"You are in, {user_id}", _CHAT.format(widget=self._widget) + _LEAVE)

    def sorry(self, why: str, status: int) -> HTMLResponse:
        return self._page("Sorry", f"<p>{html.escape(why)}</p>", status)

    def _page(self, title: str, content: str, status: int = 200) -> HTMLResponse:
        shown = html.escape(title)
        head = f'<title>{shown}</title><link rel="icon" href="data:,">'
        page = f'<!doctype html><html lang="en">{head}<h1>{shown}</h1>{content}</html>'
        return HTMLResponse(page, status, {"Content-Security-Policy": self._policy})
