"""The flow of a parametric study: every design, recorded, and what each parameter does."""

from __future__ import annotations

from pathlib import Path

from prefect import State, flow

from flows.under_way import RESULTS, Step, finished_before, study_name, under_way
from schema.studies import ParametricStudy
from tasks.convergence import Convergence
from tasks.sweep import analyses, designs_of
from tasks.workers import Runner


@flow(name="parametric-study", flow_run_name=study_name)
def parametric_study(
    study: Path,
    results: Path = RESULTS,
    workers: int | None = None,
    runner: Runner = "processes",
    dask_address: str | None = None,
    resume: bool = True,
    retry_failed: bool = False,
) -> State[str]:
    """Try values one beside the other.

    Args:
        study: the study's file.
        results: the results folder; what ECOSYSTEMISER_RESULTS names unless told, else `results`.
        workers: how many evaluate at once; unless told one a core, or as many as the Dask cluster has.
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
        ParametricStudy,
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
        designs = run.numbered(designs_of(run.asked, run.loaded, run.bases[0]))
        answers = run.evaluate(designs, Step(1, 1, "sweep"), keep_series=run.asked.timeseries == "all")
        convergence = Convergence(run.asked, measured=False)
        convergence.take_in(answers)
        run.record.front(convergence)
        run.record.analyses(analyses(run.asked, answers))
        run.telling.step_finished()
        run.telling.page.front(convergence.front)
        keep = convergence.front if run.asked.timeseries == "front" else []
        return run.finish(series_of=[scored.design for scored in keep])
