"""`hybrid` on a year with an engine that is switched on and off, beside the MILP of the whole year.

The MILP is given five times as long; what counts is the cost that each of them holds then.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

from benchmarks.commitment import chp_house
from benchmarks.figures import Section, Target
from schema.study import SolverSettings
from solvers.dispatch import Dispatcher

TIMES_AS_LONG = 5.0


@dataclass(frozen=True)
class Commitment:
    """Both ways through the year.

    Attributes:
        hours: of the horizon.
        hybrid_seconds, milp_seconds: wall time of the evaluations, compiling apart.
        hybrid_eur: cost of operation that hybrid found, and its certified `gap_fraction`.
        milp_eur: the whole-year MILP's, None where it held no dispatch; its own gap is `milp_gap_fraction`.
    """

    hours: int
    hybrid_seconds: float
    hybrid_eur: float
    gap_fraction: float
    milp_seconds: float
    milp_eur: float | None
    milp_gap_fraction: float | None

    @property
    def above_milp(self) -> float:
        """How much more hybrid's dispatch costs, relative to the MILP's; below 0 where it costs less."""
        return -1.0 if self.milp_eur is None else self.hybrid_eur / self.milp_eur - 1.0


def measure(hours: int = 8760) -> Commitment:
    """Hybrid first, then the whole horizon at once with five times its time."""
    dispatcher = Dispatcher(*chp_house(hours), SolverSettings(method="hybrid", time_limit_seconds=3600))
    dispatcher.warm_up()
    began = perf_counter()
    short = dispatcher.dispatch().solution
    hybrid_seconds = perf_counter() - began
    if short.objective_eur is None or short.gap_fraction is None:
        raise RuntimeError(f"hybrid has no dispatch: {short.message}")
    settings = SolverSettings(time_limit_seconds=TIMES_AS_LONG * hybrid_seconds)
    whole = Dispatcher(*chp_house(hours), settings)
    whole.warm_up()
    began = perf_counter()
    long = whole.dispatch().solution
    return Commitment(
        hours, hybrid_seconds, short.objective_eur, short.gap_fraction,
        perf_counter() - began, long.objective_eur, long.gap_fraction,
    )  # fmt: skip


_ABOUT = """\
The block of flats of `examples/apartments` over a year: an engine with a minimum load of half its power, a cost of
each start and a minimum up time of four hours, beside boiler, tank, battery and PV. The MILP of the whole year has
five times as long as `hybrid` took. A gap is to a bound that holds for every dispatch."""


def section(hours: int = 8760) -> Section:
    """Both ways, side by side."""
    found = measure(hours)
    rows = [
        ("`hybrid`", f"{found.hybrid_seconds:,.0f} s", _eur(found.hybrid_eur), _share(found.gap_fraction)),
        ("`milp`", f"{found.milp_seconds:,.0f} s", _eur(found.milp_eur), _share(found.milp_gap_fraction)),
    ]
    above = Target(
        "hybrid's cost above the whole-year MILP's", 100 * found.above_milp, 1.0, "%", at_least=False
    )
    return Section("Commitment over a year", _ABOUT, ("method", "time", "cost", "gap"), rows, [above])


def _eur(cost_eur: float | None) -> str:
    return "none found" if cost_eur is None else f"{cost_eur:,.1f} €"


def _share(fraction: float | None) -> str:
    return "-" if fraction is None else f"{100 * fraction:.2f} %"
