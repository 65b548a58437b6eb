"""`query compare`, `uncertainty`, `sensitivity`, `history`, and Excel files, as users type them."""

from __future__ import annotations

import json
import re
import zipfile

import pytest
from typer.testing import CliRunner

from ecosystemiser.cli import app
from schema.store.records import Evaluation, Front, NewStudy, Sensitivity, Uncertainty
from schema.store.store import Store

OBJECTIVES = {"total_cost": "minimise", "total_co2": "minimise"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """house lies 1 below school in both objectives."""
    made = tmp_path_factory.mktemp("results")
    with Store.open(made) as store:
        for study_id, worse in {"house": 0.0, "school": 1.0}.items():
            store.create_study(
                NewStudy(study_id, "genetic_algorithm", study_name="=1+1", objectives=OBJECTIVES)
            )
            store.record(
                [
                    Evaluation(
                        *(study_id, n, {"a.b": float(n)}, "success", "x", 1, "milp", 1),
                        objectives={"total_cost": n + worse, "total_co2": 3 - n + worse},
                        fitness=n + worse,
                    )
                    for n in range(3)
                ]
            )
            store.record_final_front(study_id, Front([f"{study_id}-{n:07d}" for n in range(3)]))
        store.record_uncertainty([Uncertainty("house", "total_cost", mean_value=5.0)])
        store.record_sensitivity([Sensitivity("house", "total_cost", "a.b", 0, sobol_total=0.25)])
    return made


def ask(folder, *words, status=0):
    result = CliRunner().invoke(app, ["query", *words, "--results", str(folder)])
    assert result.exit_code == status, result.output
    return result


def rows(folder, *words):
    return json.loads(ask(folder, *words, "--format", "json").stdout)


def test_studies_are_compared_side_by_side(folder):
    house, school = rows(folder, "compare", "--study-ids", "house, school")
    assert (house["covers"], school["covers"]) == ({"school": 1.0}, {"house": 0.0})
    assert house["hypervolume"] > school["hypervolume"]
    table = ask(folder, "compare", "--study-ids", "house,school").stdout
    assert "covers school" in table
    assert "best total_cost" in table


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["compare", "--study-ids", "house"], "fewer than two"),
        (["compare", "--study-ids", "house,hous"], "did you mean house"),
        (["sensitivity", "--study-id", "house", "--objective", "cost"], "There is total_cost"),
        (["history", "house-1"], "there is no run"),
        (["uncertainty"], "several studies"),
    ],
)
def test_wrong_input_is_told(folder, words, told):
    assert told in ask(folder, *words, status=2).stderr


def test_analyses_are_shown(folder):
    assert rows(folder, "uncertainty", "--study-id", "house")[0]["mean_value"] == 5.0
    assert rows(folder, "sensitivity", "--study-id", "house")[0]["sobol_total"] == 0.25
    assert "mean value" in ask(folder, "uncertainty", "--study-id", "house").stdout
    assert "mu star" not in ask(folder, "sensitivity", "--study-id", "house").stdout
    assert "no analysis of uncertainty" in ask(folder, "uncertainty", "--study-id", "school").stderr


def test_the_history_of_a_run_is_shown(folder):
    assert rows(folder, "history", "house-0000001")[0]["simulation_status"] == "completed"
    assert "Attempts at house-0000001" in ask(folder, "history", "house-0000001").stdout


def test_rows_are_written_to_excel_with_numbers_as_numbers_and_no_formula(folder, tmp_path):
    pytest.importorskip("xlsxwriter", reason="Excel files need the extra `excel`")
    for words in (["compare", "--study-ids", "house,school"], ["runs"], ["list-studies"]):
        file = tmp_path / f"{words[0]}.xlsx"
        ask(folder, *words, "--output", str(file))
        with zipfile.ZipFile(file) as parts:
            sheet = parts.read("xl/worksheets/sheet1.xml").decode()
            texts = parts.read("xl/sharedStrings.xml").decode()
        assert "<f>" not in sheet
        assert "study_id" in texts
        assert re.search(r"<c [^>]*><v>[\d.]+</v></c>", sheet)
    assert "=1+1" in texts
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "compare.xlsx",
        "list-studies.xlsx",
        "runs.xlsx",
    ]


def test_an_excel_file_without_rows_and_one_that_cannot_be_written(folder, tmp_path):
    pytest.importorskip("xlsxwriter", reason="Excel files need the extra `excel`")
    empty = tmp_path / "empty.xlsx"
    ask(folder, "runs", "--where", "a.b>9", "--output", str(empty))
    assert zipfile.is_zipfile(empty)
    ask(folder, "runs", "--output", str(tmp_path / "no" / "x.xlsx"), status=2)
