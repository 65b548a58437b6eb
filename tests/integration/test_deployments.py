"""The deployments of all kinds of study, as the documentation says: a real server, a real worker, real runs."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import httpx
import psutil
import pytest
import yaml

from schema.errors import InputError
from schema.store import queries
from schema.store.store import Store

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(900)]
ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PATIENCE = 240
DOCUMENTED = re.findall(
    r"```sh\n(.*?)```", (ROOT / "docs" / "operation.md").read_text(encoding="utf-8"), re.DOTALL
)

SEARCH = {
    "type": "genetic_algorithm",
    "objectives": {"total_cost": "minimise", "total_co2": "minimise"},
    "variables": {"pv.capacity_kw": {"min": 0, "max": 10}, "battery.capacity_kwh": {"min": 0, "max": 10}},
    "algorithm": {"population_size": 4, "max_generations": 2},
}
ENDLESS = {**SEARCH, "algorithm": {"population_size": 40, "max_generations": 1000}}
STUDIES = {
    "front": ("genetic-study", 8, SEARCH),
    "risk": (
        "monte-carlo-study",
        12,
        {
            "type": "monte_carlo",
            "design": {"from_study": "front", "pick": "cheapest"},
            "uncertain": {"economics.discount_rate": {"distribution": "uniform", "min": 0.02, "max": 0.08}},
            "sampling": {"samples": 4},
        },
    ),
    "sweep": ("parametric-study", 3, {"type": "parametric", "sweep": {"pv.capacity_kw": [0, 5, 10]}}),
    "solvers": (
        "parametric-study",
        2,
        {"type": "parametric", "sweep": {"solver.method": ["milp", "rule_based"]}},
    ),
    "one": ("single-study", 1, {"type": "single", "design": {"from_study": "sweep", "pick": "lowest_co2"}}),
}


CHROMIUM = shutil.which("chromium")


@contextmanager
def browser():
    """A page of a fresh headless Chromium."""
    api = pytest.importorskip(
        "playwright.sync_api", reason="a browser is driven by playwright: install '.[dev]'"
    )
    quiet = ("background-networking", "component-update", "sync")
    with api.sync_playwright() as player:
        chromium = player.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                *(f"--disable-{what}" for what in quiet),
            ],
        )
        try:
            page = chromium.new_page(viewport={"width": 1400, "height": 1000})
            page.set_default_timeout(60_000)
            yield page
        finally:
            chromium.close()


class Operated:
    """A server and a worker in a home of their own, started by the commands of docs/operation.md."""

    def __init__(self, home: Path, port: int) -> None:
        self.home = home
        self.ui_url = f"http://127.0.0.1:{port}"
        self.api_url = f"{self.ui_url}/api"
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
        self.names = {
            **inherited,
            "PREFECT_HOME": str(home),
            "PREFECT_SERVER_API_PORT": str(port),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            "NO_PROXY": "127.0.0.1",
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        }
        self.port = port
        self.started_by = dict[str, subprocess.Popen[bytes]]()

    def run(self, line: str) -> str:
        done = subprocess.run(
            line.replace("4200", str(self.port)),
            shell=True,
            env=self.names,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, line + done.stdout + done.stderr
        return done.stdout

    def keep(self, what: str, line: str) -> None:
        """Start what runs on, as in a terminal of its own."""
        with (self.home / f"{what}.log").open("a") as log:
            self.started_by[what] = subprocess.Popen(
                line.split(), env=self.names, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
            )

    def start_server(self) -> None:
        self.keep("server", DOCUMENTED[0].strip())
        wait_until(lambda: answers(self.api_url))

    def end(self, what: str, how: int = signal.SIGTERM) -> None:
        process = self.started_by.pop(what)
        os.killpg(process.pid, how)
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)

    def client(self):
        return httpx.Client(base_url=self.api_url, trust_env=False, timeout=30)

    def flow_runs(self, name):
        with self.client() as client:
            asked = {"flow_runs": {"name": {"any_": [name]}}}
            return client.post("/flow_runs/filter", json=asked).raise_for_status().json()

    def started(self, study, results, flow="genetic-study", deployment="local", **parameters):
        """Start a deployment as documented; the flow run's id."""
        line = (
            DOCUMENTED[2]
            .strip()
            .replace("/path/to/study.yaml", str(study))
            .replace("/path/to/results", str(results))
        )
        more = "".join(f" -p {name}={value}" for name, value in parameters.items())
        told = self.run(line.replace("genetic-study/local", f"{flow}/{deployment}") + more)
        (found,) = re.findall(r"UUID: ([0-9a-f-]{36})", told)
        return found

    def state(self, flow_run):
        with self.client() as client:
            return client.get(f"/flow_runs/{flow_run}").raise_for_status().json()["state"]

    def ended(self, flow_run):
        """The run's state once it is final."""
        final = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
        wait_until(lambda: self.state(flow_run)["type"] in final)
        return self.state(flow_run)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def operated(tmp_path_factory):
    home = tmp_path_factory.mktemp("prefect")
    them = Operated(home, free_port())
    *lines, worker = DOCUMENTED[1].strip().splitlines()
    try:
        them.start_server()
        for line in lines:
            them.run(line)
        them.keep("worker", worker)
        yield them
    finally:
        for what in ("worker", "server"):
            if what in them.started_by:
                them.end(what)


