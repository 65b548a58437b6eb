"""Failures that may be chance are tried again, limits widened; what went before is kept."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from schema.failure_rules import FailureRules
from schema.study import SolverSettings
from tasks.evaluate import Design, Result
from tasks.retrying import is_tried_again, try_again

SOLVER = SolverSettings(time_limit_seconds=10)
DESIGN = Design(4, {"pv.capacity_kw": 2.0})


def result(status="failed", message="m", **told):
    return Result(told.pop("design", DESIGN), status, message, datetime(2026, 1, 2, tzinfo=UTC), **told)


class Told:
    """Answers as it is told to, and keeps what it was asked."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def evaluate(self, designs, *, keep_series=False):
        (design,) = designs
        self.asked.append((design, keep_series))
        return [result(design=design, **self.answers.pop(0))]


@pytest.mark.parametrize(
    ("given", "at_time_limit", "again"),
    [
        (result(), "accept", True),
        (result("infeasible"), "accept", False),
        (result("success"), "accept", False),
        (result(conclusive=True), "retry", False),
        (result(limited=True), "accept", False),
        (result(limited=True), "fail", False),
        (result(limited=True), "retry", True),
        (result("success", limited=True), "accept", False),
        (result("success", limited=True), "retry", True),
    ],
)
def test_only_what_may_turn_out_otherwise_is_tried_again(given, at_time_limit, again):
    assert is_tried_again(given, FailureRules(at_time_limit=at_time_limit)) is again


def test_a_retry_keeps_the_design_and_tells_what_went_before():
    workers = Told({"status": "failed", "message": "worse"}, {"status": "success", "message": "optimal"})
    once = try_again(result(message="bad", seconds=0.5), 2, workers, SOLVER)
    twice = try_again(once, 3, workers, SOLVER, keep_series=True)
    assert [asked[0].values for asked in workers.asked] == [DESIGN.values] * 2
    assert [asked[1] for asked in workers.asked] == [False, True]
    assert (twice.status, twice.message, twice.design) == ("success", "optimal", DESIGN)
    told = [(one["status"], one["message"], one["seconds"]) for one in twice.details["earlier_attempts"]]
    assert told == [("failed", "bad", 0.5), ("failed", "worse", 0.0)]


def test_each_retry_at_the_time_limit_has_twice_the_time_of_the_one_before():
    limited = {"status": "failed", "limited": True}
    workers = Told(limited, {"status": "success"})
    once = try_again(result(limited=True), 2, workers, SOLVER)
    done = try_again(once, 3, workers, SOLVER)
    assert [asked[0].values["solver.time_limit_seconds"] for asked in workers.asked] == [20, 40]
    assert done.design.values == DESIGN.values


def test_a_dispatch_that_was_found_is_not_given_up_for_a_failure():
    before = result("success", "time limit reached", limited=True, kpis={"total_cost": 3.0})
    kept = try_again(before, 2, Told({"status": "failed", "message": "died"}), SOLVER)
    assert (kept.status, dict(kept.kpis)) == ("success", {"total_cost": 3.0})
    assert [one["message"] for one in kept.details["earlier_attempts"]] == ["died"]


def test_pauses_double():
    rules = FailureRules(pause_seconds=0.5)
    assert [rules.pause_before(attempt) for attempt in (2, 3, 4)] == [0.5, 1.0, 2.0]
