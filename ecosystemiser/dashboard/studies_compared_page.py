"""Studies beside each other: best values, hypervolumes to one point, coverage, and their fronts in one picture."""

from __future__ import annotations

from typing import Final

import streamlit as st

from ecosystemiser.comparison_tables import comparison
from ecosystemiser.dashboard.drawings import fronts_picture
from ecosystemiser.dashboard.links import all_asked, link
from ecosystemiser.dashboard.pictured import draw_to_choose
from ecosystemiser.dashboard.sources import reading
from ecosystemiser.dashboard.wording import plain, table
from ecosystemiser.pictures.wording import label, words
from schema.store import queries
from tasks.comparing import compared

MOST_STUDIES: Final = 500
MOST_COMPARED: Final = 20


def show() -> None:
    st.title("Studies compared")
    with reading() as store:
        known = [row["study_id"] for row in queries.list_studies(store.connection, limit=MOST_STUDIES)]
    chosen = st.multiselect(
        "Studies",
        list(dict.fromkeys([*known, *all_asked("study")])),
        key="study",
        bind="query-params",
        max_selections=MOST_COMPARED,
        placeholder="two or more",
    )
    if len(chosen) < 2:
        st.info("Choose two studies or more that share an objective.")
        return
    with reading() as store:
        studies = queries.side_by_side(store.connection, chosen)
    rows = compared(studies)
    grid = comparison(rows)
    table([dict(zip(grid.columns, line, strict=True)) for line in zip(*grid.columns.values(), strict=True)])
    st.caption(
        "Hypervolumes are up to one point that is common to all of them; a study covers the share of another's "
        "front than which one of its own designs is nowhere worse."
    )
    objectives = list(rows[0]["objectives"])
    if len(objectives) < 2 or not any(study["front"] for study in studies):
        return
    if len(objectives) > 2:
        with st.container(horizontal=True):
            across = st.selectbox("Across", objectives, 0, label, width=300)
            rest = [name for name in objectives if name != across]
            upwards = st.selectbox("Upwards", rest, 0, label, width=300)
    else:
        across, upwards = objectives
    fronts = {study["study_id"]: study["front"] for study in studies if study["front"]}
    picture = fronts_picture(fronts, [across, upwards], f"Fronts: {words(across)} against {words(upwards)}")
    run_id = draw_to_choose(picture, "fronts")
    if run_id:
        link("run", f"Open {plain(run_id)}", ":material/bolt:", run=run_id)
    else:
        st.caption("Click on a point to open its design.")
