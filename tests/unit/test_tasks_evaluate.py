"""An evaluation always ends in a result: solved, infeasible or failed, and told apart."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from schema.failure_rules import FailureRules
from schema.store.records import KPI_COLUMNS
from schema.study import SolverSettings
from schema.system import System
from solvers.dispatch import Dispatcher
from tasks.evaluate import Assignment, Design, Evaluator
from tasks.workers import ThreadWorkers, WorkersError, chunks_of

STEPS = 24


def assignment(results, **solver):
    system = System.model_validate(
        {
            "system": "house",
            "horizon": {"start": "2019-01-01T00:00", "steps": STEPS},
            "components": {
                "grid": {"type": "grid", "import_limit_kw": 2.5, "import_price_eur_per_kwh": 0.3},
                "pv": {"type": "solar_pv", "capacity_kw": 2, "profile": "sun"},
                "battery": {"type": "battery", "capacity_kwh": 4, "power_kw": 2},
                "load": {"type": "power_demand", "profile": "load"},
            },
        }
    )
    hours = np.arange(STEPS)
    sun = np.clip(np.sin((hours - 6) / 12 * np.pi), 0, None)
    series = {"sun": sun, "load": 1 + 0.5 * np.cos(hours)}
    return Assignment(system, series, "hash", SolverSettings(**solver), "s", results)


GOOD = {"pv.capacity_kw": 3.0, "battery.capacity_kwh": 5.0}
INFEASIBLE = {"load.scale": 10.0}
IMPOSSIBLE = {"pv.capacity_kw": -1.0}


def statuses(results):
    return [result.status for result in results]


def test_each_design_has_its_own_result_in_order_whatever_befalls_the_others(tmp_path):
    designs = [Design(i, values) for i, values in enumerate([GOOD, IMPOSSIBLE, INFEASIBLE, GOOD])]
    results = Evaluator(assignment(tmp_path)).evaluate(designs)
    assert [result.design.number for result in results] == [0, 1, 2, 3]
    assert statuses(results) == ["success", "failed", "infeasible", "success"]
    assert results[0].kpis == results[3].kpis


def test_a_solved_design_has_all_kpis_and_they_are_a_fresh_dispatcher_s(tmp_path):
    given = assignment(tmp_path)
    (result,) = Evaluator(given).evaluate([Design(0, GOOD)])
    assert set(KPI_COLUMNS) <= set(result.kpis)
    assert dict(result.kpis) == dict(Dispatcher(given.system, given.series, given.solver).dispatch(GOOD).kpis)
    assert result.details["solver_status"] == "optimal"
    assert 0 < result.solver_seconds < result.seconds
    assert result.started_at <= datetime.now(UTC)


def test_a_failure_and_an_infeasible_design_have_a_message_and_no_numbers(tmp_path):
    failed, infeasible = Evaluator(assignment(tmp_path)).evaluate(
        [Design(0, IMPOSSIBLE), Design(1, INFEASIBLE)]
    )
    assert "capacity_kw" in failed.message
    assert infeasible.message
    assert failed.kpis == infeasible.kpis == {}


def test_a_path_that_the_system_does_not_have_fails_its_design_alone(tmp_path):
    designs = [Design(0, {"roof.capacity_kw": 1.0}), Design(1, GOOD)]
    assert statuses(Evaluator(assignment(tmp_path)).evaluate(designs)) == ["failed", "success"]


def test_a_model_that_cannot_be_compiled_fails_every_design_and_raises_nothing(tmp_path):
    given = assignment(tmp_path)
    broken = Assignment(given.system, {}, "hash", given.solver, "s", tmp_path)  # no profiles
    results = Evaluator(broken).evaluate([Design(0, GOOD), Design(1, GOOD)])
    assert statuses(results) == ["failed", "failed"]
    assert all(result.message for result in results)


def test_a_time_limit_without_an_answer_is_a_failure_that_says_so(tmp_path):
    (result,) = Evaluator(assignment(tmp_path, time_limit_seconds=1e-9)).evaluate([Design(0, GOOD)])
    assert result.status == "failed"
    assert "limit" in result.message
    assert result.kpis == {}


@pytest.mark.parametrize(("policy", "status"), [("accept", "success"), ("fail", "failed")])
def test_what_becomes_of_a_dispatch_at_the_time_limit_holds_for_hybrid_too(tmp_path, policy, status):
    parts = {
        "grid": {"type": "grid", "import_limit_kw": 5, "export_limit_kw": 5,
                 "import_price_eur_per_kwh": 0.3, "export_price_eur_per_kwh": 0.5},
        "pv": {"type": "solar_pv", "capacity_kw": 2, "profile": "sun"},
        "load": {"type": "power_demand", "profile": "load"},
    }  # fmt: skip
    given = assignment(tmp_path, method="hybrid", time_limit_seconds=1e-9)
    # Sold for more than it costs: the relaxation buys and sells at once, and only the scout has an answer in time.
    system = System.model_validate(
        {"system": "house", "horizon": given.system.horizon.model_dump(), "components": parts}
    )
    limited = replace(given, system=system, failures=FailureRules(at_time_limit=policy))
    (result,) = Evaluator(limited).evaluate([Design(0, {})])
    assert result.status == status, result.message
    assert result.limited
    assert result.details["reached_time_limit"]
    assert result.details["attempts"] == ["rules"]


def test_results_do_not_depend_on_what_was_evaluated_before(tmp_path):
    rng = np.random.default_rng(1)
    designs = [
        Design(i, {"pv.capacity_kw": float(a), "battery.capacity_kwh": float(b)})
        for i, (a, b) in enumerate(rng.uniform(0, 10, (12, 2)))
    ]
    forward = Evaluator(assignment(tmp_path)).evaluate(designs)
    backward = Evaluator(assignment(tmp_path)).evaluate([Design(99, INFEASIBLE), *reversed(designs)])[1:]
    assert [r.kpis for r in forward] == [r.kpis for r in reversed(backward)]


def test_kept_series_lie_where_the_result_says_and_read_back(tmp_path):
    (result,) = Evaluator(assignment(tmp_path)).evaluate([Design(7, GOOD)], keep_series=True)
    assert result.files is not None
    assert result.files.results_path == "simulation_runs/s/s-0000007"
    flows = pd.read_parquet(tmp_path / result.files.flows_path)
    assert len(flows) == STEPS
    assert any(name.startswith("grid.") for name in flows.columns)


def test_designs_without_an_answer_keep_no_files(tmp_path):
    results = Evaluator(assignment(tmp_path)).evaluate(
        [Design(0, INFEASIBLE), Design(1, IMPOSSIBLE)], keep_series=True
    )
    assert [result.files for result in results] == [None, None]
    assert not (tmp_path / "simulation_runs").exists()


def test_a_folder_that_cannot_be_written_is_not_the_design_s_fault(tmp_path):
    (tmp_path / "simulation_runs").write_text("a file where the folder should be")
    hasty = replace(assignment(tmp_path), failures=FailureRules(storage_patience_seconds=0))
    (result,) = Evaluator(hasty).evaluate([Design(0, GOOD)], keep_series=True)
    assert result.status == "success"
    assert result.kpis
    assert result.files is None
    assert "cannot be written" in result.unwritten


# -- chunks


def sizes(count, workers, seconds):
    designs = [Design(i, {}) for i in range(count)]
    chunks = chunks_of(designs, workers, seconds)
    assert [d for chunk in chunks for d in chunk] == designs
    return [len(chunk) for chunk in chunks]


def test_designs_that_are_evaluated_together_are_shared_out_evenly_however_long_they_take():
    designs = [Design(i, {}) for i in range(7)]
    assert [len(chunk) for chunk in chunks_of(designs, 2, 3.0, together=True)] == [4, 3]
    assert chunks_of([], 2, None, together=True) == []


def test_a_slow_evaluation_is_a_chunk_of_its_own():
    assert sizes(5, 2, 3.0) == [1] * 5


def test_quick_evaluations_are_shared_out_evenly():
    assert sizes(50, 2, 0.003) == [25, 25]
    assert sizes(50, 4, 0.003) == [13, 13, 13, 11]


def test_a_chunk_takes_about_half_a_second_and_the_last_ones_less():
    assert sizes(50, 2, 0.05) == [10, 10, 7, 5, 4, 3, 2, 2, 1, 1, 1, 1, 1, 1, 1]
    assert sizes(70, 2, 0.15) == [3] * 20 + [2, 2] + [1] * 6
    assert sizes(300, 2, 0.01) == [50, 50, 50, 37, 28, 21, 16, 12, 9, 6, 5, 5, 5, 5, 1]


@pytest.mark.parametrize("seconds", [0.004, 0.02, 0.1, 0.4])
def test_at_the_end_no_worker_waits_longer_for_another_than_a_small_chunk_takes(seconds):
    ends = [0.0, 0.0, 0.0]
    for size in sizes(500, 3, seconds):
        ends[ends.index(min(ends))] += size * seconds
    assert max(ends) - min(ends) <= max(seconds, 0.06) + 1e-9


@pytest.mark.parametrize("unknown", [None, 0.0])
def test_before_anything_was_measured_there_are_several_chunks_for_each_worker(unknown):
    assert sizes(40, 2, unknown) == [5] * 5 + [3, 3, 2] + [1] * 7
    assert sizes(3, 2, unknown) == [1, 1, 1]


def test_nothing_to_do_is_no_chunk_and_more_workers_than_designs_do_no_harm():
    assert sizes(0, 2, None) == []
    assert sizes(2, 8, 0.001) == [1, 1]


def test_threads_of_a_study_that_ended_take_no_more(tmp_path):
    with ThreadWorkers(assignment(tmp_path)) as workers:
        assert statuses(workers.evaluate([Design(0, GOOD)])) == ["success"]
    with pytest.raises(WorkersError, match="broken off"):
        workers.evaluate([Design(1, GOOD)])


def test_a_design_that_cannot_be_says_in_one_line_which_number_is_wrong(tmp_path):
    (result,) = Evaluator(assignment(tmp_path)).evaluate([Design(0, {"battery.capacity_kwh": -1.5})])
    assert result.status == "failed"
    assert result.message.startswith("not a valid design: capacity_kwh = -1.5: ")
    assert "\n" not in result.message
