"""The dashboard in a real browser: a user's whole path, hostile names, a study that runs, the community."""

from __future__ import annotations

import csv
import io
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psutil
import pytest
import yaml

from schema.community.backend import Backend
from schema.community.records import begin_cycle, record_results
from schema.community.results_files import ENERGY_COLUMNS, Results
from schema.community.ticks import as_text, tick_of
from schema.community.users import add_example_households
from schema.store.records import Evaluation, Front, Generation, Kpis, NewStudy
from schema.store.store import Store

pytest.importorskip("streamlit", reason="the dashboard needs streamlit: install '.[dashboard]'")
sync_api = pytest.importorskip(
    "playwright.sync_api", reason="a browser is driven by playwright: install '.[dev]'"
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
if CHROMIUM is None:
    pytest.skip("the dashboard is tested in chromium: `apt-get install chromium`", allow_module_level=True)

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]
ROW, BOX = 35, 15  # of Streamlit's tables: the height of a row, the middle of its box [pixels]
HOSTILE = '**bold** <img src=x onerror="window.hurt=1"> [x](javascript:window.hurt=1) $a$ :red[red]'
COST_CO2 = {"total_cost": "minimise", "total_co2": "minimise"}
SYSTEM = {
    "system": "house",
    "horizon": {"start": "2019-06-01T00:00", "steps": 72},
    "profiles": {
        "load": {"time_of_use": {0: 0.5, 6: 2.0, 9: 1.0, 17: 3.0, 22: 0.7}},
        "price": {"time_of_use": {0: 0.22, 7: 0.32, 22: 0.22}},
        "sun": {"time_of_use": {0: 0.0, 8: 0.3, 11: 0.7, 15: 0.2, 17: 0.0}},
    },
    "components": {
        "grid": {
            "type": "grid",
            "import_limit_kw": 12,
            "import_price_eur_per_kwh": {"profile": "price"},
            "import_co2_kg_per_kwh": 0.4,
        },
        "pv": {"type": "solar_pv", "capacity_kw": 4, "profile": "sun", "investment_eur_per_kw": 1500},
        "battery": {"type": "battery", "capacity_kwh": 5, "power_kw": 4, "investment_eur_per_kwh": 900},
        "lights": {"type": "power_demand", "profile": "load"},
    },
}
STUDY = {
    "study": "house_front",
    "type": "genetic_algorithm",
    "description": HOSTILE,
    "system": "house.yaml",
    "objectives": COST_CO2,
    "variables": {"pv.capacity_kw": {"min": 0, "max": 10}, "battery.capacity_kwh": {"min": 0, "max": 15}},
    "algorithm": {"population_size": 16, "max_generations": 3, "seed": 1},
    "timeseries": "none",
}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A small real study without files, one of hostile names, one that is to run, and a community."""
    folder = tmp_path_factory.mktemp("dashboard")
    for name, content in (("house", SYSTEM), ("study", STUDY)):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    place = folder / "results"
    command = [sys.executable, "-m", "ecosystemiser", "run", folder / "study.yaml", "--results", place]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=240)
    with Store.open(place) as store:
        _hostile(store)
        store.create_study(NewStudy("under_way", "parametric", objectives=COST_CO2))
    _community(place)
    return place


def _hostile(store):
    objectives = {"total_cost": "minimise", "<img src=x onerror='window.hurt=1'>": "minimise"}
    store.create_study(NewStudy("hostile", "genetic_algorithm", HOSTILE, HOSTILE, objectives=objectives))
    parameters = {HOSTILE: 1.0, "tariff.kind": HOSTILE}
    store.record(
        [
            Evaluation(
                *("hostile", number, parameters, "success", HOSTILE, 24, "milp", 0),
                objectives={
                    name: float(value) for name, value in zip(objectives, (number, 9 - number), strict=True)
                },
                fitness=float(number),
                kpis=Kpis(total_cost=float(number)),
                metadata={"message": HOSTILE},
            )
            for number in range(4)
        ]
    )
    store.record_generation(
        Generation("hostile", 0, front=Front([f"hostile-{n:07d}" for n in range(4)], 1.0))
    )
    store.finish_study("hostile", "completed")


def _community(place):
    tick = tick_of(datetime.now(UTC))
    with Backend.open(place / "community") as backend:
        add_example_households(backend, 20)
        with backend.reading() as connection:
            users = [row[0] for row in connection.exec_driver_sql("SELECT id FROM users")]
        begin_cycle(backend, tick)
        energies = {name: np.full(20, 0.25) for name in ENERGY_COLUMNS}
        found = Results(users, [as_text(tick)] * 20, energies)
        record_results(backend, tick, found, None, {"users": 20, "shared_kwh": 0.5})


@contextmanager
def served(place):
    """A dashboard's process and its address; it must end cleanly on Ctrl-C."""
    command = [sys.executable, "-m", "ecosystemiser", "dashboard", "--results", place, "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines = []
    try:
        for line in process.stdout:
            lines.append(line)
            if found := re.search(r"at (http://127\.0\.0\.1:(\d+)); Ctrl-C ends it", line):
                break
        else:
            pytest.fail(f"the dashboard did not start: {''.join(lines)}")
        yield process, found[1]
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=30)[0]
        assert process.returncode == 0, rest
        assert "Traceback" not in rest
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.wait()


