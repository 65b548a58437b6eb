"""The community's cycle on a real database and with real faults: each quarter hour once, and balances held."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

pytest.importorskip("mesa", reason="the community's simulation needs mesa: install '.[community]'")

from flows.community import in_order
from schema.community.backend import Backend
from schema.community.errors import BusyError, CommunityError
from schema.community.results_files import ENERGY_COLUMNS
from schema.community.settings import WEBHOOK_VARIABLE
from schema.community.ticks import TICK, as_text
from schema.community.users import add_example_households
from schema.errors import InputError
from tasks.community import steps
from tasks.community.health import check_health
from tasks.community.places import Places
from tasks.community.service import open_service
from tasks.community.transports.shared_folder import work

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]
NOON = datetime(2026, 6, 21, 10, 0, tzinfo=UTC)
HOUSEHOLDS = 6


def plain(_settings) -> steps.Steps:
    """The steps without Prefect, each tried once: what one cycle cannot do is left to the next."""
    return steps.Steps(**{step.name: step.default.fn for step in fields(steps.Steps)})


def cycle(results, **options):
    return in_order(results, **options, steps_of=plain)


class Office:
    """A community's results folder, and what is in it."""

    def __init__(self, results: Path) -> None:
        self.results, self.places = results, Places.of(results)
        self.configure()
        with Backend.open(self.places.root) as backend:
            add_example_households(backend, HOUSEHOLDS)

    def configure(self, **settings) -> None:
        self.places.root.mkdir(parents=True, exist_ok=True)
        quick = {"retries": 2, "retry_seconds": 0.05, "busy_seconds": 0.2}
        (self.places.root / "community.yaml").write_text(json.dumps(quick | settings))

    def sql(self, statement: str, *values):
        with closing(sqlite3.connect(self.places.root / "backend.sqlite")) as database, database:
            return database.execute(statement, values).fetchall()

    def ticks(self) -> list[str]:
        return [tick for (tick,) in self.sql("SELECT DISTINCT timestamp FROM energy_data ORDER BY 1")]

    def journal(self) -> str:
        return "".join(file.read_text() for file in sorted(self.places.logs.iterdir()))

    def check(self, ticks: list[datetime]) -> None:
        """Every user has each of these quarter hours once, all balances hold, and levels follow each other."""
        expected = [as_text(tick) for tick in ticks]
        capacities = dict(self.sql("SELECT user_id, battery_capacity_kwh FROM user_systems"))
        for user_id, capacity in capacities.items():
            rows = self.sql(
                f"SELECT timestamp, {', '.join(ENERGY_COLUMNS)} FROM energy_data WHERE user_id = ? ORDER BY 1",
                user_id,
            )
            assert [row[0] for row in rows] == expected
            before = capacity / 2
            for _, g, c, level, charge, discharge, imported, exported, surplus in rows:
                assert surplus == pytest.approx(g - c, abs=1e-6)
                assert g + imported + discharge == pytest.approx(c + exported + charge, abs=3e-6)
                assert level == pytest.approx(before + 0.95 * charge - discharge / 0.95, abs=3e-6)
                assert 0 <= level <= capacity
                before = level
        totals = self.sql(
            "SELECT timestamp, sum(grid_import_kwh), sum(grid_export_kwh) FROM energy_data GROUP BY 1"
        )
        shared = dict(
            self.sql("SELECT timestamp, shared_kwh FROM simulation_cycles WHERE status = 'completed'")
        )
        assert shared == pytest.approx({tick: min(i, x) for tick, i, x in totals}, abs=1e-5)


@pytest.fixture
def office(tmp_path):
    return Office(tmp_path / "results")


class Web:
    """A real HTTP server: a webhook, and an endpoint that answers as it is told."""

    def __init__(self) -> None:
        self.news: list[dict] = []
        self.status, self.answer = 200, b""
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path == "/webhook":
                    web.news.append(json.loads(body))
                self.send_response(web.status)
                self.end_headers()
                self.wfile.write(web.answer)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def web():
    server = Web()
    yield server
    server.close()


# -- one cycle


