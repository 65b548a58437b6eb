"""What the store promises to those who write studies."""

from __future__ import annotations

import math
import os
import shutil
import sqlite3
import threading
from contextlib import closing

import numpy as np
import pytest

from schema.errors import InputError
from schema.store import database, migrations, queries, tables
from schema.store.errors import StoreError, StudyAliveError
from schema.store.records import (
    Evaluation,
    Front,
    Generation,
    Kpis,
    NewStudy,
    Reusable,
    RunStart,
    check_study_id,
)
from schema.store.store import Store


def evaluation(number, cost=None, *, study_id="house", status="success", violations=None, **changes):
    solved = {"objectives": {"total_cost": cost}, "fitness": cost, "kpis": Kpis(total_cost=cost)}
    return Evaluation(
        study_id,
        number,
        {"pv.capacity_kw": float(number)},
        status,
        "house",
        168,
        "milp",
        **{"constraint_violations": violations or {}, **(solved if status == "success" else {}), **changes},
    )


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "results") as opened:
        opened.create_study(NewStudy("house", "genetic_algorithm", objectives={"total_cost": "minimise"}))
        yield opened


def count(store, table):
    return store.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def test_all_tables_columns_and_indexes_of_the_design_are_there(store):
    found = {
        row["name"] for row in store.connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    }
    assert {table.name for table in tables.FIRST_TABLES} <= found
    for table in tables.FIRST_TABLES:
        names = {row["name"] for row in store.connection.execute(f"PRAGMA table_info({table.name})")}
        assert set(table.columns) <= names
        indexed = {
            tuple(
                column["name"] for column in store.connection.execute(f"PRAGMA index_info({index['name']})")
            )
            for index in store.connection.execute(f"PRAGMA index_list({table.name})")
        }
        assert set(table.indexes) <= indexed


def test_the_database_is_opened_for_durability(store):
    def pragma(name):
        return store.connection.execute(f"PRAGMA {name}").fetchone()[0]

    assert (pragma("journal_mode"), pragma("synchronous"), pragma("foreign_keys")) == ("wal", 2, 1)


def test_a_run_is_logged_as_running_and_settled_under_the_same_id(store):
    store.start_runs([RunStart("house", 0, "house", 168, "milp")])
    started = queries.simulation_run(store.connection, "house-0000000")
    assert (started["simulation_status"], started["study_run_id"]) == ("running", None)
    store.record([evaluation(0, 12.5)])
    settled = queries.simulation_run(store.connection, "house-0000000")
    assert (settled["simulation_status"], settled["study_run_id"]) == ("completed", "house-0000000")
    assert (settled["total_cost"], settled["timestamp"]) == (12.5, started["timestamp"])


def test_recording_a_chunk_again_changes_nothing(store):
    chunk = [evaluation(number, 10.0 + number) for number in range(3)]
    store.record(chunk)
    before = queries.evaluations(store.connection, "house")
    store.record(chunk)
    assert queries.evaluations(store.connection, "house") == before
    assert store.study("house")["run_count"] == 3


def test_a_chunk_is_recorded_whole_or_not_at_all(store):
    with pytest.raises(InputError, match="did you mean house"):
        store.record([evaluation(0, 1.0), evaluation(1, 1.0, study_id="hause")])
    assert count(store, "study_runs") == count(store, "simulation_runs") == 0


def test_the_best_design_is_solved_and_keeps_the_constraints(store):
    store.record([evaluation(0, 5.0), evaluation(1, 1.0, violations={"total_co2": 2.0})])
    store.record([evaluation(2, status="failed"), evaluation(3, 4.0)])
    study = store.study("house")
    assert (study["best_fitness"], study["best_solution_id"]) == (4.0, "house-0000003")


def test_the_best_design_follows_an_evaluation_that_is_recorded_anew(store):
    store.record([evaluation(0, 5.0), evaluation(1, 1.0)])
    store.record([evaluation(1, 9.0)])
    study = store.study("house")
    assert (study["best_fitness"], study["best_solution_id"]) == (5.0, "house-0000000")


def test_of_equally_good_designs_the_one_with_the_lowest_id_is_the_best(store):
    def best():
        return store.study("house")["best_solution_id"]

    store.record([evaluation(3, 5.0), evaluation(2, 5.0)])
    assert best() == "house-0000002"
    store.record([evaluation(1, 5.0), evaluation(4, 5.0)])
    assert best() == "house-0000001"
    store.record([evaluation(1, 9.0)])
    assert best() == "house-0000002"
    store.record([evaluation(0, 5.0)])
    assert best() == "house-0000000"


