"""Who may ask: this user's browser, from our own pages, on loopback. Everyone else is told why not, and gets nothing.

An ASGI wrapper around the whole application: Host (with our port), Origin and Sec-Fetch-Site on reads as on writes, a token of
the printed address that works once and becomes a cookie, and the headers that keep pages from running what is not ours.
Knows nothing of what the pages show.
"""

from __future__ import annotations

import secrets
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

OPEN = "/open"
"""Where the printed address leads: it trades its token for the cookie."""

TOKEN_BYTES = 32
BODY_BYTES = 65_536
NAMES = ("127.0.0.1", "localhost", "[::1]")
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
_AGAIN = "Run `sotto dashboard` again and open the address that it prints.\n"


class Guard:
    """Lets a request through to ``app`` only if all of the above holds. ``last`` is when one was (monotonic seconds).

    ``token`` opens the dashboard once. ``written`` must come with every write, in the header ``x-sotto-token``; our pages read
    it from their own origin, which no other page can.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.token = secrets.token_urlsafe(TOKEN_BYTES)
        self.written = secrets.token_urlsafe(TOKEN_BYTES)
        self.last = time.monotonic()
        self._app = app
        self._cookie = secrets.token_urlsafe(TOKEN_BYTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"{scope['type']} is not spoken here")
        answer = self._refusal(scope) or self._opened(scope) or self._stranger(scope)
        if answer is not None:
            await answer(scope, receive, _sealed(send))
            return
        self.last = time.monotonic()
        await self._app(scope, receive, _sealed(send))

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        hosts, port = headers.getlist("host"), _port(scope)
        if len(hosts) != 1 or hosts[0].lower() not in {f"{name}:{port}" for name in NAMES}:
            return _no("This address is not the dashboard's own.\n", 421)
        writes = scope["method"] not in ("GET", "HEAD")
        origins = headers.getlist("origin")
        if origins != [f"http://{hosts[0].lower()}"] and (writes or origins):
            return _no("Only the dashboard's own pages may ask.\n")
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return _no("Only the dashboard's own pages may ask. Paste the address into the browser's address bar.\n")
        if writes and not _same(headers.get("x-sotto-token", ""), self.written):
            return _no("The page is of another run: load it again.\n")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > BODY_BYTES or "transfer-encoding" in headers:
            return _no("Too much.\n", 413)
        return None

    def _opened(self, scope: Scope) -> Response | None:
        if scope["path"] != OPEN or scope["method"] != "GET":
            return None
        given = HTTPConnection(scope).query_params.get("token", "")
        if not self.token or not _same(given, self.token):
            return None if self._known(scope) else _no(f"This address worked once. {_AGAIN}")
        self.token = ""
        answer = RedirectResponse("/", 303)
        answer.set_cookie(_cookie_name(scope), self._cookie, httponly=True, samesite="strict", path="/")
        return answer

    def _stranger(self, scope: Scope) -> Response | None:
        return None if self._known(scope) else _no(f"This browser has not been let in. {_AGAIN}", 401)

    def _known(self, scope: Scope) -> bool:
        return _same(HTTPConnection(scope).cookies.get(_cookie_name(scope), ""), self._cookie)


def _port(scope: Scope) -> int:
    """The port that the request came in by, as the socket tells it: nothing the client can choose."""
    server = scope.get("server")
    return int(server[1]) if server and server[1] else 0


def _cookie_name(scope: Scope) -> str:
    """One per port: cookies know no ports, and two dashboards must not log each other out."""
    return f"sotto_{_port(scope)}"


def _same(given: str, right: str) -> bool:
    return secrets.compare_digest(given.encode("utf-8", "surrogateescape"), right.encode())


def _no(text: str, status: int = 403) -> Response:
    return PlainTextResponse(text, status)


def _sealed(send: Send) -> Send:
    """``send``, with our headers on every answer."""

    async def sealed(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(_HEADERS)
        await send(message)

    return sealed
