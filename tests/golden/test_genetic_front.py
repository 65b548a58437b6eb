"""NSGA-II's front of a linear house against the exact one, found by dispatches that size it themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from schema.study import GeneticStudy, SolverSettings
from schema.system import System
from solvers.dispatch import Dispatcher
from solvers.solution import Status
from tasks.convergence import Convergence
from tasks.evaluate import Assignment, Design, Evaluator
from tasks.genetic import GeneticSearch
from tasks.scoring import score

HOURS = 24
WEIGHT = "solver.co2_weight_eur_per_kg"
MOST = {"pv.capacity_kw": 20.0, "battery.capacity_kwh": 30.0}
KPIS = ("total_cost", "total_co2")
SOLVER = SolverSettings(mip_gap_fraction=1e-7)


def series(hours):
    """Prices, carbon, load and sun that do not go together: cheap hours are not the clean ones."""
    hour = np.arange(hours)
    of_day, day = hour % 24, hour // 24
    return {
        "price": np.where((of_day >= 7) & (of_day < 22), 0.34, 0.2) + 0.01 * day,
        "carbon": 0.35 + 0.2 * np.cos(2 * np.pi * (of_day - 3) / 24),
        "load": 1.0 + 0.8 * np.sin(2 * np.pi * (of_day - 12) / 24) ** 2 + 0.1 * (day % 3),
        "sun": np.clip(np.sin(np.pi * (of_day - 6) / 12), 0, None) * (0.5 + 0.1 * (day % 4)),
    }


def house(hours, sizes):
    return System.model_validate(
        {
            "system": "house",
            "horizon": {"start": "2019-01-01T00:00", "steps": hours},
            "components": {
                "grid": {
                    "type": "grid",
                    "import_price_eur_per_kwh": {"profile": "price"},
                    "export_price_eur_per_kwh": 0.05,
                    "import_co2_kg_per_kwh": {"profile": "carbon"},
                },
                "pv": {
                    "type": "solar_pv",
                    "capacity_kw": sizes["pv.capacity_kw"],
                    "profile": "sun",
                    "investment_eur_per_kw": 4000,
                },
                "battery": {
                    "type": "battery",
                    "capacity_kwh": sizes["battery.capacity_kwh"],
                    "power_kw": 4,
                    "investment_eur_per_kwh": 600,
                },
                "lights": {"type": "power_demand", "profile": "load"},
            },
        }
    )


class Exact:
    """The corners of the convex front of cost [€] and CO2 [kg], by sizing and dispatch in one linear program.

    Between two corners the program that weighs CO2 by their slope finds a corner below their line, or there is
    none; Aneja and Nair 1979, doi:10.1287/mnsc.25.1.73.
    """

    def __init__(self, hours):
        sized = {path: {"optimise": {"min": 0, "max": most}} for path, most in MOST.items()}
        self._dispatcher = Dispatcher(house(hours, sized), series(hours), SOLVER)
        cheapest, cleanest = self._at(0.0), self._at(1000.0)
        self.corners = np.array([cheapest, *self._between(cheapest, cleanest), cleanest])

    def _at(self, weight):
        dispatch = self._dispatcher.dispatch({WEIGHT: weight})
        assert dispatch.status is Status.OPTIMAL
        return tuple(dispatch.kpis[name] for name in KPIS)

    def _between(self, left, right):
        if right[1] > left[1] - 1e-6:
            return []
        weight = (right[0] - left[0]) / (left[1] - right[1])
        corner = self._at(weight)
        below = left[0] + weight * left[1] - (corner[0] + weight * corner[1])
        if below < 1e-6:
            return []
        return [*self._between(left, corner), corner, *self._between(corner, right)]

    @property
    def reference(self):
        """The worst of both ends plus 10 % of the range, (2,)."""
        return self.corners.max(axis=0) + 0.1 * np.ptp(self.corners, axis=0)

    @property
    def volume(self):
        """The area above the front, whose straight lines are reached by mixing corners, up to the reference."""
        cost, co2 = self.corners.T
        end_cost, end_co2 = self.reference
        heights = end_co2 - co2
        lines = (np.diff(cost) * (heights[1:] + heights[:-1]) / 2).sum()
        return float(lines + (end_cost - cost[-1]) * heights[-1])


def sought(hours, reference, *, population, generations, seed=1):
    """Hypervolume of all that NSGA-II evaluated, as a study's record has it."""
    study = GeneticStudy.model_validate(
        {
            "study": "front",
            "type": "genetic_algorithm",
            "system": "house.yaml",
            "solver": SOLVER.model_dump(),
            "objectives": dict.fromkeys(KPIS, "minimise"),
            "variables": {p: {"min": 0, "max": m} for p, m in MOST.items()} | {WEIGHT: {"min": 0, "max": 5}},
            "algorithm": {"population_size": population, "max_generations": generations, "seed": seed},
        }
    )
    system = house(hours, dict.fromkeys(MOST, 5.0))
    evaluator = Evaluator(Assignment(system, series(hours), "", study.solver, "front", Path()))
    algorithm, convergence = GeneticSearch(study), Convergence(study, dict(zip(KPIS, reference, strict=True)))
    for generation in range(generations):
        first = generation * population
        designs = [Design(first + i, values) for i, values in enumerate(algorithm.ask())]
        answers = [score(study, result) for result in evaluator.evaluate(designs)]
        assert all(scored.solved for scored in answers)
        algorithm.tell(answers)
        convergence.take_in(answers)
    return convergence.hypervolume


def test_a_short_search_comes_near_the_exact_front_and_never_beyond():
    exact = Exact(HOURS)
    assert len(exact.corners) > 5
    share = sought(HOURS, exact.reference, population=20, generations=20) / exact.volume
    assert 0.94 < share <= 1 + 1e-6


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [1, 2])
def test_the_front_of_a_week_has_99_percent_of_the_exact_hypervolume_within_5000_evaluations(seed):
    exact = Exact(168)
    share = sought(168, exact.reference, population=50, generations=100, seed=seed) / exact.volume
    assert 0.99 <= share <= 1 + 1e-6
