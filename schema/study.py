"""What all studies state, and the genetic study: which designs of a system to evaluate, and what to seek."""

from __future__ import annotations

import difflib
import math
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    field_validator,
    model_validator,
)

from schema.base import Model
from schema.failure_rules import FailureRules
from schema.kpis import KPI_UNITS
from schema.names import STUDY_ID_PATTERN
from schema.profiles import NonNegative, Positive

FEWEST_FOR_NSGA3 = 4
"""Objectives from which on NSGA-III searches: with that many NSGA-II finds hardly any design dominated."""

MOST_FOR_HYPERVOLUME = 5
"""Objectives up to which hypervolumes are worked out: of 2,000 designs 0.1 s with five, of 500 0.4 s with six."""

StudyId = Annotated[str, StringConstraints(pattern=STUDY_ID_PATTERN)]


def _is_kpi(name: str) -> str:
    if name not in KPI_UNITS:
        close = difflib.get_close_matches(name, KPI_UNITS, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"there are {', '.join(KPI_UNITS)}"
        raise ValueError(f"there is no KPI '{name}'; {hint}")
    return name


KpiName = Annotated[str, AfterValidator(_is_kpi)]
"""One of the KPIs that every dispatch has."""

_SPELLINGS = {"minimize": "minimise", "min": "minimise", "maximize": "maximise", "max": "maximise"}
Sense = Annotated[
    Literal["minimise", "maximise"],
    BeforeValidator(lambda value: _SPELLINGS.get(value, value) if isinstance(value, str) else value),
]


class SolverSettings(Model):
    """How each evaluation is dispatched."""

    method: Literal["milp", "rolling_horizon", "rule_based", "hybrid"] = "milp"
    """`milp`: the whole horizon at once, exact to its gap; `rolling_horizon`: one window after another;
    `rule_based`: by fixed priorities and without foresight, many designs at once; `hybrid`: short windows by MILP,
    the better of these and the rules, and a certified gap."""
    time_limit_seconds: Positive = 300.0
    """Most that HiGHS may spend on one evaluation [s]."""
    mip_gap_fraction: Annotated[float, Field(ge=0, lt=1)] = 1e-4
    """Relative gap at which a MILP counts as solved [-]."""
    objective: Literal["cost", "co2", "grid_exchange"] = "cost"
    """What the dispatch minimises: cost, CO2, or the energy exchanged with electricity grids (imports and exports
    added up). Of dispatches that do equally well, the cheapest is taken."""
    co2_weight_eur_per_kg: NonNegative = 0.0
    """Weighs CO2 in the dispatch only [€/kg]; it enters no KPI."""
    grid_exchange_weight_eur_per_kwh: NonNegative = 0.0
    """Weighs imports and exports of electricity in the dispatch only [€/kWh]; it enters no KPI."""
    window_hours: Positive = 168.0
    """`rolling_horizon`: what is kept of each window [h]."""
    overlap_hours: NonNegative = 24.0
    """`rolling_horizon`: look-ahead of each window, solved and thrown away [h]; shorter than what is kept."""
    foresight: Literal["horizon", "window"] = "horizon"
    """`rolling_horizon`: what a window knows of the time behind it. `horizon`: levels and peaks of the relaxation
    of the whole horizon; `window`: only what must hold at the horizon's end."""

    @model_validator(mode="after")
    def _looks_less_far_than_it_keeps(self) -> SolverSettings:
        if self.overlap_hours >= self.window_hours:
            raise ValueError(
                f"overlap_hours ({self.overlap_hours:g}) must be below window_hours ({self.window_hours:g})"
            )
        return self


class Range(Model):
    """A number between two bounds."""

    min: float
    """Lowest value."""
    max: float
    """Highest value."""
    integer: bool = False
    """Whole numbers only."""

    @model_validator(mode="after")
    def _in_order(self) -> Range:
        if self.min > self.max:
            raise ValueError(f"min ({self.min:g}) is above max ({self.max:g})")
        if self.integer and (self.min != int(self.min) or self.max != int(self.max)):
            raise ValueError("an integer variable needs whole numbers as min and max")
        return self


class Choices(Model):
    """One of several numbers."""

    choices: list[float] = Field(min_length=1)
    """The numbers to choose from."""

    @field_validator("choices")
    @classmethod
    def _all_different(cls, choices: list[float]) -> list[float]:
        if len(set(choices)) != len(choices):
            raise ValueError("a choice stands twice")
        return choices


def _variable_kind(value: Any) -> str:
    has_choices = "choices" in value if isinstance(value, dict) else isinstance(value, Choices)
    return "choices" if has_choices else "range"


Variable = Annotated[
    Annotated[Range, Tag("range")] | Annotated[Choices, Tag("choices")], Discriminator(_variable_kind)
]


class Bound(Model):
    """Limits on a KPI."""

    min: float | None = None
    """Lowest value that is allowed."""
    max: float | None = None
    """Highest value that is allowed."""

    @model_validator(mode="after")
    def _says_something(self) -> Bound:
        if self.min is None and self.max is None:
            raise ValueError("a constraint needs a min, a max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min ({self.min:g}) is above max ({self.max:g})")
        return self


class Stagnation(Model):
    """When a search has come to a standstill."""

    generations: Annotated[int, Field(ge=1, le=100_000)]
    """Over how many generations the gain is measured."""
    tolerance_fraction: Annotated[float, Field(ge=0, lt=1)] = 1e-4
    """Gain up to which the search stands still, as a share of the hypervolume (with one objective: of the best
    fitness) [-]."""


class GeneticAlgorithm(Model):
    """Settings of the genetic algorithm; the limit that is reached first ends the study."""

    population_size: Annotated[int, Field(ge=4, le=10_000)] = 50
    """Designs in a generation; with four objectives and more the nearest size that fits NSGA-III's reference
    directions is taken."""
    max_generations: Annotated[int, Field(ge=1, le=100_000)] = 100
    """Generations, the first one included."""
    max_evaluations: Annotated[int, Field(ge=4, le=1_000_000_000)] | None = None
    """Evaluations; a generation that would go beyond is not begun."""
    max_hours: Positive | None = None
    """Wall time [h]; the generation under way is finished. A study that is resumed counts what its recorded
    generations took."""
    stagnation: Stagnation | None = None
    """Ends the study when its front (with one objective: its best design) has come to a standstill."""
    start_from: StudyId | None = None
    """Id of an earlier study in the same results folder whose front is part of the first generation."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1
    """Seed of the random generator."""
    reference_point: dict[KpiName, float] | None = None
    """Point from which the hypervolume is measured, in natural units; else the worst of the first generation
    that has a satisfying design, plus 10 % of its range."""


class StudyBase(Model):
    """What every study states."""

    study: StudyId
    """Id of the study; letters, digits, - and _."""
    type: str
    """Kind of study."""
    description: str = ""
    """What it is for, in the user's words."""
    system: str
    """Path of the system file, relative to the study file."""
    solver: SolverSettings = SolverSettings()
    """How each evaluation is dispatched."""
    failures: FailureRules = FailureRules()
    """What becomes of evaluations that fail, hang, or run into the time limit."""
    cache: bool = True
    """Whether dispatches that were solved before are taken over, and its own offered to others. The results are
    the same; without it every evaluation is solved, as when its time is to be measured."""


class GeneticStudy(StudyBase):
    """Seeks the trade-off between objectives by a genetic algorithm."""

    type: Literal["genetic_algorithm"]
    """Kind of study."""
    objectives: dict[KpiName, Sense] = Field(min_length=1)
    """KPIs to minimise or maximise; the first one is the fitness."""
    constraints: dict[KpiName, Bound] = Field(default_factory=dict)
    """Limits on KPIs."""
    variables: dict[str, Variable] = Field(min_length=1)
    """Dotted paths and the values they may take."""
    algorithm: GeneticAlgorithm = GeneticAlgorithm()
    """Settings of the genetic algorithm."""
    timeseries: Literal["all", "front", "none"] = "front"
    """Which runs keep their Parquet files."""

    @model_validator(mode="after")
    def _reference_point_fits(self) -> GeneticStudy:
        point = self.algorithm.reference_point
        if point is not None and set(point) != set(self.objectives):
            raise ValueError("algorithm.reference_point must name each objective once")
        return self

    @model_validator(mode="after")
    def _starts_from_another(self) -> GeneticStudy:
        if self.algorithm.start_from == self.study:
            raise ValueError("algorithm.start_from names this study itself; name an earlier one")
        return self

    @model_validator(mode="after")
    def _stagnation_can_be_seen(self) -> GeneticStudy:
        if self.algorithm.stagnation is not None and not self.measures_hypervolume:
            raise ValueError(
                f"algorithm.stagnation goes by the hypervolume, which takes too long to work out with more than "
                f"{MOST_FOR_HYPERVOLUME} objectives; leave it out"
            )
        return self

    @model_validator(mode="after")
    def _one_generation_fits(self) -> GeneticStudy:
        most = self.algorithm.max_evaluations
        if most is not None and most < self.population_size:
            raise ValueError(
                f"algorithm.max_evaluations ({most}) is below one generation of {self.population_size} designs"
            )
        return self

    @property
    def partitions(self) -> int | None:
        """Of each objective's range by NSGA-III's reference directions (Das and Dennis 1998); None without them.

        Of the numbers of directions that p partitions can have with m objectives, C(m + p − 1, p), the one
        nearest to the population asked for.
        """
        if len(self.objectives) < FEWEST_FOR_NSGA3:
            return None
        p, asked = 1, self.algorithm.population_size
        while self._directions(p) < asked:
            p += 1
        closer_below = p > 1 and asked - self._directions(p - 1) < self._directions(p) - asked
        return p - 1 if closer_below else p

    def _directions(self, partitions: int) -> int:
        return math.comb(len(self.objectives) + partitions - 1, partitions)

    @property
    def population_size(self) -> int:
        """Designs in a generation: as asked for, or one for each of NSGA-III's reference directions."""
        partitions = self.partitions
        return self.algorithm.population_size if partitions is None else self._directions(partitions)

    @property
    def measures_hypervolume(self) -> bool:
        """Whether the hypervolume of the front is worked out after each generation."""
        return len(self.objectives) <= MOST_FOR_HYPERVOLUME

    @property
    def search(self) -> str:
        """The algorithm, by its number of objectives."""
        if len(self.objectives) == 1:
            return "GA"
        return "NSGA-II" if self.partitions is None else "NSGA-III"

    @property
    def planned(self) -> int:
        """Evaluations of each design that the study begins with, at most."""
        most, size = self.algorithm.max_evaluations, self.population_size
        generations = self.algorithm.max_generations
        return size * (generations if most is None else min(generations, most // size))
