"""Databases of every layout that was ever in use open, whole, and say what they said."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from schema.errors import InputError
from schema.store import migrations, queries, runs
from schema.store.database import FILE_NAME
from schema.store.store import Store

DATABASES = Path(__file__).parents[1] / "data" / "databases"
OLDER = ["older_two_tables", "older_with_study_runs", "older_odd"]
TABLES = [
    *("studies", "simulation_runs", "study_runs", "pareto_fronts", "convergence_metrics"),
    *("uncertainty_analysis", "sensitivity_analysis"),
]


@pytest.fixture
def opened(tmp_path):
    stores = []

    def open_(name):
        shutil.copy(DATABASES / f"{name}.sqlite", tmp_path / FILE_NAME)
        stores.append(Store.open(tmp_path))
        return stores[-1]

    yield open_
    for store in stores:
        store.close()


def rows(store, table):
    return queries.fetch(store.connection, f"SELECT * FROM {table}", [])


def row(store, table, key, value):
    found = queries.fetch(store.connection, f"SELECT * FROM {table} WHERE {key} = ?", [value])
    assert len(found) == 1
    return found[0]


def schema_of(connection):
    found = connection.execute(
        "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE '\\_%' ESCAPE '\\'"
    )
    return sorted(found_row[0] for found_row in found)


def test_a_small_database_of_every_step_is_kept():
    missing = [name for name in migrations.names() if not (DATABASES / f"{name}.sqlite").exists()]
    assert not missing, "run tests/data/make_databases.py and commit what it adds"


@pytest.mark.parametrize("number", range(len(migrations.STEPS)))
def test_a_shipped_step_still_makes_what_it_made(number, tmp_path):
    steps = migrations.STEPS[: number + 1]
    with closing(sqlite3.connect(tmp_path / "new", isolation_level=None)) as made:
        made.row_factory = sqlite3.Row
        migrations.migrate(made, tmp_path / "new", steps)
        shipped = DATABASES / f"{steps[-1].__name__}.sqlite"
        with closing(sqlite3.connect(f"{shipped.as_uri()}?mode=ro", uri=True)) as kept:
            assert schema_of(made) == schema_of(kept)


@pytest.mark.parametrize("name", [*OLDER, *migrations.names()])
def test_every_layout_opens_sound_and_can_be_queried_and_written(name, opened):
    store = opened(name)
    assert store.connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert store.connection.execute("PRAGMA foreign_key_check").fetchall() == []
    assert store.connection.execute("PRAGMA foreign_keys").fetchone()[0] == 1
    assert not migrations.pending(store.connection)
    for study in queries.list_studies(store.connection):
        queries.statistics(store.connection, study["study_id"])
        queries.pareto_front(store.connection, study["study_id"])
        runs.runs(store.connection, study_ids=[study["study_id"]])
        store.update_study(study["study_id"], metadata={"seen": True})
        store.delete_study(study["study_id"])
    assert rows(store, "simulation_runs") == rows(store, "study_runs") == []


@pytest.mark.parametrize("name", migrations.names())
def test_a_layout_of_ours_keeps_every_row(name, opened):
    store = opened(name)
    assert [(r["run_id"], r["fitness"]) for r in runs.best_designs(store.connection)] == [
        ("house-0000001", 90.0),
        ("house-0000000", 100.0),
    ]
    assert [len(rows(store, table)) for table in TABLES] == [1, 4, 3, 2, 1, 1, 1]


@pytest.mark.parametrize("name", migrations.names())
def test_what_leads_to_the_best_is_filled_from_the_rows_that_are_there(name, opened):
    zones = opened(name).connection.execute("SELECT * FROM kpi_zones").fetchall()
    assert [(z["best_total_cost"], z["best_renewable_fraction"], z["best_total_co2"]) for z in zones] == [
        (90.0, 0.25, None)
    ]


@pytest.mark.parametrize("name", OLDER)
def test_no_value_of_an_older_database_is_lost(name, opened):
    """Every value stands in its row's place of today, as it was or in other words, or is kept beside it."""
    store = opened(name)
    with closing(sqlite3.connect(DATABASES / f"{name}.sqlite")) as older:
        older.text_factory = lambda raw: raw.decode("utf-8", "backslashreplace")
        for table in TABLES:
            if not older.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [table]).fetchone():
                continue
            cursor = older.execute(f"SELECT * FROM {table}")
            columns = [column[0] for column in cursor.description]
            now = rows(store, table)
            beside = store.connection.execute("SELECT name FROM sqlite_master").fetchall()
            if f"older_{table}" in [b["name"] for b in beside]:
                now += [dict(r) for r in store.connection.execute(f"SELECT * FROM older_{table}")]
            for values in cursor.fetchall():
                told = {k: v for k, v in zip(columns, values, strict=True) if v not in (None, "")}
                best = min((lost(told, r) for r in now), key=len)
                assert best == {}, (table, told)