def test_a_cell_that_is_no_json_is_not_read_together_with_its_neighbours(store):
    store.record([evaluation(0, 5.0), evaluation(1, 1.0)])
    for number, text in enumerate(["[1", "2]"]):
        store.connection.execute(
            "UPDATE study_runs SET metadata_json = ? WHERE run_id = ?", [text, f"house-000000{number}"]
        )
    with pytest.raises(ValueError, match="delimiter"):
        queries.evaluations(store.connection, "house")


def test_a_failure_has_no_fitness(store):
    with pytest.raises(ValueError, match="no fitness"):
        evaluation(0, status="failed", fitness=1e9)
    store.record([evaluation(0, status="infeasible")])
    row = queries.evaluations(store.connection, "house")[0]
    assert (row["fitness"], row["objectives"]) == (None, {})


def test_no_nan_and_no_infinity_reach_the_database(store):
    odd = evaluation(0, math.inf, metadata={"gap": math.nan, "bounds": [np.float64("inf"), np.int64(3)]})
    store.record([odd])
    row = queries.evaluations(store.connection, "house")[0]
    assert row["fitness"] is None
    assert row["objectives"] == {"total_cost": None}
    assert row["metadata_json"] == {"gap": None, "bounds": [None, 3]}


def test_parameters_come_back_as_they_were_to_the_last_bit(store):
    parameters = {"a.b_kw": 0.1 + 0.2, "c.d_kw": 1 / 3, "e.count": 7, "solver.method": "hybrid"}
    store.record([_with(parameters)])
    assert queries.evaluations(store.connection, "house")[0]["parameters"] == parameters


def _with(parameters):
    return Evaluation("house", 0, parameters, "success", "house", 168, "milp", fitness=1.0)


def test_kpis_beyond_the_eight_are_kept(store):
    store.record([evaluation(0, 1.0, kpis=Kpis.of({"total_cost": 1.0, "npv": 7.0}))])
    row = queries.simulation_run(store.connection, "house-0000000")
    assert (row["total_cost"], row["metadata_json"]) == (1.0, {"kpis": {"npv": 7.0}})


def test_a_generation_marks_its_front_and_unmarks_the_last(store):
    store.record([evaluation(number, float(number)) for number in range(4)])
    store.record_generation(Generation("house", 0, front=Front(["house-0000002", "house-0000003"], 1.0)))
    ids = ["house-0000000", "house-0000002"]
    store.record_generation(
        Generation(
            "house", 1, best_fitness=0.0, front=Front(ids, 2.0), domination_counts={"house-0000003": 2}
        )
    )
    rows = queries.evaluations(store.connection, "house")
    assert [row["run_id"] for row in rows if row["is_pareto_optimal"]] == ids
    assert rows[3]["domination_count"] == 2
    assert [row["hypervolume"] for row in queries.convergence(store.connection, "house")] == [1.0, 2.0]


def test_a_generation_recorded_twice_stands_once(store):
    store.record([evaluation(0, 1.0)])
    for _ in range(2):
        store.record_generation(Generation("house", 0, front=Front(["house-0000000"])))
        store.record_final_front("house", Front(["house-0000000"], 3.0))
    assert count(store, "convergence_metrics") == 1
    assert [row["generation_number"] for row in queries.fronts(store.connection, "house")] == [0, None]


def test_recording_an_evaluation_anew_leaves_its_marks(store):
    store.record([evaluation(0, 1.0)])
    store.record_final_front("house", Front(["house-0000000"]), {"house-0000000": 0})
    store.record([evaluation(0, 1.0, metadata={"attempts": 2})])
    row = queries.evaluations(store.connection, "house")[0]
    assert (row["is_pareto_optimal"], row["domination_count"]) == (True, 0)


def test_the_course_of_a_study_is_told(store):
    store.update_study("house", status="running", metadata={"seed": 1})
    store.set_progress("house", 140.0)
    store.finish_study("house", "failed", execution_time_seconds=2.0)
    store.update_study("house", metadata={"resumed": True})
    store.finish_study("house", "completed", execution_time_seconds=3.0)
    study = store.study("house")
    assert (study["status"], study["progress_percent"]) == ("completed", 100.0)
    assert study["execution_time_seconds"] == 5.0
    assert study["metadata_json"] == {"seed": 1, "resumed": True}
    assert study["completed_at"].endswith("Z")


