"""What the store promises, on a real Postgres server; and what only a server can do: several writers at once."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from schema.errors import InputError
from schema.store import migrations, queries, tables
from schema.store.errors import StoreError, StudyAliveError
from schema.store.records import Evaluation, NewStudy
from schema.store.store import Store

# Tests are no package: loaded once by its file, so that all of them share its server.
_spec = importlib.util.spec_from_file_location(
    "postgres_server", Path(__file__).with_name("postgres_server.py")
)
postgres_server = sys.modules.setdefault(_spec.name, importlib.util.module_from_spec(_spec))
if not hasattr(postgres_server, "FIXTURES"):
    _spec.loader.exec_module(postgres_server)
psycopg = postgres_server.psycopg

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]

globals().update(postgres_server.FIXTURES)
globals().update(
    postgres_server.contract(
        "unit/test_store.py",
        without=[
            # They are about SQLite's files, settings and catalogue; what they promise is tested below.
            "test_all_tables_columns_and_indexes_of_the_design_are_there",
            "test_the_database_is_opened_for_durability",
            "test_a_database_that_is_locked_is_told_in_plain_words",
            "test_where_there_are_no_results_a_reader_is_told_so",
            "test_a_file_in_the_folders_place_is_told",
            "test_a_damaged_database_is_told_and_left_as_it_is",
            "test_a_database_of_something_else_is_left_alone",
            "test_a_database_of_a_newer_version_is_refused",
            "test_an_older_database_is_migrated_and_a_copy_set_aside",
            "test_a_migration_that_fails_leaves_the_database_as_it_was",
        ],
    )
)

WRITER = """
import sys
from schema.store.records import Evaluation, RunStart
from schema.store.store import Store

folder, study_id = sys.argv[1:]
with Store.open(folder) as store, store.claim(study_id):
    print("claimed", flush=True)
    for first in range(0, 1_000_000, 10):
        chunk = range(first, first + 10)
        store.start_runs([RunStart(study_id, number, "x", 1, "milp") for number in chunk])
        store.record([
            Evaluation(study_id, n, {"a.b": float(n)}, "success", "x", 1, "milp", fitness=float(n)) for n in chunk
        ])
        print(first + 10, flush=True)
