"""`query`, `status` and `delete` on a real results folder."""

from __future__ import annotations

import csv
import io
import json
import shutil

import pytest
from typer.testing import CliRunner

from ecosystemiser.cli import app
from schema.store.records import Evaluation, Front, Generation, Kpis, NewStudy
from schema.store.store import Store

OBJECTIVES = {"total_cost": "minimise", "total_co2": "minimise"}


def evaluation(study, number, status="success", violations=None):
    values = {"total_cost": 100.0 - 10 * number, "total_co2": 1.0 + number**2}
    solved = status == "success"
    return Evaluation(
        study,
        number,
        {"pv.capacity_kw": float(number), "battery.capacity_kwh": 2.0 * number},
        status,
        "tiny",
        24,
        "milp",
        generation_number=1 + number // 4,
        objectives=values if solved else {},
        fitness=values["total_cost"] if solved else None,
        constraint_violations=violations or {},
        kpis=Kpis.of({**values, "renewable_fraction": number / 10}) if solved else Kpis(),
        metadata={"message": "optimal" if solved else "time limit reached"},
    )


def fill(folder, *studies):
    with Store.open(folder) as store:
        for study in studies:
            store.create_study(
                NewStudy(
                    study, "genetic_algorithm", objectives=OBJECTIVES, max_evaluations=10, max_generations=2
                )
            )
            store.record([evaluation(study, n) for n in range(6)])
            store.record([evaluation(study, 6, "failed"), evaluation(study, 7, violations={"x": 1.0})])
            ids = [f"{study}-{n:07d}" for n in range(6)]
            store.record_generation(Generation(study, 1, 70.0, 85.0, 100.0, front=Front(ids[:4], 50.0)))
            store.record_generation(Generation(study, 2, 50.0, 75.0, 90.0, front=Front(ids, 90.0)))
            store.record_final_front(study, Front(ids, 90.0))
            store.finish_study(study, "completed", execution_time_seconds=3.0)


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    folder = tmp_path_factory.mktemp("one")
    fill(folder, "house")
    return folder


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    fill(folder, "house", "school")
    return folder


def ask(folder, *words, status=0):
    result = CliRunner().invoke(app, [*words, "--results", str(folder)])
    assert result.exit_code == status, result.output
    return result


def rows(folder, *words):
    return json.loads(ask(folder, "query", *words, "--format", "json").stdout)


QUERIES = ["list-studies", "statistics", "runs", "best-designs", "pareto-front", "convergence"]


@pytest.mark.parametrize("query", QUERIES)
def test_every_query_gives_the_same_rows_in_every_format(one, query):
    found = rows(one, query)
    assert found
    as_csv = list(csv.DictReader(io.StringIO(ask(one, "query", query, "--format", "csv").stdout)))
    assert len(as_csv) == len(found)
    assert ask(one, "query", query).stdout.strip()


def test_rows_of_designs_carry_parameters_objectives_and_kpis_by_name(one):
    row = rows(one, "pareto-front")[0]
    assert row["run_id"] == "house-0000005"
    assert row["parameters"] == {"pv.capacity_kw": 5.0, "battery.capacity_kwh": 10.0}
    assert row["objectives"] == {"total_cost": 50.0, "total_co2": 26.0}
    assert row["renewable_fraction"] == 0.5


def test_designs_come_best_first_and_none_that_breaks_a_constraint(one):
    assert [r["evaluation_number"] for r in rows(one, "best-designs", "--limit", "2")] == [5, 4]
    assert rows(one, "best-designs", "--order-by", "total_co2")[0]["evaluation_number"] == 0
    ascending = rows(one, "best-designs", "--order-by", "renewable_fraction asc", "--limit", "1")
    assert ascending[0]["evaluation_number"] == 0


def test_runs_are_filtered_by_where_status_and_generation(one):
    assert [r["evaluation_number"] for r in rows(one, "runs", "--where", "pv.capacity_kw>=5")] == [5, 6, 7]
    assert [r["evaluation_number"] for r in rows(one, "runs", "--status", "failed")] == [6]
    generation = rows(one, "runs", "--generation", "1", "--order-by", "total_cost desc")
    assert [r["evaluation_number"] for r in generation] == [0, 1, 2, 3]


def test_a_front_of_an_earlier_generation_can_be_asked_for(one):
    assert len(rows(one, "pareto-front", "--generation", "1")) == 4


def test_the_knee_is_marked_once(one):
    assert ask(one, "query", "pareto-front").stdout.count("knee") == 1


def test_studies_are_filtered_by_type_status_and_date(two):
    assert len(rows(two, "list-studies", "--type", "ga", "--status", "completed")) == 2
    assert rows(two, "list-studies", "--type", "mc") == []
    assert rows(two, "list-studies", "--since", "2999-01-01") == []


