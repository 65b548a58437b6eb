"""The flow of a genetic study: ask, evaluate, record, tell, generation by generation."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from prefect import State, flow

from flows.under_way import RESULTS, Step, UnderWay, finished_before, study_name, under_way
from schema.store.records import Generation
from schema.study import GeneticStudy
from tasks.convergence import Convergence
from tasks.evaluate import Design
from tasks.genetic import GeneticSearch
from tasks.stopping import StoppedBy, Stopping
from tasks.warm_start import start_of
from tasks.workers import Runner


@flow(name="genetic-study", flow_run_name=study_name)
def genetic_study(
    study: Path,
    results: Path = RESULTS,
    workers: int | None = None,
    runner: Runner = "processes",
    dask_address: str | None = None,
    resume: bool = True,
    retry_failed: bool = False,
) -> State[str]:
    """Seek the trade-off between a study's objectives.

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
        InputError: the study is not valid, or its id is taken.
        StudyAliveError: another process is running it.
    """
    with under_way(
        GeneticStudy,
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
        asked = run.asked
        start = start_of(run.store, run.loaded)
        if asked.algorithm.start_from is not None:
            run.record.tell(start=start.recorded())
        algorithm = GeneticSearch(asked, start.designs)
        point, measured = asked.algorithm.reference_point, asked.measures_hypervolume
        convergence, stopping = Convergence(asked, point, measured=measured), Stopping(asked)
        stopped_by: StoppedBy | None = None
        for generation in itertools.count(1):
            designs = run.numbered(algorithm.ask())
            if not designs:
                stopped_by = "no_new_designs"
                break
            step = Step(generation, stopping.most_generations, "generation")
            stopped_by = stopping.tell(evolve(run, step, designs, algorithm, convergence))
            if stopped_by is not None:
                break
        run.record.tell(search=asked.search, stopped_by=stopped_by)
        late = run.late_answers(keep_series=asked.timeseries == "all")
        if late:
            convergence.take_in(late)
        run.record.front(convergence)
        keep = convergence.front if asked.timeseries == "front" else []
        run.telling.page.front(convergence.front)
        return run.finish(series_of=[scored.design for scored in keep])


def evolve(
    run: UnderWay[GeneticStudy],
    step: Step,
    designs: Sequence[Design],
    algorithm: GeneticSearch,
    convergence: Convergence,
) -> Generation:
    """Evaluate a generation and tell the algorithm; how the study comes along."""
    began = time.perf_counter()
    is_known = not run.unknown(designs) and step.number in run.begun.generations
    keep_series = run.asked.timeseries == "all"
    answers = run.evaluate(designs, step, keep_series=keep_series)
    algorithm.tell(answers)
    told = convergence.tell(step.number, answers, algorithm.population, time.perf_counter() - began)
    if is_known:
        told = replace(told, generation_time_seconds=run.begun.generations[step.number])
    run.tally.best, run.tally.hypervolume = convergence.best, convergence.hypervolume
    run.tally.report(step.number, step.of, step.unit)
    if not is_known:
        run.record.generation(told)
        run.show_progress(100.0 * step.number / step.of)
        run.telling.step_finished()
        run.telling.page.front_so_far(convergence.front)
    return told
