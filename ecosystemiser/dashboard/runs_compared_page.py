"""Runs beside each other: KPIs with their differences, parameters that differ, time series over each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import streamlit as st

from ecosystemiser.dashboard.design_view import kpis_of
from ecosystemiser.dashboard.dispatches import Shown, dispatch_of
from ecosystemiser.dashboard.drawings import overlaid_picture
from ecosystemiser.dashboard.links import all_asked, link
from ecosystemiser.dashboard.pictured import draw
from ecosystemiser.dashboard.sources import reading
from ecosystemiser.dashboard.wording import guarded, plain, table, told
from ecosystemiser.pictures.wording import words
from ecosystemiser.printing import number, shown_unit_of
from schema.errors import InputError
from schema.store import queries
from schema.store.statements import Row

MOST_RUNS: Final = 30
_ALIKE: Final = 1e-9


def show() -> None:
    st.title("Runs compared")
    run_ids = st.multiselect(
        "Runs",
        all_asked("run"),
        key="run",
        bind="query-params",
        accept_new_options=True,
        max_selections=MOST_RUNS,
        placeholder="ids of two runs or more",
        help="Choose runs in the table of runs, or write their ids here.",
    )
    runs = _rows(run_ids)
    if len(runs) < 2:
        st.info("Choose two runs or more, such as in the table of runs; differences are to the first.")
        return
    with st.container(horizontal=True):
        for run in runs[:10]:
            link("run", f"Open {plain(run['run_id'])}", ":material/bolt:", run=run["run_id"])
    st.subheader("KPIs")
    table(_kpis(runs), key="kpis", height="content")
    st.subheader("What differs")
    different = _different(runs)
    if different:
        table(different, key="differ", height="content")
    else:
        st.text("All parameters are alike, and so are study, system and method.")
    st.subheader("Time series")
    guarded(_series)(runs)


def _rows(run_ids: Sequence[str]) -> list[Row]:
    """The runs that there are, each with its parameters; the others are told."""
    found = []
    for run_id in run_ids:
        try:
            with reading() as store:
                run = queries.required_run(store.connection, run_id)
                evaluated = queries.evaluation(store.connection, run_id) if run["study_run_id"] else {}
        except InputError as error:
            told(error)
            continue
        found.append({**run, "parameters": evaluated.get("parameters") or {}})
    return found


def _kpis(runs: Sequence[Row]) -> list[dict[str, Any]]:
    every = {run["run_id"]: kpis_of(run) for run in runs}
    first, *others = every
    names = dict.fromkeys(name for kpis in every.values() for name in kpis)
    return [
        {
            "KPI": words(name),
            "unit": shown_unit_of(name),
            first: number(every[first].get(name)),
            **{
                column: value
                for other in others
                for column, value in _against(name, every[first], every[other], other).items()
            },
        }
        for name in names
    ]


def _against(
    name: str, first: Mapping[str, float], other: Mapping[str, float], run_id: str
) -> dict[str, str]:
    """A run's KPI, and by how much it differs from the first one's."""
    value, base = other.get(name), first.get(name)
    shown = {run_id: number(value), f"Δ {run_id}": "–"}
    if value is not None and base is not None:
        apart = value - base
        share = f" ({100 * apart / abs(base):+.1f} %)" if base else ""
        shown[f"Δ {run_id}"] = f"{'+' if apart > 0 else ''}{number(apart)}{share}" if apart else "="
    return shown


def _different(runs: Sequence[Row]) -> list[dict[str, Any]]:
    """Parameters and circumstances that are not the same for all."""
    names = dict.fromkeys(name for run in runs for name in run["parameters"])
    rows = [(name, [run["parameters"].get(name) for run in runs]) for name in names]
    rows += [
        (name, [run[name] for run in runs]) for name in ("study_id", "system_id", "solver_type", "timesteps")
    ]
    return [
        {
            "what": name,
            "unit": shown_unit_of(name),
            **{run["run_id"]: _shown(value) for run, value in zip(runs, values, strict=True)},
        }
        for name, values in rows
        if not _alike(values)
    ]


def _alike(values: Sequence[Any]) -> bool:
    if all(isinstance(value, int | float) for value in values):
        return bool(np.ptp(values) <= _ALIKE * max(1.0, float(np.max(np.abs(values)))))
    return all(value == values[0] for value in values)


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    return number(value) if isinstance(value, float) else str(value)


def _series(runs: Sequence[Row]) -> None:
    """One flow or level of every run that has it, over each other."""
    solved = [run for run in runs if run["simulation_status"] == "completed"]
    missing = [run for run in solved if run["results_path"] is None]
    if not solved:
        st.text("None of these runs has a dispatch.")
        return
    if len(missing) > 3 and not st.toggle(f"Solve {len(missing)} runs again, of which no files were kept"):
        return
    dispatches = {str(run["run_id"]): dispatch_of(run) for run in solved}
    names = _names(dispatches)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox("Series", list(names), 0, key="series", width=320)
        first = min(shown.running.index[0] for shown in dispatches.values()).date()
        last = max(shown.running.index[-1] for shown in dispatches.values()).date()
        begin = st.date_input("From", first, min_value=first, max_value=last, key="series from", width=160)
        days = st.selectbox("Days", [1, 3, 7, 14, 28], 2, key="series days", width=100)
    series = {}
    for run_id, shown in dispatches.items():
        values = _values(shown, name)
        if values is not None:
            times = shown.running.times
            low, high = np.datetime64(begin), np.datetime64(begin) + np.timedelta64(days, "D")
            part = (times[:-1] >= low) & (times[:-1] < high)
            series[run_id] = (times[:-1][part], values[part])
    title = f"{name} from {begin}"
    draw(overlaid_picture(series, name, names[name], title), f"overlaid {name}")


def _names(dispatches: Mapping[str, Shown]) -> dict[str, str]:
    """The series that any of them has, with their units."""
    names: dict[str, str] = {}
    for shown in dispatches.values():
        for port in shown.running.ports:
            names[f"{port.component}.{port.key}"] = "m³/h" if port.is_water else "kW"
        for level in shown.running.levels:
            names[level] = "m³" if level.endswith("_m3") else "kWh"
    return names


def _values(shown: Shown, name: str) -> Any:
    for port in shown.running.ports:
        if f"{port.component}.{port.key}" == name:
            return port.flow
    return shown.running.levels.get(name)
