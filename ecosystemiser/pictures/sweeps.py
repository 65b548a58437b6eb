"""What a sweep found: lines over each parameter, and a heat map over two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ecosystemiser.pictures.marks import Band, Bars, Heat, Line, Mark, Panel, Panels, Picture, Points
from ecosystemiser.pictures.wording import BLUE, SKY, label, parameter_label, short, unit, words

Row = Mapping[str, Any]
_MOST_OUTPUTS, _MOST_PARAMETERS = 3, 4
_MOST_NUMBERS = 150


def sweep(
    effects: Sequence[Row],
    objectives: Mapping[str, str],
    *,
    title: str,
    system: Mapping[str, Any] | None = None,
) -> Picture:
    """Each output's mean, least and most at every value of each parameter.

    Args:
        effects: rows of `sensitivity_analysis` of a parametric study.
        objectives: the study's outputs, in its order.
        title: what the picture shows.
        system: the reference design as it is recorded, which tells what a factor multiplies.
    """
    known = {row["objective_name"] for row in effects}
    outputs = [name for name in objectives if name in known][:_MOST_OUTPUTS]
    if not outputs:
        raise ValueError("no output was swept")
    in_order = sorted(effects, key=lambda row: row["parameter_index"])
    all_names = list(dict.fromkeys(row["parameter_name"] for row in in_order))
    names = all_names[:_MOST_PARAMETERS]
    found = {
        (row["objective_name"], row["parameter_name"]): row["metadata_json"]["levels"] for row in effects
    }
    panels = [
        _panel(found[output, name], parameter_label(name, system), label(output))
        for output in outputs
        for name in names
    ]
    part = f"; the first {len(names)} of {len(all_names)} parameters" if len(names) < len(all_names) else ""
    return Picture(
        title,
        Panels(panels, len(names), shared_x=True, shared_y=True),
        below=f"means, and the range over all values of the others{part}",
        width=max(7.0, 3.4 * len(names)),
        height=0.7 + 2.9 * len(outputs),
    )


def _panel(levels: Sequence[Row], x_label: str, y_label: str) -> Panel:
    there = [at for at in levels if at["evaluations"]]
    values = [at["value"] for at in there]
    are_words = any(isinstance(value, str) for value in values)
    x = np.arange(len(values), dtype=float) if are_words else np.array(values, dtype=float)
    order = np.argsort(x, kind="stable")
    mean, low, high = (
        np.array([at[which] for at in there], float)[order] for which in ("mean", "min", "max")
    )
    x = x[order]
    marks: list[Mark]
    if are_words:
        marks = [
            Bars(x, high - low, "", SKY, 0.35, base=low),
            Points(
                x, mean, colour=BLUE, tips=[f"{v}: {short(m)}" for v, m in zip(values, mean, strict=True)]
            ),
        ]
        names = [str(value) for value in values]
        return Panel(marks, x_label, y_label, x_names=names, x_range=(-0.6, len(names) - 0.4))
    marks = [Band(x, low, high, "", SKY), Line(x, mean, "", BLUE, dots=True)]
    return Panel(marks, x_label, y_label)


def heat_map(
    rows: Sequence[Row], objectives: Mapping[str, str], *, title: str, system: Mapping[str, Any] | None = None
) -> Picture:
    """An output's mean for every pair of values of two parameters.

    Args:
        rows: of `tasks.sweep.interaction_table`.
        objectives: the study's outputs.
        title: what the picture shows.
        system: the reference design as it is recorded.
    """
    if not rows:
        raise ValueError("no two parameters were swept against each other")
    output, one, other = (rows[0][key] for key in ("objective_name", "parameter_a", "parameter_b"))
    down, across = (_ordered(list(dict.fromkeys(row[f"value_{side}"] for row in rows))) for side in "ab")
    values = np.full((len(down), len(across)), np.nan)
    for row in rows:
        if row["mean_value"] is not None:
            values[down.index(row["value_a"]), across.index(row["value_b"])] = row["mean_value"]
    shows = values.size <= _MOST_NUMBERS
    numbers = [["" if np.isnan(v) else short(v) for v in line] for line in values] if shows else []
    sense = objectives.get(output, "")
    aim = f", which is to be {sense}d" if sense else ""
    return Picture(
        title,
        Panels(
            [
                Panel(
                    [Heat(values, label(output), numbers)],
                    parameter_label(other, system),
                    parameter_label(one, system),
                    x_names=[_value(value) for value in across],
                    y_names=[_value(value) for value in down],
                    # Numbers grow upwards, words are read downwards.
                    y_down=any(isinstance(value, str) for value in down),
                )
            ]
        ),
        below=f"mean {words(output)} {f'in {unit(output)}' if unit(output) else ''}{aim}, over all values of the "
        "other parameters".replace("  ", " "),
        width=max(7.0, 2.6 + 0.75 * len(across)),
        height=max(4.2, 1.9 + 0.42 * len(down)),
    )


def _ordered(values: list[Any]) -> list[Any]:
    return values if any(isinstance(value, str) for value in values) else sorted(values)


def _value(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, int | float) else str(value)
