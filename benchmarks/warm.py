"""Our own warm evaluation, as a worker of a study makes it."""

from __future__ import annotations

from benchmarks.figures import Design, Timing
from benchmarks.house import House
from solvers.dispatch import Dispatcher


def measure(house: House, rounds: int) -> tuple[Timing, list[float]]:
    """Evaluate every design of the house's study, some rounds.

    Returns:
        The times, and the share of each evaluation that is not HiGHS' own run.
    """
    dispatcher = Dispatcher(house.loaded.system.system, house.series, house.loaded.study.solver)
    dispatcher.dispatch(house.designs[0])
    solver_seconds: list[float] = []

    def evaluate(design: Design) -> float:
        dispatch = dispatcher.dispatch(design)
        if dispatch.status != "optimal" or dispatch.solution.objective_eur is None:
            raise RuntimeError(f"{dict(design)} is {dispatch.status}: {dispatch.solution.message}")
        solver_seconds.append(dispatch.solution.solver_seconds)
        return dispatch.solution.objective_eur

    timing = Timing("EcoSystemiser, warm", house.hours)
    for design in [*house.designs] * rounds:
        timing.measure(design, evaluate)
    own = [1 - solver / whole for solver, whole in zip(solver_seconds, timing.seconds, strict=True)]
    return timing, own
