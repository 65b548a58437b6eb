"""Runs beside each other: their KPIs, and what their components cost and emit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ecosystemiser.pictures.marks import Bars, Mark, Panel, Panels, Picture, Rule
from ecosystemiser.pictures.wording import INK, SERIES, label, short, told, unit

Row = Mapping[str, Any]
MOST_RUNS = len(SERIES)
_LETTERS = "ABCDEF"


def run_against_run(runs: Sequence[Row], kpis: Sequence[str], *, title: str) -> Picture:
    """A panel for each KPI with a bar for each run, and in what the runs' designs differ.

    Args:
        runs: two to six, each with `run_id`, `parameters` and KPIs.
        kpis: which to show, those that a run has.
        title: what the picture shows.
    """
    if not 2 <= len(runs) <= MOST_RUNS:
        raise ValueError("two to six runs stand beside each other")
    letters = list(_LETTERS[: len(runs)])
    shown = [name for name in kpis if any(_kpi(run, name) for run in runs)]
    panels = [_bars(runs, name, letters) for name in shown]
    columns = min(4, max(len(panels), 1))
    return Picture(
        title,
        Panels(panels, columns),
        below="\n".join([*_named(runs, letters), *_differences(runs, letters)]),
        width=12.0,
        height=1.2 + 0.2 * len(runs) + 2.5 * -(-len(panels) // columns),
    )


def _kpi(run: Row, name: str) -> float | None:
    value = run.get(name)
    return None if value is None else float(value)


def _bars(runs: Sequence[Row], name: str, letters: Sequence[str]) -> Panel:
    values = np.array([np.nan if (v := _kpi(run, name)) is None else v for run in runs])
    tips = [f"{run['run_id']}\n{label(name)}: {short(v)}" for run, v in zip(runs, values, strict=True)]
    bars = Bars(np.arange(len(runs), dtype=float), values, "", SERIES[: len(runs)], 0.6, tips=tips)
    marks: list[Mark] = [bars, Rule(0.0, colour=INK, upright=False, width=0.8)]
    names = [
        f"{letter}\n{short(v)}" if np.isfinite(v) else f"{letter}\n–"
        for letter, v in zip(letters, values, strict=True)
    ]
    return Panel(marks, "", label(name), x_names=names, x_range=(-0.6, len(runs) - 0.4))


def _named(runs: Sequence[Row], letters: Sequence[str]) -> list[str]:
    return ["  ·  ".join(f"{letter} {run['run_id']}" for letter, run in zip(letters, runs, strict=True))]


def _differences(runs: Sequence[Row], letters: Sequence[str]) -> list[str]:
    """The numbers that are not the same in all of them."""
    names = dict.fromkeys(name for run in runs for name in run.get("parameters") or {})
    lines = []
    for name in names:
        values = [(run.get("parameters") or {}).get(name) for run in runs]
        if len({str(value) for value in values}) > 1:
            told_values = [
                f"{letter} {'–' if value is None else told(value, name)}"
                for letter, value in zip(letters, values, strict=True)
            ]
            lines.append(f"{name}: {', '.join(told_values)}")
    return lines[:8]


def by_component(
    accounts: Mapping[str, Mapping[str, Mapping[str, float]]],
    colours: Mapping[str, str],
    *,
    title: str,
    below: str = "",
) -> Picture:
    """Cost and CO2 of designs, stacked by component.

    Args:
        accounts: design → component → `cost_eur` and `co2_kg`.
        colours: of the components.
        title: what the picture shows.
        below: a line of detail.
    """
    designs = list(accounts)
    panels = [
        _stacked(accounts, designs, colours, key, kpi)
        for key, kpi in (("cost_eur", "total_cost"), ("co2_kg", "total_co2"))
    ]
    return Picture(
        title, Panels(panels), below, width=max(8.5, 4.0 + 1.1 * len(designs)), height=0.8 + 2 * 3.3
    )


def _stacked(
    accounts: Mapping[str, Mapping[str, Mapping[str, float]]],
    designs: Sequence[str],
    colours: Mapping[str, str],
    key: str,
    kpi: str,
) -> Panel:
    """Costs upwards, earnings downwards."""
    components = list(dict.fromkeys(name for told in accounts.values() for name in told))
    at = np.arange(len(designs), dtype=float)
    up, down = np.zeros(len(designs)), np.zeros(len(designs))
    marks: list[Mark] = []
    for name in components:
        values = np.array([accounts[design].get(name, {}).get(key, 0.0) for design in designs])
        if not np.abs(values).max() > 0:
            continue
        base = np.where(values >= 0, up, down)
        tips = [
            f"{name}, {design}: {short(v)} {unit(kpi)}" for design, v in zip(designs, values, strict=True)
        ]
        marks.append(Bars(at, values, name, colours.get(name, INK), 0.6, base=base.copy(), tips=tips))
        up += np.maximum(values, 0.0)
        down += np.minimum(values, 0.0)
    marks.append(Rule(0.0, colour=INK, upright=False, width=0.8))
    return Panel(marks, "", label(kpi), x_names=designs, x_range=(-0.6, len(designs) - 0.4), legend="beside")
