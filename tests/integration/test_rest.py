"""The results over HTTP: a real server process, asked by a real client, kindly and not."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pytest

from schema.store.database import FILE_NAME
from schema.store.records import Evaluation, Front, Generation, Kpis, NewStudy
from schema.store.store import Store
from schema.store.timeseries import write_run

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]
TOKEN = "a-token-for-these-tests"
INDEX = pd.date_range("2019-01-01", periods=8760, freq="h", tz="Europe/Berlin")

# The command as users have it, without what it does not need: a second less each time.
SERVE = """
import typer
from ecosystemiser.commands import serve
from ecosystemiser.failures import PlainGroup

app = typer.Typer(cls=PlainGroup)
app.callback()(lambda: None)
serve.register(app)
app()
"""


def evaluation(number, files=None):
    cost = 10.0 - number
    return Evaluation(
        *("house", number, {"pv.capacity_kw": float(number), "tariff.kind": f"k{number % 3}"}, "success"),
        *("house", 8760, "milp"),
        generation_number=number // 10,
        objectives={"total_cost": cost},
        fitness=cost,
        kpis=Kpis(total_cost=cost, renewable_fraction=number / 100),
        files=files,
    )


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """house: evaluations 0-29, of which 1 kept its time series; empty: nothing."""
    folder = tmp_path_factory.mktemp("results")
    frame = pd.DataFrame({"pv.electricity": np.arange(8760.0), "grid.import": np.nan}, INDEX)
    files = write_run(
        *(folder, "house", "house-0000001"),
        flows=frame,
        components=frame[["pv.electricity"]],
        units={"pv.electricity": "kW", "grid.import": "kW"},
        system_hash="x",
        config={},
        kpis={},
    )
    with Store.open(folder) as store:
        store.create_study(NewStudy("house", "genetic_algorithm", objectives={"total_cost": "minimise"}))
        store.create_study(NewStudy("empty", "parametric"))
        store.record([evaluation(number, files if number == 1 else None) for number in range(30)])
        ids = ["house-0000029", "house-0000000"]
        store.record_generation(Generation("house", 0, best_fitness=1.0, front=Front(ids, 2.0)))
    return folder


@contextmanager
def served(results, *options, token=None):
    """The server's URL, and its process."""
    environment = {name: value for name, value in os.environ.items() if name != "ECOSYSTEMISER_TOKEN"}
    environment |= {"ECOSYSTEMISER_TOKEN": token} if token else {}
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, "serve", "--results", str(results), "--port", "0", *options],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        told = process.stderr.readline()
        address = re.search(r"at (http://\S+)/docs", told)
        yield (address[1] if address else told), process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def clients(results):
    """Of a server without a token, and of one with: they start side by side."""
    with served(results) as (url, _), served(results, "--host", "0.0.0.0", token=TOKEN) as (everywhere, _):
        here = everywhere.replace("0.0.0.0", "127.0.0.1")
        with httpx.Client(base_url=url, timeout=60) as one, httpx.Client(base_url=here, timeout=60) as other:
            yield one, other


@pytest.fixture(scope="module")
def client(clients):
    return clients[0]


@pytest.fixture(scope="module")
def guarded(clients):
    return clients[1]


def asked(client, path, **parameters):
    answer = client.get(path, params=parameters or None)
    assert answer.status_code == 200, answer.text
    return answer.json()


def problem(answer, status):
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    told = answer.json()
    assert told["status"] == status
    assert told["detail"]
    return told


def ids(rows):
    return [row["run_id"].replace("house-00000", "") for row in rows["items"]]


def test_studies_and_their_parts_are_told_as_the_store_has_them(client):
    studies = asked(client, "/studies")["items"]
    assert [row["study_id"] for row in studies] == ["empty", "house"]
    assert asked(client, "/studies", type="ga", since="2020-01-01")["items"][0]["run_count"] == 30
    assert asked(client, "/studies/house")["statistics"]["evaluations"] == 30
    assert asked(client, "/studies/house/convergence")["items"][0]["best_fitness"] == 1.0
    assert ids(asked(client, "/studies/house/front")) == ["29", "00"]
    assert asked(client, "/studies/house/fronts")["items"][0]["hypervolume"] == 2.0
    assert asked(client, "/studies/empty/front")["items"] == []
    assert asked(client, "/studies/house/uncertainty")["items"] == []
    assert asked(client, "/studies/house/sensitivity")["items"] == []
    assert asked(client, "/runs/house-0000001/history")["items"][0]["simulation_status"] == "completed"
    assert asked(client, "/statistics")["evaluations"] == 30


