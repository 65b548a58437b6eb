"""HiGHS, kept alive: one solver object that is given new data instead of being built anew.

Every solve clears what the last one left behind, so that the answer depends on the data and the given basis only.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import highspy
import numpy as np
from highspy import HighsModelStatus as Highs
from numpy.typing import NDArray

from solvers.maths import Array
from solvers.program import Indices, LinearProgram
from solvers.solution import Status

STATUS: dict[tuple[Highs, bool], Status] = {
    (Highs.kOptimal, True): Status.OPTIMAL,
    (Highs.kModelEmpty, True): Status.OPTIMAL,
    (Highs.kInfeasible, False): Status.INFEASIBLE,
    (Highs.kTimeLimit, True): Status.FEASIBLE,
    (Highs.kIterationLimit, True): Status.FEASIBLE,
    (Highs.kSolutionLimit, True): Status.FEASIBLE,
    (Highs.kObjectiveBound, True): Status.FEASIBLE,
    (Highs.kObjectiveTarget, True): Status.FEASIBLE,
    (Highs.kInterrupt, True): Status.FEASIBLE,
}
"""Our status by HiGHS' model status and whether there is a feasible point; whatever is not named has failed."""

_EDGE_WEIGHTS, _DEVEX, _CHOOSE = "simplex_dual_edge_weight_strategy", 1, -1
"""Close to an optimum exact steepest-edge weights do not repay their cost; Devex saves about a tenth of a run."""

_SMALL: tuple[tuple[str, Any, Any], ...] = (
    ("mip_abs_gap", 1e-6, 1e-9),
    ("mip_detect_symmetry", True, False),
    ("mip_heuristic_effort", 0.05, 0.0),
    ("mip_heuristic_run_feasibility_jump", True, False),
    ("mip_heuristic_run_rins", True, False),
    ("mip_heuristic_run_rens", True, False),
    ("mip_heuristic_run_root_reduced_cost", True, False),
)
"""Options with HiGHS' own values, and with those for a small MILP."""

LIMITS = {Highs.kTimeLimit, Highs.kIterationLimit, Highs.kInterrupt}
_COLUMNWISE, _MINIMISE, _INTEGER = 1, 1, 1
_IRREDUCIBLE_FROM_LP = int(highspy.IisStrategy.kIisStrategyFromLp) | int(
    highspy.IisStrategy.kIisStrategyIrreducible
)
_SIDES = {
    int(highspy.IisBoundStatus.kIisBoundStatusLower): ("lower",),
    int(highspy.IisBoundStatus.kIisBoundStatusUpper): ("upper",),
    int(highspy.IisBoundStatus.kIisBoundStatusBoxed): ("lower", "upper"),
}
"""Bounds that take part in a conflict; free columns only connect rows."""


@dataclass(frozen=True)
class Outcome:
    """What one run of HiGHS gave.

    Attributes:
        status: ours.
        message: HiGHS' own word for its model status.
        hit_limit: whether a limit ended the run.
        unbounded: whether the objective has no lower end.
        x: (n,), or None without a feasible point.
        objective, bound: of the incumbent, and proven; the bound of an LP is its objective.
        seconds, iterations: of this run.
        basis: the final basis of an LP.
    """

    status: Status
    message: str
    hit_limit: bool
    x: Array | None
    objective: float
    bound: float
    seconds: float
    iterations: int
    basis: Any = None
    unbounded: bool = False


@dataclass
class Clock:
    """Time left for one solve, and what HiGHS spent of it."""

    limit_seconds: float
    began: float = field(default_factory=time.perf_counter)
    solver_seconds: float = 0.0
    iterations: int = 0
    cut: bool = False

    @property
    def left(self) -> float:
        return max(self.limit_seconds - (time.perf_counter() - self.began), 0.0)

    @property
    def in_time(self) -> bool:
        """Whether time was left and no solve was cut by a limit: the same comes out on a slower machine."""
        return not self.cut and self.left > 0

    def add(self, other: Clock) -> None:
        """Count what another clock counted."""
        self.solver_seconds += other.solver_seconds
        self.iterations += other.iterations
        self.cut |= not other.in_time

    def count(self, outcome: Outcome) -> Outcome:
        self.solver_seconds += outcome.seconds
        self.iterations += outcome.iterations
        self.cut |= outcome.hit_limit
        return outcome