def answers(api_url):
    with suppress(httpx.HTTPError):
        return httpx.get(f"{api_url}/health", trust_env=False, timeout=5).status_code == 200
    return False


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.2)


def written(folder, name, stated):
    shutil.copy(ROOT / "examples" / "house" / "week.yaml", folder)
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({"study": name, "system": "week.yaml", **stated}, sort_keys=False))
    return path


def row_of(results, study_id):
    with suppress(InputError), Store.open(results, read_only=True) as store:
        return store.study(study_id)
    return None


def rows_of(results):
    with suppress(InputError), Store.open(results, read_only=True) as store:
        return queries.list_studies(store.connection)
    return []


def evaluations(results, study_id):
    return (row_of(results, study_id) or {"run_count": 0})["run_count"]


def processes_of(results, study_id):
    """The process that runs a study, and its workers."""
    with Store.open(results, read_only=True) as store:
        process = psutil.Process(store.holder(study_id).pid)
    return process, [w for w in process.children() if "spawn_main" in " ".join(w.cmdline())]


def alive(process):
    with suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def test_every_kind_of_study_runs_from_its_deployment(operated, tmp_path):
    results = tmp_path / "results"
    for name, (flow, _, stated) in STUDIES.items():
        path = written(tmp_path, name, stated)
        flow_run = operated.started(path, results, flow, workers=1, runner="threads")
        assert operated.ended(flow_run)["type"] == "COMPLETED"
    found = {name: row_of(results, name) for name in STUDIES}
    assert {name: (row["status"], row["run_count"]) for name, row in found.items()} == {
        name: ("completed", count) for name, (_, count, _) in STUDIES.items()
    }


def test_a_deployment_evaluates_on_a_dask_cluster_by_its_parameters(operated, tmp_path):
    path, results = written(tmp_path, "spread", STUDIES["sweep"][2]), tmp_path / "results"
    address = f"tcp://127.0.0.1:{free_port()}"
    started = []
    try:
        for arguments in (
            ("scheduler", "--host", "127.0.0.1", "--port", address.rpartition(":")[2], "--no-dashboard"),
            ("worker", address, "--nworkers", "2", "--nthreads", "1", "--no-dashboard"),
        ):
            started.append(
                subprocess.Popen([BIN / "dask", *arguments], cwd=tmp_path, stderr=subprocess.DEVNULL)
            )
        flow_run = operated.started(
            path, results, "parametric-study", deployment="cluster", dask_address=address
        )
        assert operated.ended(flow_run)["type"] == "COMPLETED"
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait(PATIENCE)
    row = row_of(results, "spread")
    assert (row["status"], row["run_count"]) == ("completed", 3)


def test_a_flow_run_that_is_cancelled_in_prefect_stops_its_workers(operated, tmp_path):
    path, results = written(tmp_path, "long", ENDLESS), tmp_path / "results"
    flow_run = operated.started(path, results, workers=2, runner="processes")
    wait_until(lambda: evaluations(results, "long") > 0)
    process, workers = processes_of(results, "long")
    assert len(workers) == 2
    if CHROMIUM is not None:
        with browser() as page:
            page.goto(f"{operated.ui_url}/runs/flow-run/{flow_run}")
            page.get_by_role("button", name="Cancel").click()
            page.get_by_role("button", name="Confirm").click()
            page.get_by_text("Cancel", exact=False).first.wait_for()
    else:
        with operated.client() as client:
            state = {"state": {"type": "CANCELLING", "name": "Cancelling"}}  # what that button sends
            client.post(f"/flow_runs/{flow_run}/set_state", json=state).raise_for_status()
    wait_until(lambda: not [p for p in [process, *workers] if alive(p)])
    with Store.open(results, read_only=True) as store:
        study = store.study("long")
        assert store.holder("long") is None
    assert study["status"] == "cancelled"
    assert 0 < study["run_count"] < 40_000
    assert operated.ended(flow_run)["type"] == "CANCELLED"