def test_runs_come_in_pages_that_lead_on_and_end(client):
    rows, path = [], "/runs?study_id=house&limit=12"
    pages = 0
    while path:
        page = asked(client, path)
        rows += ids(page)
        path = page["next"]
        pages += 1
    assert (pages, rows) == (3, [f"{number:02d}" for number in range(30)])


def test_runs_are_filtered_and_ordered_in_the_language_of_the_command_line(client):
    where = ["pv.capacity_kw>=3 and renewable_fraction<0.1", "tariff.kind=k0"]
    found = asked(client, "/runs", where=where, order_by="total_cost desc")
    assert ids(found) == ["03", "06", "09"]
    assert found["items"][0]["parameters"] == {"pv.capacity_kw": 3.0, "tariff.kind": "k0"}
    assert ids(asked(client, "/runs", generation=2, limit=1, offset=3)) == ["23"]
    assert ids(asked(client, "/best-designs", study_id="house", limit=2)) == ["29", "28"]
    assert ids(asked(client, "/best-designs", by="renewable_fraction", direction="minimise", limit=1)) == [
        "00"
    ]
    assert asked(client, "/runs/house-0000007")["total_cost"] == 3.0


def test_a_column_and_a_part_of_a_runs_series_are_told_with_units(client):
    way = "/runs/house-0000001/series"
    assert asked(client, f"{way}/components/columns")["units"] == {"pv.electricity": "kW"}
    span = {"start": "2019-07-01T00:00", "end": "2019-07-01T02:00"}
    told = asked(client, f"{way}/flows", column=["pv.electricity", "grid.import"], **span)
    assert told["time"] == ["2019-07-01T00:00:00+02:00", "2019-07-01T01:00:00+02:00"]
    assert told["values"] == {"pv.electricity": [4343.0, 4344.0], "grid.import": [None, None]}
    assert told["units"] == {"pv.electricity": "kW", "grid.import": "kW"}
    assert len(asked(client, f"{way}/flows", column="pv.electricity")["time"]) == 8760
    assert asked(client, f"{way}/flows", column="pv.electricity", start="2050-01-01")["time"] == []


def test_what_is_not_there_is_a_problem_with_findings_and_no_path_of_the_server(client, results):
    for path, name in [
        ("/studies/hous", "study_id"),
        ("/studies/hous/uncertainty", "study_id"),
        ("/runs/nope", "run_id"),
        ("/runs/nope/history", "run_id"),
    ]:
        assert problem(client.get(path), 404)["findings"][0]["path"] == name
    assert "did you mean house" in problem(client.get("/studies/hous/front"), 404)["detail"]
    assert (
        "kept no time series"
        in problem(client.get("/runs/house-0000002/series/flows/columns"), 404)["detail"]
    )
    told = problem(client.get("/runs/house-0000001/series/flows", params={"column": "x"}), 400)
    assert "grid.import" in told["detail"]
    assert str(results) not in str(told)
    problem(client.get("/nothing/here"), 404)


@pytest.mark.parametrize(
    "parameters",
    [
        {"limit": 0},
        {"limit": 1001},
        {"limit": "all"},
        {"offset": -1},
        {"offset": 2**63},
        {"offset": 10**400},
        {"generation": -1},
        {"wher": "total_cost>1"},
        {"status": "x' OR 1=1 --"},
        {"where": "a>1" * 500},
        {"where": ["a>1"] * 11},
        {"study_id": ["house"] * 21},
        {"order_by": "x" * 201},
    ],
)
def test_parameters_have_bounds_and_misspelt_ones_are_refused(client, parameters):
    told = problem(client.get("/runs", params=parameters), 422)
    assert told["findings"][0]["path"].split(".")[0] in parameters