@dataclass(frozen=True)
class Conflict:
    """An irreducible infeasible subset: rows and columns, with the side of each that takes part."""

    rows: tuple[int, ...]
    columns: tuple[tuple[int, str], ...]


class DividedBasis:
    """A basis of which parts start the solves of parts of its program."""

    def __init__(self, basis: Any) -> None:
        # Reading a basis out of HiGHS copies it whole.
        self._columns = np.array(basis.col_status, dtype=object)
        self._rows = np.array(basis.row_status, dtype=object)

    def part(self, columns: NDArray[np.intp], rows: NDArray[np.intp]) -> Any:
        """The basis of some columns and rows; HiGHS completes what is missing in it."""
        part = highspy.HighsBasis()
        part.valid = part.alien = True
        part.col_status = self._columns[columns].tolist()
        part.row_status = self._rows[rows].tolist()
        return part


class PersistentHighs:
    """One HiGHS object; not to be shared between threads."""

    def __init__(self) -> None:
        self._highs = highspy.Highs()
        self._highs.silent()
        self._highs.setOptionValue("threads", 1)
        # With a looser one, a binary of 1e-6 lets both of a pair run at 1e-6 of their limits.
        self._highs.setOptionValue("mip_feasibility_tolerance", 1e-9)
        self._loaded: LinearProgram | None = None
        self._has_integers = False

    def solve(
        self,
        program: LinearProgram,
        *,
        time_limit_seconds: float,
        basis: Any = None,
        interior_point: bool = False,
        relaxed: bool = False,
        mip_gap_fraction: float = 0.0,
        start: Array | None = None,
        most_nodes: int | None = None,
    ) -> Outcome:
        """Solve a program from a basis, from a starting point, or from nothing.

        Args:
            program: the data.
            time_limit_seconds: for this run alone.
            basis: where the simplex method starts; presolve is skipped then.
            interior_point: use HiGHS' interior point method instead of simplex.
            relaxed: let whole columns take any value.
            mip_gap_fraction: relative gap at which a MILP counts as solved.
            start: (n,), a feasible point to start a MILP from.
            most_nodes: for a small MILP that branching settles: ends it after so many, and spares the search for
                symmetry and by heuristics, which take ten times as long.
        """
        highs = self._highs
        is_mip = program.integers.size > 0 and not relaxed
        if is_mip:
            self._pass(program, program.integers)
        else:
            self._load(program)
        highs.clearSolver()
        highs.setOptionValue("solver", "ipm" if interior_point else "choose")
        highs.setOptionValue("mip_rel_gap", mip_gap_fraction)
        for option, usual, small in _SMALL:
            highs.setOptionValue(option, usual if most_nodes is None else small)
        highs.setOptionValue("mip_max_nodes", highspy.kHighsIInf if most_nodes is None else most_nodes)
        highs.setOptionValue(_EDGE_WEIGHTS, _CHOOSE if basis is None else _DEVEX)
        # HiGHS' clock runs on from solve to solve; an LP's limit is held against it, a MILP's against its own.
        began = highs.getRunTime()
        highs.setOptionValue("time_limit", time_limit_seconds + (0.0 if is_mip else began))
        if basis is not None:
            highs.setBasis(basis)
        if start is not None:
            highs.setSolution(start.size, np.arange(start.size, dtype=np.int32), start)
        highs.run()
        return self._outcome(began, is_mip=is_mip)

    def row_duals(self) -> Array:
        """Prices of the rows (m,) in the LP that was solved last: its optimum's gain by a unit of their sides."""
        return np.asarray(self._highs.getSolution().row_dual)

    def conflict(self, program: LinearProgram, time_limit_seconds: float) -> Conflict | None:
        """The rows and bounds of an infeasible LP that contradict each other, none of them needless.

        None if none was found in time. Takes seconds from a few thousand rows on.
        """
        self._load(program)
        highs = self._highs
        highs.clearSolver()
        highs.setOptionValue("time_limit", highs.getRunTime() + time_limit_seconds)
        # With the default strategy HiGHS looks for nothing but trivial conflicts.
        highs.setOptionValue("iis_strategy", _IRREDUCIBLE_FROM_LP)
        _, iis = highs.getIis()
        found = Conflict(
            tuple(int(row) for row in iis.row_index_),
            tuple(
                (int(column), side)
                for column, bound in zip(iis.col_index_, iis.col_bound_, strict=True)
                for side in _SIDES.get(int(bound), ())
            ),
        )
        return found if found.rows or found.columns else None

    def _outcome(self, began: float, *, is_mip: bool) -> Outcome:
        highs = self._highs
        info, model_status = highs.getInfo(), highs.getModelStatus()
        # The tell of a limit without incumbent: the status alone would let zeros pass for a solution.
        feasible = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
        status = STATUS.get((model_status, feasible), Status.FAILED)
        solved = status is Status.OPTIMAL
        return Outcome(
            status=status,
            message=highs.modelStatusToString(model_status).lower(),
            hit_limit=model_status in LIMITS,
            x=np.asarray(highs.allVariableValues()) if status.has_solution else None,
            objective=info.objective_function_value,
            bound=info.mip_dual_bound if is_mip else (info.objective_function_value if solved else -np.inf),
            seconds=highs.getRunTime() - began,
            iterations=max(info.simplex_iteration_count, 0),
            basis=highs.getBasis() if solved and not is_mip else None,
            unbounded=model_status == Highs.kUnbounded,
        )

    def _load(self, program: LinearProgram) -> None:
        """Pass what differs from the program that HiGHS holds: bounds and costs; another matrix, whole."""
        old = self._loaded
        if old is None or self._has_integers or not _same_matrix(old, program):
            self._pass(program, None)
            return
        highs = self._highs
        changed = _where((old.lower != program.lower) | (old.upper != program.upper))
        if changed.size:
            highs.changeColsBounds(changed.size, changed, program.lower[changed], program.upper[changed])
        changed = _where(old.cost != program.cost)
        if changed.size:
            highs.changeColsCost(changed.size, changed, program.cost[changed])
        changed = _where((old.row_lower != program.row_lower) | (old.row_upper != program.row_upper))
        if changed.size:
            highs.changeRowsBounds(
                changed.size, changed, program.row_lower[changed], program.row_upper[changed]
            )
        if old.offset != program.offset:
            highs.changeObjectiveOffset(program.offset)
        self._loaded = program

    def _pass(self, program: LinearProgram, integers: Indices | None) -> None:
        n, m = program.cost.size, program.row_lower.size
        integrality = np.zeros(n, dtype=np.int32)
        if integers is not None:
            integrality[integers] = _INTEGER
        passed = self._highs.passModel(
            n, m, program.values.size, _COLUMNWISE, _MINIMISE, program.offset, program.cost, program.lower,
            program.upper, program.row_lower, program.row_upper, program.starts, program.rows, program.values,
            integrality,
        )  # fmt: skip
        if passed == highspy.HighsStatus.kError:
            raise ValueError("HiGHS refused the model: its data are not consistent")
        self._loaded, self._has_integers = program, integers is not None


def wider_basis(basis: Any, *, rows: int, columns: int = 0) -> Any:
    """A basis for a program that has more rows, all of them slack, and more columns at their lower ends."""
    wider = highspy.HighsBasis()
    wider.col_status = [*basis.col_status, *[highspy.HighsBasisStatus.kLower] * columns]
    wider.row_status = [*basis.row_status, *[highspy.HighsBasisStatus.kBasic] * rows]
    wider.valid, wider.alien = basis.valid, basis.alien
    return wider


def _same_matrix(one: LinearProgram, other: LinearProgram) -> bool:
    same_pattern = one.starts is other.starts and one.rows is other.rows
    return same_pattern and np.array_equal(one.values, other.values)


def _where(mask: Any) -> Indices:
    return np.flatnonzero(mask).astype(np.int32)
