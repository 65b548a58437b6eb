"""What a study will take, measured on a few of its own designs before it starts."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import median

from schema.base import Value
from schema.loading import LoadedStudy
from schema.studies import MonteCarloStudy, ParametricStudy
from schema.study import GeneticStudy
from tasks.bases import Base

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


def estimate(loaded: LoadedStudy, bases: Sequence[Base], workers: int) -> Estimate:
    """Compile the model, evaluate a few of the designs that come first and multiply.

    Args:
        loaded: the study and its system.
        bases: the designs that it looks at, as `tasks.bases` found them.
        workers: how many evaluate at once.
    """
    from solvers.dispatch import Dispatcher

    study, system = loaded.study, loaded.system.system
    dispatcher = Dispatcher(system, loaded.system.series, study.solver)
    dispatcher.warm_up()
    tried = []
    for values in _first_designs(loaded, bases)[:_TRIED]:
        with suppress(Exception):  # a design that fails here is a failed evaluation of the study
            tried.append(dispatcher.dispatch(values))
    seconds_each = median(dispatch.seconds for dispatch in tried) if tried else 0.0
    evaluations = study.planned * len(bases)
    columns = max((len(d.flows) + len(d.states) for d in tried), default=0) + len(loaded.system.series)
    front = study.population_size if isinstance(study, GeneticStudy) else 0
    kept = {"none": 0, "front": front, "all": evaluations}[study.timeseries]
    disk = evaluations * _BYTES_PER_EVALUATION + kept * columns * system.horizon.steps * _BYTES_PER_VALUE
    return Estimate(
        evaluations=evaluations,
        seconds=_START_SECONDS + evaluations * seconds_each / max(workers, 1),
        disk_bytes=int(disk),
        seconds_per_evaluation=seconds_each,
    )


def _first_designs(loaded: LoadedStudy, bases: Sequence[Base]) -> list[dict[str, Value]]:
    study = loaded.study
    if isinstance(study, GeneticStudy):
        from tasks.genetic import GeneticSearch

        return [dict(values) for values in GeneticSearch(study).ask()]
    if isinstance(study, MonteCarloStudy):
        from tasks.monte_carlo import MonteCarlo

        return MonteCarlo(study, loaded, bases).ask()
    if isinstance(study, ParametricStudy):
        from tasks.sweep import designs_of

        return designs_of(study, loaded, bases[0])
    return [dict(bases[0].values)]
