"""Steps of a study as Prefect tasks: thin wrappers that add names and records; the logic stands elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from prefect import State, task
from prefect.cache_policies import NO_CACHE
from prefect.states import Completed, Failed

from schema.base import Value
from schema.study import SolverSettings
from tasks.evaluate import Design, EvaluationStatus, Result
from tasks.retrying import try_again
from tasks.workers import Workers


@task(
    name="evaluate",
    task_run_name="{study_id} {label}",
    cache_policy=NO_CACHE,
    persist_result=False,
    log_prints=False,
)
def evaluate_chunk(
    chunk: Sequence[Design],
    workers: Any,
    study_id: str,
    label: str,
    *,
    keep_series: bool = False,
) -> State[list[Result]]:
    """Evaluate a chunk of designs by the study's workers; failures are results and never raise."""
    _ = study_id, label  # they name the task run
    by: Workers = workers
    results = by.evaluate(chunk, keep_series=keep_series)
    counts = Counter(result.status for result in results)
    told = ", ".join(f"{counts[status]} {word}" for status, word in _OUTCOMES.items() if counts[status])
    name = "With failures" if counts["failed"] else None
    return Completed(name=name, message=told, data=results) if name else Completed(message=told, data=results)


_OUTCOMES: Mapping[EvaluationStatus, str] = {
    "success": "solved",
    "infeasible": "infeasible",
    "failed": "failed",
}


@task(
    name="evaluate again",
    task_run_name="{study_id} evaluation {number}, attempt {attempt}",
    cache_policy=NO_CACHE,
    persist_result=False,
    log_prints=False,
)
def evaluate_again(
    before: Result,
    workers: Any,
    solver: SolverSettings,
    study_id: str,
    number: int,
    attempt: int,
    *,
    keep_series: bool = False,
) -> State[Result]:
    """Evaluate one design again; a task run that has failed is an evaluation that has."""
    _ = study_id, number  # they name the task run
    by: Workers = workers
    result = try_again(before, attempt, by, solver, keep_series=keep_series)
    if result.status == "failed":
        return Failed(message=result.message, data=result)
    return Completed(message=f"{result.message}; the attempt before: {before.message}", data=result)


@task(
    name="failed evaluation",
    task_run_name="{study_id} evaluation {number} failed",
    cache_policy=NO_CACHE,
    persist_result=False,
    log_prints=False,
)
def tell_failure(study_id: str, number: int, reason: str, values: Mapping[str, Value]) -> State[str]:
    """Let an evaluation that failed for good stand out in the Prefect UI, as a task run that has failed."""
    _ = study_id, number  # they name the task run
    told = ", ".join(f"{n} = {v if isinstance(v, str) else f'{v:.6g}'}" for n, v in values.items())
    return Failed(message=f"{reason} ({told})", data=reason)


@task(
    name="explain",
    task_run_name="{study_id} why there is no dispatch",
    cache_policy=NO_CACHE,
    persist_result=False,
    log_prints=False,
)
def explain_infeasible(design: Design, workers: Any, study_id: str) -> tuple[str, ...]:
    """Why a design cannot be dispatched, in a few lines."""
    _ = study_id  # it names the task run
    by: Workers = workers
    return by.explain(design)
