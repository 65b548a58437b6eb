"""What cannot be written now may be in a while: a disk is full, or another program holds the database."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

logger = logging.getLogger(__name__)

T = TypeVar("T")
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 10.0


def patiently(
    write: Callable[[], T], seconds: float, *, what: str, passing: tuple[type[Exception], ...]
) -> T:
    """Write, and where that fails write again, with longer and longer pauses; what is to be written is held.

    Args:
        write: all or nothing, and the same however often it is done.
        seconds: from the first failure on, after which a failure is final [s].
        what: is being written, for the one warning.
        passing: errors that may pass; any other is raised at once.

    Returns:
        What `write` returns.
    """
    pause = _FIRST_PAUSE_SECONDS
    deadline: float | None = None
    while True:
        try:
            return write()
        except passing as error:
            now = time.monotonic()
            if deadline is None:
                deadline = now + seconds
                if seconds > 0:
                    logger.warning("%s cannot be written (%s); trying again for %g s", what, error, seconds)
            if now >= deadline:
                raise
            time.sleep(min(pause, deadline - now))
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