def test_a_cycle_leaves_records_results_a_log_a_backup_and_nothing_temporary(office) -> None:
    (outcome,) = cycle(office.results, at=NOON)
    assert (outcome.status, outcome.records, outcome.transport) == ("recorded", HOUSEHOLDS, "embedded")
    office.check([NOON])
    files = sorted(
        str(f.relative_to(office.places.root)) for f in office.places.root.rglob("*") if f.is_file()
    )
    assert [f for f in files if not f.startswith(("backend.", "logs/", "."))] == [
        "backups/backup_energy_data_20260621.sql",
        "community.yaml",
        "results/results_20260621_1000.csv",
        "results/results_20260621_1000.csv.sha256",
    ]
    transfers = office.sql(
        "SELECT transport, direction, file, outcome, size_bytes > 0, length(sha256) FROM simulation_transfers"
    )
    assert transfers == [
        ("embedded", "out", "users_input_20260621_100000.csv", "ok", 1, 64),
        ("embedded", "back", "results_20260621_1000.csv", "ok", 1, 64),
    ]


def test_a_cycle_that_runs_twice_changes_nothing(office) -> None:
    cycle(office.results, at=NOON)
    before = office.sql("SELECT * FROM energy_data"), office.sql("SELECT * FROM simulation_cycles")
    (outcome,) = cycle(office.results, at=NOON + timedelta(minutes=14))
    assert outcome.status == "recorded before"
    assert (office.sql("SELECT * FROM energy_data"), office.sql("SELECT * FROM simulation_cycles")) == before


def test_a_tick_filled_in_later_leaves_the_batteries_of_the_ticks_after_it_as_they_are(office) -> None:
    for position in (0, 2, 1, 3):
        cycle(office.results, at=NOON + position * TICK)
    office.check([NOON + position * TICK for position in range(4)])


def test_households_of_a_file_are_taken_instead_and_results_copied(office, tmp_path) -> None:
    users = tmp_path / "users.csv"
    users.write_text(
        "user_id,panel_wattage,panel_count,battery_capacity_kwh,inverter_capacity_kw,household_size\n"
        "00000000-0000-4000-8000-000000000001,400,10,5,5,2\n"
    )
    cycle(office.results, at=NOON, input_file=users, output_file=tmp_path / "out" / "results.csv")
    assert (tmp_path / "out" / "results.csv").read_bytes() == (
        office.places.results / "results_20260621_1000.csv"
    ).read_bytes()
    first = office.sql("SELECT battery_soc_kwh FROM energy_data")[0][0]
    cycle(office.results, at=NOON + TICK, input_file=users)
    second, charge, discharge = office.sql(
        "SELECT battery_soc_kwh, battery_charge_kwh, battery_discharge_kwh FROM energy_data "
        "ORDER BY timestamp DESC"
    )[0]
    assert second == pytest.approx(first + 0.95 * charge - discharge / 0.95, abs=2e-6)


def test_a_community_without_panels_has_its_cycles_all_the_same(office) -> None:
    office.sql("UPDATE user_systems SET panel_count = 0")
    (outcome,) = cycle(office.results, at=NOON)
    assert (outcome.status, outcome.records) == ("recorded", 0)


def test_a_user_with_a_wrong_system_is_left_out_and_told(office) -> None:
    (user_id,) = office.sql("SELECT min(user_id) FROM user_systems")[0]
    office.sql("UPDATE user_systems SET battery_capacity_kwh = '=1+1' WHERE user_id = ?", user_id)
    (outcome,) = cycle(office.results, at=NOON)
    assert (outcome.records, outcome.users_left_out) == (HOUSEHOLDS - 1, 1)
    with open_service(office.results) as service:
        assert check_health(service, NOON).reasons == (f"1 users without data at {as_text(NOON)}",)


def test_a_second_process_is_refused_while_a_cycle_runs(office) -> None:
    with office.places.alone(), pytest.raises(BusyError, match="another process"):
        cycle(office.results, at=NOON)


def test_the_optimum_is_recorded_as_the_practice_is(office) -> None:
    office.configure(dispatch="milp", look_ahead_ticks=8)
    cycle(office.results, at=NOON)
    office.check([NOON])
    assert office.sql("SELECT dispatch FROM simulation_cycles") == [("milp",)]


# -- ways and their failures


