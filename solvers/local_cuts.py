"""Cuts from the stretches of a horizon in which a relaxation lets exclusive pairs run at once.

Symbols: min c x,  r ≤ A x ≤ r',  l ≤ x ≤ u,  pairs apart; W the rows of a stretch of steps, x_W the columns in
them, y the duals of the relaxation, d its reduced costs, x° its optimum, x̂ the best dispatch.

(X1)  g = c - Σ y_i a_i    over all rows i that are not in W: what ties the stretch to the rest is priced
(X2)  β = min { g x_W :  rows W, bounds, pairs apart in W }      a small MILP
(X3)  g x_W ≥ β            holds for every dispatch, whatever y; added to the relaxation, it lifts its bound
(X4)  c x̂ - c x° = Σ_j d_j (x̂_j - x°_j) + Σ_i y_i a_i (x̂ - x°)      the gap by columns and rows, so by steps; no
      term is negative

The relaxation here has hulls (`solvers.hulls`), whose rows and directions belong to their steps as all others do.
It breaks pairs in hours that storages tie to a day, seldom to more, so the gap falls into parts that are
closed one by one; a single tree of branches would have to close all of them at once. Stretches meet where it is
calm, as far as can be from broken steps: there the prices at which they are parted hold for whatever they choose.
The directions that the small MILPs choose are held for a dispatch. Where (X4) leaves a gap, a stretch takes in
the one before it, next time the one behind it: the cuts of both stand in the new MILP as rows, so little is left
for it to search. A stretch over the whole horizon would be the MILP itself; what is left when stretches grow too
long goes back to the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from solvers.highs import Clock, Outcome, PersistentHighs, wider_basis
from solvers.hulls import Hull
from solvers.maths import Array
from solvers.pairs import Pair, any_broken, cancels, repaired, with_binaries
from solvers.program import LinearProgram
from solvers.solution import Status
from solvers.stretches import Places, Stretch, calm_parts, steps_of, with_cuts
from solvers.windows import pair_in

FIRST_STEPS = (12, 24)
"""Of the shortest and the longest stretch at first: about as far as storages tie steps that break their pairs."""
LONGEST_STEPS = 500
"""A longer stretch, or one of more than half the horizon, is no longer small: the caller's turn."""
MOST_NODES = 500
"""Of plain branching in one stretch; a count, not a time, so that answers do not depend on the machine."""
KEPT_BACK = 0.2
"""Share of the time limit that stretches leave to the relaxation and the dispatch that come of them."""
STRETCH_GAP = 1e-9
"""Relative, of a stretch's MILP: many small gaps add up."""
_SMALLEST = 1e-9
"""A cut that lifts the bound by less [€] is left out; duals below it are noise."""


@dataclass(frozen=True)
class Tightened:
    """What the cuts came to.

    Attributes:
        program: the hull with its cuts.
        bound: its optimum; infinite if a stretch alone has no dispatch.
        best: the best dispatch found, if any.
    """

    program: LinearProgram
    bound: float
    best: Outcome | None


@dataclass(frozen=True)
class _Solved:
    """A stretch's MILP: its columns in the whole, their cost (X1), least cost (X2), and a point that has it."""

    columns: Places
    cost: Array
    least: float
    x: Array | None


