"""Notifications and alerts to an address in the environment. One that fails never stops a cycle."""

from __future__ import annotations

import os
from typing import Any

from schema.community.addresses import checked_http, without_secrets
from schema.community.settings import WEBHOOK_VARIABLE
from schema.errors import Finding, InputError

_TIMEOUT_SECONDS = 10.0


def webhook_address() -> str | None:
    """Where notifications go; None where nobody asked for them.

    Raises:
        InputError: the environment names an address that may not be called.
    """
    url = os.environ.get(WEBHOOK_VARIABLE)
    if not url:
        return None
    try:
        return checked_http(url)
    except ValueError as error:
        message = f"cannot be called: {error}"
        raise InputError(Finding("", WEBHOOK_VARIABLE, "an address", "an https address", message)) from None


def post(url: str, news: dict[str, Any]) -> str | None:
    """Send news as JSON.

    Returns:
        None where it arrived, else why it did not.
    """
    import httpx

    try:
        answer = httpx.post(url, json=news, timeout=_TIMEOUT_SECONDS, follow_redirects=False)
    except httpx.HTTPError as error:
        return f"{without_secrets(url).partition('://')[2].partition('/')[0]}: {type(error).__name__}"
    return None if answer.is_success else f"answered {answer.status_code}"
