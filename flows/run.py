"""Runs a study from beginning to end in this process, with whatever Prefect server there is."""

from __future__ import annotations

import atexit
import gc
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.session import ServerLostError, prefect_session
from schema.loading import LoadedStudy, load_study
from schema.store.store import Store
from schema.studies import Study
from tasks.bases import bases_of
from tasks.bookkeeping import look_up
from tasks.evaluate import Assignment
from tasks.workers import Runner, Workers, require_dask, workers_for

_WAITING = 64
"""Threads that wait for a Dask cluster, at least: it may grow in mid-study."""


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended.

    Attributes:
        study_id: the study.
        status: its status in the record.
        was_finished: nothing was left to do of the same study, and nothing was run.
        notice: what the user should know about the Prefect server, if anything.
    """

    study_id: str
    status: str
    was_finished: bool
    notice: str | None = None


def run_study(
    path: Path,
    results: Path,
    *,
    workers: int | None = None,
    runner: Runner = "processes",
    dask_address: str | None = None,
    resume: bool = False,
    retry_failed: bool = False,
) -> RunOutcome:
    """Run a study's flow, or find it finished.

    Args:
        path: the study's file.
        results: the results folder, made if there is none.
        workers: how many evaluate at once; unless told one a core, or as many as the Dask cluster has.
        runner: what the workers are.
        dask_address: the scheduler of a Dask cluster; with `dask`, one on this machine is started unless told.
        resume: go on with an interrupted study.
        retry_failed: evaluate settled failures again; goes on with an interrupted study too.

    Raises:
        InputError: the study is not valid, its id is taken, it was interrupted and `resume` is not set, or
            another study has not the design that it names; or the Dask cluster cannot be used.
        WorkersError: there is nobody to evaluate.
        StudyAliveError: another process is running it.
        ServerError: no Prefect server could be had, or it was lost.
    """
    # Else the interpreter looks through all objects once more as it leaves, for half a second.
    atexit.register(gc.freeze)
    require_dask(runner, dask_address)
    loaded = load_study(path)
    study_id = loaded.study.study
    with Store.open(results) as store:
        # Seen before a server is started: nothing to do, or nothing that may be done.
        if look_up(store, loaded, resume=resume, retry_failed=retry_failed) == "completed":
            row = store.study(study_id) or {}
            return RunOutcome(study_id, row["status"], was_finished=True)
        planned = loaded.study.planned * len(bases_of(store, loaded))
    pool = workers_for(runner, Assignment.of(loaded, results), workers, dask_address, planned=planned)
    how = {"workers": workers, "runner": runner, "dask_address": dask_address, "retry_failed": retry_failed}
    try:
        # Workers make themselves ready while Prefect does.
        with pool, prefect_session() as session:
            status = _run(loaded, pool, results, {**how, "resume": resume or retry_failed})
    except ServerLostError as error:
        ended = _ended(results, study_id)
        if ended is None:
            raise
        return RunOutcome(study_id, ended, was_finished=False, notice=f"{error.what} The study is complete.")
    return RunOutcome(study_id, status, was_finished=False, notice=session.notice)


def _run(loaded: LoadedStudy, pool: Workers, results: Path, how: Mapping[str, Any]) -> str:
    """Run the study's flow; its status in the record."""
    from prefect.exceptions import FailedRun
    from prefect.task_runners import ThreadPoolTaskRunner

    from flows.telling import CancelledInPrefect, settle_as_cancelled
    from flows.under_way import handed_over

    # Twice as many as evaluate: who comes next has begun its task when a worker is free.
    waiting = max(2 * pool.count, _WAITING if how["dask_address"] else 0)
    threads: Any = ThreadPoolTaskRunner(max_workers=waiting)
    flow = _flow_of(loaded.study).with_options(task_runner=threads)
    try:
        with handed_over(loaded, pool):
            return str(flow(loaded.path, results, **how))
    except CancelledInPrefect as cancelled:
        settle_as_cancelled(str(cancelled))
        raise
    except FailedRun:
        return "failed"  # as the record says: the study ran and found nothing


def _ended(results: Path, study_id: str) -> str | None:
    """The study's status where there is nothing left to do."""
    with Store.open(results, read_only=True) as store:
        row = store.study(study_id) or {}
    status = str(row.get("status"))
    ended = status == "completed" or (status == "failed" and row["metadata_json"].get("ended"))
    return status if ended else None


def _flow_of(study: Study) -> Any:
    from flows.genetic import genetic_study
    from flows.monte_carlo import monte_carlo_study
    from flows.parametric import parametric_study
    from flows.single import single_study

    flows = {
        "genetic_algorithm": genetic_study,
        "monte_carlo": monte_carlo_study,
        "parametric": parametric_study,
        "single": single_study,
    }
    return flows[study.type]
