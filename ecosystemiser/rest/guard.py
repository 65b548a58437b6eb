"""Who may ask: the token where there is one, and no page of another site."""

from __future__ import annotations

import hmac
from collections.abc import Collection
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ecosystemiser.rest.problems import problem

# They tell of no result.
OPEN_PATHS: Final = frozenset({"/", "/docs", "/health", "/openapi.json"})
_SAFETY: Final = {
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
}


class Guard:
    """Stands before the whole application.

    Args:
        app: what is guarded.
        token: what must be shown as `Authorization: Bearer …`; None where nothing must.
        hosts: the names by which the server may be called; None for any. Without this, a page of another
            site could have its own name resolve to this machine and read the results from a browser.
    """

    def __init__(self, app: ASGIApp, token: str | None, hosts: Collection[str] | None) -> None:
        self._app, self._hosts = app, hosts
        self._token = None if token is None else token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] += [(name.encode(), value.encode()) for name, value in _SAFETY.items()]
            await send(message)

        headers = Headers(scope=scope)
        if not self._is_called_by_its_name(headers):
            refusal = problem(421, "this server is not called by that name")
        elif scope["path"] not in OPEN_PATHS and not self._is_allowed(headers):
            wanted = {"www-authenticate": 'Bearer realm="ecosystemiser"'}
            refusal = problem(401, "send the token as `Authorization: Bearer TOKEN`", headers=wanted)
        else:
            await self._app(scope, receive, safely)
            return
        await refusal(scope, receive, safely)

    def _is_called_by_its_name(self, headers: Headers) -> bool:
        if self._hosts is None:
            return True
        host = headers.get("host", "")
        name = host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
        return name.lower() in self._hosts

    def _is_allowed(self, headers: Headers) -> bool:
        if self._token is None:
            return True
        kind, _, shown = headers.get("authorization", "").partition(" ")
        # Takes as long for a token that is nearly right as for any other.
        return kind.lower() == "bearer" and hmac.compare_digest(shown.strip().encode(), self._token)