def test_a_column_that_the_store_keeps_itself_is_not_for_callers(store):
    with pytest.raises(ValueError, match="run_count"):
        store.update_study("house", run_count=3)


def test_what_a_killed_process_left_running_is_settled(store):
    store.start_runs([RunStart("house", number, "house", 168, "milp") for number in range(3)])
    store.record([evaluation(0, 1.0)])
    store.start_runs([RunStart("house", 0, "house", 168, "milp")])  # being run again when it was killed
    assert store.settle_interrupted("house") == ["house-0000000", "house-0000001", "house-0000002"]
    status = [
        queries.simulation_run(store.connection, f"house-000000{n}")["simulation_status"] for n in (0, 1)
    ]
    assert status == ["completed", "failed"]


def test_deleting_a_study_deletes_its_rows_and_files_and_no_others(store):
    store.create_study(NewStudy("other", "single"))
    for study_id in ("house", "other"):
        store.start_runs([RunStart(study_id, 9, "house", 168, "milp")])
        store.record([evaluation(0, 1.0, study_id=study_id)])
        store.record_generation(Generation(study_id, 0, front=Front([f"{study_id}-0000000"])))
        (store.results_dir / "simulation_runs" / study_id / "x").mkdir(parents=True)
    store.delete_study("house")
    for table in ("studies", "study_runs", "pareto_fronts", "convergence_metrics"):
        assert count(store, table) == 1
    assert count(store, "simulation_runs") == 2
    assert [path.name for path in (store.results_dir / "simulation_runs").iterdir()] == ["other"]


def test_deleting_a_simulation_run_leaves_its_evaluation(store):
    store.record([evaluation(0, 1.0)])
    store.connection.execute("DELETE FROM simulation_runs")
    assert queries.evaluations(store.connection, "house")[0]["simulation_run_id"] is None


@pytest.mark.parametrize("bad", ["", "../x", "a/b", ".hidden", "a b", "-a", "a\n", "x" * 65, "é", "a\0"])
def test_an_id_that_could_leave_the_results_is_refused(bad, store):
    with pytest.raises(InputError, match="cannot name a study"):
        check_study_id(bad)
    with pytest.raises(InputError):
        store.create_study(NewStudy(bad, "single"))
    with pytest.raises(InputError), store.claim(bad):
        pass


def test_a_taken_id_is_refused_in_any_case(store):
    with pytest.raises(InputError, match="house exists already"):
        store.create_study(NewStudy("House", "single"))


def test_a_study_has_one_writer_at_a_time(store):
    with store.claim("house"):
        assert store.holder("house").pid == os.getpid()
        with pytest.raises(StudyAliveError, match=str(os.getpid())), store.claim("house"):
            pass
        with pytest.raises(StudyAliveError):
            store.delete_study("house")
        with store.claim("other"):
            pass
    assert store.holder("house") is None
    with store.claim("house"):
        pass


