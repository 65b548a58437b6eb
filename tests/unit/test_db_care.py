"""What has come apart is found and, where told to, mended; no result is ever deleted."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from ecosystemiser.cli import app
from schema.errors import InputError
from schema.store import care, queries
from schema.store.database import FILE_NAME
from schema.store.rebuild import rebuild, record_of
from schema.store.records import Evaluation, Front, Kpis, NewStudy, RunStart, run_id_of
from schema.store.store import Store
from schema.store.timeseries import write_run

INDEX = pd.date_range("2019-01-01", periods=24, freq="h", tz="UTC")


def write_files(store, number, study_id="house"):
    """A run's folder as a study writes it."""
    run_id = run_id_of(study_id, number)
    return write_run(
        store.results_dir,
        study_id,
        run_id,
        flows=pd.DataFrame({"pv.electricity_kw": np.arange(24.0)}, index=INDEX),
        components=pd.DataFrame({"battery.level_kwh": np.ones(24)}, index=INDEX),
        units={"pv.electricity_kw": "kW", "battery.level_kwh": "kWh"},
        system_hash="abc",
        config={
            "study_id": study_id,
            "evaluation_number": number,
            "parameters": {"pv.capacity_kw": float(number)},
            "system": {"system": "house", "horizon": {"steps": 24}},
            "solver": {"method": "milp"},
            "timestamp": "2025-01-01T00:00:00Z",
            "record": record_of(store.results_dir, study_id, run_id),
        },
        kpis={"total_cost": 10.0 - number, "total_co2": 1.0 + number, "by_component": {}},
    )


def evaluation(number, files=None, study_id="house"):
    cost, co2 = 10.0 - number, 1.0 + number
    return Evaluation(
        study_id,
        number,
        {"pv.capacity_kw": float(number)},
        "success",
        "house",
        24,
        "milp",
        generation_number=1,
        objectives={"total_cost": cost, "total_co2": co2},
        fitness=cost,
        constraint_violations={"total_co2": 0.5} if number == 2 else {},
        kpis=Kpis(total_cost=cost, total_co2=co2),
        evaluation_time_seconds=0.25,
        files=files,
        metadata={"message": "Optimal"},
    )


@pytest.fixture
def store(tmp_path):
    """A finished study of three evaluations, each with its files."""
    with Store.open(tmp_path / "results") as opened:
        opened.create_study(
            NewStudy(
                "house",
                "genetic_algorithm",
                description="A house",
                objectives={"total_cost": "minimise", "total_co2": "minimise"},
                constraints={"total_co2": {"max": 2.5}},
                population_size=3,
                metadata={"content": {"seed": 1}},
            )
        )
        opened.record([evaluation(number) for number in range(3)])
        opened.record_final_front("house", Front(["house-0000000", "house-0000001"], 1.5))
        opened.attach_files({run_id_of("house", number): write_files(opened, number) for number in range(3)})
        opened.finish_study("house", "completed")
        yield opened


def kinds(store, **options):
    return [trouble.kind for trouble in care.check(store, **options)]


def folder(store, number=0):
    return store.results_dir / "simulation_runs" / "house" / run_id_of("house", number)


def test_a_sound_folder_has_no_trouble(store):
    assert care.check(store) == []


def test_a_row_whose_files_are_gone_is_found_and_cut_off(store):
    shutil.rmtree(folder(store))
    assert kinds(store) == kinds(store) == ["row without files"]  # looking alone changes nothing
    assert [trouble.mended for trouble in care.check(store, mend=True)] == [True]
    run = queries.simulation_run(store.connection, "house-0000000")
    assert (run["results_path"], run["total_cost"]) == (None, 10.0)
    assert run["metadata_json"]["lost"]["results_path"] == "simulation_runs/house/house-0000000"
    assert care.check(store) == []


def test_a_path_that_leads_out_of_the_results_is_no_files(store):
    store.connection.execute("UPDATE simulation_runs SET results_path = '../../etc' WHERE run_id LIKE '%0'")
    assert set(kinds(store)) == {"row without files"}


