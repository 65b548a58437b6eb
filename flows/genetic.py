"""The flow of a genetic study: ask, evaluate, record, tell, generation by generation."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from prefect import flow, unmapped
from prefect.futures import as_completed
from prefect.runtime import flow_run

from flows.artifacts import ProgressArtifact, front_artifact
from schema.errors import InputError
from schema.loading import LoadedStudy, load_study
from schema.store.errors import StoreError
from schema.store.store import Store
from schema.yaml_files import read_yaml
from tasks.bookkeeping import Begun, FinalStatus, StudyRecord, begin, files_by_run
from tasks.convergence import Convergence
from tasks.evaluate import Assignment, Design, Result, run_id
from tasks.nsga2 import Nsga2
from tasks.progress import Tally
from tasks.scoring import Scored
from tasks.steps import evaluate_chunk, explain_infeasible
from tasks.workers import Runner, Workers, chunks_of, workers_for


def _study_name() -> str:
    """The study's id as the flow run's name."""
    path = Path(flow_run.parameters["study"])
    try:
        return str(read_yaml(path)[0].get("study", path.stem))
    except InputError:
        return path.stem


@flow(name="genetic-study", flow_run_name=_study_name)
def genetic_study(
    study: Path, results: Path, workers: int = 2, runner: Runner = "processes", resume: bool = True
) -> str:
    """Seek the trade-off between a study's objectives.

    Args:
        study: the study's file.
        results: the results folder.
        workers: how many evaluate at once.
        runner: `processes` or `threads`.
        resume: go on with an interrupted study of the same content.

    Returns:
        The study's final status; `finished before` where there was nothing left to do.

    Raises:
        InputError: the study is not valid, or its id is taken.
        StudyAliveError: another process is running it.
    """
    loaded = load_study(study)
    with Store.open(results) as store, store.claim(loaded.study.study):
        begun = begin(store, loaded, resume=resume)
        if begun.finished:
            return "finished before"
        assignment = Assignment(
            loaded.system.system,
            loaded.system.series,
            loaded.system.content_hash,
            loaded.study.solver,
            loaded.study.study,
            results,
        )
        with workers_for(runner, assignment, workers) as pool:
            return _GeneticRun(store, loaded, pool, workers, begun).run()


class _GeneticRun:
    """One study under way; what its steps share."""

    def __init__(self, store: Store, loaded: LoadedStudy, pool: Workers, workers: int, begun: Begun) -> None:
        self.study = loaded.study
        self.record = StudyRecord(store, loaded)
        self.algorithm = Nsga2(loaded.study)
        self.convergence = Convergence(loaded.study)
        self.tally = Tally(loaded.study)
        self.pool, self.workers, self.begun = pool, workers, begun
        self.infeasible: Design | None = None

    def run(self) -> FinalStatus:
        artifact = ProgressArtifact(self.study.study)
        generations = self.study.algorithm.max_generations
        asked = 0
        try:
            for generation in range(1, generations + 1):
                designs = [Design(asked + i, values) for i, values in enumerate(self.algorithm.ask())]
                if not designs:
                    break
                asked += len(designs)
                self.evolve(generation, designs)
                artifact.update(100.0 * generation / generations)
            return self.finish()
        except BaseException as error:
            self.record.abandon("failed" if isinstance(error, Exception) else "cancelled", self.tally.seconds)
            raise

    def evolve(self, generation: int, designs: Sequence[Design]) -> None:
        """Evaluate a generation, but for what is known of it, and tell the algorithm."""
        began = time.perf_counter()
        scored = self.record.recall(self.begun.known, designs)
        self.tally.take_up(scored.values())
        missing = [design for design in designs if design.number not in scored]
        self.record.start(missing)
        keep_series = self.study.timeseries == "all"
        for results in self.evaluate(missing, f"generation {generation}", keep_series=keep_series):
            scored |= {judged.design.number: judged for judged in self.record.settle(generation, results)}
            self.tally.count(results)
            self.tally.report(generation, self.convergence.best, self.convergence.hypervolume)
        answers = [scored[design.number] for design in designs]
        self.algorithm.tell(answers)
        self.infeasible = self.infeasible or _first_infeasible(answers)
        self.record.close_generation(
            generation,
            answers,
            self.convergence,
            self.algorithm.population,
            time.perf_counter() - began,
            known=not missing and generation in self.begun.generations,
        )
        self.tally.report(generation, self.convergence.best, self.convergence.hypervolume)

    def evaluate(self, designs: Sequence[Design], what: str, *, keep_series: bool) -> Iterator[list[Result]]:
        """Evaluate in chunks, as mapped tasks; yields each chunk's results as they come."""
        chunks = chunks_of(designs, self.workers, self.tally.seconds_per_evaluation)
        futures = evaluate_chunk.map(
            chunks,
            unmapped(self.pool),
            study_id=unmapped(self.study.study),
            label=[f"{what}, {chunk[0].number} to {chunk[-1].number}" for chunk in chunks],
            keep_series=unmapped(keep_series),
        )
        by_future = dict(zip(futures, chunks, strict=True))
        for future in as_completed(list(futures)):
            if future.state.is_completed():
                results = future.result()
            else:
                # A design that fails is a result. A task that fails is nobody's but ours: without it, then.
                results = self.pool.evaluate(by_future[future], keep_series=keep_series)
            _require_written(self.study.study, results)
            yield results

    def finish(self) -> FinalStatus:
        """Write the front's time series and settle the study."""
        front = self.convergence.front
        results: list[Result] = []
        if self.study.timeseries == "front":
            # Solved once more: keeping every evaluation's series would fill the disk.
            for chunk in self.evaluate([scored.design for scored in front], "front", keep_series=True):
                results += chunk
        status: FinalStatus = "completed" if self.tally.solved else "failed"
        if status == "failed" and self.infeasible is not None:
            self.record.explain(explain_infeasible(self.infeasible, self.pool, self.study.study))
        self.record.finish(
            self.convergence, files_by_run(self.study.study, results), status, self.tally.seconds
        )
        front_artifact(self.study.study, [_front_row(self.study.study, scored) for scored in front])
        return status


def _first_infeasible(answers: Sequence[Scored]) -> Design | None:
    return next((scored.design for scored in answers if scored.status == "infeasible"), None)


def _require_written(study_id: str, results: Sequence[Result]) -> None:
    """Raises StoreError where time series that are to be kept could not be written."""
    for result in results:
        if result.unwritten:
            raise StoreError(
                f"the time series of {run_id(study_id, result.design)} were not kept: {result.unwritten}. What "
                "was evaluated before is recorded: run the study again with --resume"
            )


def _front_row(study_id: str, scored: Scored) -> dict[str, Any]:
    rounded = {name: round(value, 3) for name, value in scored.design.values.items()}
    return {
        "run_id": run_id(study_id, scored.design),
        **rounded,
        **{name: round(value, 2) for name, value in scored.objectives.items()},
    }