def test_the_next_transport_is_tried_when_one_fails_and_all_of_it_is_in_the_audit(office, web) -> None:
    web.status = 503
    blocked = office.places.root / "blocked"
    blocked.touch()
    office.configure(
        retries=0,
        transports=[
            {"type": "http", "url": f"{web.url}/simulate"},
            {"type": "folder", "url": str(blocked / "shared")},
            {"type": "embedded"},
        ],
    )
    (outcome,) = cycle(office.results, at=NOON)
    assert outcome.transport == "embedded"
    audit = office.sql("SELECT transport, direction, outcome FROM simulation_transfers")
    assert audit == [
        ("http", "out", "failed"),
        ("folder", "out", "failed"),
        ("embedded", "out", "ok"),
        ("embedded", "back", "ok"),
    ]


def test_results_that_break_the_rules_are_in_quarantine_with_a_report_and_none_is_taken(office, web) -> None:
    web.answer = b"user_id,timestamp\n=cmd|' /C calc'!A0,now\n"
    office.configure(transports=[{"type": "http", "url": f"{web.url}/simulate"}])
    with pytest.raises(CommunityError, match="is in quarantine"):
        cycle(office.results, at=NOON)
    assert office.ticks() == []
    (report,) = office.places.quarantine.glob("*.json")
    told = json.loads(report.read_text())
    assert told["errors"] == len(told["findings"]) == 8
    assert report.with_suffix(".csv").read_bytes() == web.answer
    assert list(office.places.results.iterdir()) == []
    office.configure()
    cycle(office.results, at=NOON)
    office.check([NOON])


def test_good_rows_of_a_partly_bad_file_are_not_taken(office, tmp_path) -> None:
    shared = tmp_path / "shared"
    office.configure(
        retries=0,
        transports=[{"type": "folder", "url": str(shared), "wait_seconds": 30, "poll_seconds": 0.05}],
    )

    def answer_with_one_bad_row() -> None:
        while not work(str(tmp_path / "aside")):
            for file in shared.glob("inbox/*"):
                target = tmp_path / "aside" / "inbox" / file.name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.read_bytes())
            time.sleep(0.05)
        (results,) = (tmp_path / "aside" / "outbox").glob("*.csv")
        lines = results.read_text().splitlines()
        lines[1] = lines[1].replace(",", ",-", 2)
        (shared / "outbox").mkdir(parents=True, exist_ok=True)
        bad = ("\n".join(lines) + "\n").encode()
        import hashlib

        (shared / "outbox" / results.name).write_bytes(bad)
        (shared / "outbox" / f"{results.name}.sha256").write_text(hashlib.sha256(bad).hexdigest())

    other_side = threading.Thread(target=answer_with_one_bad_row)
    other_side.start()
    with pytest.raises(CommunityError, match="quarantine"):
        cycle(office.results, at=NOON)
    other_side.join()
    assert office.ticks() == []


def test_news_go_to_the_webhook_and_one_that_is_down_stops_nothing(office, web, monkeypatch) -> None:
    monkeypatch.setenv(WEBHOOK_VARIABLE, f"{web.url}/webhook")
    cycle(office.results, at=NOON)
    (news,) = web.news
    assert news["status"] == "returned"
    assert (news["file"], news["records"]) == ("results_20260621_1000.csv", HOUSEHOLDS)
    checksum = (office.places.results / "results_20260621_1000.csv.sha256").read_text()
    assert checksum.startswith(news["sha256"])
    web.status = 500
    cycle(office.results, at=NOON + TICK)
    assert "the webhook did not take the news" in office.journal()
    office.check([NOON, NOON + TICK])


def test_wrong_settings_are_refused_before_anything_runs(office) -> None:
    office.configure(transports=[{"type": "http", "url": "http://example.org/simulate"}])
    with pytest.raises(InputError, match="use https"):
        cycle(office.results, at=NOON)


# -- catching up


def test_missed_ticks_are_caught_up_in_order_and_at_most_so_many_at_once(office) -> None:
    office.configure(max_catch_up=3)
    cycle(office.results, at=NOON)
    later = NOON + 6 * TICK
    done = [[o.timestamp for o in cycle(office.results, at=later, catch_up=True)] for _ in range(3)]
    ticks = [as_text(NOON + position * TICK) for position in range(1, 7)]
    assert done == [ticks[:3], ticks[3:], ticks[-1:]]
    office.check([NOON + position * TICK for position in range(7)])
    assert "3 missed ticks are left" in office.journal()


