"""`milp`: the whole horizon in one program, exact to its gap."""

from __future__ import annotations

from dataclasses import replace

from solvers import milp
from solvers.case import Case, Engine, sized_case
from solvers.judging import Dispatch, judge
from solvers.program import Program
from solvers.sizing import chosen
from solvers.solution import Solution, Status


def dispatch(case: Case, engine: Engine) -> Dispatch:
    """Warm from the reference basis; after a numerical failure cold, then by interior point."""
    compiled = engine.compiled(case)
    program = compiled.linear_program(case)
    clock = milp.Clock(case.solver.time_limit_seconds)
    attempts: list[str] = []
    judged = Dispatch(case.system, Solution(Status.FAILED, "not solved"))
    for way in ("warm", "cold", "interior point"):
        if way == "warm" and compiled.basis is None:
            continue
        attempts.append(way)
        answer = milp.solve(
            engine.highs, program, compiled.pairs, clock,
            mip_gap_fraction=case.solver.mip_gap_fraction,
            basis=compiled.basis if way == "warm" else None,
            interior_point=way == "interior point",
        )  # fmt: skip
        judged = _judged(case, solution_of(answer, clock, tuple(attempts), compiled.program))
        if judged.status is not Status.FAILED or answer.conclusive or clock.left <= 0:
            break
    return judged


def _judged(case: Case, solution: Solution) -> Dispatch:
    """Where capacities were chosen too, the system that has them is judged."""
    if not case.system.sizing or not solution.status.has_solution:
        return judge(case, solution)
    sizes, dispatched = chosen(case.system, solution, case.numbers)
    return replace(judge(sized_case(case, sizes), dispatched), sizes=sizes)


def solution_of(
    answer: milp.Answer, clock: milp.Clock, attempts: tuple[str, ...], program: Program
) -> Solution:
    """An answer with its values by component and variable.

    Where nothing is proven and no time is left, the time limit was reached.
    """
    unsettled = answer.status in {Status.FEASIBLE, Status.FAILED} and not answer.conclusive
    solution = Solution(
        answer.status,
        answer.message,
        solver_seconds=clock.solver_seconds,
        iterations=clock.iterations,
        attempts=attempts,
        reached_time_limit=unsettled and clock.left <= 0,
        in_time=clock.in_time,
    )
    if answer.x is None or not answer.status.has_solution:
        return solution
    return replace(
        solution,
        values=program.split(answer.x),
        objective_eur=answer.objective,
        gap_fraction=answer.gap_fraction,
    )
