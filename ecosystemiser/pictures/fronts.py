"""Pictures of a front: its trade-offs, and its designs across all their numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecosystemiser.pictures.marks import (
    Axis,
    Line,
    Mark,
    Note,
    Panel,
    Panels,
    Parallel,
    Picture,
    Points,
    Space,
)
from ecosystemiser.pictures.wording import (
    BLUE,
    GREY,
    VERMILION,
    label,
    parameter_label,
    rounded,
    told,
    unit,
    words,
)

Row = Mapping[str, Any]
Array = NDArray[np.float64]
_MOST_OBJECTIVES = 4
_MOST_AXES = 12


def pareto_front(
    front: Sequence[Row],
    objectives: Mapping[str, str],
    *,
    title: str,
    others: Sequence[Row] = (),
    knee: int | None = None,
    colour: str | None = None,
) -> Picture:
    """The trade-off between a study's objectives: of two against each other, of more in pairs.

    Args:
        front: its designs, each with `objectives`.
        objectives: name → minimise or maximise, two at least.
        title: what the picture shows.
        others: designs that were solved and keep the constraints, but are dominated.
        knee: position of the knee in `front`.
        colour: an objective, KPI or parameter of the rows that colours the points.
    """
    if len(objectives) < 2 or not front:
        raise ValueError("a front takes two objectives and a design")
    names = list(objectives)[:_MOST_OBJECTIVES]
    pairs = [(names[0], names[1])] if len(names) == 2 else list(combinations(names, 2))
    values = _values(front, colour)
    panels = [
        _panel(
            front,
            others,
            {name: objectives[name] for name in pair},
            knee,
            values,
            colour,
            joined=len(pairs) == 1,
        )
        for pair in pairs
    ]
    aims = ", ".join(f"{sense} {words(name)}" for name, sense in objectives.items())
    count = f"{len(front)} non-dominated design{'s' if len(front) != 1 else ''}"
    columns = 1 if len(panels) == 1 else 2
    return Picture(
        title,
        Panels(panels, columns),
        below=f"{count}: {aims}",
        width=8.0 if columns == 1 else 13.0,
        height=5.4 if columns == 1 else 4.6 * -(-len(panels) // 2) + 0.6,
        space=_space(front, names[:3], values, colour) if len(names) > 2 else None,
    )


def _panel(
    front: Sequence[Row],
    others: Sequence[Row],
    objectives: Mapping[str, str],
    knee: int | None,
    values: Array | None,
    colour: str | None,
    *,
    joined: bool,
) -> Panel:
    """Two objectives against each other; the points are `joined` where there is no third one."""
    names, signs = list(objectives), _signs(list(objectives.values()))
    points = _points(front, names)
    x_range, y_range = _limits(points, signs)
    marks: list[Mark] = []
    if others:
        x, y = _points(others, names).T
        marks.append(
            Points(
                x,
                y,
                "dominated designs",
                GREY,
                size=3.5,
                faint=True,
                tips=[tip(row, whole=False) for row in others],
                ids=_ids(others),
            )
        )
    if joined:
        order = np.argsort(points[:, 0], kind="stable")
        marks.append(Line(points[order, 0], points[order, 1], "", GREY, 1.0))
    marks.append(
        Points(
            points[:, 0],
            points[:, 1],
            "front" if others else "",
            colour=BLUE,
            values=values,
            scale="" if colour is None else label(colour),
            tips=[tip(row) for row in front],
            ids=_ids(front),
        )
    )
    marks += _notes(points, objectives, knee)
    up, right = signs[1] > 0, signs[0] > 0
    return Panel(
        marks,
        label(names[0]),
        label(names[1]),
        x_range=x_range,
        y_range=y_range,
        # Where dominated designs lie there is room.
        legend=("upper right" if right else "upper left") if up else "lower right" if right else "lower left",
    )


def tip(row: Row, *, whole: bool = True) -> str:
    """What is told of a design: its id, its objectives, and of a `whole` one its numbers."""
    numbers = {**(row.get("objectives") or {}), **((row.get("parameters") or {}) if whole else {})}
    lines = [f"{name}: {told(value, name)}" for name, value in numbers.items()]
    return "\n".join([str(row.get("run_id", "")), *lines]).strip()


def _ids(rows: Sequence[Row]) -> list[str]:
    return [str(row.get("run_id", "")) for row in rows]


def _values(rows: Sequence[Row], colour: str | None) -> Array | None:
    """What colours the points; None where a row has none."""
    if colour is None:
        return None
    found = [value_of(row, colour) for row in rows]
    if any(not isinstance(value, int | float) for value in found):
        return None
    return np.array(found, dtype=float)


def value_of(row: Row, name: str) -> Any:
    """An objective, a KPI or a parameter of a row."""
    for place in (row.get("objectives") or {}, row, row.get("parameters") or {}):
        if place.get(name) is not None:
            return place[name]
    return None


def _points(rows: Sequence[Row], names: Sequence[str]) -> Array:
    return np.array([[row["objectives"][name] for name in names] for row in rows], dtype=float)


def _limits(points: Array, signs: Array) -> tuple[tuple[float, float], tuple[float, float]]:
    """The front fills the picture however far the dominated designs lie; words find room on their side."""
    low, high = points.min(axis=0), points.max(axis=0)
    size = np.where(high > low, high - low, np.maximum(np.abs(high), 1.0))
    room = size * np.where(signs > 0, [[0.08, 0.08], [0.3, 0.2]], [[0.3, 0.2], [0.08, 0.08]])
    (x0, y0), (x1, y1) = (low - room[0]).tolist(), (high + room[1]).tolist()
    return (x0, x1), (y0, y1)


def _notes(points: Array, objectives: Mapping[str, str], knee: int | None) -> list[Mark]:
    """Name the extremes and the knee, on the side of what they dominate: there is no other point of a front."""
    signs = _signs(list(objectives.values()))
    spread = np.ptp(points, axis=0)
    marked: dict[int, list[str]] = {}
    for column, (name, sense) in enumerate(objectives.items()):
        way = "highest" if sense == "maximise" else "lowest"
        marked.setdefault(int((points * signs)[:, column].argmin()), []).append(f"{way} {words(name)}")
    if knee is not None:
        marked.setdefault(knee, []).append("knee")
    rings = points[list(marked)]
    marks: list[Mark] = [Points(rings[:, 0], rings[:, 1], colour=VERMILION, size=11.0, ring=True)]
    for index, names in marked.items():
        numbers = " · ".join(
            f"{rounded(value, wide)} {unit(name)}".strip()
            for value, wide, name in zip(points[index], spread, objectives, strict=True)
        )
        away = 20 if names == ["knee"] else 10
        text = f"{' and '.join(names)}\n{numbers}"
        x, y = points[index].tolist()
        marks.append(Note(x, y, text, (away * signs[0], away * signs[1])))
    return marks


def _signs(senses: Sequence[str]) -> Array:
    return np.array([-1.0 if sense == "maximise" else 1.0 for sense in senses])


def _space(front: Sequence[Row], names: Sequence[str], values: Array | None, colour: str | None) -> Space:
    x, y, z = _points(front, names).T
    points = Points(
        x,
        y,
        colour=BLUE,
        values=values,
        scale="" if colour is None else label(colour),
        tips=[tip(row) for row in front],
        ids=_ids(front),
    )
    first, second, third = map(label, names)
    return Space(points, z, (first, second, third))


# -- parallel coordinates


def parallel(
    front: Sequence[Row],
    objectives: Mapping[str, str],
    *,
    title: str,
    knee: int | None = None,
    colour: str | None = None,
    system: Mapping[str, Any] | None = None,
) -> Picture:
    """Every design of a front as a line across its objectives and parameters.

    Args:
        front: its designs, each with `objectives` and `parameters`.
        objectives: name → minimise or maximise.
        title: what the picture shows.
        knee: position of the knee in `front`.
        colour: an objective, KPI or parameter that colours the lines; the first objective unless told.
        system: the reference design as it is recorded, which tells what a factor multiplies.
    """
    if not front:
        raise ValueError("parallel coordinates take a design")
    parameters = list(dict.fromkeys(name for row in front for name in row.get("parameters") or {}))
    axes = [Axis(label(name), _points(front, [name])[:, 0]) for name in objectives]
    axes += [_axis(front, name, parameter_label(name, system)) for name in parameters]
    shown = axes[:_MOST_AXES]
    colour = colour or next(iter(objectives))
    values = _values(front, colour)
    if values is None:
        colour = next(iter(objectives))
        values = _points(front, [colour])[:, 0]
    part = f"; the first {_MOST_AXES} of {len(axes)} axes" if len(axes) > _MOST_AXES else ""
    return Picture(
        title,
        Parallel(shown, values, label(colour), {} if knee is None else {knee: "knee"}),
        below=f"{len(front)} designs, a line each, across objectives and parameters{part}",
        width=max(8.0, 1.55 * len(shown) + 1.5),
        height=5.4,
    )


def _axis(front: Sequence[Row], name: str, text: str) -> Axis:
    """A parameter's axis; words and what is missing stand at whole numbers."""
    values = [(row.get("parameters") or {}).get(name) for row in front]
    if all(isinstance(value, int | float) for value in values):
        return Axis(text, np.array(values, dtype=float))
    names = [str(value) for value in dict.fromkeys(values)]
    return Axis(text, np.array([names.index(str(value)) for value in values], dtype=float), names)
