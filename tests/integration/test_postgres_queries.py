"""What can be asked of recorded studies, asked of a real Postgres server."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from schema.store.errors import StoreError
from schema.store.limits import time_limit

# Tests are no package: loaded once by its file, so that all of them share its server.
_spec = importlib.util.spec_from_file_location(
    "postgres_server", Path(__file__).with_name("postgres_server.py")
)
postgres_server = sys.modules.setdefault(_spec.name, importlib.util.module_from_spec(_spec))
if not hasattr(postgres_server, "FIXTURES"):
    _spec.loader.exec_module(postgres_server)

pytestmark = pytest.mark.integration

globals().update(postgres_server.FIXTURES)


def test_it_is_postgres_that_is_asked(connection):
    assert type(connection).__name__ == "PostgresConnection"


def test_a_question_that_takes_too_long_is_given_up(connection):
    every = " CROSS JOIN ".join(f"study_runs r{number}" for number in range(10))
    with pytest.raises(StoreError, match="takes longer than"), time_limit(connection, 0.05):
        connection.execute(f"SELECT count(*) FROM {every}")
    assert connection.execute("SELECT count(*) FROM study_runs").fetchone()[0] == 9


globals().update(
    postgres_server.contract(
        "unit/test_store_queries.py",
        without=[
            "test_common_questions_are_answered_by_their_index",
            "test_the_best_are_found_at_once_though_many_cheaper_ones_break_a_constraint",
        ],
    )
)