"""


def evaluation(number, study_id="house"):
    return Evaluation(study_id, number, {"a.b": 1.0}, "success", "x", 1, "milp", fitness=1.0)


@pytest.fixture
def writers(tmp_path):
    """Starts processes that write a study each, until they are killed."""
    started = []

    def start(study_id, folder=tmp_path):
        command = [sys.executable, "-c", WRITER, str(folder), study_id]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def acknowledged(process):
    """Kill -9; the last number that was told since, if any."""
    process.kill()
    return int((process.stdout.read().split() or [0])[-1])


def test_all_tables_columns_and_indexes_of_the_design_are_there_too(database):
    Store.open(".").close()
    with closing(psycopg.connect(database)) as connection:
        for table in tables.FIRST_TABLES:
            columns = connection.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_name = %s", [table.name]
            )
            assert set(table.columns) <= {name for (name,) in columns}
            indexes = connection.execute(
                "SELECT indexname FROM pg_indexes WHERE tablename = %s", [table.name]
            )
            names = {"_".join(["idx", table.name, *index]) for index in table.indexes}
            assert names <= {name for (name,) in indexes}
        without_index = connection.execute(
            "SELECT c.conname FROM pg_constraint c WHERE c.contype = 'f' AND NOT EXISTS (SELECT 1 FROM pg_index i "
            "WHERE i.indrelid = c.conrelid AND i.indkey[0] = c.conkey[1] AND i.indpred IS NULL)"
        )
        assert without_index.fetchall() == []


def test_several_flows_write_at_once_and_nothing_acknowledged_is_lost(writers, tmp_path):
    ids = ("one", "two", "three")
    with Store.open(tmp_path) as store:
        for study_id in ids:
            store.create_study(NewStudy(study_id, "parametric"))
        processes = [writers(study_id) for study_id in ids]
        for process in processes:
            while process.stdout.readline() != "200\n":
                pass
        told = [acknowledged(process) for process in processes]
        for study_id, number in zip(ids, told, strict=True):
            numbers = [row["evaluation_number"] for row in queries.evaluations(store.connection, study_id)]
            assert numbers == list(range(len(numbers)))
            assert len(numbers) >= max(number, 200)
            assert len(numbers) % 10 == 0
            assert store.study(study_id)["run_count"] == len(numbers)


def test_a_study_alive_on_another_machine_is_refused_until_its_process_dies(writers, tmp_path):
    with Store.open(tmp_path / "here") as store:
        store.create_study(NewStudy("one", "parametric"))
        process = writers("one", tmp_path / "there")
        process.stdout.readline()
        assert store.holder("one").pid == process.pid
        with pytest.raises(StudyAliveError, match=str(process.pid)), store.claim("one"):
            pass
        process.kill()
        process.wait()
        for _ in range(500):  # the server takes a moment to see it
            if store.holder("one") is None:
                break
        with store.claim("one"):
            assert store.holder("one").pid == os.getpid()


def test_a_forked_child_neither_keeps_nor_ends_a_claim(tmp_path):
    with Store.open(tmp_path) as store:
        with store.claim("one"):
            child = os.fork()
            if child == 0:
                os._exit(0)
            os.waitpid(child, 0)
            assert store.holder("one").pid == os.getpid()
        assert store.holder("one") is None


def test_ids_that_differ_in_case_alone_cannot_both_be_taken_at_once(database, tmp_path):
    refusals = []

    def create(store):
        try:
            store.create_study(NewStudy("House", "single"))
        except StoreError as error:
            refusals.append(str(error))

    with Store.open(tmp_path) as store, closing(psycopg.connect(database)) as other:
        other.execute("INSERT INTO ecosystemiser.studies (study_id) VALUES ('house')")
        waiting = threading.Thread(target=create, args=[store])
        waiting.start()
        time.sleep(0.2)  # it has seen no other study, and waits for the id
        other.commit()
        waiting.join()
        assert store.study("House") is None
    assert "in_any_case" in refusals[0]


def test_a_server_that_went_away_is_told_and_nothing_is_half_recorded(database, tmp_path):
    with Store.open(tmp_path) as store:
        store.create_study(NewStudy("house", "single"))
        with closing(psycopg.connect(database, autocommit=True)) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        with pytest.raises(StoreError, match="nothing of it was recorded"):
            store.record([evaluation(0)])
    with Store.open(tmp_path) as store:
        assert queries.evaluations(store.connection, "house") == []


def test_where_there_are_no_results_a_reader_of_a_server_is_told_so(server, monkeypatch, tmp_path):
    monkeypatch.setenv("ECOSYSTEMISER_DATABASE", server.new())
    with pytest.raises(InputError, match="run a study first"):
        Store.open(tmp_path, read_only=True)


def test_a_server_s_database_of_a_newer_version_is_refused(database, tmp_path):
    with closing(psycopg.connect(database, autocommit=True)) as connection:
        connection.execute("INSERT INTO ecosystemiser.versions (name, applied_at) VALUES ('m999_x', '')")
    for read_only in (False, True):
        with pytest.raises(InputError, match="newer version"):
            Store.open(tmp_path, read_only=read_only)


def test_a_server_s_database_of_an_older_version_is_brought_up_to_date(tmp_path, monkeypatch):
    def m999_notes(db):
        db.execute("ALTER TABLE studies ADD COLUMN note TEXT")
        db.execute("CREATE TABLE remarks (remark_id INTEGER PRIMARY KEY, study_id TEXT)")
        db.execute("CREATE INDEX idx_remarks_study_id ON remarks (study_id)")

    with Store.open(tmp_path) as store:
        store.create_study(NewStudy("house", "single"))
        store.record([evaluation(0)])
    monkeypatch.setattr(migrations, "STEPS", [*migrations.STEPS, m999_notes])
    monkeypatch.setattr(migrations.names, "__defaults__", (migrations.STEPS,))
    monkeypatch.setattr(migrations.migrate, "__defaults__", (migrations.STEPS,))
    with pytest.raises(InputError, match="db migrate"):
        Store.open(tmp_path, read_only=True)
    with Store.open(tmp_path) as store:
        assert store.study("house")["note"] is None
        assert len(queries.evaluations(store.connection, "house")) == 1
        assert store.connection.execute("SELECT count(*) FROM remarks").fetchone()[0] == 0


def test_several_processes_may_make_the_tables_at_once(server, monkeypatch, tmp_path):
    monkeypatch.setenv("ECOSYSTEMISER_DATABASE", server.new())
    code = "import sys; from schema.store.store import Store; Store.open(sys.argv[1]).close()"
    command = [sys.executable, "-c", code, str(tmp_path)]
    processes = [subprocess.Popen(command, cwd=ROOT) for _ in range(2)]
    assert [process.wait(timeout=60) for process in processes] == [0] * 2


def test_a_password_is_never_told(monkeypatch, tmp_path):
    from schema.store.postgres import shown

    for url in (
        "postgresql://someone:not-to-be-told@127.0.0.1:9/x",
        "postgresql://someone@127.0.0.1:9/x?password=not-to-be-told",
        "mysql://someone:not-to-be-told@host/x",
    ):
        monkeypatch.setenv("ECOSYSTEMISER_DATABASE", url)
        with pytest.raises(InputError) as raised:
            Store.open(tmp_path)
        assert "not-to-be-told" not in str(raised.value)
    assert shown("postgresql://someone:secret@host:5432/x?password=y") == "postgresql://host:5432/x"
