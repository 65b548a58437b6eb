"""`ecosystemiser community` as a user types it, through a real Prefect server; what is stopped goes on later."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest
from typer.testing import CliRunner

pytest.importorskip("mesa", reason="the community's simulation needs mesa: install '.[community]'")

from ecosystemiser.cli import app
from schema.community.settings import WEBHOOK_VARIABLE

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]
HOLD_SERVER = """
import sys
from flows.session import prefect_session
with prefect_session() as session:
    print(session.api_url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def user(tmp_path_factory):
    """The environment of a user, with a home of their own for Prefect."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "ECOSYSTEMISER_"))}
    return inherited | {"PREFECT_HOME": str(tmp_path_factory.mktemp("prefect")), "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def environment(user):
    """The same where Prefect's server runs."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_SERVER],
        env=user,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        yield user | {"PREFECT_API_URL": process.stdout.readline().strip()}
        process.communicate()


class Ended(NamedTuple):
    """What a user sees of a command."""

    status: int
    out: str
    err: str


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Runs a command in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def command(*words: str) -> Ended:
        ended = CliRunner().invoke(app, ["community", *words])
        return Ended(ended.exit_code, ended.stdout, ended.stderr)

    return command


def start(tmp_path, environment, *words: str) -> subprocess.Popen:
    """Starts a command as a process in that folder."""
    return subprocess.Popen(
        [sys.executable, "-m", "ecosystemiser", "community", *words],
        env=environment | {"PYTHONUNBUFFERED": "1"},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(tmp_path, environment, *words: str) -> Ended:
    """Runs one to its end."""
    with start(tmp_path, environment, *words) as process:
        out, err = process.communicate()
    return Ended(process.returncode, out, err)


def rows(results: Path, query: str):
    with closing(sqlite3.connect(results / "community" / "backend.sqlite")) as database:
        return database.execute(query).fetchall()


def test_from_an_empty_folder_to_recorded_energy_and_a_healthy_community(here, tmp_path, user) -> None:
    made = here("init", "--households", "5")
    assert (made.status, "5 households" in made.out) == (0, True)
    at = "2026-06-21T12:07:30+02:00"
    done = run(tmp_path, user, "cycle", "--at", at, "--output", "out.csv", "--json")
    assert done.status == 0, done.err
    (told,) = json.loads(done.out)["cycles"]
    assert (told["timestamp"], told["status"], told["records"]) == ("2026-06-21T10:00:00Z", "recorded", 5)
    assert told["shared_kwh"] == min(
        told["totals_kwh"]["grid_export_kwh"], told["totals_kwh"]["grid_import_kwh"]
    )
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 6
    found = here("health", "--at", "2026-06-21T10:15Z", "--json")
    health = json.loads(found.out)
    assert (found.status, health["healthy"], health["active_users"]) == (0, True, 5)
    assert health["day"]["generation_kwh"] == told["totals_kwh"]["generation_kwh"]
    assert (health["last_simulation"]["records"], health["day"]["ticks"]) == (5, 1)
    late = here("health", "--at", "2026-06-21T10:21Z")
    assert late.status == 1
    assert "UNHEALTHY" in late.out
    assert "no data for 21 minutes" in late.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["cycle", "--input", "users.csv"], "the column panel_wattage is missing"),
        (["cycle", "--at", "noon"], "is not an ISO time"),
        (["health", "--config", "none.yaml"], "there is no such file"),
        (["init", "--households", "0"], "--households"),
    ],
)
def test_wrong_input_is_told_plainly_and_nothing_is_run(here, tmp_path, words, message) -> None:
    (tmp_path / "users.csv").write_text("user_id\n1\n")
    ended = here(*words)
    assert (ended.status, ended.out) == (2, "")
    assert message in ended.err
    assert "Traceback" not in ended.err
    assert not (tmp_path / "results").exists()


def test_a_backend_with_users_is_not_filled_again(here) -> None:
    here("init", "--households", "2")
    again = here("init", "--households", "2")
    assert again.status == 2
    assert "has 2 users already" in again.err