@pytest.mark.parametrize("query", ["pareto-front", "convergence"])
def test_of_several_studies_one_must_be_named(two, query):
    result = ask(two, "query", query, status=2)
    assert result.stdout == ""
    assert "say which with --study-id: school, house" in result.stderr
    assert rows(two, query, "--study-id", "school")[0]["study_id"] == "school"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["runs", "--study-id", "hose"], "did you mean house?"),
        (["runs", "--where", "renewable>0.8"], "did you mean renewable_fraction?"),
        (["runs", "--where", "nonsense"], "cannot be read"),
        (["runs", "--status", "sucess"], "did you mean success?"),
        (["runs", "--order-by", "total_cost sideways"], "write a name"),
        (["best-designs", "--order-by", "total_cost up"], "asc or desc"),
        (["list-studies", "--since", "yesterday"], "a date such as"),
        (["list-studies", "--type", "gaa"], "did you mean ga?"),
        (["pareto-front", "--output", "front.gif"], "must end in .csv, .json, .xlsx, .png, .svg, .html"),
        (["best-designs", "--output", "best.png"], "must end in .csv, .json"),
        (["runs", "--output", "/no/such/folder/runs.csv"], "a folder that exists"),
        (["runs", "--limit", "0"], "--limit"),
        (["runs", "--format", "xml"], "--format"),
    ],
)
def test_wrong_input_is_status_two_and_says_what_would_be_right(one, words, told):
    result = ask(one, "query", *words, status=2)
    assert result.stdout == ""
    assert told in result.stderr


def test_no_results_are_told_and_nothing_is_made(tmp_path):
    result = ask(tmp_path / "none", "query", "list-studies", status=2)
    assert "run a study first" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_nothing_found_is_no_error(one):
    result = ask(one, "query", "runs", "--where", "total_cost<0")
    assert (result.stdout, result.stderr) == ("", "Nothing to show: no run fits.\n")
    assert rows(one, "runs", "--where", "total_cost<0") == []


@pytest.mark.parametrize("name", ["front.png", "front.svg", "front.html", "front.csv", "front.json"])
def test_a_front_is_written_to_a_file_of_any_kind(one, tmp_path, name):
    result = ask(one, "query", "pareto-front", "--output", str(tmp_path / name))
    assert (result.stdout, result.stderr) == ("", f"Written: {tmp_path / name}\n")
    assert [file.name for file in tmp_path.iterdir()] == [name]
    begins = {"png": b"\x89PNG", "svg": b"<?xml", "html": b"<!doc", "csv": b"run_id,", "json": b"[\n"}
    assert (tmp_path / name).read_bytes().startswith(begins[name.split(".")[1]])


def test_rows_are_printed_beside_the_file_where_a_format_is_asked_for(one, tmp_path):
    file = str(tmp_path / "c.png")
    assert len(json.loads(ask(one, "query", "convergence", "--output", file, "--format", "json").stdout)) == 2


def test_the_results_folder_can_come_from_the_environment(one):
    result = CliRunner(env={"ECOSYSTEMISER_RESULTS": str(one)}).invoke(app, ["query", "list-studies"])
    assert "house" in result.stdout


def test_the_status_of_a_study_tells_counts_and_what_is_next(one):
    told = ask(one, "status", "house").stdout
    assert "house: completed, 100 % done" in told
    assert "8 of 10: 7 solved, 0 infeasible, 1 failed" in told
    assert "total_cost 50.00 €" in told
    as_json = json.loads(ask(one, "status", "house", "--json").stdout)
    assert (as_json["state"], as_json["process"], as_json["evaluations"]) == ("completed", None, 8)


def test_a_study_that_nobody_runs_any_more_is_interrupted(tmp_path):
    with Store.open(tmp_path) as store:
        store.create_study(NewStudy("house", "genetic_algorithm", metadata={"study_path": "my house.yaml"}))
        store.update_study("house", status="running")
        with store.claim("house"):
            assert json.loads(ask(tmp_path, "status", "house", "--json").stdout)["state"] == "running"
    told = ask(tmp_path, "status", "house").stdout
    assert "house: interrupted" in told
    assert f"ecosystemiser run 'my house.yaml' --resume --results {tmp_path}" in told


def test_a_study_is_deleted_only_when_that_is_meant(one, tmp_path):
    folder = shutil.copytree(one, tmp_path / "copy")
    picture = folder / "pictures" / "house" / "front.png"
    picture.parent.mkdir(parents=True)
    picture.touch()
    assert "add --yes" in ask(folder, "delete", "house", status=2).stderr
    assert "did you mean house" in ask(folder, "delete", "huose", "--yes", status=2).stderr
    assert ask(folder, "delete", "house", "--yes").stderr == "Deleted: house, 8 evaluations\n"
    assert rows(folder, "list-studies") == []
    assert not picture.parent.exists()


def test_a_study_that_is_being_run_is_not_deleted(one, tmp_path):
    folder = shutil.copytree(one, tmp_path / "copy")
    with Store.open(folder) as store, store.claim("house"):
        assert "is being run by process" in ask(folder, "delete", "house", "--yes", status=2).stderr
    assert len(rows(folder, "list-studies")) == 1
