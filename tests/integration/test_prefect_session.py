"""A run finds or starts a Prefect server, all it did is recorded, and nothing stays behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
PATIENCE = 120  # seconds; the machine may be busy

RUN = """
import json, sys
from flows.session import prefect_session

with prefect_session() as session:
    from flows.artifacts import Artifacts
    from prefect import flow, get_run_logger, task
    from prefect.cache_policies import NO_CACHE
    from prefect.futures import wait
    from prefect.task_runners import ThreadPoolTaskRunner

    @task(cache_policy=NO_CACHE)
    def evaluate(number):
        return number

    @flow(name=sys.argv[1], task_runner=ThreadPoolTaskRunner(max_workers=2))
    def study(tasks):
        get_run_logger().info("%d evaluations", tasks)
        shown = Artifacts("House_front")
        shown.progress(0, "getting ready")
        wait(evaluate.map(range(tasks)))
        shown.progress(100, "done")
        shown.table("front", [{"pv": 3.5, "total_cost": 1200.0}], "one design")

    study(int(sys.argv[2]))
"""
OPEN = """
import json, sys
from flows.session import prefect_session

with prefect_session() as session:"""
FAILING_RUN = """
from flows.session import prefect_session

with prefect_session():
    from prefect import flow, get_run_logger, task

    @task
    def evaluate():
        raise ValueError("no such design")

    @flow
    def study():
        get_run_logger().warning("one design failed")
        evaluate()

    try:
        study()
    except ValueError as error:
        print(error)
"""
FACTS = """
    print(json.dumps([session.api_url, session.ui_url, session.started, session.notice]), flush=True)
"""
WAIT = """
    sys.stdin.read()
"""

pytestmark = pytest.mark.integration


class Home:
    """A user's PREFECT_HOME with what runs left in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def environment(self, **settings: str) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
        return {**inherited, "PYTHONPATH": str(ROOT), "PREFECT_HOME": str(self.folder), **settings}

    def start(self, script: str, *arguments: object, **settings: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", script, *map(str, arguments)],
            env=self.environment(**settings),
            cwd=self.folder.parent,  # not where prefect.toml lies
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, script: str, *arguments: object, **settings: str) -> tuple[str, str]:
        """Run a script to its end and give back what it put on the screen."""
        with self.start(script, *arguments, **settings) as process:
            screen = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, screen
        return screen

    def count(self, query: str) -> int:
        with closing(sqlite3.connect(self.folder / "prefect.db")) as database:
            (number,) = database.execute(query).fetchone()
        return int(number)

    def completed_tasks(self, flow: str) -> int:
        return self.count(
            "select count(*) from task_run t join flow_run r on t.flow_run_id = r.id "
            f"join flow f on r.flow_id = f.id where f.name = '{flow}' and t.state_type = 'COMPLETED'"
        )

    def servers(self) -> list[int]:
        """The processes that were started with this folder as an argument."""
        processes = psutil.process_iter(["cmdline"])
        return [p.pid for p in processes if any(str(self.folder) in a for a in p.info["cmdline"] or [])]

    def wait_until_alone(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while self.servers() and time.monotonic() < deadline:
            time.sleep(0.2)
        assert self.servers() == []


def facts(process: subprocess.Popen[str]) -> tuple[str, str | None, bool, str | None]:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.stderr and process.stderr.read()
    api_url, ui_url, started, notice = json.loads(line)
    return api_url, ui_url, started, notice


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """One home for all: its database is made once."""
    return Home(tmp_path_factory.mktemp("user") / "prefect")


@pytest.fixture(scope="module")
def screen(home: Home) -> tuple[str, str]:
    """What a study of 300 tasks shows where no server runs and a proxy stands in the way of none."""
    shown = home.run(RUN, "alone", 300, HTTP_PROXY="http://127.0.0.1:9")
    assert home.servers() == [], "the run is over and its server is not"
    return shown


def test_a_run_without_a_server_records_all_its_tasks_and_leaves_no_process(
    home: Home, screen: tuple[str, str]
) -> None:
    assert home.completed_tasks("alone") == 300


def test_nothing_but_the_run_itself_writes_to_the_screen(screen: tuple[str, str]) -> None:
    assert screen == ("", "")


def test_log_lines_progress_and_front_reach_the_ui(home: Home, screen: tuple[str, str]) -> None:
    assert home.count("select count(*) from log where message = '300 evaluations'") == 1
    assert home.count("select data from artifact where key = 'house-front-progress'") == 100
    assert home.count("select count(*) from artifact where key = 'house-front-front'") == 1


def test_two_runs_at_once_share_a_server_and_a_killed_one_leaves_none(
    home: Home, screen: tuple[str, str]
) -> None:
    with home.start(RUN + FACTS + WAIT, "first", 40) as first:
        first_url, _, first_started, _ = facts(first)
        out, err = home.run(RUN + FACTS, "second", 300)
        second_url, _, second_started, _ = json.loads(out)
        assert (second_url, first_started, second_started) == (first_url, True, False)
        assert err == ""
        assert home.servers(), "the first run still needs it"
        first.kill()
    home.wait_until_alone()
    assert home.completed_tasks("second") == 300, "the server writes down what it was sent before it leaves"


def test_a_configured_server_that_does_not_answer_is_told_and_replaced(
    home: Home, screen: tuple[str, str]
) -> None:
    """The same run keeps the user's own settings and is interrupted at the keyboard."""
    dead = f"http://127.0.0.1:{free_port()}/api"
    settings = {
        "PREFECT_API_URL": dead,
        "PREFECT_EVENTS_RETENTION_PERIOD": "P30D",
        "PREFECT_API_SERVICES_EVENT_PERSISTER_ENABLED": "true",
    }
    with home.start(OPEN + FACTS + WAIT, **settings) as run:
        api_url, ui_url, started, notice = facts(run)
        assert started
        assert ui_url is None
        assert notice is not None
        assert dead in notice
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
            f"{api_url}/admin/settings", timeout=PATIENCE
        ) as answer:
            server = json.load(answer)["server"]
        assert server["events"]["retention_period"] == "P30D"
        assert server["services"]["event_persister"]["enabled"] is True
        assert server["services"]["task_run_recorder"]["batch_size"] == 1000
        assert server["analytics_enabled"] is False
        run.send_signal(signal.SIGINT)
        run.wait(PATIENCE)
    assert home.servers() == []


