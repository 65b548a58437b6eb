"""A parametric study: which designs it has, and what each of its parameters does.

Y       an output over the designs, (n,), NaN where a design has no answer
V       its variance over them
j, k    parameters; a level is one of the values that a parameter takes

(P1)  first_j = V[mean of Y at each level of j] / V
(P2)  total_j = mean of V[Y | all parameters but j] / V
(P3)  first_jk = V[mean of Y in each pair of levels of j and k] / V - first_j - first_k

Over a whole grid these are Sobol's indices of parameters that are independent and take each level as often, and
exact. Where designs have no answer, the means are over those that have, and the shares need not add up: `complete`
tells. Values that are zipped move together: no share can be told apart, only correlations.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schema.base import Value
from schema.loading import LoadedStudy
from schema.store.records import Sensitivity
from schema.studies import ParametricStudy, ScaleSteps, values_of
from tasks.bases import Base
from tasks.bookkeeping import Analysis
from tasks.sampling import standing_number
from tasks.scoring import Scored
from tasks.sensitivity import Effect, correlations, is_constant, ranked

Array = NDArray[np.float64]
Levels = NDArray[np.intp]


def designs_of(study: ParametricStudy, loaded: LoadedStudy, base: Base) -> list[dict[str, Value]]:
    """Every design of the study, in order; of a grid the last parameter changes fastest."""
    system, solver = loaded.system.system, study.solver
    columns: list[list[Value]] = []
    for path, sweep in study.sweep.items():
        values = values_of(sweep)
        if isinstance(sweep, ScaleSteps):
            number = standing_number(path, base.values, system, solver)
            values = [number * factor for factor in values if not isinstance(factor, str)]
        columns.append(values)
    combined = itertools.product(*columns) if study.combine == "grid" else zip(*columns, strict=True)
    return [{**base.values, **dict(zip(study.sweep, row, strict=True))} for row in combined]


def analyses(study: ParametricStudy, answers: Sequence[Scored]) -> list[Analysis]:
    """The influence of every parameter on every output."""
    names = list(study.sweep)
    columns = [[answer.design.values[name] for answer in answers] for name in names]
    return [
        Analysis(sensitivities=_influences(study, output, names, columns, outputs_of(answers, output)))
        for output in study.outputs
    ]


def outputs_of(answers: Sequence[Scored], output: str) -> Array:
    """An output over the answers, (n,), NaN where there is none."""
    return np.array([answer.objectives[output] if answer.solved else np.nan for answer in answers])


def _influences(
    study: ParametricStudy, output: str, names: Sequence[str], columns: Sequence[Sequence[Value]], Y: Array
) -> list[Sensitivity]:
    levels = np.column_stack([_positions(column) for column in columns])
    is_factorial = study.combine == "grid" or len(names) == 1
    shares = variance_shares(levels, Y) if is_factorial else None
    found = []
    for j, column in enumerate(columns):
        pearson, spearman = _correlations(column, Y)
        first, total = (None, None) if shares is None else (shares.first[j], shares.total[j])
        found.append(Effect(pearson, spearman, first=first, total=total, used=int(np.isfinite(Y).sum())))
    return [
        Sensitivity(
            study.study,
            output,
            names[j],
            j,
            correlation_coefficient=effect.pearson,
            rank_correlation=effect.spearman,
            sobol_first_order=effect.first,
            sobol_total=effect.total,
            importance_rank=effect.rank,
            metadata={
                "levels": _by_level(columns[j], Y),
                "used": effect.used,
                "complete": bool(np.isfinite(Y).all()),
                "interactions": {}
                if shares is None
                else {names[k]: shares.pairs[frozenset((j, k))] for k in range(len(names)) if k != j},
            },
        )
        for j, effect in enumerate(ranked(found))
    ]


def _positions(column: Sequence[Value]) -> Levels:
    """Each value's level."""
    known: dict[Value, int] = {}
    return np.array([known.setdefault(value, len(known)) for value in column], dtype=np.intp)


def _correlations(column: Sequence[Value], Y: Array) -> tuple[float | None, float | None]:
    if any(isinstance(value, str) for value in column):
        return None, None
    return correlations(np.array(column, dtype=float), Y)


def _by_level(column: Sequence[Value], Y: Array) -> list[dict[str, Any]]:
    """What the output is at each value of a parameter, over all values of the others."""
    levels = _positions(column)
    told = []
    for level, value in enumerate(dict.fromkeys(column)):
        y = Y[(levels == level) & np.isfinite(Y)]
        figures = {"mean": y.mean(), "min": y.min(), "max": y.max()} if len(y) else {}
        told.append({"value": value, "evaluations": len(y), **{k: float(v) for k, v in figures.items()}})
    return told


class Shares:
    """Shares of an output's variance.

    Attributes:
        first: (P1), by parameter.
        total: (P2), by parameter.
        pairs: (P3), by the two parameters.
    """

    def __init__(self, first: list[float], total: list[float], pairs: dict[frozenset[int], float]) -> None:
        self.first, self.total, self.pairs = first, total, pairs


def variance_shares(levels: Levels, Y: Array) -> Shares | None:
    """Shares of the variance of an output; None where it does not vary.

    Args:
        levels: of every design and parameter, (n, D).
        Y: the output, (n,), NaN where a design has no answer: it is left out.
    """
    levels, Y = levels[np.isfinite(Y)], Y[np.isfinite(Y)]
    if is_constant(Y):
        return None
    D, V = levels.shape[1], float(Y.var())
    first = [_between(levels[:, [j]], Y) / V for j in range(D)]  # (P1)
    total = [1 - _between(np.delete(levels, j, axis=1), Y) / V for j in range(D)]  # (P2)
    pairs = {
        frozenset((j, k)): _between(levels[:, [j, k]], Y) / V - first[j] - first[k]  # (P3)
        for j, k in itertools.combinations(range(D), 2)
    }
    return Shares(first, total, pairs)


def _between(levels: Levels, Y: Array) -> float:
    """Variance of the means of Y over the groups that have the same levels."""
    if not levels.shape[1]:
        return 0.0
    _, group, counts = np.unique(levels, axis=0, return_inverse=True, return_counts=True)
    means = np.bincount(group.reshape(-1), weights=Y) / counts
    return float(counts @ (means - Y.mean()) ** 2 / len(Y))


def interaction_table(
    rows: Sequence[Mapping[str, Any]], output: str, one: str, other: str
) -> list[dict[str, Any]]:
    """The mean of an output in every pair of values of two parameters, over all values of the others.

    Args:
        rows: evaluations as the store gives them.
        output: the output's name.
        one: a parameter's path.
        other: another's.
    """
    cells: dict[tuple[Value, Value], list[float]] = {}
    for row in rows:
        cell = cells.setdefault((row["parameters"][one], row["parameters"][other]), [])
        if row["simulation_status"] == "success":
            cell.append(row["objectives"][output])
    return [
        {
            "objective_name": output,
            "parameter_a": one,
            "value_a": a,
            "parameter_b": other,
            "value_b": b,
            "mean_value": float(np.mean(values)) if values else None,
            "evaluations": len(values),
        }
        for (a, b), values in cells.items()
    ]
