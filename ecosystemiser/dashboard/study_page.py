"""One study: how it stands, what it found, and what its analyses tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import streamlit as st

from ecosystemiser.dashboard import study_analyses, study_front
from ecosystemiser.dashboard.links import asked, go, link
from ecosystemiser.dashboard.sources import reading
from ecosystemiser.dashboard.studies_page import SECONDS_BETWEEN_LOOKS, UNDER_WAY
from ecosystemiser.dashboard.wording import guarded, plain, state_words
from ecosystemiser.design_tables import best, moment, state
from ecosystemiser.printing import duration
from schema.store import queries
from schema.store.statements import Row
from schema.store.store import Store

MOST_STUDIES: Final = 500
_SECTIONS: Final[dict[str, Callable[[str], None]]] = {
    "Front": study_front.show_front,
    "Kinds of design": study_front.show_kinds,
    "Convergence": study_analyses.show_convergence,
    "Uncertainty": study_analyses.show_uncertainty,
    "Sensitivity": study_analyses.show_sensitivity,
    "Record": study_analyses.show_record,
}


def show() -> None:
    study_id = asked("study")
    if study_id is None:
        st.title("Study")
        with reading() as store:
            known = [row["study_id"] for row in queries.list_studies(store.connection, limit=MOST_STUDIES)]
        chosen = st.selectbox("Study", known, None, placeholder="choose one", width=360)
        if chosen:
            go("study", study=chosen)
        return
    st.title(f"Study {plain(study_id)}")
    with reading() as store:
        study = queries.required_study(store.connection, study_id)
        stands = state(study, store)
        sections = _sections(store, study)
    if study["study_name"] and study["study_name"] != study_id:
        st.text(study["study_name"])
    if study["description"]:
        st.text(study["description"])
    with st.container(horizontal=True):
        link("runs", "All its runs", ":material/table_rows:", study=study_id)
        link("compare-studies", "Compare with others", ":material/stacked_line_chart:", study=study_id)
    every = SECONDS_BETWEEN_LOOKS if stands in UNDER_WAY else None
    st.fragment(guarded(_head), run_every=every)(study_id, stands)
    section = st.segmented_control(
        "Section", sections, key="view", bind="query-params", default=sections[0], required=True,
        label_visibility="collapsed",
    )  # fmt: skip
    st.fragment(guarded(_SECTIONS[section]), run_every=every and 3 * every)(study_id)


def _sections(store: Store, study: Row) -> list[str]:
    """What the study has something of."""
    connection, study_id = store.connection, str(study["study_id"])
    has_front = len(study["optimization_objective"] or {}) > 1 and bool(queries.fronts(connection, study_id))
    there = {
        "Front": has_front,
        "Kinds of design": has_front,
        "Convergence": bool(queries.convergence(connection, study_id)),
        "Uncertainty": bool(queries.uncertainty(connection, study_id)),
        "Sensitivity": bool(queries.sensitivity(connection, study_id)),
        "Record": True,
    }
    return [name for name, has in there.items() if has]


def _head(study_id: str, stood: str) -> None:
    """State and figures; once the study has ended the page is made anew, and no more looked at."""
    with reading() as store:
        study = queries.required_study(store.connection, study_id)
        stands = state(study, store)
    told = [
        state_words(stands),
        str(study["study_type"]).replace("_", " "),
        f"{study['run_count'] or 0:,} evaluations",
        f"begun {moment(study['created_at'])}",
    ]
    if study["execution_time_seconds"] is not None:
        told.append(f"took {duration(study['execution_time_seconds'])}")
    if study["best_fitness"] is not None:
        told.append(f"best {best(study)}")
    st.text(" · ".join(told))
    if stands in UNDER_WAY:
        done = study["progress_percent"] or 0.0
        st.progress(min(done / 100, 1.0), f"{done:.0f} % done, updated every {SECONDS_BETWEEN_LOOKS} s")
    elif stands == "interrupted":
        st.warning("Nobody runs it any more: `ecosystemiser run STUDY.yaml --resume` goes on with it.")
    if stood in UNDER_WAY and stands not in UNDER_WAY:
        st.rerun()
