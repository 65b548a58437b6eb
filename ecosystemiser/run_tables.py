"""One dispatch, and runs beside each other, as rows and tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ecosystemiser.printing import Grid, Row, heading, number

if TYPE_CHECKING:
    from ecosystemiser.pictures.marks import Sankey
    from ecosystemiser.pictures.running import Running


def steps(run: Running) -> list[Row]:
    """A row for each step: its beginning, the flows [kW, m³/h], the levels at its end [kWh, m³], the prices."""
    columns = {f"{port.component}.{port.key}": port.flow for port in run.ports}
    columns |= dict(run.levels)
    for unit, told in run.prices.items():
        columns |= {f"{name} [{unit}]": series for name, series in told.items()}
    times = [moment.isoformat() for moment in run.index]
    return [
        {"time": time, **{name: float(values[step]) for name, values in columns.items()}}
        for step, time in enumerate(times)
    ]


def amounts(run: Running) -> list[Row]:
    """A row for each flow: what it carried over the horizon, its peak, and for how many hours it stood."""
    rows: list[Row] = []
    for port in run.ports:
        flow = np.abs(port.flow)
        total, peak = float(flow.sum()) * run.step_hours, float(flow.max())
        rows.append(
            {
                "flow": f"{port.component}.{port.key}",
                "node": port.node,
                "way": "in" if port.sign > 0 else "out",
                "amount": total,
                "peak": peak,
                "unit": "m³, m³/h" if port.is_water else "kWh, kW",
                "hours_above_zero": float((flow > 1e-6 * max(peak, 1e-6)).sum()) * run.step_hours,
                "full_load_hours": total / peak if peak > 0 else 0.0,
            }
        )
    return rows


def streams(content: Sankey) -> list[Row]:
    """A row for each stream of a Sankey diagram."""
    return [
        {
            "source": content.places[stream.source].name,
            "target": content.places[stream.target].name,
            "amount": stream.amount,
            "unit": content.unit,
        }
        for stream in content.streams
    ]


def table(rows: Sequence[Row], title: str) -> Grid:
    """Rows as they are."""
    names = list(rows[0]) if rows else []
    return Grid(title, {name.replace("_", " "): [row[name] for row in rows] for name in names})


def beside(rows: Sequence[Row]) -> Grid:
    """Runs beside each other, a column each: parameters, then KPIs."""
    parameters = list(dict.fromkeys(name for row in rows for name in row["parameters"]))
    kpis = [name for name in rows[0] if name not in {"run_id", "study_id", "parameters", "solver_type"}]
    kpis += [name for row in rows[1:] for name in row if name not in rows[0] and name not in kpis]

    def told(value: Any) -> str:
        return number(value) if isinstance(value, int | float) else "–" if value is None else str(value)

    columns: dict[str, list[Any]] = {
        "what": ["solved by", *parameters, *(heading(name) for name in kpis)],
    }
    for row in rows:
        columns[row["run_id"]] = [
            row["solver_type"],
            *(told(row["parameters"].get(name)) for name in parameters),
            *(told(row.get(name)) for name in kpis),
        ]
    return Grid("Runs beside each other", columns, right=[row["run_id"] for row in rows])