@pytest.fixture(scope="module")
def server_port(home: Home, screen: tuple[str, str]) -> Iterator[int]:
    """`prefect server start` of a user who already has records."""
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "prefect", "server", "start", "--port", str(port), "--no-ui"],
        env=home.environment(PREFECT_SERVER_ANALYTICS_ENABLED="false", DO_NOT_TRACK="1"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with server:
        deadline = time.monotonic() + PATIENCE
        while not answers(port) and time.monotonic() < deadline:
            time.sleep(0.2)
        yield port
        server.terminate()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_run_uses_the_configured_server(home: Home, server_port: int) -> None:
    api_url = f"http://127.0.0.1:{server_port}/api"
    out, err = home.run(RUN + FACTS, "configured", 20, PREFECT_API_URL=api_url)
    assert json.loads(out) == [api_url, f"http://127.0.0.1:{server_port}", False, None]
    assert err == ""


def test_a_run_finds_the_server_that_keeps_its_records_without_being_told(
    home: Home, server_port: int
) -> None:
    out, err = home.run(OPEN + FACTS, PREFECT_SERVER_API_PORT=str(server_port))
    assert json.loads(out)[0] == f"http://127.0.0.1:{server_port}/api"
    assert err == ""


def test_warnings_of_a_flow_reach_the_screen_and_tracebacks_do_not(home: Home, server_port: int) -> None:
    out, err = home.run(FAILING_RUN, PREFECT_API_URL=f"http://127.0.0.1:{server_port}/api")
    assert out == "no such design\n"
    (line,) = err.splitlines()
    assert line.endswith("one design failed")


def test_a_progress_that_prefect_cannot_take_is_told_once(tmp_path: Path) -> None:
    script = (
        "import prefect.main\nfrom flows.artifacts import Artifacts\n"
        "shown = Artifacts('house')\nshown.progress(50, 'half')\nshown.progress(100, 'done')"
    )
    dead = f"http://127.0.0.1:{free_port()}/api"
    _, err = Home(tmp_path / "prefect").run(script, PREFECT_API_URL=dead)
    assert err.count("cannot be shown in the Prefect UI") == 1


def test_records_that_have_no_place_are_refused_in_a_plain_sentence(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.touch()
    script = (
        "from flows.session import ServerStartError, prefect_session\n"
        "try:\n    prefect_session().__enter__()\nexcept ServerStartError as error:\n    print(error)"
    )
    out, _ = Home(taken).run(script)
    assert "Set PREFECT_HOME to a writable folder." in out


@pytest.mark.slow
def test_a_server_that_cannot_start_says_why_in_a_plain_sentence(tmp_path: Path) -> None:
    (tmp_path / "prefect.db").write_text("not a database, but long enough to be taken for one")
    script = (
        "from flows.session import ServerStartError, prefect_session\n"
        "try:\n    prefect_session().__enter__()\nexcept ServerStartError as error:\n    print(error)"
    )
    damaged = Home(tmp_path)
    out, err = damaged.run(script)
    assert "file is not a database" in out
    assert err == ""
    damaged.wait_until_alone()
