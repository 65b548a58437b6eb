"""Evaluations that are tried again, and the record of what went before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from schema.base import Value
from schema.failure_rules import FailureRules
from schema.store.values import utc_text
from schema.study import SolverSettings
from tasks.evaluate import Result
from tasks.workers import Workers

TIME_LIMIT = "solver.time_limit_seconds"


def is_tried_again(result: Result, rules: FailureRules) -> bool:
    """Whether a result is not the last word: it failed by chance, or ran into a limit that may be widened.

    A design that is infeasible, or whose numbers are not valid, would be so again.
    """
    if result.limited:
        return rules.at_time_limit == "retry"
    return result.status == "failed" and not result.conclusive


def try_again(
    before: Result, attempt: int, workers: Workers, solver: SolverSettings, *, keep_series: bool = False
) -> Result:
    """Evaluate a design again, with twice the time for each attempt where the time limit was reached.

    Args:
        before: how it did the last time.
        attempt: which one this is; the second is the first retry.
        workers: who evaluates.
        solver: the study's settings.
        keep_series: write its time series.

    Returns:
        The new result; the one before where that has a dispatch and the new one has not. Its `details` list what
        went before in `earlier_attempts`.
    """
    values: Mapping[str, Value] = before.design.values
    if before.limited:
        limit = float(values.get(TIME_LIMIT, solver.time_limit_seconds))
        values = {**values, TIME_LIMIT: limit * 2 ** (attempt - 1)}
    (found,) = workers.evaluate([replace(before.design, values=values)], keep_series=keep_series)
    taken = before if before.status == "success" and found.status != "success" else found
    earlier = [*_earlier(before), _told(before if taken is found else found)]
    return replace(taken, design=before.design, details={**taken.details, "earlier_attempts": earlier})


def _earlier(result: Result) -> list[Mapping[str, object]]:
    told = result.details.get("earlier_attempts", [])
    return list(told) if isinstance(told, list) else []


def _told(result: Result) -> Mapping[str, object]:
    return {
        "status": result.status,
        "begun": utc_text(result.started_at),
        "seconds": result.seconds,
        "message": result.message,
    }