def test_a_run_that_was_killed_has_crashed_and_a_retry_goes_on_with_its_study(operated, tmp_path):
    stated = {**SEARCH, "algorithm": {"population_size": 20, "max_generations": 20}}
    path, results = written(tmp_path, "killed", stated), tmp_path / "results"
    flow_run = operated.started(path, results, workers=1, runner="threads")
    wait_until(lambda: evaluations(results, "killed") > 0)
    process, _ = processes_of(results, "killed")
    process.send_signal(signal.SIGKILL)
    assert operated.ended(flow_run)["type"] == "CRASHED"
    before = evaluations(results, "killed")
    assert 0 < before < 400

    def is_through():
        # A busy worker may report once more that it crashed, and undo the retry.
        if operated.state(flow_run)["type"] == "CRASHED":
            operated.run(f"prefect flow-run retry {flow_run}")
        return operated.state(flow_run)["type"] == "COMPLETED"

    wait_until(is_through)
    row = row_of(results, "killed")
    assert (row["status"], row["run_count"]) == ("completed", 400)
    with Store.open(results, read_only=True) as store:
        kept = queries.evaluations(store.connection, "killed")
    assert sorted(one["evaluation_number"] for one in kept) == list(range(400))


def scheduled(client, place, schedule):
    """The schedule as the server made it, which it does not while its database is busy."""
    answers = []

    def taken():
        answers.append(client.post(place, json=[schedule]))
        return answers[-1].status_code != 503

    wait_until(taken)
    (made,) = answers[-1].raise_for_status().json()
    return made


def test_a_scheduled_study_has_its_time_in_its_id(operated, tmp_path):
    path, results = written(tmp_path, "daily", {"type": "single", "design": {}}), tmp_path / "results"
    at = datetime.now(UTC).replace(microsecond=0)
    with operated.client() as client:
        deployment = client.get("/deployments/name/single-study/local").raise_for_status().json()
        schedule = {
            "active": True,
            "schedule": {"interval": 60, "anchor_date": at.isoformat(), "timezone": "UTC"},
            "parameters": {"study": str(path), "results": str(results)},
        }
        place = f"/deployments/{deployment['id']}/schedules"
        made = scheduled(client, place, schedule)
        wait_until(lambda: "completed" in {row["status"] for row in rows_of(results)})
        client.delete(f"{place}/{made['id']}").raise_for_status()
    names = [row["study_id"] for row in rows_of(results)]
    assert all(re.fullmatch(r"daily_\d{8}T\d{4}(\d\d)?Z", name) for name in names)
    name = next(row["study_id"] for row in rows_of(results) if row["status"] == "completed")
    wait_until(lambda: [run["state"]["type"] for run in operated.flow_runs(name)] == ["COMPLETED"])


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium to look with: install Debian's package chromium")
def test_a_browser_shows_failures_the_front_and_the_form(operated, tmp_path):
    stated = {**FAILING, "algorithm": {"population_size": 10, "max_generations": 2, "seed": 2}}
    path, results = written(tmp_path, "seen", stated), tmp_path / "results"
    flow_run = operated.started(path, results, workers=1, runner="threads")
    assert operated.ended(flow_run)["type"] == "COMPLETED"
    with Store.open(results, read_only=True) as store:
        rows = queries.evaluations(store.connection, "seen")
    failed = next(row["evaluation_number"] for row in rows if row["simulation_status"] == "failed")
    with operated.client() as client:
        asked = {"artifacts": {"key": {"any_": ["seen-front-picture"]}}}
        (picture,) = client.post("/artifacts/filter", json=asked).raise_for_status().json()
        deployment = client.get("/deployments/name/genetic-study/local").raise_for_status().json()
    with browser() as page:
        page.goto(f"{operated.ui_url}/runs/flow-run/{flow_run}")
        page.get_by_text("Task Runs", exact=True).last.click()
        page.get_by_text(f"seen evaluation {failed} failed").first.wait_for()
        page.get_by_text("Artifacts", exact=True).last.click()
        for what in ("progress", "front", "front-picture", "failures", "report"):
            page.get_by_text(f"seen-{what}", exact=True).first.wait_for()
        page.goto(f"{operated.ui_url}/artifacts/artifact/{picture['id']}")
        shown = page.locator("img[src^='data:image/svg']").first
        shown.wait_for()
        assert shown.evaluate("image => image.naturalWidth") == 640
        page.goto(f"{operated.ui_url}/deployments/deployment/{deployment['id']}/run")
        for label in ("study", "results", "workers", "runner", "resume"):
            page.get_by_text(re.compile(rf"^{label}( \(Optional\))?$")).first.wait_for()


FAILING = {
    # A level that must end below its floor is not valid; each value is fine alone.
    **ENDLESS,
    "variables": {
        "battery.initial_level_fraction": {"min": 0, "max": 0.5},
        "battery.min_level_fraction": {"min": 0.0, "max": 0.5},
        "pv.capacity_kw": {"min": 0, "max": 10},
    },
}


