"""A design on a page: what it is made of, how it does, and its dispatch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from ecosystemiser.dashboard.dispatch_view import show_dispatch
from ecosystemiser.dashboard.sources import reading
from ecosystemiser.dashboard.wording import guarded, plain, state_words, table
from ecosystemiser.pictures.wording import words
from ecosystemiser.printing import number, shown_unit_of, unit_of
from schema.kpis import KPI_UNITS
from schema.store import queries
from schema.store.records import KPI_COLUMNS
from schema.store.statements import Row

_SHARES = ("_rate", "_fraction")


def show_design(run_id: str, key: str) -> None:
    """The design of a run, its KPIs and its dispatch.

    Raises:
        InputError: there is no such run.
    """
    with reading() as store:
        run = queries.required_run(store.connection, run_id)
        found = queries.evaluation(store.connection, run_id) if run["study_run_id"] else None
    kpis = kpis_of(run)
    _objectives_first(found, kpis)
    left, right = st.columns([2, 3])
    with left:
        st.subheader("Design")
        _design(found, key)
    with right:
        st.subheader("KPIs")
        _kpis(kpis, key)
    if found is not None:
        _told(found)
    if run["simulation_status"] == "completed":
        guarded(show_dispatch)(run, key)


def kpis_of(run: Row) -> dict[str, float]:
    """All KPIs that a run has, the eight first."""
    others: Mapping[str, Any] = (run["metadata_json"] or {}).get("kpis") or {}
    every = {name: run[name] if name in run else others.get(name) for name in [*KPI_COLUMNS, *KPI_UNITS]}
    return {name: value for name, value in every.items() if value is not None}


def shown(name: str, value: float) -> str:
    """A KPI's value with its unit; shares as percentages."""
    if name.endswith(_SHARES) and 0 <= value <= 1:
        return f"{100 * value:.1f} %"
    return f"{number(value)} {unit_of(name)}".rstrip()


def _objectives_first(found: Row | None, kpis: Mapping[str, float]) -> None:
    """The figures that count most, in large letters."""
    objectives = (found or {}).get("objectives") or {}
    figures = {**objectives, **kpis}
    names = [*objectives, *(name for name in KPI_COLUMNS if name in kpis and name not in objectives)]
    if not names:
        return
    with st.container(horizontal=True):
        for name in names[:5]:
            st.metric(plain(words(name)), shown(name, float(figures[name])), border=True)


def _design(found: Row | None, key: str) -> None:
    parameters = (found or {}).get("parameters") or {}
    if not parameters:
        st.text("The system as its file states it.")
        return
    rows = [
        {
            "parameter": name,
            "value": number(value) if isinstance(value, int | float) else str(value),
            "unit": shown_unit_of(name),
        }
        for name, value in parameters.items()
    ]
    table(rows, key=f"{key} design", height="content")


def _kpis(kpis: Mapping[str, float], key: str) -> None:
    if not kpis:
        st.text("There are none, as there is no answer.")
        return
    rows = [
        {"KPI": words(name), "value": number(value), "unit": shown_unit_of(name)}
        for name, value in kpis.items()
    ]
    table(rows, key=f"{key} kpis", height="content")


def _told(found: Row) -> None:
    """What else the record tells: what went wrong, and constraints that are broken."""
    status = str(found["simulation_status"])
    message = (found["metadata_json"] or {}).get("message")
    if status != "success":
        st.warning(f"{state_words(status)}: {plain(message or 'no reason is recorded')}")
    for name, amount in (found["constraint_violations"] or {}).items():
        st.warning(f"The constraint on {plain(name)} is broken by {plain(number(amount))}.")
