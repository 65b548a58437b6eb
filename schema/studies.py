"""Studies of given designs: one alone, swept over values, or under what is uncertain; and all kinds by name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Discriminator, Field, StringConstraints, Tag, field_validator, model_validator

from schema.base import Model, Value
from schema.distributions import Uncertain
from schema.kpis import HIGHER_IS_BETTER
from schema.names import STUDY_ID_PATTERN
from schema.profiles import Positive
from schema.study import Bound, GeneticStudy, KpiName, Sense, StudyBase

MOST_EVALUATIONS = 1_000_000


# -- the design that is looked at


class FromStudy(Model):
    """A design that another study in the same results folder found."""

    from_study: Annotated[str, StringConstraints(pattern=STUDY_ID_PATTERN)]
    """Id of the other study."""
    pick: str = "knee"
    """`knee` of its front, `cheapest` (lowest total_cost), `lowest_co2`, `front` for every design of the front
    (Monte Carlo only), or a run id."""


def _origin(value: Any) -> str:
    from_study = "from_study" in value if isinstance(value, dict) else isinstance(value, FromStudy)
    return "from_study" if from_study else "values"


BaseDesign = Annotated[
    Annotated[FromStudy, Tag("from_study")] | Annotated[dict[str, Value], Tag("values")],
    Discriminator(_origin),
]
"""Numbers (or names) at dotted paths, or another study's design."""


class OutputStudy(StudyBase):
    """What studies of given designs share."""

    design: BaseDesign = Field(default_factory=dict)
    """The design that is looked at: numbers at dotted paths (what is not named is as in the system), or
    `{from_study: ID, pick: knee}`."""
    outputs: list[KpiName] = Field(default=["total_cost", "total_co2"], min_length=1)
    """KPIs to look at; the first one is the fitness."""
    timeseries: Literal["all", "front", "none"] = "none"
    """Which runs keep their Parquet files; `front` has a meaning in a parametric study only."""

    @field_validator("outputs")
    @classmethod
    def _each_once(cls, outputs: list[str]) -> list[str]:
        if len(set(outputs)) != len(outputs):
            raise ValueError("outputs: one stands twice")
        return outputs

    @model_validator(mode="after")
    def _front_is_there(self) -> OutputStudy:
        if self.timeseries == "front" and not isinstance(self, ParametricStudy):
            raise ValueError(
                f"timeseries: a {self.type.replace('_', ' ')} study has no front; write all or none"
            )
        return self

    @property
    def objectives(self) -> dict[str, Sense]:
        """The outputs, each with the way in which it is better."""
        return {name: "maximise" if name in HIGHER_IS_BETTER else "minimise" for name in self.outputs}

    @property
    def constraints(self) -> Mapping[str, Bound]:
        """None: these studies look, they do not seek."""
        return {}


class SingleStudy(OutputStudy):
    """One design, dispatched once and recorded."""

    type: Literal["single"]
    """Kind of study."""
    timeseries: Literal["all", "front", "none"] = "all"
    """Which runs keep their Parquet files."""

    @model_validator(mode="after")
    def _takes_one_design(self) -> SingleStudy:
        _require_one(self.design)
        return self

    @property
    def planned(self) -> int:
        """Evaluations of each design that the study begins with."""
        return 1


# -- Monte Carlo

FAST_LEAST = 65
"""SALib's FAST needs more than 4 M² points with M = 4 harmonics."""


def _word_or_number(value: Any) -> str:
    return "word" if isinstance(value, str) else "number"


class Sampling(Model):
    """Which values the uncertain numbers take."""

    method: Literal["sobol", "latin_hypercube", "morris", "fast", "random"] = "sobol"
    """`sobol`: Saltelli's design, samples · (D + 2) runs; `morris`: samples · (D + 1); `fast`: samples · D;
    the others as many as samples."""
    samples: Annotated[
        Annotated[int, Field(ge=2, le=MOST_EVALUATIONS), Tag("number")]
        | Annotated[Literal["auto"], Tag("word")],
        Discriminator(_word_or_number),
    ] = 1024
    """SALib's N. `auto` doubles a Sobol design until the widest interval of an index is below
    `target_interval`; what was run counts on."""
    seed: Annotated[int, Field(ge=0, lt=2**32 - 1)] = 1
    """Seed of the random generators."""
    levels: Annotated[int, Field(ge=2, le=100, multiple_of=2)] = 4
    """Levels of the grid on which Morris' trajectories run."""
    target_interval: Positive = 0.1
    """Width of the widest 95 % interval of a Sobol index at which `samples: auto` stops [-]."""
    max_samples: Annotated[int, Field(ge=64, le=MOST_EVALUATIONS)] = 8192
    """N at which `samples: auto` stops in any case."""

    @model_validator(mode="after")
    def _settings_belong_to_the_method(self) -> Sampling:
        if self.samples == "auto" and self.method != "sobol":
            raise ValueError(f"samples: auto doubles a Sobol design; state a number for {self.method}")
        if self.method == "fast" and isinstance(self.samples, int) and self.samples < FAST_LEAST:
            raise ValueError(f"samples: fast needs at least {FAST_LEAST}, not {self.samples}")
        for name, fits, only in (
            ("levels", self.method == "morris", "method: morris"),
            ("target_interval", self.samples == "auto", "samples: auto"),
            ("max_samples", self.samples == "auto", "samples: auto"),
        ):
            if name in self.model_fields_set and not fits:
                raise ValueError(f"{name} has a meaning with {only} only; leave it out")
        return self

    @property
    def most(self) -> int:
        """N, or the highest that it may become."""
        return self.max_samples if self.samples == "auto" else self.samples

    def rows(self, samples: int, parameters: int) -> int:
        """Runs of a design of N samples over D parameters."""
        each = {"sobol": parameters + 2, "morris": parameters + 1, "fast": parameters}
        return samples * each.get(self.method, 1)


