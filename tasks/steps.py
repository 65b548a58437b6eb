"""Steps of a study as Prefect tasks: thin wrappers that add names and records; the logic stands elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.evaluate import Design, Result
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
