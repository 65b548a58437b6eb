"""The flow of a single study: one design, dispatched and recorded."""

from __future__ import annotations

from pathlib import Path

from prefect import State, flow

from flows.under_way import RESULTS, Step, finished_before, study_name, under_way
from schema.studies import SingleStudy
from tasks.convergence import Convergence
from tasks.workers import Runner


@flow(name="single-study", flow_run_name=study_name)
def single_study(
    study: Path,
    results: Path = RESULTS,
    workers: int | None = 1,
    runner: Runner = "threads",
    dask_address: str | None = None,
    resume: bool = True,
    retry_failed: bool = False,
) -> State[str]:
    """Dispatch one design and record it.

    Args:
        study: the study's file.
        results: the results folder; what ECOSYSTEMISER_RESULTS names unless told, else `results`.
        workers: how many evaluate at once; one is enough.
        runner: `processes`, `threads` or `dask`.
        dask_address: the scheduler of a Dask cluster; with `dask`, one on this machine is started unless told.
        resume: go on with an interrupted study of the same content.
        retry_failed: evaluate again what failed.

    Returns:
        The flow run's state, with the study's final status; `finished before` where nothing was left to do.

    Raises:
        InputError: the study is not valid, its id is taken, or the design that it names is not there.
        StudyAliveError: another process is running it.
    """
    with under_way(
        SingleStudy,
        study,
        results,
        workers=workers,
        runner=runner,
        dask_address=dask_address,
        resume=resume,
        retry_failed=retry_failed,
    ) as run:
        if run is None:
            return finished_before()
        designs = run.numbered([run.bases[0].values])
        answers = run.evaluate(designs, Step(1, 1, "design"), keep_series=run.asked.timeseries == "all")
        convergence = Convergence(run.asked, measured=False)
        convergence.take_in(answers)
        run.record.front(convergence)
        return run.finish()
