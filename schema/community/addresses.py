"""Addresses of other machines: encrypted unless they lead to this one, and never with a secret in them."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit, urlunsplit

SECRET_KEY = re.compile(r"(?:^|_)(?:key|secret|token|password|passwd|credentials?)(?:$|_)", re.IGNORECASE)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its address or as `localhost`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def checked_http(url: str) -> str:
    """The address, if it may be called.

    Raises:
        ValueError: it is none, not encrypted beyond this machine, or holds a secret.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        raise ValueError("not an address such as https://example.org/simulate") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise ValueError("not an address such as https://example.org/simulate")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError("use https: only this machine may be called without encryption")
    if parts.username or parts.password:
        raise ValueError("no user or password may stand in an address; give secrets in the environment")
    return url


def without_secrets(url: str) -> str:
    """An address as it may be logged: no user, password, query or fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an address that cannot be read"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