# -- a day with faults


def lock_for(office: Office, seconds: float) -> threading.Thread:
    """Another connection holds a write transaction for a while."""
    held = threading.Event()

    def hold() -> None:
        with closing(sqlite3.connect(office.places.root / "backend.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            held.set()
            time.sleep(seconds)
            other.execute("ROLLBACK")

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    return thread


KILLED = """
import os, signal, sys, threading
from datetime import datetime
from pathlib import Path
import tasks.community.simulation as simulation
real = simulation.write_results
def killed(path, rows):
    os.kill(os.getpid(), signal.SIGKILL)
simulation.write_results = killed
from flows.community import in_order
from tasks.community import steps
plain = steps.Steps(**{name: step.fn for name, step in vars(steps.Steps()).items()})
in_order(Path(sys.argv[1]), at=datetime.fromisoformat(sys.argv[2]), steps_of=lambda settings: plain)
"""


def kill_in_simulation(office: Office, tick: datetime) -> None:
    """Another process gets as far as the simulation and dies."""
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, str(office.results), tick.isoformat()],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=False,
        capture_output=True,
    )
    assert ended.returncode == -9, ended.stderr.decode()


def live_through(office: Office, web: Web, ticks: list[datetime], faults: dict[int, str]) -> None:
    """Run every tick as a schedule would; where a fault stops one, the next catches up."""
    failing = {"type": "http", "url": f"{web.url}/simulate"}
    for position, tick in enumerate(ticks):
        fault = faults.get(position)
        thread = None
        office.configure()
        if fault in {"refused transfer", "malformed", "hostile"}:
            web.status = 503 if fault == "refused transfer" else 200
            web.answer = {
                "malformed": b"user_id;timestamp\n1;2\n",
                "hostile": b"user_id,timestamp\n" + b"=HYPERLINK(A1)," * 9_000,
            }.get(fault, b"")
            office.configure(transports=[failing, *([{"type": "embedded"}] if position % 2 else [])])
        elif fault == "locked":
            thread = lock_for(office, 0.4)
        elif fault == "locked for long":
            office.configure(busy_seconds=0.05, retries=1)
            thread = lock_for(office, 0.8)
        elif fault == "killed":
            kill_in_simulation(office, tick)
        try:
            cycle(office.results, at=tick, catch_up=True)
        except CommunityError:
            assert fault is not None
        if thread is not None:
            thread.join()
        if fault == "duplicate":
            cycle(office.results, at=tick)
            with closing(sqlite3.connect(office.places.root / "backend.sqlite")) as database:
                delivered = office.sql("SELECT * FROM energy_data WHERE timestamp = ?", as_text(tick))
                with pytest.raises(sqlite3.IntegrityError):
                    database.execute(
                        f"INSERT INTO energy_data VALUES ({', '.join('?' * len(delivered[0]))})", delivered[0]
                    )


def whole(day) -> list[datetime]:
    """The quarter hours of a local day, of which there may be 92 or 100."""
    begin = datetime(*day, tzinfo=ZoneInfo("Europe/Berlin"))
    end = begin + timedelta(days=1)
    first = begin.astimezone(UTC)
    return [first + position * TICK for position in range((end.astimezone(UTC) - first) // TICK)]


FAULTS = ["refused transfer", "malformed", "locked", "locked for long", "killed", "duplicate", "hostile"]


def test_hours_of_a_clock_change_with_faults_have_every_quarter_hour_of_every_user_once(office, web) -> None:
    ticks = whole((2026, 10, 25))[:20]
    live_through(office, web, ticks, {2 + 2 * number: fault for number, fault in enumerate(FAULTS)})
    office.check(ticks)


@pytest.mark.slow
@pytest.mark.parametrize(("day", "count"), [((2026, 3, 29), 92), ((2026, 6, 21), 96), ((2026, 10, 25), 100)])
def test_a_day_with_faults_has_every_quarter_hour_of_every_user_once(office, web, day, count) -> None:
    ticks = whole(day)
    live_through(office, web, ticks, {3 + 5 * number: FAULTS[number % len(FAULTS)] for number in range(18)})
    office.check(ticks)
    assert len(ticks) == count
