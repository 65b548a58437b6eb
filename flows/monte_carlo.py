"""The flow of a Monte Carlo study: sample, evaluate, record, analyse."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from prefect import State, flow

from flows.under_way import RESULTS, Step, finished_before, study_name, under_way
from schema.studies import MonteCarloStudy
from tasks.monte_carlo import MonteCarlo
from tasks.workers import Runner


@flow(name="monte-carlo-study", flow_run_name=study_name)
def monte_carlo_study(
    study: Path,
    results: Path = RESULTS,
    workers: int | None = None,
    runner: Runner = "processes",
    dask_address: str | None = None,
    resume: bool = True,
    retry_failed: bool = False,
) -> State[str]:
    """Put a design, or a whole front, through what is uncertain.

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
        MonteCarloStudy,
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
        samples = MonteCarlo(run.asked, run.loaded, run.bases)
        while designs := run.numbered(samples.ask()):
            step = Step(len(samples.rounds) + 1, samples.most_rounds, "round")
            samples.tell(run.evaluate(designs, step, keep_series=run.asked.timeseries == "all"))
            run.show_progress(run.tally.percent)
            run.telling.step_finished()
        found = samples.analyses()
        run.record.analyses(found)
        spreads = [asdict(one.uncertainty) for one in found if one.uncertainty is not None]
        shown = [{name: value for name, value in row.items() if name != "metadata"} for row in spreads]
        run.telling.page.rows("uncertainty", shown)
        run.record.tell(**samples.summary())
        return run.finish()
