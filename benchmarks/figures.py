"""What is measured, in a form that the report can print."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter

Design = Mapping[str, float]
Optima = dict[Hashable, float]


def key_of(design: Design) -> Hashable:
    return tuple(design.items())


@dataclass
class Timing:
    """Seconds of one way to solve designs, and the optima that it found [€]."""

    name: str
    hours: int
    seconds: list[float] = field(default_factory=list)
    optima: Optima = field(default_factory=dict)

    @property
    def median(self) -> float:
        return median(self.seconds)

    def measure(self, design: Design, solve: Callable[[Design], float]) -> None:
        """Time one design; `solve` gives its optimum."""
        began = perf_counter()
        optimum = solve(design)
        self.seconds.append(perf_counter() - began)
        self.optima[key_of(design)] = optimum

    def difference(self, other: Timing) -> float:
        """Worst relative difference between the optima of both."""
        shared = self.optima.keys() & other.optima.keys()
        return max(abs(self.optima[key] - other.optima[key]) / abs(other.optima[key]) for key in shared)


@dataclass(frozen=True)
class Target:
    """A figure beside what it must reach."""

    name: str
    value: float
    limit: float
    unit: str
    at_least: bool

    @property
    def met(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value < self.limit


@dataclass(frozen=True)
class Section:
    """A part of the report with a table of its own.

    Attributes:
        title: its heading.
        about: what was measured, and how.
        header, rows: the table.
        targets: what it must reach.
    """

    title: str
    about: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    targets: Sequence[Target] = ()


@dataclass(frozen=True)
class Workers:
    """What processes reach on the year.

    Attributes:
        peak_mb: the most resident memory of a worker; None where the machine does not tell.
        per_second: evaluations per second by number of workers.
        bare: of as many processes that know nothing of each other: what the machine gives.
    """

    peak_mb: float | None
    per_second: Mapping[int, float]
    bare: Mapping[int, float]


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Median, least and most."""
    return median(values), min(values), max(values)
