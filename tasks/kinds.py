"""Kinds of design on a front: a few groups of designs alike, so that they can be told apart and talked about.

Designs are points of their parameters and objectives, each scaled to its range on the front; what is text counts
as alike or not. The groups are those of k-means (Lloyd 1982, doi:10.1109/TIT.1982.1056489), begun at designs far
from each other (Gonzalez 1985, doi:10.1016/0304-3975(85)90224-5) instead of at random ones, so that the same front
always has the same kinds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Row = Mapping[str, Any]

MOST: Final = 10
"""More kinds than this can neither be told apart by colour nor be kept in mind."""
_MOST_ROUNDS: Final = 100


@dataclass(frozen=True)
class Spread:
    """A parameter or objective within a kind."""

    median: float
    least: float
    most: float


@dataclass(frozen=True)
class Kind:
    """Designs that are alike.

    Attributes:
        name: A, B, C …, by the median of the first objective.
        members: their positions on the front.
        example: the position of the one nearest to the middle of all.
        spreads: name of a numeric parameter or objective → how it spreads.
        choices: name of a parameter of texts → those that occur, the most frequent first.
    """

    name: str
    members: tuple[int, ...]
    example: int
    spreads: Mapping[str, Spread]
    choices: Mapping[str, tuple[str, ...]]


def kinds_of(front: Sequence[Row], objectives: Mapping[str, str], most: int = MOST) -> list[Kind]:
    """The kinds of design on a front.

    Args:
        front: designs, each with `parameters` and `objectives`.
        objectives: name → minimise or maximise, the first one gives the order.
        most: how many kinds at most; fewer where there are fewer different designs.
    """
    if not front or not objectives:
        return []
    points = scaled(front)
    groups = _groups(points, max(1, min(most, len(np.unique(points, axis=0)))))
    first, sense = next(iter(objectives.items()))
    sign = -1.0 if sense == "maximise" else 1.0

    def rank(members: NDArray[np.intp]) -> float:
        return float(np.median([sign * float(front[i]["objectives"][first]) for i in members]))

    return [
        _kind(chr(ord("A") + place), members, front, points)
        for place, members in enumerate(sorted(groups, key=rank))
    ]


def usual_count(designs: int) -> int:
    """How many kinds say something: three designs of each or more."""
    return max(2, min(MOST, designs // 3))


def scaled(front: Sequence[Row]) -> Array:
    """Each design's parameters and objectives, (n, d), every column within 0 and 1."""
    columns = []
    for values in _columns(front).values():
        if _are_numbers(values):
            numbers = np.array(values, dtype=float)
            wide = np.ptp(numbers)
            if wide > 0:
                columns.append((numbers - numbers.min()) / wide)
        else:
            columns += [
                np.array([str(value) == word for value in values], dtype=float) / np.sqrt(2)
                for word in sorted({str(value) for value in values})
            ]
    return np.column_stack(columns) if columns else np.zeros((len(front), 1))


def _columns(front: Sequence[Row]) -> dict[str, list[Any]]:
    """Parameters and objectives that every design has."""
    found: dict[str, list[Any]] = {}
    for part in ("parameters", "objectives"):
        names = dict.fromkeys(name for row in front for name in row[part] or {})
        for name in names:
            values = [(row[part] or {}).get(name) for row in front]
            if all(value is not None for value in values):
                found[name] = values
    return found


def _are_numbers(values: Sequence[Any]) -> bool:
    return all(isinstance(value, int | float) for value in values)


def _groups(points: Array, count: int) -> list[NDArray[np.intp]]:
    """The points' positions, in at most so many groups, none of them empty."""
    centres, labels = _far_apart(points, count), np.full(len(points), -1)
    for _ in range(_MOST_ROUNDS):
        distances = np.linalg.norm(points[:, None, :] - centres[None, :, :], axis=2)
        before, labels = labels, distances.argmin(axis=1)
        if np.array_equal(before, labels):
            break
        centres = np.array([points[labels == label].mean(axis=0) for label in np.unique(labels)])
    return [np.flatnonzero(labels == label) for label in np.unique(labels)]


def _far_apart(points: Array, count: int) -> Array:
    """The point nearest to the middle, then each time the one farthest from all chosen."""
    chosen = [int(np.linalg.norm(points - points.mean(axis=0), axis=1).argmin())]
    distance = np.linalg.norm(points - points[chosen[0]], axis=1)
    while len(chosen) < count:
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return points[chosen]


def _kind(name: str, members: NDArray[np.intp], front: Sequence[Row], points: Array) -> Kind:
    middle = points[members].mean(axis=0)
    example = int(members[np.linalg.norm(points[members] - middle, axis=1).argmin()])
    spreads, choices = {}, {}
    for column, values in _columns(front).items():
        own = [values[i] for i in members]
        if _are_numbers(values):
            numbers = np.array(own, dtype=float)
            spreads[column] = Spread(float(np.median(numbers)), float(numbers.min()), float(numbers.max()))
        else:
            words = [str(value) for value in own]
            choices[column] = tuple(sorted(set(words), key=lambda word: (-words.count(word), word)))
    return Kind(name, tuple(int(i) for i in members), example, spreads, choices)
