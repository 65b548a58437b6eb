"""`rule_based` on a whole population over a year, beside warm MILP evaluations of the same designs."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from time import perf_counter, process_time

from benchmarks.figures import Section, Target
from benchmarks.house import house
from schema.study import SolverSettings
from solvers.dispatch import Dispatcher

DESIGNS = 1000
WARM = 20
"""Warm evaluations whose time the whole population may take."""


@dataclass(frozen=True)
class Population:
    """Both ways to evaluate.

    Attributes:
        hours: of the horizon.
        designs: how many went by rules at once.
        rules_seconds: wall time of all of them, cases, checks and KPIs included.
        warm_seconds: wall times of single warm MILP evaluations, taken before and after.
        rules_cpu_seconds, warm_cpu_seconds: the processor's time of all of either, which other work on the
            machine disturbs less.
        above: how much more the rules' dispatch costs than the optimum in the median [-].
    """

    hours: int
    designs: int
    rules_seconds: float
    warm_seconds: list[float]
    rules_cpu_seconds: float
    warm_cpu_seconds: float
    above: float


def measure(hours: int = 8760, count: int = DESIGNS, warm: int = WARM) -> Population:
    """Half of the warm evaluations, the population by rules, the other half."""
    place = house(hours)
    system, solver = place.loaded.system.system, place.loaded.study.solver
    designs = [dict(place.designs[k % len(place.designs)]) for k in range(count)]
    for k, design in enumerate(designs):
        design["battery.capacity_kwh"] *= 1 + 1e-4 * (k // len(place.designs))
    milp = Dispatcher(system, place.series, solver)
    milp.dispatch(designs[0])
    rules = Dispatcher(system, place.series, SolverSettings(method="rule_based"))
    seconds, best, warm_cpu = [], [], 0.0
    for k in range(warm):
        if k == warm // 2:
            began, cpu = perf_counter(), process_time()
            found = rules.dispatch_all(designs, keep_series=False)
            rules_seconds, rules_cpu = perf_counter() - began, process_time() - cpu
        began, cpu = perf_counter(), process_time()
        best.append(milp.dispatch(designs[k]).solution.objective_eur)
        seconds.append(perf_counter() - began)
        warm_cpu += process_time() - cpu
    costs = []
    for run in found:
        if isinstance(run, Exception) or run.solution.objective_eur is None:
            raise RuntimeError(f"a design has no dispatch by rules: {run}")
        costs.append(run.solution.objective_eur)
    above = median(by_rules / cost - 1 for by_rules, cost in zip(costs, best, strict=False) if cost)
    return Population(hours, count, rules_seconds, seconds, rules_cpu, warm_cpu, above)


_ABOUT = """\
The house over a year: a population of designs evaluated at once by fixed priorities, with everything that counts
(new values, the pass over all steps, checks, KPIs), beside warm MILP evaluations of single designs of it."""


def section() -> Section:
    """Both ways, side by side."""
    found = measure()
    each = found.rules_seconds / found.designs
    rows = [
        (f"{found.designs:,} designs by `rule_based`", f"{found.rules_seconds:,.2f} s", f"{1e3 * each:,.2f} ms"),
        (f"{len(found.warm_seconds)} designs by `milp`, warm", f"{sum(found.warm_seconds):,.2f} s",
         f"{1e3 * median(found.warm_seconds):,.0f} ms"),
        ("the processor's time for the former over that for the latter",
         f"{found.rules_cpu_seconds / found.warm_cpu_seconds:,.2f} times", ""),
        ("cost of operation above the optimum, median", "", f"{100 * found.above:,.1f} %"),
    ]  # fmt: skip
    limit = Target(
        f"{found.designs:,} designs by rules over {WARM} warm evaluations, 8,760 h",
        found.rules_seconds / sum(found.warm_seconds) * len(found.warm_seconds) / WARM,
        1.0, "times", at_least=False,
    )  # fmt: skip
    return Section("A population by rules", _ABOUT, ("", "all", "each"), rows, [limit])
