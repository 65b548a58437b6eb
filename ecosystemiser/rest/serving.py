"""Serving the application: where it listens, and what it asks for where others can reach it."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from schema.errors import Finding, InputError

TOKEN_VARIABLE: Final = "ECOSYSTEMISER_TOKEN"  # noqa: S105 - a name, no secret
_SHORTEST_TOKEN: Final = 16
_LOCAL_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_token(host: str, token: str | None) -> None:
    """A token for whatever others can reach.

    Raises:
        InputError: there is none, or one that can be guessed.
    """
    expected = f"{_SHORTEST_TOKEN} characters or more in {TOKEN_VARIABLE}"
    if token is None and not is_loopback(host):
        message = (
            f"others can reach {host}: set {TOKEN_VARIABLE} to a secret of {_SHORTEST_TOKEN} characters or more, "
            "or serve on 127.0.0.1"
        )
        raise InputError(Finding("", "--host", host, expected, message))
    if token is not None and (len(token) < _SHORTEST_TOKEN or not token.isascii() or not token.isprintable()):
        message = f"the token can be guessed or not be sent: put {expected}, plain letters and digits"
        raise InputError(Finding("", TOKEN_VARIABLE, "a short or strange token", expected, message))


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        InputError: the address is not this machine's, or taken.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        opened = socket.socket(family, kind)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            opened.bind(address)
            # From here on callers wait instead of being refused, though the application still starts.
            opened.listen(128)
        except OSError:
            opened.close()
            raise
    except OSError as error:
        message = (
            f"{host}:{port} cannot be served on ({error.strerror or error}): name another --host or --port"
        )
        raise InputError(
            Finding("", "--host", f"{host}:{port}", "an address that is free", message)
        ) from error
    return opened


def serve(results: Path, host: str, port: int, token: str | None, told: Callable[[str], None]) -> None:
    """Serve until stopped.

    Args:
        results: the results folder.
        host: the address to listen at.
        port: the port; 0 for a free one.
        token: what callers must show.
        told: is given the URL once the server listens.

    Raises:
        InputError: the address or the token cannot be used, or there are no results.
    """
    from ecosystemiser.results import opened

    check_token(host, token)
    with opened(results):
        pass  # told now rather than with the first question
    # With a token a stranger's page has nothing to show.
    hosts = {*_LOCAL_NAMES, host.lower()} if token is None else None
    with listen(host, port) as listener:
        import uvicorn

        from ecosystemiser.rest.app import make_app

        config = uvicorn.Config(
            make_app(results, token, hosts),
            log_level="warning",
            server_header=False,
            limit_concurrency=100,
            timeout_graceful_shutdown=5,
        )
        name = f"[{host}]" if ":" in host else host
        told(f"http://{name}:{listener.getsockname()[1]}")
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])
