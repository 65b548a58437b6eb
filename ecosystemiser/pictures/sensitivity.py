"""What parameters do to outputs: Sobol's indices, Morris' measures, correlations, and how far each moves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ecosystemiser.pictures.marks import Bars, Mark, Note, Panel, Panels, Picture, Points, Rule, Slope
from ecosystemiser.pictures.wording import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    SKY,
    VERMILION,
    label,
    parameter_label,
    short,
    unit,
    words,
)

Row = Mapping[str, Any]
MOST_OUTPUTS = 3
_MOST_PARAMETERS = 12


def sensitivities(
    effects: Sequence[Row],
    objectives: Mapping[str, str],
    *,
    title: str,
    system: Mapping[str, Any] | None = None,
) -> Picture:
    """The effect of every parameter on up to three outputs, the most important above.

    Total order beside first order with their intervals where there are such, else Morris' μ*, else the rank
    correlation.

    Args:
        effects: rows of `sensitivity_analysis` of one design.
        objectives: the study's outputs, in its order.
        title: what the picture shows.
        system: the reference design as it is recorded, which tells what a factor multiplies.
    """
    shown = _by_output(effects, objectives)
    panels = [_effects(rows, name, system) for name, rows in shown.items()]
    most = max(map(len, shown.values()))
    has_intervals = any(
        row.get(f"{name}_confidence") for row in effects for name in ("sobol_total", "mu_star")
    )
    return Picture(
        title,
        Panels(panels),
        below="the most important above; lines at the ends are 95 % intervals"
        if has_intervals
        else "the most important above",
        width=9.0,
        height=0.7 + (1.1 + 0.5 * most) * len(panels),
    )


def _by_output(effects: Sequence[Row], objectives: Mapping[str, str]) -> dict[str, list[Row]]:
    """Up to three outputs, each with its most important parameters."""
    known = {row["objective_name"] for row in effects}
    outputs = [name for name in objectives if name in known][:MOST_OUTPUTS]
    if not outputs:
        raise ValueError("no output has an effect")
    return {
        name: [row for row in effects if row["objective_name"] == name][:_MOST_PARAMETERS] for name in outputs
    }


def _effects(rows: Sequence[Row], output: str, system: Mapping[str, Any] | None) -> Panel:
    place = np.arange(len(rows), dtype=float)
    x_range = None
    if any(row["sobol_total"] is not None for row in rows):
        marks: list[Mark] = [
            _bars(rows, place - 0.19, "sobol_total", "total, with interactions", SKY, 0.36),
            _bars(rows, place + 0.19, "sobol_first_order", "alone", BLUE, 0.36),
        ]
        x = f"share of the variance of {words(output)}"
    elif any(row["mu_star"] is not None for row in rows):
        marks = [_bars(rows, place, "mu_star", "", ORANGE, 0.6)]
        x = f"mean elementary effect μ* on {label(output)}"
    else:
        marks = [_bars(rows, place, "rank_correlation", "", BLUE, 0.6)]
        x, x_range = f"rank correlation with {words(output)} [−1 to 1]", (-1.0, 1.0)
    names = [parameter_label(row["parameter_name"], system) for row in rows]
    return Panel(
        [*marks, Rule(0.0, colour=GREY, width=0.8)],
        x,
        "",
        x_range=x_range,
        y_names=names,
        y_down=True,
        legend="lower right",
    )


def _bars(rows: Sequence[Row], place: Any, column: str, name: str, colour: str, wide: float) -> Bars:
    values = np.array([np.nan if row[column] is None else row[column] for row in rows], dtype=float)
    half = np.array([row.get(f"{column}_confidence") or 0.0 for row in rows], dtype=float)
    tips = [
        f"{row['parameter_name']}\n{name or column}: {short(value)}" + (f" ± {short(h)}" if h else "")
        for row, value, h in zip(rows, values, half, strict=True)
    ]
    return Bars(place, values, name, colour, wide, lying=True, half=half if half.any() else None, tips=tips)


# -- Morris' plane


def morris_plane(effects: Sequence[Row], objectives: Mapping[str, str], *, title: str) -> Picture | None:
    """μ* against σ: how much each parameter does, and how unevenly; None where Morris was not asked.

    Args:
        effects: rows of `sensitivity_analysis` of one design.
        objectives: the study's outputs, in its order.
        title: what the picture shows.
    """
    told = [row for row in effects if row["mu_star"] is not None and row["sigma"] is not None]
    if not told:
        return None
    panels = [_plane(rows, name) for name, rows in _by_output(told, objectives).items()]
    return Picture(
        title,
        Panels(panels),
        below="far to the right: important; far up: curved, or in interaction with others",
        width=8.6,
        height=0.7 + 3.9 * len(panels),
    )


def _plane(rows: Sequence[Row], output: str) -> Panel:
    x, y = (np.array([row[column] for row in rows], dtype=float) for column in ("mu_star", "sigma"))
    dimension = unit(output) or "share"
    right, top = float(x.max()) or 1.0, float(y.max()) or 1.0
    points = Points(
        x,
        y,
        colour=BLUE,
        size=8.0,
        tips=[
            f"{row['parameter_name']}\nμ* {short(row['mu_star'])} {dimension}\nσ {short(row['sigma'])} {dimension}"
            for row in rows
        ],
    )
    marks: list[Mark] = [
        points,
        Slope(1.0, "σ = μ*: not of one sign", GREY),
        Slope(0.1, "σ = 0.1 μ*: almost linear below", SKY),
    ]
    marks += [
        Note(row["mu_star"], row["sigma"], row["parameter_name"], (-1.0, 7.0) if far else (0.0, 0.0))
        for row, far in zip(rows, x > 0.6 * right, strict=True)
    ]
    return Panel(
        marks,
        f"μ* on {words(output)} [{dimension}]",
        f"σ [{dimension}]",
        x_range=(-0.03 * right, 1.12 * right),
        y_range=(-0.06 * top, 1.25 * top),
        legend="upper left",
    )


# -- tornado


def tornado(
    effects: Sequence[Row],
    objectives: Mapping[str, str],
    *,
    title: str,
    system: Mapping[str, Any] | None = None,
) -> Picture | None:
    """How far an output moves when one parameter goes from its lowest value to its highest, the widest above.

    The means over all values of the others, from the levels of a parametric study; None for another.

    Args:
        effects: rows of `sensitivity_analysis` with `levels` in their metadata.
        objectives: the study's outputs, in its order.
        title: what the picture shows.
        system: the reference design as it is recorded.
    """
    told = [row for row in effects if len(_levels(row)) > 1]
    if not told:
        return None
    panels = [_moved(rows, name, system) for name, rows in _by_output(told, objectives).items()]
    most = max(len(panel.y_names) for panel in panels)
    return Picture(
        title,
        Panels(panels),
        below="from the mean at a parameter's first value to the mean at its last, over all values of the others",
        width=9.0,
        height=0.9 + (1.1 + 0.45 * most) * len(panels),
    )


def _levels(row: Row) -> list[Row]:
    levels = [at for at in (row["metadata_json"] or {}).get("levels", []) if at["evaluations"]]
    if all(isinstance(at["value"], int | float) for at in levels):
        levels.sort(key=lambda at: at["value"])
    return levels


def _moved(rows: Sequence[Row], output: str, system: Mapping[str, Any] | None) -> Panel:
    means = {row["parameter_name"]: [at["mean"] for at in _levels(row)] for row in rows}
    ordered = sorted(rows, key=lambda row: -_reach(means[row["parameter_name"]]))
    at = np.arange(len(ordered), dtype=float)
    told = [means[row["parameter_name"]] for row in ordered]
    middle = float(np.mean([m for levels in told for m in levels]))
    first, last = (np.array([levels[end] for levels in told]) for end in (0, -1))
    marks: list[Mark] = [
        Bars(at, first - middle, "at the first value", SKY, 0.6, lying=True, base=np.full(len(at), middle)),
        Bars(
            at, last - middle, "at the last value", VERMILION, 0.6, lying=True, base=np.full(len(at), middle)
        ),
        Rule(middle, "mean of all", INK, width=1.2),
    ]
    names = [
        f"{parameter_label(row['parameter_name'], system)}: {_value(ends[0])} to {_value(ends[-1])}"
        for row in ordered
        for ends in [_levels(row)]
    ]
    return Panel(marks, label(output), "", y_names=names, y_down=True, legend="lower right")


def _reach(means: Sequence[float]) -> float:
    return abs(means[-1] - means[0])


def _value(level: Row) -> str:
    return f"{level['value']:g}" if isinstance(level["value"], int | float) else str(level["value"])
