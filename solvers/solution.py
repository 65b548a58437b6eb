"""What a solver says: our status, its own words, and the solution itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from solvers.maths import Array


class Status(StrEnum):
    """How a solve ended."""

    OPTIMAL = "optimal"
    """Solved to its gap."""
    FEASIBLE = "feasible"
    """A limit was reached with an incumbent; the gap is told."""
    INFEASIBLE = "infeasible"
    """No dispatch satisfies the equations; the conflict is told."""
    FAILED = "failed"
    """No answer: a limit without an incumbent, a numerical failure, or an answer that fails its checks."""

    @property
    def has_solution(self) -> bool:
        return self in {Status.OPTIMAL, Status.FEASIBLE}


@dataclass(frozen=True)
class Solution:
    """One solved dispatch, before it is judged.

    Attributes:
        status: ours.
        message: what the solver said, in words.
        values: variables by component and name, each (T,) or (M,); empty without a solution.
        objective_eur: value of the dispatch objective.
        gap_fraction: certified distance to the optimum, relative; infinite where no bound is known.
        conflict: equations and limits that contradict each other, in the components' words.
        solver_seconds: HiGHS' own time.
        iterations: simplex iterations.
        attempts: how the model was solved, in order: warm, cold, interior point.
        missed: by how much cyclic storages end above (or below, negative) the level at which they began [kWh, m³];
            where it is not 0, `rule_based` has told so, and the checks take the level that was reached.
        reached_time_limit: whether the time limit, or a window's share of it, ended the search; never where the
            dispatch is optimal.
        in_time: whether no limit of time cut any solve on the way, that of an optimum included, so that a slower
            machine finds the same.
    """

    status: Status
    message: str
    values: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)
    objective_eur: float | None = None
    gap_fraction: float | None = None
    conflict: tuple[str, ...] = ()
    solver_seconds: float = 0.0
    iterations: int = 0
    attempts: tuple[str, ...] = ()
    missed: Mapping[str, float] = field(default_factory=dict)
    reached_time_limit: bool = False
    in_time: bool = True
