"""A study's convergence, uncertainty and sensitivity, and its record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import streamlit as st

from ecosystemiser import comparison_tables
from ecosystemiser.dashboard.pictured import draw
from ecosystemiser.dashboard.sources import reading
from ecosystemiser.dashboard.wording import table
from ecosystemiser.pictures import of_studies
from ecosystemiser.pictures.marks import Picture
from ecosystemiser.pictures.wording import words
from ecosystemiser.printing import Grid
from schema.store import queries

MOST_SAMPLES: Final = 50_000


def show_convergence(study_id: str) -> None:
    """How the search came along."""
    with reading() as store:
        picture = of_studies.convergence(store, study_id)
        rows = queries.convergence(store.connection, study_id)
    _draw_all([picture], f"convergence {study_id}")
    names = [
        *(
            "generation_number",
            "evaluations_in_generation",
            "best_fitness",
            "average_fitness",
            "worst_fitness",
        ),
        *("front_size", "hypervolume", "stagnation_count", "generation_time_seconds"),
    ]
    with st.expander("The generations in numbers"):
        table([{words(name): row[name] for name in names} for row in reversed(rows)], key="convergence table")


def show_uncertainty(study_id: str) -> None:
    """How the outputs spread."""
    with reading() as store:
        rows = queries.uncertainty(store.connection, study_id)
        count = queries.recorded_runs(store.connection, [study_id])
        picture = of_studies.distribution(store, study_id) if count <= MOST_SAMPLES else None
    _draw_all([picture], f"uncertainty {study_id}")
    if count > MOST_SAMPLES:
        st.caption(f"Of {count:,} samples no picture is drawn here: `ecosystemiser query uncertainty` does.")
    _grid(comparison_tables.uncertainty(rows, study_id), "uncertainty table")


def show_sensitivity(study_id: str) -> None:
    """What the parameters do to the outputs."""
    with reading() as store:
        rows = queries.sensitivity(store.connection, study_id)
        outputs = list(dict.fromkeys(str(row["objective_name"]) for row in rows))
        pictures = [
            of_studies.sensitivities(store, study_id),
            of_studies.morris(store, study_id),
            of_studies.tornado(store, study_id),
            of_studies.sweep(store, study_id),
        ]
    _draw_all(pictures, f"sensitivity {study_id}")
    if any("levels" in (row["metadata_json"] or {}) for row in rows):
        _interactions(study_id, outputs)
    _grid(comparison_tables.sensitivity(rows, study_id), "sensitivity table")


def _interactions(study_id: str, outputs: Sequence[str]) -> None:
    """An output over two parameters that were swept against each other."""
    output = st.selectbox("Output over two parameters", outputs, 0, words, key="interactions of", width=300)
    with reading() as store:
        picture = of_studies.interactions(store, study_id, output)
    _draw_all([picture], f"interactions {study_id} {output}")


def show_record(study_id: str) -> None:
    """What is recorded of the study, in figures and in full."""
    with reading() as store:
        study = queries.required_study(store.connection, study_id)
        statistics = queries.statistics(store.connection, study_id)[0]
    left, right = st.columns([2, 3])
    with left:
        st.subheader("Evaluations")
        told = {name: value for name, value in statistics.items() if value is not None}
        rows = [{"figure": name.replace("_", " "), "value": _short(value)} for name, value in told.items()]
        table(rows, key="statistics", height="content")
    with right:
        st.subheader("As it was stated")
        st.json({name: study[name] for name in ("optimization_objective", "optimization_constraints")})
        st.json(study["metadata_json"] or {}, expanded=1)


def _short(value: Any) -> str:
    from ecosystemiser.printing import number

    return (
        number(value) if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
    )


def _draw_all(pictures: Sequence[Picture | None], key: str) -> None:
    for place, picture in enumerate(pictures):
        if picture is not None:
            draw(picture, f"{key} {place}")


def _grid(grid: Grid, key: str) -> None:
    """One of the command line's tables."""
    rows = [dict(zip(grid.columns, line, strict=True)) for line in zip(*grid.columns.values(), strict=True)]
    table(rows, key=key, height="content")
