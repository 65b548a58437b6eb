"""A schedule runs the same study again and again: each time under an id of its own, with the time appended."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC

from prefect.context import FlowRunContext

from schema.loading import LoadedStudy

_LONGEST_ID = 64


def scheduled_id(study_id: str) -> str:
    """The study's id in this flow run: `house_front_20260621T1200Z` where a schedule started it.

    A retry keeps the time for which the run was scheduled, and goes on with the study.
    """
    context = FlowRunContext.get()
    run = None if context is None else context.flow_run
    if run is None or not run.auto_scheduled or run.expected_start_time is None:
        return study_id
    at = run.expected_start_time.astimezone(UTC)
    time = f"_{at:%Y%m%dT%H%MZ}" if at.second == 0 else f"_{at:%Y%m%dT%H%M%SZ}"
    return study_id[: _LONGEST_ID - len(time)] + time


def as_scheduled(loaded: LoadedStudy) -> LoadedStudy:
    """The study with its id in this flow run."""
    study = loaded.study
    return replace(loaded, study=study.model_copy(update={"study": scheduled_id(study.study)}))
