"""Pictures that only the dashboard shows; all others are those of `ecosystemiser.pictures`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np

from ecosystemiser.pictures.marks import Line, Note, Panel, Panels, Picture, Points
from ecosystemiser.pictures.wording import (
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    label,
    rounded,
)

Row = Mapping[str, Any]

KIND_COLOURS: Final = (
    BLUE,
    ORANGE,
    GREEN,
    VERMILION,
    PURPLE,
    SKY,
    "#000000",
    "#B79F00",
    "#7F4F1E",
    "#6A5ACD",
)
"""Ten that can be told apart; the letters of the kinds stand beside them."""
_TICK: Final = timedelta(minutes=15)


def kinds_picture(
    front: Sequence[Row], objectives: Sequence[str], kinds: Sequence[Any], title: str
) -> Picture:
    """A front of two objectives, each kind of design in its colour.

    Args:
        front: its designs, each with `run_id` and `objectives`.
        objectives: the two.
        kinds: as `tasks.kinds` tells them.
        title: what the picture shows.
    """
    marks, letters = [], []
    for kind, colour in zip(kinds, KIND_COLOURS, strict=False):
        points = _values([front[i] for i in kind.members], objectives)
        tips = [_tip(front[i], objectives, f"kind {kind.name}") for i in kind.members]
        ids = [str(front[i]["run_id"]) for i in kind.members]
        name = f"{kind.name}: {len(kind.members)}"
        marks.append(Points(points[:, 0], points[:, 1], name, colour, size=8.0, tips=tips, ids=ids))
        x, y = points[kind.members.index(kind.example)].tolist()
        letters.append(Note(x, y, kind.name, (12.0, 12.0)))
    panel = Panel([*marks, *letters], label(objectives[0]), label(objectives[1]), legend="beside")
    return Picture(title, Panels([panel]))


def fronts_picture(fronts: Mapping[str, Sequence[Row]], objectives: Sequence[str], title: str) -> Picture:
    """Several studies' fronts of two objectives over each other."""
    marks = []
    for (study_id, front), colour in zip(fronts.items(), KIND_COLOURS * 10, strict=False):
        points = _values(front, objectives)
        tips = [_tip(row, objectives, study_id) for row in front]
        ids = [str(row["run_id"]) for row in front]
        marks.append(Points(points[:, 0], points[:, 1], study_id, colour, size=7.0, tips=tips, ids=ids))
    panel = Panel(marks, label(objectives[0]), label(objectives[1]), legend="beside")
    return Picture(title, Panels([panel]))


def overlaid_picture(series: Mapping[str, tuple[Any, Any]], name: str, unit_told: str, title: str) -> Picture:
    """One series of several runs over each other.

    Args:
        series: run id → times and values, each value held until the next.
        name: of the series.
        unit_told: of the values.
        title: what the picture shows.
    """
    lines = [
        Line(times, values, run_id, colour, 1.6, steps=True, unit=unit_told)
        for (run_id, (times, values)), colour in zip(series.items(), KIND_COLOURS * 10, strict=False)
    ]
    return Picture(
        title, Panels([Panel(lines, "", f"{name} [{unit_told}]", legend="beside")]), width=11.0, height=4.6
    )


def day_picture(ticks: Sequence[Row], energies: Mapping[str, str], zone: ZoneInfo) -> Picture:
    """A community's energies by quarter hours.

    Args:
        ticks: as `schema.community.facts.quarter_hours` tells them.
        energies: column → words, in the order of the lines.
        zone: whose clock is shown.
    """
    lines = []
    for (column, words), colour in zip(
        energies.items(), (ORANGE, BLUE, VERMILION, GREEN, PURPLE), strict=False
    ):
        times, values = _with_gaps(ticks, column, zone)
        lines.append(Line(times, values, words, colour, 2.0, steps=True, unit="kWh"))
    panel = Panel(lines, "", "energy in a quarter hour [kWh]", legend="beside")
    return Picture("The community's energy over the day", Panels([panel]), width=11.0, height=4.6)


def _with_gaps(ticks: Sequence[Row], column: str, zone: ZoneInfo) -> tuple[Any, Any]:
    """The clock's times and values; the line ends with each tick that none follows."""
    times, values = [], []
    for place, tick in enumerate(ticks):
        begin = tick["timestamp"]
        times.append(begin)
        values.append(tick[column])
        following = ticks[place + 1]["timestamp"] if place + 1 < len(ticks) else None
        if following != begin + _TICK:
            times += [begin + _TICK, begin + _TICK]
            values += [tick[column], None]
    clock = [moment.astimezone(zone).replace(tzinfo=None) for moment in times]
    return np.array(clock, dtype="datetime64[s]"), np.array(values, dtype=float)


def _values(rows: Sequence[Row], objectives: Sequence[str]) -> Any:
    return np.array([[row["objectives"][name] for name in objectives] for row in rows], float).reshape(-1, 2)


def _tip(row: Row, objectives: Sequence[str], first: str) -> str:
    told = [
        f"{label(name)}: {rounded(row['objectives'][name], abs(row['objectives'][name]) / 10)}"
        for name in objectives
    ]
    return "\n".join([f"{row['run_id']} ({first})", *told])
