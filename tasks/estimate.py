"""What a study will take, measured on a few of its own designs before it starts."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from statistics import median

from schema.loading import LoadedStudy

_BYTES_PER_EVALUATION = 1_000
_BYTES_PER_VALUE = 3.0
_START_SECONDS = 15.0
_TRIED = 3


@dataclass(frozen=True)
class Estimate:
    """Of a whole study.

    Attributes:
        evaluations: planned.
        seconds: wall time.
        disk_bytes: of the database's rows and the time series that are kept.
        seconds_per_evaluation: measured.
    """

    evaluations: int
    seconds: float
    disk_bytes: int
    seconds_per_evaluation: float


def estimate(loaded: LoadedStudy, workers: int) -> Estimate:
    """Compile the model, evaluate a few designs of the first generation and multiply."""
    from solvers.dispatch import Dispatcher
    from tasks.nsga2 import Nsga2

    study, system = loaded.study, loaded.system.system
    dispatcher = Dispatcher(system, loaded.system.series, study.solver)
    dispatcher.warm_up()
    tried = []
    for values in Nsga2(study).ask()[:_TRIED]:
        with suppress(Exception):  # a design that fails here is a failed evaluation of the study
            tried.append(dispatcher.dispatch(values))
    seconds_each = median(dispatch.seconds for dispatch in tried) if tried else 0.0
    evaluations = study.algorithm.population_size * study.algorithm.max_generations
    columns = max((len(d.flows) + len(d.states) for d in tried), default=0) + len(loaded.system.series)
    kept = {"none": 0, "front": study.algorithm.population_size, "all": evaluations}[study.timeseries]
    disk = evaluations * _BYTES_PER_EVALUATION + kept * columns * system.horizon.steps * _BYTES_PER_VALUE
    return Estimate(
        evaluations=evaluations,
        seconds=_START_SECONDS + evaluations * seconds_each / max(workers, 1),
        disk_bytes=int(disk),
        seconds_per_evaluation=seconds_each,
    )