def shipped(name):
    """One of the automations that are shipped."""
    text = (ROOT / "deployments" / "automations.yaml").read_text(encoding="utf-8")
    return next(one for one in yaml.safe_load(text)["automations"] if name in one["name"])


def created(operated, folder, automation, **trigger):
    """The automation with changes to its trigger, made by the documented command."""
    file = folder / "automation.yaml"
    file.write_text(yaml.safe_dump({**automation, "trigger": {**automation["trigger"], **trigger}}))
    operated.run(f"prefect automation create --from-file {file}")


def test_the_automation_cancels_a_study_whose_evaluations_fail_again_and_again(operated, tmp_path):
    path, results = written(tmp_path, "hopeless", FAILING), tmp_path / "results"
    created(operated, tmp_path, shipped("fail again"), threshold=3)
    flow_run = operated.started(path, results, workers=1, runner="threads")
    assert operated.ended(flow_run)["type"] == "CANCELLED"
    wait_until(lambda: row_of(results, "hopeless")["status"] == "cancelled")


def test_the_automation_settles_a_run_without_heartbeats_as_crashed(operated, tmp_path):
    """A run from the command line, killed: no worker knows of its process."""
    path, results = written(tmp_path, "silent", ENDLESS), tmp_path / "results"
    created(operated, tmp_path, shipped("process is gone"), within=35)
    process = subprocess.Popen(
        [BIN / "ecosystemiser", "run", path, "--results", results, "--workers", "1"],
        env={**operated.names, "PREFECT_API_URL": operated.api_url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: evaluations(results, "silent") > 0)
    process.kill()
    process.wait()
    (flow_run,) = operated.flow_runs("silent")
    assert flow_run["state"]["type"] == "RUNNING"
    state = operated.ended(flow_run["id"])
    assert (state["type"], state["message"][:12]) == ("CRASHED", "No heartbeat")


class Alerts(BaseHTTPRequestHandler):
    """Takes what a notification block posts."""

    taken: ClassVar[list[dict[str, str]]] = []

    def do_POST(self):
        self.taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


LOOK = (
    "import sys; from pathlib import Path; from flows.community import community_health; "
    "community_health(Path(sys.argv[1]))"
)


def test_the_automation_alerts_when_the_community_turns_unhealthy(operated, tmp_path):
    pytest.importorskip("mesa", reason="the community's simulation needs mesa: install '.[community]'")
    with ThreadingHTTPServer(("127.0.0.1", 0), Alerts) as office:
        threading.Thread(target=office.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{office.server_port}/alerts"
        made = operated.run(f'{sys.executable} -c "{BLOCK}" {url}').split()[-1]
        file = tmp_path / "automations_community.yaml"
        text = (ROOT / "deployments" / file.name).read_text(encoding="utf-8")
        file.write_text(text.replace("00000000-0000-0000-0000-000000000000", made))
        operated.run(f"prefect automation create --from-file {file}")
        operated.run(f"ecosystemiser community init --households 2 --results {tmp_path}")
        # Nothing was simulated yet: the flow of the deployment fails, and says so once.
        for _ in range(2):
            done = subprocess.run(
                [sys.executable, "-c", LOOK, tmp_path],
                env=operated.names,
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=False,
            )
            assert "there is no data yet" in done.stderr
        wait_until(lambda: Alerts.taken)
        time.sleep(2)
        office.shutdown()
    assert [alert["subject"] for alert in Alerts.taken] == ["The solar community is unhealthy"]
    assert Alerts.taken[0]["body"].endswith(": there is no data yet")


BLOCK = (
    "import sys; from prefect.blocks.notifications import CustomWebhookNotificationBlock as Block; "
    "text = '{' + '{subject}' + '}', '{' + '{body}' + '}'; "
    "print(Block(name='alerts', url=sys.argv[1], json_data={'subject': text[0], 'body': text[1]}).save('alerts'))"
)


def test_a_study_outlives_the_server_that_is_killed_under_it(operated, tmp_path):
    """The last one: it takes the server away."""
    stated = {**SEARCH, "algorithm": {"population_size": 20, "max_generations": 20}}
    path, results = written(tmp_path, "alone", stated), tmp_path / "results"
    flow_run = operated.started(path, results, workers=1, runner="threads")
    wait_until(lambda: evaluations(results, "alone") > 0)
    assert evaluations(results, "alone") < 400
    operated.end("server", signal.SIGKILL)
    wait_until(lambda: row_of(results, "alone")["status"] == "completed")
    assert evaluations(results, "alone") == 400
    # Started again, Prefect may still take the run to be at it; the study's next start settles that.
    operated.start_server()
    again = operated.started(path, results, workers=1, runner="threads")
    assert operated.ended(again)["message"] == "finished before"
    assert operated.ended(flow_run)["type"] in {"COMPLETED", "CRASHED"}
