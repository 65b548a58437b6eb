"""The example house and the designs of its study, over a week and over a year."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from schema.loading import LoadedStudy, load_study
from schema.system import System
from solvers.maths import Numbers, Setting, calendar_months
from solvers.model import numbers_of
from solvers.program import LinearProgram, Program
from tasks.genetic import GeneticSearch

ROOT = Path(__file__).parents[1]
STUDIES = {168: ROOT / "examples/house/study_week.yaml", 8760: ROOT / "examples/house/study.yaml"}
"""Study of the house by the hours of its horizon."""

CO2_WEIGHT = "solver.co2_weight_eur_per_kg"


@dataclass(frozen=True)
class House:
    """A study of the house with its first generation of designs, as `run` asks for them."""

    loaded: LoadedStudy
    designs: Sequence[Mapping[str, float]]

    @property
    def hours(self) -> int:
        return self.loaded.system.system.horizon.steps

    @property
    def series(self) -> Mapping[str, NDArray[np.float64]]:
        return self.loaded.system.series

    def few(self, count: int) -> list[Mapping[str, float]]:
        """Some of the designs, evenly spread."""
        places = np.linspace(0, len(self.designs) - 1, min(count, len(self.designs))).round().astype(int)
        return [self.designs[place] for place in places]

    def system_of(self, design: Mapping[str, float]) -> System:
        return self.loaded.system.system.with_values(design)

    def numbers_of(self, design: Mapping[str, float]) -> dict[str, Numbers]:
        """Parameters of a design's equations, all worked out anew."""
        system = self.system_of(design)
        weight = system.economics.co2_price_eur_per_kg + design[CO2_WEIGHT]
        setting = Setting(system.horizon, self.series, *calendar_months(system.horizon), weight)
        return numbers_of(system, setting)

    @cached_property
    def _program(self) -> Program:
        return Program(self.loaded.system.system, self.numbers_of(self.designs[0]))

    def linear_program(self, design: Mapping[str, float]) -> LinearProgram:
        """The program that a design becomes."""
        return self._program.linear_program(self.numbers_of(design))


def house(hours: int) -> House:
    """The house over a week (168) or a year (8760)."""
    loaded = load_study(STUDIES[hours])
    return House(loaded, GeneticSearch(loaded.study).ask())
