"""Steps of a study as Prefect tasks: thin wrappers that add names and records; the logic stands elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefect import State, task
from prefect.cache_policies import NO_CACHE
from prefect.states import Completed, Failed

from schema.study import SolverSettings
from tasks.evaluate import Design, Result
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
) -> list[Result]:
    """Evaluate a chunk of designs by the study's workers; failures are results and never raise."""
    _ = study_id, label  # they name the task run
    by: Workers = workers
    return by.evaluate(chunk, keep_series=keep_series)


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
