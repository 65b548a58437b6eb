"""How a search came along: its first objective and, where there is a front, the hypervolume."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ecosystemiser.pictures.marks import Band, Line, Panel, Panels, Picture
from ecosystemiser.pictures.wording import BLUE, GREEN, SKY, label, rounded, unit, words

Row = Mapping[str, Any]


def convergence(generations: Sequence[Row], objectives: Mapping[str, str], *, title: str) -> Picture:
    """The best, mean and worst of every generation, and the hypervolume of its front.

    Args:
        generations: rows of `convergence_metrics` with their front's `hypervolume`.
        objectives: name → minimise or maximise; the first one is the fitness, negated where it is maximised.
        title: what the picture shows.
    """
    if not generations:
        raise ValueError("no generation is recorded")
    objective, sense = next(iter(objectives.items()))
    sign = -1.0 if sense == "maximise" else 1.0
    number = np.array([row["generation_number"] for row in generations])
    best, mean, worst = (
        np.array([_or_nan(row[f"{which}_fitness"]) * sign for row in generations])
        for which in ("best", "average", "worst")
    )
    panels = [
        Panel(
            [
                Band(number, np.fmin(mean, worst), np.fmax(mean, worst), "generation: mean to worst", SKY),
                Line(number, mean, "generation: mean", SKY, 1.6, unit=unit(objective)),
                Line(number, best, "best so far", BLUE, 2.2, dots=True, unit=unit(objective)),
            ],
            "generation",
            label(objective),
            whole_x=True,
            height=1.2,
        )
    ]
    volumes = np.array([_or_nan(row.get("hypervolume")) for row in generations])
    if np.isfinite(volumes).any():
        dimension = "·".join(filter(None, map(unit, objectives)))
        told = f"hypervolume of the front [{dimension}]" if dimension else "hypervolume of the front"
        line = Line(number, volumes, "", GREEN, 2.2, dots=True, unit=dimension)
        panels.append(Panel([line], "generation", told, whole_x=True))
    final = next((value for value in best[::-1] if math.isfinite(value)), math.nan)
    below = ""
    if math.isfinite(final):
        number_told = rounded(final, float(np.nanmax(np.abs(best))) / 10)
        below = f"best {words(objective)}: {number_told} {unit(objective)}".rstrip()
    return Picture(
        title,
        Panels(panels, shared_x=True),
        below=below,
        height=6.4 if len(panels) > 1 else 4.6,
    )


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else float(value)
