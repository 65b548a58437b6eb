"""Questions of strangers: none takes longer than it may."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from schema.store.errors import StoreError

_STEPS_BETWEEN_LOOKS: Final = 100_000


@contextmanager
def time_limit(connection: sqlite3.Connection, seconds: float) -> Iterator[None]:
    """Whatever is asked of the connection in here ends in time.

    Raises:
        StoreError: it took longer, or the database cannot be read.
    """
    deadline = time.monotonic() + seconds
    _limit(connection, seconds)
    try:
        yield
    except sqlite3.Error as error:
        if time.monotonic() > deadline:
            raise StoreError(
                f"that takes longer than {seconds:g} s: name a study, or filter by less"
            ) from error
        raise StoreError(f"the database cannot be read now ({error}): try again") from error
    finally:
        _limit(connection, None)


def _limit(connection: sqlite3.Connection, seconds: float | None) -> None:
    if hasattr(connection, "limit_time"):  # a server has a limit of its own
        connection.limit_time(seconds)
    elif seconds is None:
        connection.set_progress_handler(None, 0)
    else:
        deadline = time.monotonic() + seconds
        connection.set_progress_handler(lambda: int(time.monotonic() > deadline), _STEPS_BETWEEN_LOOKS)