def test_an_unhealthy_community_is_told_with_its_reasons_and_by_the_webhook_once(
    here, tmp_path, monkeypatch
) -> None:
    news = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            news.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv(WEBHOOK_VARIABLE, f"http://127.0.0.1:{server.server_port}/x?secret=1")
        here("init", "--households", "2")
        for _ in range(2):
            ended = here("health")
            assert ended.status == 1
            assert "there is no data yet" in ended.out
        server.shutdown()
        thread.join()
    assert [(told["event"], told["status"], told["reasons"]) for told in news] == [
        ("health", "unhealthy", ["there is no data yet"])
    ]
    log = "".join(file.read_text() for file in (tmp_path / "results" / "community" / "logs").iterdir())
    assert "secret" not in log


@pytest.mark.slow
def test_a_step_that_fails_is_tried_again_with_growing_pauses(here, environment, tmp_path) -> None:
    here("init", "--households", "2")
    community = tmp_path / "results" / "community"
    (community / "community.yaml").write_text(
        json.dumps({"busy_seconds": 0.05, "retries": 5, "retry_seconds": 0.5})
    )
    released = threading.Event()

    def lock_after_the_export() -> None:
        deadline = time.monotonic() + 60
        while not list(community.glob("work/users_input_*.csv")) and time.monotonic() < deadline:
            time.sleep(0.002)
        with closing(
            sqlite3.connect(community / "backend.sqlite", isolation_level=None, timeout=30)
        ) as other:
            other.execute("BEGIN IMMEDIATE")
            time.sleep(1.2)
            other.execute("ROLLBACK")
        released.set()

    thread = threading.Thread(target=lock_after_the_export)
    thread.start()
    done = run(tmp_path, environment, "cycle", "--at", "2026-06-21T10:00Z")
    thread.join()
    assert released.is_set()
    assert done.status == 0, done
    assert rows(tmp_path / "results", "SELECT count(*) FROM energy_data") == [(2,)]


@pytest.mark.slow
def test_a_service_that_is_killed_goes_on_where_it_was(here, environment, tmp_path) -> None:
    here("init", "--households", "3")
    before = int(datetime.now(UTC).timestamp()) // 900 * 900 - 4 * 900
    run(tmp_path, environment, "cycle", "--at", datetime.fromtimestamp(before, UTC).isoformat())
    for stop, status in ((signal.SIGKILL, -9), (signal.SIGTERM, 130)):
        with start(tmp_path, environment, "serve") as service:
            if stop is signal.SIGKILL:
                deadline = time.monotonic() + 60
                while time.monotonic() < deadline:
                    if len(rows(tmp_path / "results", "SELECT DISTINCT timestamp FROM energy_data")) > 1:
                        break
                    time.sleep(0.01)
            else:
                for line in service.stdout:
                    if "recorded before" in line or "records by" in line:
                        break
            service.send_signal(stop)
            service.communicate(timeout=60)
        assert service.returncode == status
    ticks = [
        tick
        for (tick,) in rows(tmp_path / "results", "SELECT DISTINCT timestamp FROM energy_data ORDER BY 1")
    ]
    moments = [datetime.fromisoformat(tick).timestamp() for tick in ticks]
    assert len(moments) >= 5
    assert moments == [before + 900 * position for position in range(len(moments))]
    counts = rows(tmp_path / "results", "SELECT count(*) FROM energy_data GROUP BY timestamp")
    assert set(counts) == {(3,)}


def test_practice_beside_the_optimum_records_nothing_and_leaves_no_battery_at_rest(here) -> None:
    here("init", "--households", "3")
    ended = here("compare", "--at", "2026-06-21T10:07Z", "--ticks", "2", "--json")
    assert (ended.status, ended.err) == (0, "")
    told = json.loads(ended.out)
    assert (told["households"], told["ticks"]) == (3, 2)
    assert (told["practice"]["dispatch"], told["optimum"]["dispatch"]) == ("rule_based", "milp")
    with closing(sqlite3.connect("results/community/backend.sqlite")) as connection:
        assert connection.execute("SELECT count(*) FROM energy_data").fetchone() == (0,)
    shown = here("compare", "--at", "2026-06-21T10:07Z", "--ticks", "2").out
    assert "3 households, 2 ticks from 2026-06-21 10:00 UTC" in shown
    assert "stored at the end" in shown
    refused = here("compare", "--ticks", "577")
    assert refused.status == 2
