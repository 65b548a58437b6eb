"""The community's database, settings and health: what is stored once, given back, refused and told."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

pytest.importorskip("mesa", reason="the community's simulation needs mesa: install '.[community]'")

import numpy as np
import yaml

from schema.community.addresses import without_secrets
from schema.community.backend import Backend, url_of
from schema.community.backup import is_complete, write_backup
from schema.community.errors import BackendError
from schema.community.facts import look, quarter_hours
from schema.community.records import (
    begin_cycle,
    is_recorded,
    record_health,
    record_refusal,
    record_results,
    update_cycle,
)
from schema.community.results_files import ENERGY_COLUMNS, Results
from schema.community.settings import DATABASE_VARIABLE, EXAMPLE, Settings, load_settings
from schema.community.ticks import TICK, as_text
from schema.community.users import add_example_households, count_users, export
from schema.community.weather import weather_factors
from schema.errors import InputError
from tasks.community.health import health_of, reasons_of
from tasks.community.journal import Journal
from tasks.community.places import Places
from tasks.community.service import day_of, open_service

NOON = datetime(2026, 6, 21, 10, 0, tzinfo=UTC)
ROOT = Path(__file__).parents[2]


@pytest.fixture
def backend(tmp_path):
    with Backend.open(tmp_path, busy_seconds=0.2) as opened:
        add_example_households(opened, 5)
        yield opened


def sql(backend, statement, *values):
    with closing(sqlite3.connect(backend.place)) as database, database:
        return database.execute(statement, values).fetchall()


def results_of(user_ids, tick=NOON, level=1.0):
    energies = {name: np.full(len(user_ids), 0.5) for name in ENERGY_COLUMNS}
    energies["battery_soc_kwh"] = np.full(len(user_ids), level)
    return Results(list(user_ids), [as_text(tick)] * len(user_ids), energies)


def users(backend):
    return [user_id for (user_id,) in sql(backend, "SELECT id FROM users ORDER BY 1")]


def record(backend, tick, level=1.0, user_ids=None):
    begin_cycle(backend, tick)
    previous = export(backend, tick).previous
    return record_results(backend, tick, results_of(user_ids or users(backend), tick, level), previous, {})


# -- what is stored


def test_the_same_seed_makes_the_same_households(tmp_path) -> None:
    systems = []
    for folder in ("a", "b"):
        with Backend.open(tmp_path / folder) as made:
            add_example_households(made, 50)
            assert count_users(made) == 50
            systems.append(sql(made, "SELECT * FROM user_systems"))
    assert systems[0] == systems[1]


def test_missing_values_of_a_system_get_their_defaults_and_users_without_panels_stay_out(tmp_path) -> None:
    with closing(sqlite3.connect(tmp_path / "backend.sqlite")) as database, database:
        database.executescript(
            "CREATE TABLE users (id TEXT PRIMARY KEY, email TEXT);"
            "CREATE TABLE user_systems (user_id TEXT, panel_count INTEGER, panel_wattage REAL);"
            "INSERT INTO users VALUES ('00000000-0000-4000-8000-00000000000A', 'a@example.org');"
            "INSERT INTO users VALUES ('b', 'b'), ('c', 'c');"
            "INSERT INTO user_systems VALUES ('00000000-0000-4000-8000-00000000000A', 4, NULL);"
            "INSERT INTO user_systems VALUES ('b', 0, 1), ('c', NULL, 1);"
        )
    with Backend.open(tmp_path) as opened:
        (household,) = export(opened, NOON).households
    assert household.user_id == "00000000-0000-4000-8000-00000000000a"
    assert (household.panel_wattage, household.panel_count, household.battery_capacity_kwh) == (350.0, 4, 0.0)
    assert (household.inverter_capacity_kw, household.household_size) == (5.0, 3)


def test_results_are_stored_once_however_often_they_come(backend) -> None:
    assert record(backend, NOON) == 5
    assert record(backend, NOON) == 0
    assert is_recorded(backend, NOON)
    assert not begin_cycle(backend, NOON)
    with pytest.raises(sqlite3.IntegrityError):
        sql(backend, "INSERT INTO energy_data SELECT * FROM energy_data")


def test_rows_that_are_there_already_are_left_as_they_are(backend) -> None:
    first, *_ = users(backend)
    begin_cycle(backend, NOON)
    record_results(backend, NOON, results_of([first], level=0.25), None, {})
    sql(backend, "UPDATE simulation_cycles SET status = 'running'")
    assert record(backend, NOON) == 4
    assert sql(backend, "SELECT battery_soc_kwh FROM energy_data WHERE user_id = ?", first) == [(0.25,)]


def test_a_battery_begins_half_full_and_goes_on_from_the_tick_before(backend) -> None:
    begun = {h.user_id: h for h in export(backend, NOON).households}
    assert all(h.battery_soc_kwh == h.battery_capacity_kwh / 2 for h in begun.values())
    record(backend, NOON, level=0.75)
    for household in export(backend, NOON + TICK).households:
        assert household.battery_soc_kwh == min(0.75, household.battery_capacity_kwh)
    again = {h.user_id: h.battery_soc_kwh for h in export(backend, NOON).households}
    assert again == {user_id: h.battery_soc_kwh for user_id, h in begun.items()}


def test_a_household_that_was_away_for_a_while_goes_on_from_its_own_last_tick(backend) -> None:
    away, *others = users(backend)
    record(backend, NOON, level=0.6)
    record(backend, NOON + TICK, level=0.4, user_ids=others)
    capacities = dict(sql(backend, "SELECT user_id, battery_capacity_kwh FROM user_systems"))
    levels = {h.user_id: h.battery_soc_kwh for h in export(backend, NOON + 2 * TICK).households}
    assert levels == {u: min(0.6 if u == away else 0.4, capacities[u]) for u in [away, *others]}


def test_results_whose_batteries_were_moved_meanwhile_by_another_cycle_are_not_taken(backend) -> None:
    begin_cycle(backend, NOON + TICK)
    previous = export(backend, NOON + TICK).previous
    record(backend, NOON)
    with pytest.raises(BackendError, match="recorded meanwhile"):
        record_results(backend, NOON + TICK, results_of(users(backend), NOON + TICK), previous, {})


def test_a_locked_database_is_waited_for_and_then_told_in_plain_words(backend) -> None:
    with closing(sqlite3.connect(backend.place, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(BackendError, match="database is locked"):
            begin_cycle(backend, NOON)
        other.execute("ROLLBACK")
    assert begin_cycle(backend, NOON)


def test_an_insertion_is_quick(tmp_path) -> None:
    ids = [f"00000000-0000-4000-8000-{number:012x}" for number in range(50_000)]
    with Backend.open(tmp_path) as opened:
        began = time.perf_counter()
        assert record(opened, NOON, user_ids=ids) == 50_000
        assert (
            50_000 / (time.perf_counter() - began) > 10_000
        )  # 50,000 are asked for; a busy machine is no failure


def test_a_days_backup_can_be_read_back_whole(backend, tmp_path) -> None:
    ticks = [NOON, NOON + TICK, NOON + timedelta(days=1)]
    for tick in ticks:
        record(backend, tick)
    path = write_backup(backend, NOON.date(), tmp_path, complete=True)
    assert path.name == "backup_energy_data_20260621.sql"
    assert is_complete(path)
    with closing(sqlite3.connect(":memory:")) as restored:
        restored.executescript(path.read_text())
        rows = restored.execute("SELECT * FROM energy_data ORDER BY timestamp, user_id").fetchall()
    assert rows == sql(
        backend, "SELECT * FROM energy_data WHERE timestamp < '2026-06-22' ORDER BY timestamp, user_id"
    )
    assert len(rows) == 10


# -- where it is


def test_a_url_without_meaning_is_refused_without_telling_what_stands_in_it(tmp_path) -> None:
    for url in ("://user:secret@host", "postgresql+nothing://user:secret@host/x"):
        with pytest.raises(InputError) as refused:
            Backend(url_of(tmp_path, {DATABASE_VARIABLE: url}), 1)
        assert "secret" not in str(refused.value)


def test_another_database_can_be_named_in_the_environment(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv(DATABASE_VARIABLE, f"sqlite:///{tmp_path}/elsewhere/b.sqlite")
    with Backend.open(tmp_path / "results") as opened:
        assert opened.place == f"{tmp_path}/elsewhere/b.sqlite"


def test_a_reader_changes_nothing_and_makes_nothing(backend, tmp_path) -> None:
    record(backend, NOON)
    record(backend, NOON + TICK)
    with Backend.open_to_read(tmp_path) as reader:
        health = health_of(reader, Settings(), NOON + TICK)
        begin = NOON.replace(hour=0)
        ticks = quarter_hours(reader, (begin, begin + timedelta(days=1)))
        with pytest.raises(BackendError, match="readonly"):
            begin_cycle(reader, NOON + 2 * TICK)
    assert health.healthy
    assert [tick["timestamp"] for tick in ticks] == [NOON, NOON + TICK]
    assert [tick["generation_kwh"] for tick in ticks] == [2.5, 2.5]  # five users
    assert sql(backend, "SELECT count(*) FROM community_health") == [(0,)]
    assert Backend.open_to_read(tmp_path / "elsewhere") is None
    assert not (tmp_path / "elsewhere").exists()


# -- settings


def refused(tmp_path, **settings) -> str:
    (tmp_path / "community.yaml").write_text(yaml.safe_dump(settings))
    with pytest.raises(InputError) as told:
        load_settings(tmp_path / "community.yaml")
    return str(told.value)


def test_the_settings_that_init_writes_are_the_defaults(tmp_path) -> None:
    (tmp_path / "community.yaml").write_text(EXAMPLE)
    assert load_settings(tmp_path / "community.yaml") == load_settings(tmp_path / "none.yaml") == Settings()


@pytest.mark.parametrize(
    ("transport", "message"),
    [
        ({"type": "http", "url": "http://example.org/x"}, "use https"),
        ({"type": "http", "url": "http://127.0.0.1.example.org/x"}, "use https"),
        ({"type": "http", "url": "https://user:secret@example.org/x"}, "no user or password"),
        ({"type": "http", "url": "file:///etc/passwd"}, "not an address"),
        ({"type": "http", "url": "https://[::1"}, "not an address"),
        ({"type": "folder", "url": "s3://b", "options": {"secret": "x"}}, "belongs in the environment"),
        (
            {"type": "folder", "url": "s3://b", "options": {"client_kwargs": {"aws_secret_key": "x"}}},
            "environment",
        ),
        ({"type": "folder", "url": "s3://b", "options": {"endpoint_url": "http://example.org"}}, "use https"),
        ({"type": "folder", "url": "simplecache::s3://b"}, "chained"),
        ({"type": "folder", "url": "sftp://user:secret@host/x"}, "no user or password"),
        ({"type": "pigeon"}, "unknown type"),
    ],
)
def test_transports_that_would_leak_or_lead_nowhere_are_refused(tmp_path, transport, message) -> None:
    told = refused(tmp_path, transports=[transport])
    assert message in told


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/x", "http://localhost/x", "http://[::1]/x", "https://example.org/x"]
)
def test_this_machine_may_be_called_without_encryption_and_others_with_it(url) -> None:
    assert Settings(transports=[{"type": "http", "url": url}]).transports[0].url == url


def test_wrong_settings_are_told_all_at_once(tmp_path) -> None:
    told = refused(tmp_path, seed=-1, site={"timezone": "Mars/Olympus"}, colour="red")
    assert all(word in told for word in ("seed", "time zone", "colour"))


def test_addresses_are_told_without_what_is_secret_in_them() -> None:
    assert without_secrets("https://user:secret@example.org/a?token=secret#x") == "https://example.org/a"


# -- weather


def test_weather_comes_from_the_last_row_at_or_before_a_tick(tmp_path) -> None:
    (tmp_path / "weather.csv").write_text(
        "time,weather_factor\n2026-06-21T12:00+02:00,0.25\n2026-06-21T09:00Z,0.75\n2026-06-21T10:20,0.5\n"
    )
    settings = Settings(weather={"file": "weather.csv"})
    ticks = [NOON - TICK, NOON, NOON + TICK, NOON + 2 * TICK]
    assert weather_factors(settings, tmp_path, ticks) == (0.75, 0.25, 0.25, 0.5)
    with pytest.raises(InputError, match="no row at 2026-06-21T20:00:00Z"):
        weather_factors(settings, tmp_path, [NOON + timedelta(hours=10)])


def test_wrong_rows_of_weather_are_told_with_their_lines(tmp_path) -> None:
    (tmp_path / "weather.csv").write_text(
        "time,weather_factor\nnoon,1\n2026-06-21T09:00Z,nan\n2026-06-21T09:15Z,1.5\n"
    )
    with pytest.raises(InputError) as told:
        weather_factors(Settings(weather={"file": "weather.csv"}), tmp_path, [NOON])
    assert [finding.line for finding in told.value.findings] == [2, 3, 4]


# -- health


def reasons(backend, now, **limits) -> list[str]:
    health = Settings(health=limits).health
    day = day_of(now, ZoneInfo("UTC"))
    facts = look(backend, day=day, refused_since=now - timedelta(minutes=health.failed_validation_minutes))
    return reasons_of(facts, health, now)


def test_a_community_with_new_data_of_all_its_users_is_healthy(backend) -> None:
    record(backend, NOON)
    assert reasons(backend, NOON + timedelta(minutes=20)) == []


def test_every_reason_is_told(backend, tmp_path) -> None:
    assert reasons(backend, NOON) == ["there is no data yet"]
    record(backend, NOON, user_ids=users(backend)[:3])
    assert reasons(backend, NOON) == [f"2 users without data at {as_text(NOON)}"]
    assert reasons(backend, NOON, max_users_without_data=2) == []
    many = {"max_users_without_data": 2}
    assert reasons(backend, NOON + timedelta(minutes=21), **many) == ["no data for 21 minutes (at most 20)"]
    update_cycle(backend, NOON, cycle_seconds=301)
    assert reasons(backend, NOON, **many) == ["the last cycle took 301 s (at most 300)"]
    update_cycle(backend, NOON, cycle_seconds=1)
    record_refusal(backend, NOON, "results.csv", 7)
    assert reasons(backend, datetime.now(UTC), max_data_age_minutes=1e9, **many) == [
        "1 failed validations within 60 minutes"
    ]
    assert reasons(backend, NOON + timedelta(days=3650), max_data_age_minutes=1e9, **many) == []
    (slow,) = reasons(
        backend, NOON + timedelta(days=3650), max_data_age_minutes=1e9, max_database_seconds=1e-9, **many
    )
    assert "the database is slow" in slow
    sql(backend, "UPDATE simulation_cycles SET status = 'failed', message = 'no way'")
    assert "the last cycle failed: no way" in reasons(backend, NOON, **many)
    sql(backend, "UPDATE user_systems SET panel_count = 0")
    assert "there is no user with panels" in reasons(backend, NOON, **many)


def test_only_a_change_of_health_is_an_alert(backend) -> None:
    told = [
        record_health(backend, NOON, healthy=healthy, reasons="") for healthy in (True, False, False, True)
    ]
    assert told == [False, True, False, True]


def test_a_day_of_the_clock_change_has_as_many_hours_as_it_has() -> None:
    begin, end = day_of(datetime(2026, 10, 25, 12, tzinfo=UTC), ZoneInfo("Europe/Berlin"))
    assert end.astimezone(UTC) - begin.astimezone(UTC) == timedelta(hours=25)


# -- files


def test_nobody_can_write_lines_of_their_own_into_the_log(tmp_path) -> None:
    Journal(tmp_path).info("run", "bad id x\n2026-01-01 INFO fake\x1b[2J")
    (file,) = tmp_path.iterdir()
    assert file.name.startswith("simulation_log_")
    (line,) = file.read_text().splitlines()
    assert "\x1b" not in line


def test_old_files_are_removed_and_new_ones_stay(tmp_path) -> None:
    import os

    places = Places.of(tmp_path)
    for name, age in (("old", 8), ("new", 6)):
        file = places.results / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        then = time.time() - age * 86_400
        os.utime(file, (then, then))
    assert places.forget(7) == ["old"]
    assert [file.name for file in places.results.iterdir()] == ["new"]


def test_what_is_due_after_an_outage_is_due_in_order(tmp_path) -> None:
    with open_service(tmp_path) as service:
        add_example_households(service.backend, 1)
        assert service.due(NOON).ticks == [NOON]
        record(service.backend, NOON)
        assert service.due(NOON + timedelta(minutes=50)).ticks == [
            NOON + TICK,
            NOON + 2 * TICK,
            NOON + 3 * TICK,
        ]
        long = service.due(NOON + 100 * TICK)
        assert (long.ticks[0], long.ticks[-1], long.left) == (NOON + TICK, NOON + 96 * TICK, 4)


def test_the_lock_of_a_cycle_dies_with_its_process(tmp_path) -> None:
    code = "import sys, time; from pathlib import Path; from tasks.community.places import Places\n"
    code += "with Places.of(Path(sys.argv[1])).alone():\n    print('held', flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT
    ) as process:
        assert process.stdout.readline() == b"held\n"
        process.kill()
    with Places.of(tmp_path).alone():
        pass


# -- deployments


def test_the_deployments_are_off_and_lead_to_flows_that_are_there() -> None:
    import importlib

    stated = yaml.safe_load((ROOT / "deployments" / "community.yaml").read_text())["deployments"]
    crons = []
    for deployment in stated:
        module, _, name = deployment["entrypoint"].rpartition(".")
        flow = getattr(importlib.import_module(module), name)
        assert set(deployment["parameters"]) <= set(flow.parameters.properties)
        (schedule,) = deployment["schedules"]
        assert schedule["active"] is False
        crons.append(schedule["cron"])
    assert crons == ["*/15 * * * *", "*/5 * * * *"]