HOSTILE = [
    "' OR 1=1 --",
    "1; DROP TABLE studies",
    "\"; ATTACH DATABASE '/tmp/x' AS y; --",
    "../../etc/passwd",
    "..",
    "%00",
    "a\0b",
    "${jndi:ldap://x}",
    "<script>alert(1)</script>",
    "\u202e\ud7ff",
    "x" * 90,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_find_nothing_and_harm_nothing(client, text):
    questions = [
        ("/runs", {"where": text}),
        ("/runs", {"where": f"run_id={text}"}),
        ("/runs", {"where": f"tariff.kind='{text}'"}),
        ("/runs", {"order_by": text}),
        ("/runs", {"study_id": text}),
        ("/best-designs", {"by": text}),
        ("/studies", {"type": text}),
        ("/studies", {"since": text}),
        ("/runs/house-0000001/series/flows", {"column": text}),
        ("/runs/house-0000001/series/flows", {"column": "pv.electricity", "start": text}),
    ]
    for path, parameters in questions:
        answer = client.get(path, params=parameters)
        if answer.status_code == 200:
            assert answer.json()["items"] == []
        else:
            assert answer.status_code in {400, 404, 422}, answer.text
    assert asked(client, "/statistics")["evaluations"] == 30


@pytest.mark.parametrize(
    "path",
    [
        "/runs/..%2F..%2Fetc%2Fpasswd",
        "/runs/%2e%2e/series/flows/columns",
        "/runs/house-0000001/series/..%2F..%2Fx/columns",
        "/runs/house-0000001/series/kpis.json",
        "/runs/house-0000001/series/profiles/columns",
        "/studies/..%5c..%5cx",
        "/studies/house%00",
        "//etc/passwd",
        "/docs/../../etc/passwd",
    ],
)
def test_no_path_leads_out_of_the_results(client, path):
    with closing(socket.create_connection((client.base_url.host, client.base_url.port))) as raw:
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    assert answer.split()[1] in {b"404", b"422"}
    assert b"root:" not in answer


def test_a_record_that_leads_elsewhere_is_not_followed(client, results):
    for strange in ("/etc", "../../etc", "file:///etc", "http://127.0.0.1:9/simulation_runs/house/x"):
        with closing(sqlite3.connect(results / FILE_NAME)) as database, database:
            database.execute(
                "UPDATE simulation_runs SET results_path = ? WHERE run_id = 'house-0000005'", [strange]
            )
        told = problem(client.get("/runs/house-0000005/series/flows/columns"), 400)
        assert "db check" in told["detail"]


def test_nothing_can_be_written(client):
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        problem(client.request(method, "/studies/house", content=b"{}"), 405)
    assert asked(client, "/studies/house")["run_count"] == 30


def test_the_pages_need_nothing_from_elsewhere_and_tell_of_every_question(client):
    page = client.get("/", follow_redirects=True)
    assert page.url.path == "/docs"
    assert not re.search(r"<script|src=|https?://", page.text)
    description = asked(client, "/openapi.json")
    for path, methods in description["paths"].items():
        assert list(methods) == ["get"]
        assert f"GET {path}" in page.text
        assert methods["get"]["description"]
    assert "HTTPValidationError" not in str(description)
    assert page.headers["content-security-policy"].startswith("default-src 'none'")


def test_a_page_of_another_site_cannot_ask_in_its_own_name(client):
    problem(client.get("/studies", headers={"Host": "evil.example"}), 421)
    assert client.get("/studies", headers={"Host": "localhost:1"}).status_code == 200
    assert "access-control-allow-origin" not in client.get("/studies", headers={"Origin": "http://x"}).headers


def test_the_token_is_needed_where_it_is_set(guarded):
    for wrong in (
        "",
        "Bearer",
        "Bearer x",
        f"Basic {TOKEN}",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        TOKEN,
    ):
        answer = guarded.get("/studies", headers={"Authorization": wrong} if wrong else {})
        problem(answer, 401)
        assert answer.headers["www-authenticate"].startswith("Bearer")
    problem(guarded.get("/runs/house-0000001/series/flows/columns"), 401)
    problem(guarded.get("/nothing"), 401)
    problem(guarded.get(f"/studies?token={TOKEN}"), 401)
    allowed = {"Authorization": f"Bearer {TOKEN}", "Host": "any.example"}
    assert guarded.get("/studies", headers=allowed).status_code == 200
    for path in ("/docs", "/health", "/openapi.json"):
        assert "house" not in guarded.get(path).raise_for_status().text


@pytest.mark.parametrize(
    ("options", "token", "words"),
    [
        (["--host", "0.0.0.0"], None, "ECOSYSTEMISER_TOKEN"),
        (["--host", "::"], None, "ECOSYSTEMISER_TOKEN"),
        (["--host", "0.0.0.0"], "short", "can be guessed"),
        (["--host", "192.0.2.1"], TOKEN, "cannot be served on"),
        (["--results", "nowhere"], None, "run a study first"),
    ],
)
def test_what_cannot_be_served_is_refused_before_anything_is(results, options, token, words):
    with served(results, *options, token=token) as (told, process):
        assert process.wait(timeout=60) == 2
        assert words in told
        assert "Traceback" not in told
        assert token is None or token not in told


def test_ctrl_c_ends_it_and_leaves_the_results_as_they_were(results):
    before = (results / FILE_NAME).read_bytes()
    with served(results) as (url, process):
        assert httpx.get(f"{url}/studies").status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
        assert process.stderr.read() == ""
    assert (results / FILE_NAME).read_bytes() == before


def test_a_writer_beside_it_is_seen_at_once(client, results):
    with Store.open(results) as store:
        store.create_study(NewStudy("later", "single"))
        assert "later" in [row["study_id"] for row in asked(client, "/studies")["items"]]
        store.delete_study("later")
    problem(client.get("/studies/later"), 404)
