"""Studies beside each other: what one front covers of another, and volumes up to one common point.

Objectives F are (n, m) arrays to be minimised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schema.errors import Finding, InputError
from tasks.fronts import hypervolume, reference_point

Array = NDArray[np.float64]
Row = dict[str, Any]


def coverage(A: Array, B: Array) -> float | None:
    """Share of B that A is nowhere worse than, C(A, B); None where B is empty.

    Zitzler and Thiele 1998, doi:10.1007/BFb0056872. C(A, B) and C(B, A) need not add up to 1.
    """
    if not len(B):
        return None
    nowhere_worse = np.ones((len(A), len(B)), dtype=bool)
    for a, b in zip(A.T, B.T, strict=True):
        nowhere_worse &= a[:, None] <= b
    return float(nowhere_worse.any(axis=0).mean())


def compared(studies: Sequence[Row]) -> list[Row]:
    """The studies side by side, in natural units.

    Each gets its front's size and best values, the hypervolume up to a point that is common to all of them
    (the worst of all fronts plus 10 % of their range), and the share that it covers of every other front.

    Args:
        studies: as `schema.store.queries.side_by_side` gives them.

    Raises:
        InputError: the studies have no objective in common, or disagree on which way one is better.
    """
    objectives = _shared_objectives(studies)
    signs = np.array([-1.0 if sense == "maximise" else 1.0 for sense in objectives.values()])
    fronts = {row["study_id"]: _minimised(row["front"], list(objectives), signs) for row in studies}
    every = np.vstack(list(fronts.values()))
    reference = reference_point(every) if len(every) and len(objectives) > 1 else None
    return [
        {
            **{name: value for name, value in row.items() if name not in {"front", "optimization_objective"}},
            "front_size": len(row["front"]),
            "objectives": _best(fronts[row["study_id"]], list(objectives), signs),
            "hypervolume": _volume(fronts[row["study_id"]], reference),
            "reference_point": _named(reference, list(objectives), signs),
            "covers": {
                other: coverage(fronts[row["study_id"]], front)
                for other, front in fronts.items()
                if other != row["study_id"]
            },
        }
        for row in studies
    ]


def _shared_objectives(studies: Sequence[Row]) -> dict[str, str]:
    """Objectives that all of them have, in the first one's order, with their sense."""
    told: list[Mapping[str, str]] = [row["optimization_objective"] or {} for row in studies]
    shared = [name for name in told[0] if all(name in other for other in told)] if told else []
    if not shared:
        listed = "; ".join(
            f"{row['study_id']}: {', '.join(own) or 'none'}" for row, own in zip(studies, told, strict=True)
        )
        message = f"these studies have no objective in common ({listed}): name studies that have"
        raise InputError(Finding("", "study_ids", listed, "a common objective", message))
    for name in shared:
        if len({other[name] for other in told}) > 1:
            message = f"the studies disagree on which way {name} is better: they cannot be compared"
            raise InputError(Finding("", "study_ids", name, "the same sense", message))
    return {name: told[0][name] for name in shared}


def _minimised(front: Sequence[Row], names: Sequence[str], signs: Array) -> Array:
    values = [[row["objectives"][name] for name in names] for row in front]
    return np.array(values, dtype=float).reshape(len(front), len(names)) * signs


def _best(F: Array, names: Sequence[str], signs: Array) -> dict[str, float | None]:
    if not len(F):
        return dict.fromkeys(names)
    return dict(zip(names, (F.min(axis=0) * signs).tolist(), strict=True))


def _volume(F: Array, reference: Array | None) -> float | None:
    return None if reference is None or not len(F) else hypervolume(F, reference)


def _named(point: Array | None, names: Sequence[str], signs: Array) -> dict[str, float] | None:
    return None if point is None else dict(zip(names, (point * signs).tolist(), strict=True))
