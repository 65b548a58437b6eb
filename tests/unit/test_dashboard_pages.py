"""The dashboard's pages as Streamlit runs them, without a browser: what they show, tell and ask."""

from __future__ import annotations

import importlib.util
import re
import shutil
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

pytest.importorskip("streamlit", reason="the dashboard needs streamlit: install '.[dashboard]'")

from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from ecosystemiser.dashboard import app, serving, sources
from ecosystemiser.dashboard.wording import plain
from ecosystemiser.results import opened
from schema.community.backend import Backend
from schema.community.ticks import tick_of
from schema.community.users import add_example_households
from schema.errors import InputError
from schema.store.records import Evaluation, Front, Generation, Kpis, NewStudy
from schema.store.store import Store

DATABASES = Path(__file__).parents[1] / "data" / "databases"
COST_CO2 = {"total_cost": "minimise", "total_co2": "minimise"}
COUNT = 3000


def evaluation(study_id, number):
    cost, co2 = 100.0 + number % 97, 50.0 + (number * 7) % 89
    return Evaluation(
        *(study_id, number, {"pv.capacity_kw": number % 13 + 0.5, "battery.capacity_kwh": number % 7 * 2.0}),
        *("failed" if number % 50 == 49 else "success", "house", 24, "milp", number // 100),
        objectives={} if number % 50 == 49 else {"total_cost": cost, "total_co2": co2},
        fitness=None if number % 50 == 49 else cost,
        kpis=Kpis() if number % 50 == 49 else Kpis(cost, co2, renewable_fraction=number % 100 / 100),
    )


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Two studies with 3,000 evaluations each; first and second, each with a front of twenty designs."""
    folder = tmp_path_factory.mktemp("results")
    with Store.open(folder) as store:
        for study_id in ("first", "second"):
            store.create_study(NewStudy(study_id, "genetic_algorithm", objectives=COST_CO2))
            store.record([evaluation(study_id, number) for number in range(COUNT)])
            front = Front([f"{study_id}-{number:07d}" for number in range(20)], 3.5)
            store.record_generation(
                Generation(study_id, 0, best_fitness=100.0, average_fitness=110.0, front=front)
            )
            store.finish_study(study_id, "completed", execution_time_seconds=12.0)
    return folder


def page(results, name="", **params):
    """A page of the app as its address asks for it."""
    made = AppTest.from_file(app.__file__, default_timeout=60)
    made._page_hash = calc_hash(name) if name else ""
    for key, value in params.items():
        made.query_params[key] = value
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("ECOSYSTEMISER_RESULTS", str(results))
        made.run()
    assert not made.exception, made.exception[0].value
    return made


def texts(made, *kinds):
    return [element.value for kind in kinds for element in made.get(kind)]


# -- what they show


def test_the_studies_are_listed_with_their_state(results):
    made = page(results)
    frame = made.dataframe[0].value
    assert frame["study"].tolist() == ["second", "first"]
    assert frame["runs"].tolist() == [COUNT, COUNT]
    assert set(frame["state"]) == {"✓ completed"}
    assert page(results, find="FIRST").dataframe[0].value["study"].tolist() == ["first"]
    assert "No study fits." in texts(page(results, find="third"), "info")


def test_the_runs_come_in_pages(results):
    made = page(results, "runs")
    assert len(made.dataframe[0].value) == 100
    assert f"Runs 1 to 100 of {2 * COUNT:,}" in texts(made, "text")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("ECOSYSTEMISER_RESULTS", str(results))
        next(button for button in made.button if button.label == "Next").click().run()
    assert made.dataframe[0].value["run_id"].iloc[0] == "first-0000100"
    assert f"Runs 101 to 200 of {2 * COUNT:,}" in texts(made, "text")


def test_the_runs_are_filtered_and_ordered(results):
    made = page(
        results, "runs", study="second", where="renewable_fraction>=0.97", by="total_cost", falling="true"
    )
    frame = made.dataframe[0].value
    assert set(frame["run_id"].str[:6]) == {"second"}
    assert frame["renewable_fraction"].min() >= 0.97
    assert frame["total_cost"].is_monotonic_decreasing
    failed = page(results, "runs", status="failed").dataframe[0].value
    assert len(failed) == 100
    assert set(failed["status"]) == {"✗ failed"}


def test_a_study_shows_its_front_and_its_kinds(results):
    made = page(results, "study", study="first")
    assert texts(made, "title") == ["Study first"]
    assert any("3,000 evaluations" in text for text in texts(made, "text"))
    kinds = page(results, "study", study="first", view="Kinds of design").dataframe[0].value
    assert kinds["designs"].sum() == 20
    assert kinds["kind"].tolist() == list("ABCDEF")
    generations = page(results, "study", study="first", view="Convergence").dataframe[0].value
    assert generations["hypervolume"].tolist() == [3.5]


def test_runs_stand_beside_each_other_with_their_differences(results):
    made = page(results, "compare-runs", run=["first-0000001", "second-0000014"])
    kpis, differ = (frame.value for frame in made.dataframe[:2])
    cost = kpis[kpis["KPI"] == "total cost"].iloc[0]
    assert cost.tolist() == ["total cost", "€", "101.0", "114.0", "+13.00 (+12.9 %)"]
    assert dict(zip(differ["what"], differ["second-0000014"], strict=True)) == {
        "battery.capacity_kwh": "0",
        "study_id": "second",
    }


def test_studies_stand_beside_each_other(results):
    frame = page(results, "compare-studies", study=["first", "second"]).dataframe[0].value
    assert frame["covers first"].tolist()[1] == 1.0
    assert frame["front"].tolist() == [20, 20]


def test_a_run_shows_what_it_is_and_why_it_failed(results):
    made = page(results, "run", run="first-0000049")
    assert any("✗ failed" in text for text in texts(made, "text"))
    assert any("no reason is recorded" in text for text in texts(made, "warning"))


def test_the_community_is_shown_by_quarter_hours(tmp_path):
    from schema.community.records import begin_cycle, record_results
    from schema.community.results_files import ENERGY_COLUMNS, Results
    from schema.community.ticks import as_text

    np = pytest.importorskip("numpy")
    tick = tick_of(datetime.now(UTC))
    with Backend.open(tmp_path / "community") as backend:
        add_example_households(backend, 3)
        with backend.reading() as connection:
            users = [row[0] for row in connection.exec_driver_sql("SELECT id FROM users")]
        begin_cycle(backend, tick)
        energies = {name: np.full(3, 0.5) for name in ENERGY_COLUMNS}
        found = Results(users, [as_text(tick)] * 3, energies)
        record_results(backend, tick, found, None, {"users": 3, "shared_kwh": 0.25})
    made = page(tmp_path, "community")
    assert texts(made, "success") == ["Healthy"]
    figures = {metric.label: metric.value for metric in made.metric}
    assert figures["Active users"] == "3"
    assert (figures["Generation"], figures["Shared"]) == ("1.500 kWh", "0.2500 kWh")
    assert made.dataframe[0].value["generation [kWh]"].tolist() == [1.5]
    with Backend.open(tmp_path / "community") as backend, backend.writing() as connection:
        old = as_text(tick - timedelta(days=2))
        connection.exec_driver_sql(f"UPDATE energy_data SET timestamp = '{old}'")
    assert any(
        "no data for" in text.replace("\\", "") for text in texts(page(tmp_path, "community"), "error")
    )


# -- what they tell where something is wrong


def test_an_empty_folder_is_told_on_every_page(tmp_path):
    assert any("no results in" in text for text in texts(page(tmp_path), "info"))
    for name in ("runs", "study", "compare-studies"):
        assert any("there are no results" in text for text in texts(page(tmp_path, name), "error"))
    assert any("no community" in text for text in texts(page(tmp_path, "community"), "info"))
    assert list(tmp_path.iterdir()) == []


def test_an_older_database_is_not_migrated_but_told(tmp_path):
    oldest = min(DATABASES.glob("*.sqlite*"))
    shutil.copy(oldest, tmp_path / "simulation_index.sqlite")
    before = (tmp_path / "simulation_index.sqlite").read_bytes()
    told = texts(page(tmp_path), "error")
    assert "ecosystemiser db migrate" in told[0].replace("\\", "")
    assert (tmp_path / "simulation_index.sqlite").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "params", "words"),
    [
        ("runs", {"where": "pv.capacity_kv>3"}, "did you mean pv.capacity_kw?"),
        ("runs", {"where": "total_cost>"}, "cannot be read"),
        ("runs", {"where": "x; DROP TABLE studies"}, "cannot be read"),
        ("runs", {"study": "frist"}, "did you mean first?"),
        ("study", {"study": "frist"}, "did you mean first?"),
        ("run", {"run": "first-9999999"}, "there is no run"),
        ("run", {"run": "first-0000001"}, "was recorded without its system"),
        ("compare-runs", {"run": ["a", "b"]}, "there is no run 'a'"),
    ],
)
def test_wrong_words_are_told_kindly(results, name, params, words):
    told = " ".join(texts(page(results, name, **params), "error")).replace("\\", "")
    assert words in told


# -- what they ask


def test_no_question_of_the_first_pages_reads_a_whole_table(results, monkeypatch):
    asked = []

    @contextmanager
    def watched(folder):
        with opened(folder) as store:
            store.connection.set_trace_callback(asked.append)
            yield store

    monkeypatch.setattr(sources, "opened", watched)
    for name, params in (("", {}), ("runs", {}), ("runs", {"study": "first"}), ("study", {"study": "first"})):
        page(results, name, **params)
    questions = [sql for sql in asked if re.search(r"\b(study_runs|simulation_runs)\b", sql)]
    assert len(questions) > 10
    with opened(results) as store:
        plans = {
            sql: [row["detail"] for row in store.connection.execute(f"EXPLAIN QUERY PLAN {sql}")]
            for sql in questions
            if sql.startswith("SELECT") and not sql.startswith("SELECT name, type")
        }
    scanned = {
        sql: step
        for sql, plan in plans.items()
        for step in plan
        if re.match(r"SCAN (e|s|study_runs|simulation_runs)\b(?! USING)", step)
    }
    assert scanned == {}
    # Whatever walks along an index of all runs ends with the page.
    walked = [sql for sql, plan in plans.items() if any(re.match(r"SCAN (e|s)\b", step) for step in plan)]
    assert walked
    assert [sql for sql in walked if " LIMIT " not in sql] == []


# -- how it is served


def test_the_port_is_the_usual_one_or_the_next_that_is_free():
    import socket

    with socket.socket() as taken:
        taken.bind((serving.HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"{port} cannot be served on"):
            serving.free_port(port)
    assert serving.free_port(0) > 0
    assert serving.free_port(None) in range(serving.USUAL_PORT, serving.USUAL_PORT + 20)


def test_without_the_extra_one_line_says_what_to_install(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "streamlit" else found(name)
    )
    with pytest.raises(InputError) as told:
        serving.require_extra()
    assert (
        str(told.value) == "the dashboard needs Streamlit: install the project with its extra, '.[dashboard]'"
    )


def test_signs_of_markdown_are_nothing_but_signs():
    assert plain("**x** <img onerror=1> [x](javascript:1)") == (
        r"\*\*x\*\* \<img onerror\=1\> \[x\]\(javascript\:1\)"
    )
    assert plain("a\n# b\n\n- c") == r"a \# b \- c"
