"""Where the pages have their data from: the results folder, opened to read and asked within a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ecosystemiser.options import RESULTS_DEFAULT
from ecosystemiser.results import opened
from schema.store.limits import time_limit
from schema.store.store import Store

SECONDS_PER_QUESTION: Final = 20.0


def results_folder() -> Path:
    """The folder that the command was given."""
    return Path(os.environ.get("ECOSYSTEMISER_RESULTS") or RESULTS_DEFAULT)


@contextmanager
def reading() -> Iterator[Store]:
    """The results to read; a question that takes too long is given up.

    Raises:
        InputError: there are none, or they cannot be read.
        StoreError: a question took too long.
    """
    with opened(results_folder()) as store, time_limit(store.connection, SECONDS_PER_QUESTION):
        yield store
