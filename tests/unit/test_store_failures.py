"""Failed evaluations that are evaluated again: what is forgotten, and what stays in their history."""

from __future__ import annotations

import pytest

from schema.store import queries
from schema.store.records import Evaluation, NewStudy, RunStart
from schema.store.store import Store


def evaluation(number, status, **told):
    return Evaluation(
        "house", number, {"pv.capacity_kw": float(number)}, status, "house", 24, "milp", metadata=told
    )


@pytest.fixture
def store(tmp_path):
    earlier = [{"status": "failed", "begun": "2026-01-02T00:00:00Z", "seconds": 0.5, "message": "first"}]
    with Store.open(tmp_path / "results") as opened:
        opened.create_study(NewStudy("house", "parametric", objectives={"total_cost": "minimise"}))
        opened.record(
            [
                evaluation(0, "infeasible", message="no"),
                evaluation(1, "failed", message="second", earlier_attempts=earlier),
            ]
        )
        opened.finish_study("house", "completed")
        yield opened


def history(store):
    rows = queries.run_history(store.connection, "house-0000001")
    return [(row["attempt"], row["simulation_status"], row["message"]) for row in rows]


def test_attempts_that_followed_each_other_at_once_are_part_of_a_run_s_history(store):
    assert history(store) == [(1, "failed", "first"), (2, "failed", "second")]


@pytest.mark.parametrize("forget", [True, False])
def test_failures_and_nothing_else_are_evaluated_again_and_why_they_failed_stays_told(store, forget):
    assert store.reopen_failed("house", forget=forget) == ["house-0000001"]
    study = store.study("house")
    numbers = [row["evaluation_number"] for row in queries.evaluations(store.connection, "house")]
    if forget:
        assert (study["status"], study["run_count"], numbers) == ("cancelled", 1, [0])
    else:
        assert (study["status"], study["run_count"], numbers) == ("completed", 2, [0, 1])
    store.start_runs([RunStart("house", 1, "house", 24, "milp")])
    store.record([evaluation(1, "infeasible", message="third")])
    assert history(store) == [
        (1, "failed", "first"),
        (2, "failed", "second"),
        (3, "infeasible", "third"),
    ]
    assert store.study("house")["run_count"] == 2


def test_where_nothing_failed_nothing_is_reopened(store):
    store.record([evaluation(1, "infeasible")])
    assert store.reopen_failed("house", forget=True) == []
    assert store.study("house")["run_count"] == 2