class MonteCarloStudy(OutputStudy):
    """Puts a design, or a whole front, through what is uncertain."""

    type: Literal["monte_carlo"]
    """Kind of study."""
    uncertain: dict[str, Uncertain] = Field(min_length=1)
    """Dotted paths and how the numbers there may turn out; `{scale: DISTRIBUTION}` multiplies what stands
    there, which may be a profile."""
    sampling: Sampling = Sampling()
    """Which values they take."""

    @model_validator(mode="after")
    def _is_feasible(self) -> MonteCarloStudy:
        most = self.sampling.rows(self.sampling.most, len(self.uncertain))
        if most > MOST_EVALUATIONS:
            raise ValueError(f"sampling: {most:,} evaluations are more than {MOST_EVALUATIONS:,}")
        if isinstance(self.design, FromStudy) and self.design.pick == "front":
            if self.sampling.samples == "auto":
                raise ValueError("design: a whole front takes a number of samples, not samples: auto")
            if len(self.outputs) < 2:
                raise ValueError("outputs: a whole front needs two or more, by which to tell who stays on it")
        return self

    @property
    def planned(self) -> int:
        """Evaluations of each design that the study begins with, at most."""
        return self.sampling.rows(self.sampling.most, len(self.uncertain))


# -- parametric


class Steps(Model):
    """Equally spaced numbers."""

    start: float
    """The first one."""
    stop: float
    """The last one."""
    count: Annotated[int, Field(ge=2, le=100_000)]
    """How many there are."""

    @property
    def values(self) -> list[float]:
        """The numbers themselves."""
        return [float(value) for value in np.linspace(self.start, self.stop, self.count)]


Items = Annotated[list[Value], Field(min_length=1)]


def _series_kind(value: Any) -> str:
    return "steps" if isinstance(value, dict | Steps) else "items"


NumbersToTry = Annotated[
    Annotated[Steps, Tag("steps")] | Annotated[Items, Tag("items")], Discriminator(_series_kind)
]


class ScaleSteps(Model):
    """Factors on what stands there, be it a number or a profile."""

    scale: NumbersToTry
    """The factors [-]."""


def _sweep_kind(value: Any) -> str:
    has_scale = "scale" in value if isinstance(value, dict) else isinstance(value, ScaleSteps)
    return "scale" if has_scale else "values"


Sweep = Annotated[
    Annotated[ScaleSteps, Tag("scale")] | Annotated[NumbersToTry, Tag("values")], Discriminator(_sweep_kind)
]
"""Numbers, profiles' or solvers' names, `{start, stop, count}`, or factors on what stands there."""


def values_of(sweep: Sweep) -> list[Value]:
    """What a sweep takes, in its order; of a scale, the factors."""
    inner = sweep.scale if isinstance(sweep, ScaleSteps) else sweep
    return list(inner.values if isinstance(inner, Steps) else inner)


class ParametricStudy(OutputStudy):
    """Tries values one beside the other."""

    type: Literal["parametric"]
    """Kind of study."""
    sweep: dict[str, Sweep] = Field(min_length=1)
    """Dotted paths and the values to try: a list, `{start, stop, count}`, or `{scale: ...}` with either. Names
    of profiles and of solvers (`solver.method`) can be tried too."""
    combine: Literal["grid", "zip"] = "grid"
    """`grid`: every value with every other; `zip`: the first ones together, then the second ones."""

    @model_validator(mode="after")
    def _values_combine(self) -> ParametricStudy:
        _require_one(self.design)
        for path, sweep in self.sweep.items():
            values = values_of(sweep)
            if self.combine == "grid" and len(set(values)) != len(values):
                raise ValueError(f"sweep: a value of {path} stands twice")
        counts = {path: len(values_of(sweep)) for path, sweep in self.sweep.items()}
        if self.combine == "zip" and len(set(counts.values())) > 1:
            told = ", ".join(f"{path} {count}" for path, count in counts.items())
            raise ValueError(f"sweep: to be zipped, all need as many values ({told})")
        if self.planned > MOST_EVALUATIONS:
            raise ValueError(f"sweep: {self.planned:,} evaluations are more than {MOST_EVALUATIONS:,}")
        return self

    @property
    def planned(self) -> int:
        """Evaluations of each design that the study begins with."""
        counts = [len(values_of(sweep)) for sweep in self.sweep.values()]
        return math.prod(counts) if self.combine == "grid" else counts[0]


def _require_one(design: BaseDesign) -> None:
    if isinstance(design, FromStudy) and design.pick == "front":
        raise ValueError("design: a whole front can be put through a monte_carlo study only; pick one design")


Study = GeneticStudy | MonteCarloStudy | ParametricStudy | SingleStudy
STUDY_TYPES: Mapping[str, type[Study]] = {
    "genetic_algorithm": GeneticStudy,
    "monte_carlo": MonteCarloStudy,
    "parametric": ParametricStudy,
    "single": SingleStudy,
}