def test_threads_may_record_through_one_store(store):
    def record(start):
        for number in range(start, start + 20):
            store.record([evaluation(number, float(number))])

    threads = [threading.Thread(target=record, args=[start]) for start in (0, 20, 40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count(store, "study_runs") == store.study("house")["run_count"] == 60


def test_a_database_that_is_locked_is_told_in_plain_words(store):
    store.connection.execute("PRAGMA busy_timeout=50")
    with closing(sqlite3.connect(store.results_dir / database.FILE_NAME, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="nothing of it was recorded"):
            store.record([evaluation(0, 1.0)])
        other.execute("ROLLBACK")
    store.record([evaluation(0, 1.0)])


def test_a_reader_changes_nothing(store):
    with Store.open(store.results_dir, read_only=True) as reader:
        with pytest.raises(StoreError):
            reader.record([evaluation(0, 1.0)])
        store.record([evaluation(0, 1.0)])
        assert len(queries.evaluations(reader.connection, "house")) == 1


def test_where_there_are_no_results_a_reader_is_told_so(tmp_path):
    with pytest.raises(InputError, match="run a study first"):
        Store.open(tmp_path / "nothing", read_only=True)
    assert not (tmp_path / "nothing").exists()


def test_a_file_in_the_folders_place_is_told(tmp_path):
    (tmp_path / "results").write_text("")
    for place in (tmp_path / "results", tmp_path / "results" / "below"):
        with pytest.raises(InputError, match=r"is a file|cannot be used"):
            Store.open(place)


def test_a_damaged_database_is_told_and_left_as_it_is(tmp_path):
    file = tmp_path / database.FILE_NAME
    file.write_bytes(b"this is no database" * 100)
    for read_only in (False, True):
        with pytest.raises(InputError, match="damaged or no SQLite database"):
            Store.open(tmp_path, read_only=read_only)
    assert file.read_bytes().startswith(b"this is no")


def test_a_database_of_something_else_is_left_alone(tmp_path):
    with closing(sqlite3.connect(tmp_path / database.FILE_NAME)) as other:
        other.execute("CREATE TABLE songs (title TEXT)")
    with pytest.raises(InputError, match="something else"):
        Store.open(tmp_path)


def test_a_database_of_a_newer_version_is_refused(store):
    store.connection.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) "
        "VALUES ('ecosystemiser', 'm999_x', '')"
    )
    for read_only in (False, True):
        with pytest.raises(InputError, match="newer version"):
            Store.open(store.results_dir, read_only=read_only)


def test_an_older_database_is_migrated_and_a_copy_set_aside(store):
    def m999_notes(db):
        db.execute("ALTER TABLE studies ADD COLUMN note TEXT")

    store.record([evaluation(0, 1.0)])
    copy = migrations.migrate(
        store.connection, store.results_dir / database.FILE_NAME, [*migrations.STEPS, m999_notes]
    )
    assert migrations.applied(store.connection) == [*migrations.names(), "m999_notes"]
    assert store.study("house")["note"] is None
    folder = store.results_dir / "old"
    folder.mkdir()
    shutil.copy(copy, folder / database.FILE_NAME)
    with Store.open(folder) as old:
        assert count(old, "study_runs") == 1
        assert "note" not in old.study("house")


def test_a_migration_that_fails_leaves_the_database_as_it_was(store):
    def m999_half(db):
        db.execute("ALTER TABLE studies ADD COLUMN note TEXT")
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError):
        migrations.migrate(
            store.connection, store.results_dir / database.FILE_NAME, [*migrations.STEPS, m999_half]
        )
    assert migrations.applied(store.connection) == migrations.names()
    assert "note" not in store.study("house")
    assert store.connection.execute("PRAGMA foreign_keys").fetchone()[0] == 1


# -- dispatches that may be taken over


def test_a_dispatch_that_is_offered_is_found_by_its_key(store):
    kpis = Kpis(
        total_cost=0.1 + 0.2, renewable_fraction=1 / 3, other={"peak_import_kw": 2 / 3, "npv_eur": None}
    )
    told = {"message": "optimal", "iterations": 7}
    store.record([evaluation(4, 5.0, kpis=kpis, metadata=told, reusable=Reusable("key", "[1,[2]]"))])
    store.record([evaluation(5, status="infeasible", reusable=Reusable("none")), evaluation(6, 1.0)])
    found = store.dispatches(["key", "none", "unknown"])
    assert found.keys() == {"key", "none"}
    assert found["key"]["run_id"] == "house-0000004"
    assert found["key"]["sums"] == "[1,[2]]"
    # Every digit, or what is worked out from them would be another number.
    assert found["key"]["kpis"] == {
        "total_cost": 0.1 + 0.2,
        "renewable_fraction": 1 / 3,
        "peak_import_kw": 2 / 3,
    }
    assert (found["key"]["simulation_status"], found["key"]["metadata_json"]) == ("success", told)
    assert (found["none"]["simulation_status"], found["none"]["kpis"]) == ("infeasible", {})
    assert store.dispatches([]) == {}


def test_of_two_dispatches_with_one_key_the_first_stays(store):
    store.record([evaluation(1, 5.0, reusable=Reusable("key"))])
    store.record([evaluation(0, 5.0, reusable=Reusable("key")), evaluation(1, 5.0, reusable=Reusable("key"))])
    assert store.dispatches(["key"])["key"]["run_id"] == "house-0000001"
    assert count(store, "dispatches") == 1


def test_a_deleted_study_s_dispatches_are_no_more(store):
    store.create_study(NewStudy("street", "genetic_algorithm", objectives={"total_cost": "minimise"}))
    store.record([evaluation(0, 5.0, reusable=Reusable("key"))])
    store.record([evaluation(0, 5.0, study_id="street", reusable=Reusable("other"))])
    store.delete_study("house")
    assert store.dispatches(["key", "other"]).keys() == {"other"}


def test_a_dispatch_whose_rows_are_gone_is_not_found(store):
    store.record([evaluation(0, 5.0, reusable=Reusable("key"))])
    store.connection.execute("DELETE FROM simulation_runs WHERE run_id = 'house-0000000'")
    assert store.dispatches(["key"]) == {}
