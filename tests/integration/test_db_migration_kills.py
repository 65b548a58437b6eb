"""A migration that is killed at any moment: nothing is lost, and the next to open the database ends it."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from schema.store import migrations
from schema.store.database import FILE_NAME
from schema.store.store import Store

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]
EVALUATIONS = 1000

MIGRATOR = """
import os
import sys

import sqlite_utils.migrations
from schema.store.store import Store

# A process for each line: forked, as importing anew takes longer than migrating.
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        Store.open(line.strip()).close()
        os._exit(0)
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""
TABLES = ["studies", "simulation_runs", "study_runs", "pareto_fronts", "convergence_metrics"]


@pytest.fixture(scope="module")
def older(tmp_path_factory):
    """An older database whose migration takes long enough to be hit."""
    file = tmp_path_factory.mktemp("older") / FILE_NAME
    shutil.copy(ROOT / "tests" / "data" / "databases" / "older_with_study_runs.sqlite", file)
    many = [(f"ga_001_{number}", number, f"[{number}]", 1000.0 + number) for number in range(4, EVALUATIONS)]
    with closing(sqlite3.connect(file)) as connection:
        connection.executemany(
            "INSERT INTO study_runs (run_id, study_id, evaluation_number, parameter_vector, fitness) "
            "VALUES (?, 'ga_001', ?, ?, ?)",
            many,
        )
        connection.commit()
    return file


@pytest.fixture
def migrator():
    process = subprocess.Popen(
        [sys.executable, "-c", MIGRATOR],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.communicate()


def begin(process, folder):
    process.stdin.write(f"{folder}\n")
    process.stdin.flush()
    return int(process.stdout.readline())


def content(folder):
    """Every row, but for the moment of the migration, which rows without one were given."""
    with Store.open(folder) as store:
        assert not migrations.pending(store.connection)
        assert store.connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert store.connection.execute("PRAGMA foreign_key_check").fetchall() == []
        return {
            table: [
                {name: value for name, value in dict(row).items() if name not in {"created_at", "updated_at"}}
                for row in store.connection.execute(f"SELECT * FROM {table} ORDER BY 1")
            ]
            for table in TABLES
        }


def test_a_migration_killed_at_any_moment_is_ended_by_the_next_to_open(older, migrator, tmp_path):
    def folder(name):
        made = tmp_path / name
        made.mkdir()
        shutil.copy(older, made / FILE_NAME)
        return made

    for name in ("warm", "whole"):
        begin(migrator, folder(name))
        began = time.perf_counter()
        assert migrator.stdout.readline() == "0\n"
        seconds = time.perf_counter() - began
    expected = content(tmp_path / "whole")
    assert len(expected["study_runs"]) == EVALUATIONS

    rng, killed = random.Random(3), 0
    for number in range(5):
        place = folder(f"killed-{number}")
        pid = begin(migrator, place)
        time.sleep(rng.uniform(0, 0.9 * seconds))
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        killed += int(migrator.stdout.readline()) == signal.SIGKILL
        assert content(place) == expected
        # What stood there at first is whole in the first copy.
        copies = sorted(place.glob("simulation_index.older.*.sqlite"))
        assert copies
        with closing(sqlite3.connect(copies[0])) as copy:
            assert copy.execute("SELECT count(*) FROM study_runs").fetchone()[0] == EVALUATIONS
        shutil.rmtree(place)
    assert killed >= 2