def test_files_whose_row_is_gone_get_one(store):
    before = queries.evaluations(store.connection, "house")[1]
    store.connection.execute("DELETE FROM study_runs WHERE evaluation_number = 1")
    store.connection.execute("DELETE FROM simulation_runs WHERE run_id = 'house-0000001'")
    assert "files without row" in kinds(store)
    care.check(store, mend=True)
    assert care.check(store) == []
    after = queries.evaluations(store.connection, "house")[1]
    dates = {"created_at", "is_pareto_optimal"}
    assert {k: v for k, v in after.items() if k not in dates} == {
        k: v for k, v in before.items() if k not in dates
    }


def test_files_that_their_row_does_not_know_of_are_attached(store):
    store.connection.execute("UPDATE simulation_runs SET results_path = NULL WHERE run_id = 'house-0000000'")
    assert kinds(store, mend=True) == ["files without row"]
    run = queries.simulation_run(store.connection, "house-0000000")
    assert run["flows_path"] == "simulation_runs/house/house-0000000/flows.parquet"


def test_a_folder_that_tells_no_run_is_told_and_left(store):
    strange = folder(store).with_name("holiday-pictures")
    strange.mkdir()
    (trouble,) = care.check(store, mend=True)
    assert (trouble.kind, trouble.mended) == ("files without row", False)
    assert strange.exists()


def test_runs_that_no_living_process_runs_are_settled(store):
    store.start_runs([RunStart("house", 7, "house", 24, "milp")])
    store.update_study("house", status="running")
    with store.claim("house"):
        assert care.check(store, mend=True) == []  # its own process sees to it
    assert kinds(store, mend=True) == ["left running"]
    assert queries.simulation_run(store.connection, "house-0000007")["simulation_status"] == "failed"
    assert store.study("house")["status"] == "failed"
    assert care.check(store) == []


@pytest.mark.parametrize(
    "name", ["flows.parquet", "components.parquet", "kpis.json", "simulation_config.json"]
)
def test_a_broken_file_is_told_with_the_way_out(name, store):
    file = folder(store) / name
    file.write_bytes(file.read_bytes()[:-20])
    (trouble,) = care.check(store, mend=True)
    assert (trouble.kind, trouble.mended) == ("broken file", False)
    assert name in trouble.message
    assert "replay house-0000000" in trouble.message


def test_a_bit_that_turned_within_a_column_is_seen(store):
    file = folder(store) / "flows.parquet"
    content = bytearray(file.read_bytes())
    content[20:40] = b"\xff" * 20
    file.write_bytes(content)
    assert kinds(store) == ["broken file"]


def test_series_of_the_wrong_length_are_told(store):
    store.connection.execute("UPDATE simulation_runs SET timesteps = 25 WHERE run_id = 'house-0000000'")
    assert set(kinds(store)) == {"broken file"}


def test_references_that_lead_nowhere_are_cut_off_and_kept(store):
    store.connection.execute("PRAGMA foreign_keys=OFF")
    store.connection.execute("UPDATE study_runs SET simulation_run_id = 'gone' WHERE evaluation_number = 0")
    store.connection.execute("UPDATE simulation_runs SET study_run_id = 'gone too' WHERE run_id LIKE '%1'")
    store.connection.execute("PRAGMA foreign_keys=ON")
    assert kinds(store, mend=True) == ["leads nowhere", "leads nowhere"]
    assert care.check(store) == []
    lost = queries.evaluations(store.connection, "house")[0]["metadata_json"]
    assert lost == {"message": "Optimal", "lost": {"simulation_run_id": "gone"}}


def test_evaluations_whose_study_is_gone_get_it_back(store):
    store.connection.execute("PRAGMA foreign_keys=OFF")
    store.connection.execute("DELETE FROM studies")
    store.connection.execute("PRAGMA foreign_keys=ON")
    assert set(kinds(store, mend=True)) == {"leads nowhere", "wrong count"}
    assert care.check(store) == []
    assert (store.study("house")["run_count"], store.study("house")["best_fitness"]) == (3, 9.0)


