"""Evaluations of any kind, one number against another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ecosystemiser.pictures.fronts import tip, value_of
from ecosystemiser.pictures.marks import Mark, Panel, Panels, Picture, Points
from ecosystemiser.pictures.wording import BLUE, VERMILION, label
from schema.errors import Finding, InputError
from schema.kpis import KPI_UNITS

Row = Mapping[str, Any]
NUMBER = "evaluation_number"


def scatter(
    rows: Sequence[Row], *, axes: Sequence[str] = (), colour: str | None = None, title: str
) -> Picture | None:
    """Solved evaluations as points; None where none of them has both numbers.

    Args:
        rows: of `schema.store.runs.runs`.
        axes: what goes to the right and what goes up, each an objective, a KPI or a parameter; the first two
            objectives unless told, or one over the evaluations' numbers.
        colour: what colours the points.
        title: what the picture shows.

    Raises:
        InputError: no run has a number of such a name.
    """
    if len(axes) > 2:
        message = f"{len(axes)} numbers were named, and two are drawn against each other: write --axes X,Y"
        raise InputError(Finding("", "--axes", ",".join(axes), "two numbers", message))
    across, up = axes or _usual(rows)
    for option, name in (("--axes", across), ("--axes", up), ("--colour", colour)):
        _require(rows, name, option)
    solved = [row for row in rows if _number(row, across) is not None and _number(row, up) is not None]
    if not solved:
        return None
    kept = [row for row in solved if not row.get("constraint_violations")]
    broken = [row for row in solved if row.get("constraint_violations")]
    marks: list[Mark] = []
    if broken:
        x, y = _columns(broken, across, up)
        marks.append(
            Points(
                x,
                y,
                "breaks a constraint",
                VERMILION,
                size=5.5,
                ring=True,
                tips=_tips(broken),
                ids=_ids(broken),
            )
        )
    if kept:
        marks.append(_points(kept, across, up, colour, "keeps the constraints" if broken else ""))
    without = len(rows) - len(solved)
    below = f"{len(solved):,} evaluation{'s' if len(solved) != 1 else ''}"
    if without:
        below += f"; {without:,} without an answer {'are' if without != 1 else 'is'} not shown"
    return Picture(title, Panels([Panel(marks, label(across), label(up))]), below=below)


def _points(rows: Sequence[Row], across: str, up: str, colour: str | None, name: str) -> Points:
    x, y = _columns(rows, across, up)
    shades = None
    if colour is not None and all(_number(row, colour) is not None for row in rows):
        shades = np.array([_number(row, colour) for row in rows], dtype=float)
    return Points(
        x,
        y,
        name,
        BLUE,
        shades,
        "" if colour is None else label(colour),
        5.5,
        tips=_tips(rows),
        ids=_ids(rows),
    )


def _usual(rows: Sequence[Row]) -> tuple[str, str]:
    names = list(dict.fromkeys(name for row in rows for name in row.get("objectives") or {}))
    if len(names) > 1:
        return names[0], names[1]
    return NUMBER, names[0] if names else "total_cost"


def _require(rows: Sequence[Row], name: str | None, option: str) -> None:
    from schema.store.where import unknown_name

    if name is None or any(_number(row, name) is not None for row in rows):
        return
    known = [NUMBER, *(kpi for kpi in KPI_UNITS if any(_number(row, kpi) is not None for row in rows))]
    known += list(dict.fromkeys(p for row in rows for p in row.get("parameters") or {}))
    if name in known or not any(row.get("objectives") for row in rows):
        return
    found = unknown_name(option, name, known)
    raise InputError(Finding(found.file, option, name, found.expected, found.message))


def _number(row: Row, name: str) -> float | None:
    value = value_of(row, name)
    return float(value) if isinstance(value, int | float) else None


def _columns(rows: Sequence[Row], across: str, up: str) -> tuple[Any, Any]:
    return tuple(np.array([_number(row, name) for row in rows], dtype=float) for name in (across, up))  # type: ignore[return-value]


def _tips(rows: Sequence[Row]) -> list[str]:
    return [tip(row) for row in rows]


def _ids(rows: Sequence[Row]) -> list[str]:
    return [str(row.get("run_id", "")) for row in rows]