@pytest.fixture(scope="module")
def server(results):
    with served(results) as started:
        yield started


@pytest.fixture(scope="module")
def browser(server):
    with sync_api.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


class Reader:
    """A user before a page."""

    def __init__(self, page, address):
        self.page, self.address = page, address
        page.set_default_timeout(60_000)

    def open(self, path, heading):
        self.page.goto(f"{self.address}/{path}")
        self.sees_heading(heading)

    def sees_heading(self, heading):
        self.page.get_by_role("heading", name=heading, exact=True).first.wait_for()
        self.waits()

    def waits(self):
        self.page.wait_for_timeout(250)
        self.page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')

    def table(self, number=0):
        found = self.page.locator('[data-testid="stDataFrame"]').nth(number)
        found.locator("canvas").first.wait_for()
        return found

    def clicks_row(self, row, x=BOX, number=0):
        self.table(number).click(position={"x": x, "y": ROW * (row + 1) + ROW // 2})
        self.waits()

    def clicks_point(self, point):
        point.scroll_into_view_if_needed()
        self.page.wait_for_timeout(1000)  # plotly moves while it is laid out
        box = point.bounding_box()
        self.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        self.page.wait_for_timeout(200)
        self.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    def downloads(self, name):
        with self.page.expect_download() as told:
            self.page.get_by_role("button", name=name, exact=True).click()
        return told.value.suggested_filename, Path(told.value.path()).read_bytes()

    def sees(self, words):
        self.page.get_by_text(words).first.wait_for()

    def text(self):
        return self.page.locator('[data-testid="stMain"]').inner_text()


@pytest.fixture
def reader(browser, server):
    page = browser.new_page(viewport={"width": 1400, "height": 1000}, accept_downloads=True)
    yield Reader(page, server[1])
    page.close()


def there(place):
    """All files but SQLite's two that come and go with readers."""
    return {f: f.stat().st_mtime_ns for f in place.rglob("*") if not f.name.endswith(("-shm", "-wal"))}


def test_a_user_finds_a_study_opens_a_point_compares_runs_and_exports_them(reader, results):
    before = there(results)
    reader.open("", "Studies")
    find = reader.page.get_by_label("Find", exact=True)
    find.fill("FRONT")
    find.press("Enter")
    reader.waits()
    reader.page.wait_for_function("!document.body.innerText.includes('hostile')")
    reader.clicks_row(0, x=60)
    reader.sees_heading("Study house_front")
    assert "study=house_front" in reader.page.url
    reader.sees("48 evaluations")

    # A point of the front: its design, its KPIs, and its dispatch, of which no files were kept.
    points = reader.page.locator(".js-plotly-plot .scatterlayer .trace").nth(2).locator(".points path")
    points.nth(2).wait_for()
    reader.clicks_point(points.nth(2))
    reader.page.get_by_role("heading", name=re.compile(r"Design house_front-\d{7}")).wait_for()
    reader.page.get_by_text("solved again just now").wait_for()
    assert "otherwise than it was recorded" not in reader.text()
    dispatch = reader.page.locator(".js-plotly-plot").nth(1)
    dispatch.get_by_text("held [kWh]").wait_for()
    reader.page.get_by_text("Where the energy goes").click()
    reader.page.locator(".js-plotly-plot .sankey").first.wait_for()

    # Back, and the study's page from its address alone.
    reader.page.get_by_role("link", name="On a page of its own").click()
    reader.page.get_by_role("heading", name=re.compile(r"Run house_front-\d{7}")).wait_for()
    assert re.search(r"/run\?run=house_front-\d{7}", reader.page.url)
    reader.page.go_back()
    reader.sees_heading("Study house_front")
    reader.open("study?study=house_front&view=Kinds+of+design", "Study house_front")
    reader.sees("Kinds at most")

    # The runs of the study, filtered and sorted; two of them beside each other.
    reader.open("runs?study=house_front", "Runs")
    reader.sees("Runs 1 to 48 of 48")
    where = reader.page.get_by_label("Filter", exact=True)
    where.fill("pv.capacity_kw>5")
    where.press("Enter")
    reader.page.get_by_text(re.compile(r"Runs 1 to \d\d?$")).wait_for()
    reader.waits()
    assert "where=pv.capacity_kw" in reader.page.url
    shown = int(re.search(r"Runs 1 to (\d+)", reader.text())[1])
    assert 2 < shown < 48
    name, data = reader.downloads("CSV")
    rows = list(csv.DictReader(io.StringIO(data.decode())))
    assert (name, len(rows)) == ("runs.csv", shown)
    assert all(float(row["pv.capacity_kw"]) > 5 for row in rows)
    name, data = reader.downloads("Excel")
    assert name == "runs.xlsx"
    with zipfile.ZipFile(io.BytesIO(data)) as workbook:
        sheet = workbook.read("xl/worksheets/sheet1.xml").decode()
        strings = workbook.read("xl/sharedStrings.xml").decode()
    assert sheet.count("<row ") == shown + 1
    assert all(row["run_id"] in strings for row in rows)
    reader.clicks_row(0)
    reader.clicks_row(1)
    reader.page.get_by_text("2 chosen").wait_for()
    reader.page.get_by_role("button", name="Compare", exact=True).click()
    reader.sees_heading("Runs compared")
    assert f"run={rows[0]['run_id']}&run={rows[1]['run_id']}" in reader.page.url
    reader.page.get_by_role("heading", name="What differs").wait_for()
    reader.page.locator(".js-plotly-plot .scatterlayer .trace").nth(1).wait_for()
    assert rows[1]["run_id"] in reader.page.locator(".js-plotly-plot").text_content()
    assert there(results) == before  # all of that only read


def test_what_is_wrong_is_told_kindly_beside_the_filter(reader):
    reader.open("runs", "Runs")
    where = reader.page.get_by_label("Filter", exact=True)
    where.fill("pv.capacity_kv>5")
    where.press("Enter")
    reader.page.get_by_text("did you mean pv.capacity_kw?").wait_for()
    where.fill("pv.capacity_kw")
    where.press("Enter")
    reader.page.get_by_text("cannot be read").wait_for()


def test_hostile_names_are_shown_as_text_and_never_carried_out(reader):
    errors = []
    reader.page.on("dialog", lambda dialog: (errors.append(dialog.message), dialog.dismiss()))
    for path, heading in (
        ("", "Studies"),
        ("runs?study=hostile", "Runs"),
        ("study?study=hostile", "Study hostile"),
        ("study?study=hostile&view=Kinds+of+design", "Study hostile"),
        ("study?study=hostile&view=Record", "Study hostile"),
        ("run?run=hostile-0000001", "Run hostile-0000001"),
        ("compare-runs?run=hostile-0000001&run=hostile-0000002", "Runs compared"),
        ("compare-studies?study=hostile&study=house_front", "Studies compared"),
    ):
        reader.open(path, heading)
        main = reader.page.locator('[data-testid="stMain"]')
        assert main.locator("img[src=x], a[href^='javascript'], [onerror]").count() == 0, path
        assert reader.page.evaluate("window.hurt") is None, path
        if heading == "Study hostile":
            reader.sees(HOSTILE)
    wrong = "**b** <img src=x onerror='window.hurt=1'>"
    reader.page.goto(f"{reader.address}/run?run={wrong}")
    reader.page.get_by_text(f"there is no run {wrong!r}").wait_for()
    assert reader.page.locator("h1").inner_text() == f"Run {wrong}"
    assert reader.page.evaluate("window.hurt") is None
    assert errors == []


def test_a_study_that_runs_is_followed_and_its_end_is_seen(reader, results):
    with Store.open(results) as store:
        with store.claim("under_way"):
            store.update_study("under_way", status="running", progress_percent=25.0)
            reader.open("study?study=under_way", "Study under_way")
            reader.page.get_by_text("25 % done").wait_for()
            store.set_progress("under_way", 75.0)
            reader.page.get_by_text("75 % done").wait_for()
            store.finish_study("under_way", "completed")
        reader.page.get_by_text("✓ completed").wait_for()
        reader.page.wait_for_function("!document.body.innerText.includes('% done')")
        store.update_study("under_way", status="running")
        reader.open("study?study=under_way", "Study under_way")
        reader.page.get_by_text("Nobody runs it any more").wait_for()


def test_the_community_is_shown_now_and_over_the_day(reader):
    reader.open("community", "Community")
    reader.page.get_by_text("Healthy", exact=True).wait_for()
    reader.page.locator(".js-plotly-plot .scatterlayer .trace").nth(4).wait_for(state="attached")
    for label, value in (("Active users", "20"), ("Generation", "5.000 kWh"), ("Shared", "0.5000 kWh")):
        figure = reader.page.get_by_test_id("stMetric").filter(has_text=label).first
        figure.get_by_text(value, exact=True).wait_for()


def test_only_this_machine_is_served_and_no_page_of_strangers(server):
    process, address = server
    port = int(address.rpartition(":")[2])
    listening = [
        c.laddr.ip for c in psutil.Process(process.pid).net_connections("tcp") if c.status == "LISTEN"
    ]
    assert set(listening) == {"127.0.0.1"}
    answers = {}
    for host, origin in (
        ("127.0.0.1", address),
        ("evil.example", "http://evil.example"),
        ("127.0.0.1", "http://evil.example"),
    ):
        request = (
            f"GET /_stcore/stream HTTP/1.1\r\nHost: {host}:{port}\r\nOrigin: {origin}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", port), timeout=10) as caller:
            caller.sendall(request.encode())
            answers[host, origin] = caller.recv(100).split(b" ")[1]
    assert answers.pop(("127.0.0.1", address)) == b"101"
    assert set(answers.values()) == {b"403"}


def test_a_folder_without_results_is_told_in_the_page(browser, tmp_path):
    with served(tmp_path / "nothing") as (_, address):
        page = browser.new_page()
        page.goto(address)
        page.get_by_text("There are no results in").wait_for(timeout=60_000)
        page.close()
        time.sleep(0.1)
    assert not (tmp_path / "nothing").exists()
