"""A generated database: studies with their evaluations, fronts and convergence, as flows record them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from time import perf_counter, process_time

import numpy as np

from schema.store.records import (
    Evaluation,
    Front,
    Generation,
    Kpis,
    NewStudy,
    Reusable,
    Sensitivity,
    Uncertainty,
    run_id_of,
)
from schema.store.store import Store
from tasks.fronts import hypervolume, non_dominated

STUDIES, EVALUATIONS, CHUNK, POPULATION = 100, 10_000, 50, 100
PLACES = ("house", "campus", "street", "district", "allotment")
METHODS = ("milp", "hybrid", "rolling_horizon", "rule_based")
PARAMETERS = {"pv.capacity_kw": 20.0, "battery.capacity_kwh": 30.0, "heat_pump.capacity_kw": 14.0}
OBJECTIVES = {"total_cost": "minimise", "total_co2": "minimise"}
FAILING, BREAKING = 0.02, 0.15
REFERENCE = np.array([3_000.0, 2_200.0])
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)


def study_ids(count: int = STUDIES) -> list[str]:
    """In no order of the alphabet, as people name them."""
    shuffled = np.random.default_rng(0).permutation(count).tolist()
    return [f"{PLACES[number % len(PLACES)]}_{number:03d}" for number in shuffled]


def evaluations(study_id: str, count: int, seed: int) -> Iterator[list[Evaluation]]:
    """Chunks of evaluations, every number with all its digits.

    The dearer a design, the less CO2 it emits; most are worse than they need be.
    """
    rng = np.random.default_rng(seed)
    designs = rng.random((count, len(PARAMETERS))) * list(PARAMETERS.values())
    numbers = rng.random((count, 12))
    for first in range(0, count, CHUNK):
        yield [
            _evaluation(study_id, number, designs[number].tolist(), numbers[number].tolist(), seed)
            for number in range(first, min(first + CHUNK, count))
        ]


def _evaluation(
    study_id: str, number: int, design: Sequence[float], told: Sequence[float], seed: int
) -> Evaluation:
    failed = told[0] < FAILING
    cost = 2_000 + 900 * told[1]
    co2 = 900 + 900 * (1 - told[1]) ** 2 + 400 * told[2]
    share = told[3]
    return Evaluation(
        study_id,
        number,
        dict(zip(PARAMETERS, design, strict=True)),
        "infeasible" if failed else "success",
        PLACES[seed % len(PLACES)],
        8760,
        METHODS[seed % len(METHODS)],
        number // POPULATION + 1,
        {} if failed else {"total_cost": cost, "total_co2": co2},
        None if failed else cost,
        {} if failed or share > BREAKING else {"self_sufficiency_rate": BREAKING - share},
        Kpis()
        if failed
        else Kpis(cost, co2, told[4], share, told[5], 9e3 * told[6], 8e3 * told[7], 5e3 * told[8]),
        evaluation_time_seconds=0.3 + 0.1 * told[9],
        solver_time_seconds=0.2 + 0.1 * told[10],
        started_at=BEGUN + timedelta(minutes=seed * 60, seconds=number),
        reusable=_reusable(study_id, number, None if failed else [9e3 * told[6], cost / 3, co2, told[11]]),
    )


def _reusable(study_id: str, number: int, sums: Sequence[float] | None) -> Reusable:
    """As of a house: own generation, the grid's cost and CO2, and what using a battery costs."""
    key = hashlib.sha256(f"{study_id} {number}".encode()).digest()[:12]
    text = None if sums is None else "[{!r},[{!r},{!r},0,0,{!r}]]".format(*sums)
    return Reusable(base64.urlsafe_b64encode(key).decode(), text)


def write_study(
    store: Store, study_id: str, count: int = EVALUATIONS, seed: int = 0
) -> list[tuple[float, float]]:
    """Record a whole study.

    Returns:
        The seconds that recording each chunk took, and those of the processor.
    """
    store.create_study(
        NewStudy(
            study_id,
            "genetic_algorithm",
            objectives=OBJECTIVES,
            constraints={"self_sufficiency_rate": {"min": BREAKING}},
            population_size=POPULATION,
        )
    )
    seconds, archive = [], _Archive(study_id)
    for chunk in evaluations(study_id, count, seed):
        began, busy = perf_counter(), process_time()
        store.record(chunk)
        seconds.append((perf_counter() - began, process_time() - busy))
        archive.take_in(chunk)
        if (chunk[-1].evaluation_number + 1) % POPULATION == 0:
            store.record_generation(archive.generation(chunk[-1].generation_number or 0))
    store.record_final_front(study_id, archive.front())
    _analyse(store, study_id)
    store.finish_study(study_id, "completed", execution_time_seconds=sum(took for took, _ in seconds))
    return seconds


def _analyse(store: Store, study_id: str) -> None:
    given = store.record_uncertainty([Uncertainty(study_id, name, mean_value=1.0) for name in OBJECTIVES])
    store.record_sensitivity(
        [
            Sensitivity(
                study_id, name, path, place, analysis_id, sobol_total=1 / 3, importance_rank=place + 1
            )
            for name, analysis_id in zip(OBJECTIVES, given, strict=True)
            for place, path in enumerate(PARAMETERS)
        ]
    )


class _Archive:
    """A study's front so far."""

    def __init__(self, study_id: str) -> None:
        self._study_id = study_id
        self._F, self._numbers = np.empty((0, 2)), np.empty(0, dtype=int)

    def take_in(self, chunk: Sequence[Evaluation]) -> None:
        kept = [evaluation for evaluation in chunk if evaluation.is_candidate]
        F = np.array([list(evaluation.objectives.values()) for evaluation in kept]).reshape(-1, 2)
        every = np.vstack([self._F, F])
        numbers = np.append(self._numbers, [evaluation.evaluation_number for evaluation in kept]).astype(int)
        front = non_dominated(every)
        self._F, self._numbers = every[front], numbers[front]

    def front(self) -> Front:
        ids = [
            run_id_of(self._study_id, number) for number in self._numbers[self._F[:, 0].argsort()].tolist()
        ]
        return Front(ids, hypervolume(self._F, REFERENCE))

    def generation(self, number: int) -> Generation:
        best = float(self._F[:, 0].min())
        return Generation(
            self._study_id,
            number,
            best_fitness=best,
            average_fitness=best * 1.1,
            worst_fitness=best * 1.4,
            fitness_std_dev=best / 11,
            population_diversity=1 / 3,
            generation_time_seconds=30.0,
            evaluations_in_generation=POPULATION,
            front=self.front(),
        )