def lost(told, row):
    found = {plain(value) for value in leaves(row)}
    return {name: value for name, value in told.items() if not as_kept(value) & found}


def leaves(value):
    """Every value in a row, however deep, and the row's lists and objects as a whole."""
    yield value
    if isinstance(value, dict):
        for item in value.values():
            yield from leaves(item)


def as_kept(value):
    """The ways in which a value may be kept: a part of its row, or beside it as it was."""
    if isinstance(value, bytes):
        return {plain(value.hex())}
    try:
        parsed = json.loads(value)
    except (TypeError, ValueError):
        return {plain(value)}
    return {plain(value), plain(parsed)}


def plain(value):
    """As text that ignores how numbers, moments and flags are written."""
    if isinstance(value, dict):
        return json.dumps({key: item for key, item in value.items() if key != "older"}, sort_keys=True)
    flags = {"true": "1", "false": "0"}
    text = flags.get(str(value).lower(), str(value))
    try:
        return str(float(text))
    except ValueError:
        return text.replace(" ", "T").removesuffix("Z").removesuffix("T00:00:00")


def test_the_first_older_layout_reads_in_words_of_today(opened):
    store = opened("older_two_tables")
    told = {s["study_id"]: (s["study_type"], s["status"], s["run_count"]) for s in rows(store, "studies")}
    assert told == {
        "default_study": ("single", "completed", 2),
        "winter": ("single", "completed", 1),
        "empty": ("single", "pending", 0),
        "never_written": ("single", "completed", 1),
    }
    status = {r["run_id"]: r["simulation_status"] for r in rows(store, "simulation_runs")}
    assert status == {"run_1": "completed", "run_2": "completed", "run_3": "failed", "run_4": "completed"}
    run = queries.simulation_run(store.connection, "run_1")
    assert (run["total_cost"], run["renewable_fraction"], run["timestamp"]) == (
        41.5,
        0.4,
        "2025-09-29T10:00:01Z",
    )
    assert run["metadata_json"]["seed"] == 7
    assert row(store, "simulation_runs", "run_id", "run_3")["results_path"] is None


def test_evaluations_of_an_older_study_can_be_ranked(opened):
    store = opened("older_with_study_runs")
    study = store.study("ga_001")
    assert study["optimization_objective"] == {"total_cost": "minimise", "co2_emissions": "minimise"}
    assert (study["study_type"], study["status"]) == ("genetic_algorithm", "completed")
    assert (study["run_count"], study["metadata_json"]["older"]["run_count"]) == (4, 9)
    best = runs.best_designs(store.connection, study_ids=["ga_001"])
    assert [r["run_id"] for r in best] == ["ga_001_1", "ga_001_0"]  # one breaks a constraint, one failed
    assert best[0]["parameters"] == {"pv.capacity_kw": 8.0, "battery.capacity_kwh": 12}
    assert best[1]["objectives"] == {"total_cost": 1000.0, "co2_emissions": 200.0}
    links = {r["run_id"]: r["study_run_id"] for r in rows(store, "simulation_runs")}
    assert links == {"sim_0": "ga_001_0", "sim_1": "ga_001_1"}


def test_a_penalty_is_no_fitness_and_is_kept_beside(opened):
    store = opened("older_with_study_runs")
    failed = row(store, "study_runs", "run_id", "ga_001_2")
    assert (failed["fitness"], failed["objectives"], failed["simulation_status"]) == (None, {}, "failed")
    assert failed["metadata_json"]["older"]["fitness"] == 1e9


def test_an_endless_fitness_is_none_either(opened):
    store = opened("older_odd")
    endless = row(store, "study_runs", "run_id", "eval-0")
    assert (endless["fitness"], endless["simulation_status"]) == (None, "failed")
    assert endless["metadata_json"]["older"]["fitness"] == "inf"