def test_counts_that_disagree_are_put_right(store):
    store.connection.execute("UPDATE studies SET run_count = 99, best_fitness = 0, best_solution_id = 'x'")
    assert kinds(store, mend=True) == ["wrong count"]
    study = store.study("house")
    assert (study["run_count"], study["best_fitness"], study["best_solution_id"]) == (3, 9.0, "house-0000001")


def age(path):
    """As if nobody had written to it for an hour."""
    for file in [*path.glob("*"), path]:
        os.utime(file, (1e9, 1e9))


def test_what_a_kill_left_half_written_is_removed(store):
    half = folder(store).with_name(".house-0000009.0123abcd")
    half.mkdir()
    (half / "flows.parquet").write_bytes(b"PAR1")
    assert care.check(store) == []  # it may be in the making
    age(half)
    with store.claim("house"):
        assert care.check(store, mend=True) == []
    copy = store.results_dir / ".simulation_index.m001.sqlite.0123abcd"
    copy.write_bytes(b"")
    age(copy)
    assert kinds(store, mend=True) == ["half-written"] * 2
    assert not half.exists()
    assert not copy.exists()


def test_a_whole_run_under_a_half_written_name_gets_its_own(store):
    """A kill between the two renamings of a run that was written anew."""
    age(folder(store).rename(folder(store).with_name(".house-0000000.0123abcd")))
    assert kinds(store, mend=True) == ["half-written"]
    assert care.check(store) == []


def test_a_damaged_database_is_told(store):
    store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    file = store.results_dir / FILE_NAME
    content = bytearray(file.read_bytes())
    root = store.connection.execute(
        "SELECT rootpage FROM sqlite_master WHERE name = 'idx_studies_status'"
    ).fetchone()[0]
    size = store.connection.execute("PRAGMA page_size").fetchone()[0]
    content[(root - 1) * size + 8 : root * size] = bytes(size - 8)
    store.close()
    file.write_bytes(content)
    with Store.open(store.results_dir) as damaged:
        assert kinds(damaged)[0] == "damaged database"


def test_a_backup_is_whole_and_writes_nothing_over(store, tmp_path):
    care.back_up(store, tmp_path / "backup.sqlite")
    with pytest.raises(InputError, match="no backup is written over"):
        care.back_up(store, tmp_path / "backup.sqlite")
    with pytest.raises(InputError, match="cannot be written"):
        care.back_up(store, tmp_path / "nowhere" / "backup.sqlite")
    (tmp_path / "other").mkdir()
    shutil.move(tmp_path / "backup.sqlite", tmp_path / "other" / FILE_NAME)
    with Store.open(tmp_path / "other") as copy:
        assert len(queries.evaluations(copy.connection, "house")) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "results"]


# -- the index anew


def test_the_index_made_anew_says_of_kept_runs_what_it_said(store):
    def told():
        with Store.open(store.results_dir, read_only=True) as reader:
            study = reader.study("house")
            rows = queries.evaluations(reader.connection, "house")
            runs = queries.fetch(reader.connection, "SELECT * FROM simulation_runs ORDER BY run_id", [])
            front = [row["run_id"] for row in queries.pareto_front(reader.connection, "house")]
        ours = {"created_at", "updated_at", "completed_at", "timestamp", "execution_time_seconds"}
        study["metadata_json"].pop("rebuilt_at", None)
        return [{k: v for k, v in row.items() if k not in ours} for row in [study, *rows, *runs]], front

    before = told()
    done = rebuild(store.results_dir)
    assert (done.studies, done.runs, done.unreadable) == (1, 3, ())
    assert told() == before
    with Store.open(store.results_dir) as made:
        assert care.check(made) == []
    with closing(sqlite3.connect(done.set_aside)) as aside:
        assert aside.execute("SELECT count(*) FROM study_runs").fetchone()[0] == 3


