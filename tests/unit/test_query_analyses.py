"""Analyses that are recorded and asked for, and what became of a run each time it was tried."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from schema.errors import InputError
from schema.store import queries
from schema.store.records import Evaluation, NewStudy, RunFiles, RunStart, Sensitivity, Uncertainty
from schema.store.store import Store


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path) as opened:
        opened.create_study(NewStudy("risk", "monte_carlo", objectives={"total_cost": "minimise"}))
        yield opened


def evaluation(number=0, status="success", **changes):
    solved = {"objectives": {"total_cost": 5.0}, "fitness": 5.0} if status == "success" else {}
    return Evaluation("risk", number, {"a.b": 1.0}, status, "x", 1, "milp", **{**solved, **changes})


def start(number=0):
    return RunStart("risk", number, "x", 1, "milp")


def test_an_analysis_comes_back_as_it_was_recorded(store):
    ids = store.record_uncertainty(
        [Uncertainty("risk", "total_cost", mean_value=5.0, cvar_95=float("nan"), metadata={"failed": 3})]
    )
    row = queries.uncertainty(store.connection, "risk")[0]
    assert (row["analysis_id"], row["mean_value"], row["cvar_95"]) == (ids[0], 5.0, None)
    assert row["metadata_json"] == {"failed": 3}


def test_an_analysis_recorded_anew_takes_the_place_of_the_last_one(store):
    first = store.record_uncertainty([Uncertainty("risk", "total_cost", mean_value=1.0)])
    store.record_sensitivity([Sensitivity("risk", "total_cost", "a.b", 0, first[0], sobol_total=0.5)])
    again = store.record_uncertainty([Uncertainty("risk", "total_cost", mean_value=2.0)])
    store.record_uncertainty([Uncertainty("risk", "total_cost", "risk-0000000", mean_value=3.0)])
    assert again == first
    found = queries.uncertainty(store.connection, "risk")
    assert [(row["target_solution_id"], row["mean_value"]) for row in found] == [
        (None, 2.0),
        ("risk-0000000", 3.0),
    ]
    assert len(queries.sensitivity(store.connection, "risk")) == 1


def test_sensitivities_are_told_by_importance_and_stand_once(store):
    for total in (0.3, 0.7):
        store.record_sensitivity(
            [
                Sensitivity("risk", "total_cost", "a.b", 0, sobol_total=total, importance_rank=2),
                Sensitivity("risk", "total_cost", "c.d", 1, sobol_total=0.9, importance_rank=1),
                Sensitivity("risk", "total_co2", "a.b", 0, mu_star=2.0),
            ]
        )
    rows = queries.sensitivity(store.connection, "risk", "total_cost")
    assert [(row["parameter_name"], row["sobol_total"]) for row in rows] == [("c.d", 0.9), ("a.b", 0.7)]
    assert len(queries.sensitivity(store.connection, "risk")) == 3
    with pytest.raises(InputError, match="did you mean total_cost"):
        queries.sensitivity(store.connection, "risk", "total_costs")


def test_analyses_of_no_study_are_refused_whole(store):
    with pytest.raises(InputError, match="did you mean risk"):
        store.record_sensitivity([Sensitivity("risk", "x", "a.b", 0), Sensitivity("riisk", "x", "a.b", 0)])
    assert queries.sensitivity(store.connection, "risk") == []


def test_analyses_go_with_their_study(store):
    given = store.record_uncertainty([Uncertainty("risk", "total_cost")])
    store.record_sensitivity([Sensitivity("risk", "total_cost", "a.b", 0, given[0])])
    store.delete_study("risk")
    for table in ("uncertainty_analysis", "sensitivity_analysis", "kpi_zones"):
        assert store.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 0


def told(store, run_id="risk-0000000"):
    rows = queries.run_history(store.connection, run_id)
    return [(row["attempt"], row["simulation_status"], row["interrupted"]) for row in rows]


def test_a_run_that_went_well_was_tried_once(store):
    store.start_runs([start()])
    assert told(store) == [(1, "running", False)]
    details = {"message": "optimal", "attempts": ["warm", "cold"]}
    store.record([evaluation(evaluation_time_seconds=2.0, metadata=details)])
    store.attach_files({"risk-0000000": RunFiles("a", "b", "c")})
    row = queries.run_history(store.connection, "risk-0000000")[0]
    assert (row["message"], row["solver_attempts"]) == ("optimal", ["warm", "cold"])
    assert (row["evaluation_time_seconds"], row["settled"] >= row["begun"]) == (2.0, True)
    assert told(store) == [(1, "completed", False)]


def test_every_attempt_is_kept_with_how_it_ended(store):
    store.start_runs([start()])
    store.settle_interrupted("risk")
    store.start_runs([start()])
    store.record([evaluation(status="failed")])
    store.start_runs([start()])
    store.record([evaluation()])
    assert told(store) == [(1, "failed", True), (2, "failed", False), (3, "completed", False)]


def test_recording_again_is_an_attempt_only_where_it_ends_otherwise(store):
    store.record([evaluation(status="failed")])
    store.record([evaluation(status="failed")])
    assert len(told(store)) == 1
    store.record([evaluation()])
    store.record([evaluation()])
    assert told(store) == [(1, "failed", False), (2, "completed", False)]


def test_a_run_that_is_not_there_is_told(store):
    with pytest.raises(InputError, match="query runs"):
        queries.run_history(store.connection, "risk-0000009")


def test_times_that_repeat_are_told_all_the_same(store):
    store.record([evaluation(started_at=datetime(2026, 1, 1, tzinfo=UTC))])
    store.start_runs([start(1)])
    raw = store.connection.execute(
        "SELECT created_at IS NULL, updated_at IS NULL FROM simulation_runs ORDER BY run_id"
    ).fetchall()
    assert [tuple(row) for row in raw] == [(0, 1), (1, 1)]
    for number in (0, 1):
        row = queries.simulation_run(store.connection, f"risk-000000{number}")
        assert row["timestamp"] <= row["created_at"] <= row["updated_at"]