def test_ids_that_no_folder_may_have_are_changed_wherever_they_are_spoken_of(opened):
    store = opened("older_odd")
    assert store.study("Berlin-study-2025")["metadata_json"]["older"]["study_id"] == "Berlin study/2025"
    ids = {r["run_id"]: r["simulation_run_id"] for r in rows(store, "study_runs")}
    assert ids == {"eval-0": "run", "eval-1": None, "eval-1-2": None}
    assert rows(store, "pareto_fronts")[0]["run_ids"] == ["eval-1", "lost"]


def test_what_is_not_ours_is_left_alone(opened):
    store = opened("older_odd")
    assert [tuple(r) for r in store.connection.execute("SELECT * FROM notes")] == [("../run", "looks odd")]
    assert {r["run_id"] for r in store.connection.execute("SELECT run_id FROM cheap")} == {
        "Berlin-study-2025-run",
        "Berlin-study-2025-run-2",
    }


@pytest.mark.parametrize("name", OLDER)
def test_a_copy_is_set_aside_before_anything_is_changed(name, opened, tmp_path):
    before = (DATABASES / f"{name}.sqlite").read_bytes()
    opened(name)
    copies = [file for file in tmp_path.glob("*.sqlite") if file.name != FILE_NAME]
    assert len(copies) == 1
    with closing(sqlite3.connect(copies[0])) as copy, closing(sqlite3.connect(":memory:")) as kept:
        kept.deserialize(before)
        copy.text_factory = kept.text_factory = bytes
        assert schema_of(copy) == schema_of(kept)
        for table in ("studies", "simulation_runs"):
            content = [list(database.execute(f"SELECT * FROM {table}")) for database in (copy, kept)]
            assert content[0] == content[1] != []


def test_an_earlier_copy_is_never_written_over(opened, tmp_path):
    store = opened("m001_first_tables")
    copies = {migrations.set_aside(store.connection, tmp_path / FILE_NAME, "older") for _ in range(3)}
    assert len({copy.name for copy in copies}) == 3


def test_an_older_database_is_not_changed_by_a_reader(tmp_path):
    shutil.copy(DATABASES / "older_two_tables.sqlite", tmp_path / FILE_NAME)
    with pytest.raises(InputError, match="db migrate"):
        Store.open(tmp_path, read_only=True)
    assert (tmp_path / FILE_NAME).read_bytes() == (DATABASES / "older_two_tables.sqlite").read_bytes()


def test_studies_of_other_software_are_not_taken_for_ours(tmp_path):
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as other:
        other.execute("CREATE TABLE studies (study_id INTEGER PRIMARY KEY, study_name TEXT)")
        other.execute("CREATE TABLE trials (trial_id INTEGER PRIMARY KEY, study_id INTEGER)")
    with pytest.raises(InputError, match="something else"):
        Store.open(tmp_path)
    assert len(list(tmp_path.glob("*.sqlite"))) == 1


def test_a_new_database_that_a_kill_left_without_tables_opens(tmp_path):
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as half:
        half.execute(
            "CREATE TABLE _sqlite_migrations "
            "(id INTEGER PRIMARY KEY, migration_set TEXT, name TEXT, applied_at TEXT)"
        )
    Store.open(tmp_path).close()


ODD_VALUES = [
    *(0, -1, 2**62, 1.5, 9e999, -9e999, "x", "NaN", "true", " 7 ", "1_000", "0x10", "10" * 300, "s" * 200),
    *(
        '{"a": 1}',
        "[1, 2]",
        '[null, "x", NaN]',
        '{"a": {"b": [1]}}',
        "[]",
        "[[1], [2]]",
        '"text"',
        b"\x00\xff",
    ),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "99999-01-01", "2025-01-01T00:00:00+05:00"),
    *("../..", "a/b", "€", "null"),
]


@pytest.mark.parametrize("seed", range(12))
def test_no_value_in_any_column_hinders_a_migration(seed, tmp_path):
    rng = random.Random(seed)
    shutil.copy(DATABASES / "older_odd.sqlite", tmp_path / FILE_NAME)
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as older:
        for table in TABLES:
            columns = [column[1] for column in older.execute(f"PRAGMA table_info({table})")]
            marks = ", ".join("?" * len(columns))
            for _ in range(15):
                values = [rng.choice(ODD_VALUES) for _ in columns]
                older.execute(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", values)
        counts = {table: older.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}
        older.commit()
    with Store.open(tmp_path) as store:
        assert store.connection.execute("PRAGMA foreign_key_check").fetchall() == []
        for table, count in counts.items():
            assert len(rows(store, table)) >= count