def tighten(
    highs: PersistentHighs,
    hull: Hull,
    pairs: tuple[Pair, ...],
    clock: Clock,
    gap_eur: float,
) -> Tightened:
    """Close the gap stretch by stretch, until it is below `gap_eur`, nothing is gained, or time is up.

    Args:
        highs: the solver object of this worker.
        hull: the relaxation, all of its columns continuous, with the hulls of the steps that it breaks.
        pairs: what must not run at once.
        clock: time limit and account of the solver's time.
        gap_eur: how close is close enough.
    """
    search = _Search(highs, hull, pairs, clock)
    is_first = True
    while search.left > 0:
        search.cut()
        search.hold_directions()
        if search.bound == np.inf or search.gap <= gap_eur or not search.look(gap_eur):
            break
        # The first cuts move the prices most: the same stretches say more at the new ones.
        if not is_first and search.grow() > min(search.steps // 2, LONGEST_STEPS):
            break
        is_first = False
    return Tightened(search.master, search.bound, search.best)


class _Search:
    """The relaxation with its cuts, and the stretches that they come from."""

    def __init__(
        self,
        highs: PersistentHighs,
        hull: Hull,
        pairs: tuple[Pair, ...],
        clock: Clock,
    ) -> None:
        assert hull.outcome.x is not None
        self.highs, self.hull, self.pairs, self.clock = highs, hull, pairs, clock
        self._take(hull.program)
        self.duals, self.bound = hull.duals, hull.outcome.bound
        self.x, self.basis = hull.outcome.x, hull.outcome.basis
        self.best: Outcome | None = None
        self.steps = pairs[0].balance.stop - pairs[0].balance.start
        self._rows, self._columns = steps_of(hull.program, pairs)
        self._owner = np.full((self._rows.size, 2), -1)  # of a cut: its stretch
        self._free = {pair: ~cancels(hull.program, pair) for pair in pairs}
        broken = [pair.broken(self.x) for pair in pairs]
        self._active = [
            pair for pair, steps in zip(pairs, broken, strict=True) if self._free[pair][steps].any()
        ]
        every = [steps[self._free[pair][steps]] for pair, steps in zip(pairs, broken, strict=True)]
        self._stretches = calm_parts(np.unique(np.concatenate(every)), self.steps, *FIRST_STEPS)
        self._needy = [s for s in self._stretches if np.isin(np.concatenate(every), np.arange(*s)).any()]
        self._solved: dict[Stretch, _Solved] = {}
        self._backwards = False

    @property
    def left(self) -> float:
        """Seconds for stretches; the rest is for what their cuts and directions come to."""
        return max(self.clock.left - KEPT_BACK * self.clock.limit_seconds, 0.0)

    @property
    def gap(self) -> float:
        return np.inf if self.best is None else self.best.objective - self.bound

    def cut(self) -> None:
        """Solve the stretches in need, add their cuts, and solve the relaxation anew."""
        cuts: list[tuple[Stretch, _Solved]] = []
        for stretch in self._needy:
            solved = self._solve(stretch)
            if solved is None:
                continue
            self._solved[stretch] = solved
            if solved.least == np.inf:
                self.bound = np.inf
                return
            if np.isfinite(solved.least) and solved.least - solved.cost @ self.x[solved.columns] > _SMALLEST:
                cuts.append((stretch, solved))
        if cuts:
            self._add(cuts)

    def _solve(self, stretch: Stretch) -> _Solved | None:
        """The small MILP of a stretch (X1, X2), with binaries in every step of pairs that are found broken."""
        if self.left <= 0:
            return None
        part, columns, rows = self._part(stretch)
        while True:
            extended, first = self._with_binaries(part, columns, rows, stretch)
            outcome = self._branch(extended)
            x = None if outcome.x is None else outcome.x[:first]
            if x is None or not self._activate(x, columns, rows, stretch):
                break
        least = np.inf if outcome.status is Status.INFEASIBLE else outcome.bound
        return _Solved(columns, part.cost, least, x)

    def _with_binaries(
        self, part: LinearProgram, columns: Places, rows: Places, stretch: Stretch
    ) -> tuple[LinearProgram, int]:
        """Directions whole where the hull has them; a binary (P1) elsewhere."""
        whole: list[Places] = []
        split: dict[Pair, Places] = {}
        for pair in self._active:
            steps = self._free_steps(pair, stretch)
            known = self.hull.directions[pair][stretch[0] + steps]
            whole.append(np.searchsorted(columns, known[known >= 0]))
            if (known < 0).any():
                split[pair_in(pair, columns, rows, *stretch)] = steps[known < 0]
        integers = np.sort(np.concatenate([part.integers, *whole])).astype(np.int32)
        return with_binaries(replace(part, integers=integers), split)

    def _branch(self, part: LinearProgram) -> Outcome:
        """By plain branching; with all that HiGHS can do where that is not enough."""
        outcome = self.clock.count(
            self.highs.solve(
                part,
                time_limit_seconds=self.left,
                mip_gap_fraction=STRETCH_GAP,
                most_nodes=MOST_NODES,
            )
        )
        if outcome.status is Status.OPTIMAL or outcome.status is Status.INFEASIBLE:
            return outcome
        return self.clock.count(
            self.highs.solve(
                part, time_limit_seconds=self.left, mip_gap_fraction=STRETCH_GAP, start=outcome.x
            )
        )

    def _free_steps(self, pair: Pair, stretch: Stretch) -> Places:
        return np.flatnonzero(self._free[pair][slice(*stretch)])

    def _activate(self, x: Array, columns: Places, rows: Places, stretch: Stretch) -> bool:
        """Pairs that a stretch's solution breaks get binaries."""
        found = [
            pair
            for pair in self.pairs
            if pair not in self._active
            and np.isin(
                pair_in(pair, columns, rows, *stretch).broken(x), self._free_steps(pair, stretch)
            ).any()
        ]
        self._active += found
        return bool(found)

    def _part(self, stretch: Stretch) -> tuple[LinearProgram, Places, Places]:
        """Rows and columns of a stretch, with the cuts of what it took in, and the cost (X1)."""
        start, stop = stretch
        taken_in = (self._owner[:, 0] >= start) & (self._owner[:, 1] <= stop)
        rows = np.flatnonzero(
            (self._rows >= start) & (self._rows < stop) & (self._owner[:, 0] < 0) | taken_in
        )
        wide = self._by_rows[rows]
        columns = np.unique(wide.indices).astype(np.intp)
        prices = self.duals.copy()
        prices[rows] = 0.0
        cost = self.master.cost[columns] - self._by_columns[:, columns].T @ prices
        matrix = sp.csc_array(wide[:, columns])
        whole = self.master
        part = LinearProgram(
            cost=np.where(np.abs(cost) < _SMALLEST, 0.0, cost),
            offset=0.0,
            lower=whole.lower[columns],
            upper=whole.upper[columns],
            row_lower=whole.row_lower[rows],
            row_upper=whole.row_upper[rows],
            starts=matrix.indptr.astype(np.int32),
            rows=matrix.indices.astype(np.int32),
            values=matrix.data,
        )
        return part, columns, rows

    def _take(self, master: LinearProgram) -> None:
        """The relaxation as it is from now on; its matrix by rows and by columns is read for each stretch."""
        self.master, self._by_columns = master, master.matrix
        self._by_rows = sp.csr_array(self._by_columns)

    def _add(self, cuts: Sequence[tuple[Stretch, _Solved]]) -> None:
        """The relaxation with more rows (X3), solved on from its basis."""
        self._take(with_cuts(self.master, [(s.columns, s.cost, s.least) for _, s in cuts]))
        self._rows = np.concatenate([self._rows, [stretch[0] for stretch, _ in cuts]])
        self._owner = np.concatenate([self._owner, [stretch for stretch, _ in cuts]])
        self.basis = wider_basis(self.basis, rows=len(cuts))
        outcome = self.clock.count(
            self.highs.solve(self.master, time_limit_seconds=self.clock.left, basis=self.basis)
        )
        if outcome.status is Status.OPTIMAL and outcome.x is not None:
            self.x, self.basis, self.bound = outcome.x, outcome.basis, outcome.bound
            self.duals = self.highs.row_duals()
            return
        self.duals = np.concatenate([self.duals, np.zeros(len(cuts))])
        if outcome.status is Status.INFEASIBLE:
            self.bound = np.inf

    def hold_directions(self) -> None:
        """A dispatch with the directions that the stretches chose, repaired where others break."""
        upper = self.hull.program.upper.copy()
        for stretch in self._stretches:
            solved = self._solved.get(stretch)
            if solved is None or solved.x is None:
                continue
            for pair in self._active:
                steps = stretch[0] + self._free_steps(pair, stretch)
                a, b = (
                    solved.x[np.searchsorted(solved.columns, place.start + steps)]
                    for place in (pair.a, pair.b)
                )
                upper[pair.a.start + steps[a < b]] = 0.0
                upper[pair.b.start + steps[a > b]] = 0.0
        held = replace(self.hull.program, upper=upper)
        outcome = self.clock.count(
            self.highs.solve(held, time_limit_seconds=self.clock.left, basis=self.hull.outcome.basis)
        )
        if any_broken(self.pairs, outcome.x):
            outcome = repaired(self.highs, held, self.pairs, self.clock, outcome)
        if outcome.x is not None and (self.best is None or outcome.objective < self.best.objective):
            self.best = outcome

    def look(self, gap_eur: float) -> bool:
        """Find the stretches where a gap is left (X4), the widest gap first; whether there is any."""
        gaps = self._gap_by_step()
        parts = {stretch: float(gaps[slice(*stretch)].sum()) for stretch in self._stretches}
        worth = gap_eur / len(parts)
        self._needy = sorted((s for s in parts if parts[s] > worth), key=lambda s: (-parts[s], s))
        return bool(self._needy)

    def grow(self) -> int:
        """Join each stretch in need with the one before it, next time the one behind it; steps of the longest."""
        self._backwards = not self._backwards
        waiting, joined = set(self._stretches), []
        for stretch in self._needy:
            if stretch not in waiting:
                continue
            start, stop = stretch
            waiting.remove(stretch)
            beside = sorted(
                (s for s in waiting if s[1] == start or s[0] == stop), reverse=not self._backwards
            )
            if beside:
                waiting.remove(beside[0])
                start, stop = min(start, beside[0][0]), max(stop, beside[0][1])
            joined.append((start, stop))
        self._needy, self._stretches = joined, sorted([*waiting, *joined])
        self._solved = {s: solved for s, solved in self._solved.items() if s in waiting}
        return max(stop - start for start, stop in joined)

    def _gap_by_step(self) -> Array:
        """(T,), the parts of (X4)."""
        if self.best is None or self.best.x is None:
            return np.ones(self.steps)
        away = self.hull.lifted(self.best.x) - self.x
        reduced = self.master.cost - self._by_columns.T @ self.duals
        by_column = np.maximum(reduced * away, 0.0)
        by_row = np.maximum(self.duals * (self._by_rows @ away), 0.0)
        near = self._rows >= 0  # the others have nothing to do with any pair, as water beside a house
        return np.add(
            np.bincount(self._columns, by_column, self.steps),
            np.bincount(self._rows[near], by_row[near], self.steps),
            dtype=float,
        )