def test_runs_that_were_written_before_they_were_settled_are_scored_anew(tmp_path):
    with Store.open(tmp_path) as store:
        objectives = {"total_cost": "maximise", "total_co2": "minimise"}
        constraints = {"total_co2": {"max": 1.5}}
        content = {"content": {"timeseries": "all"}}
        store.create_study(
            NewStudy("house", "parametric", objectives=objectives, constraints=constraints, metadata=content)
        )
        for number in range(2):
            write_files(store, number)
    rebuild(tmp_path)
    with Store.open(tmp_path) as made:
        rows = queries.evaluations(made.connection, "house")
        assert [(row["fitness"], row["constraint_violations"]) for row in rows] == [
            (-10.0, {}),
            (-9.0, {"total_co2": 0.5}),
        ]
        assert rows[0]["objectives"] == {"total_cost": 10.0, "total_co2": 1.0}
        # Whether it came to its end is not told: it can be resumed.
        assert made.study("house")["status"] == "failed"
        assert made.study("house")["study_type"] == "parametric"


def test_a_database_that_is_damaged_or_gone_can_be_made_anew(store):
    store.close()
    (store.results_dir / FILE_NAME).write_bytes(b"no database" * 100)
    done = rebuild(store.results_dir)
    assert (done.runs, done.set_aside.read_bytes()[:11]) == (3, b"no database")
    for file in store.results_dir.glob("*.sqlite*"):
        file.unlink()
    assert rebuild(store.results_dir) == type(done)(1, 3, None)


def test_folders_that_tell_no_run_are_left_out_and_named(store):
    (folder(store) / "kpis.json").write_text("[]")
    (folder(store, 1) / "simulation_config.json").write_text('{"evaluation_number": 5, "parameters": {}}')
    other = folder(store, 2).with_name("house-0000044")
    shutil.copytree(folder(store, 2), other)  # a copy says that it is another run
    done = rebuild(store.results_dir)
    assert done.runs == 1
    assert [name.rpartition("-")[2] for name in done.unreadable] == ["0000000", "0000001", "0000044"]


def test_no_index_is_made_anew_under_a_study_in_progress(store, tmp_path):
    with store.claim("house"), pytest.raises(InputError, match="house is being run"):
        rebuild(store.results_dir)
    with pytest.raises(InputError, match="no such folder"):
        rebuild(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


# -- commands


def run(*arguments):
    return CliRunner().invoke(app, ["db", *map(str, arguments)])


def test_the_commands_tell_what_they_found_and_did(store, tmp_path):
    results = ["--results", store.results_dir]
    assert run("check", *results).stdout == "All is well.\n"
    shutil.rmtree(folder(store))
    told = run("check", "--json", *results)
    assert (told.exit_code, json.loads(told.stdout)["found"][0]["kind"]) == (1, "row without files")
    assert "mended    row without files: house-0000000" in run("check", "--mend", *results).stdout
    assert run("migrate", *results).stdout == "The database is up to date.\n"
    assert json.loads(run("backup", tmp_path / "copy.sqlite", "--json", *results).stdout)["bytes"] > 10_000
    assert "Rebuilt: 1 studies, 2 runs" in run("rebuild", *results).stdout
    assert {"migrate", "check", "backup", "rebuild", "import"} <= set(run("--help").stdout.split())


def test_an_older_database_is_migrated_on_demand(tmp_path):
    older = Path(__file__).parents[1] / "data" / "databases" / "older_two_tables.sqlite"
    shutil.copy(older, tmp_path / FILE_NAME)
    told = json.loads(run("migrate", "--json", "--results", tmp_path).stdout)
    assert told["steps"][:3] == ["older_tables_set_aside", "m001_first_tables", "older_rows_taken_over"]
    assert told["copy"].startswith(str(tmp_path / "simulation_index.older."))
    assert run("check", "--results", tmp_path).exit_code == 1  # its files lie elsewhere
    run("check", "--mend", "--results", tmp_path)
    assert run("check", "--results", tmp_path).exit_code == 0
