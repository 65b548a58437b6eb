"""One run: its design, its KPIs, its dispatch and its history."""

from __future__ import annotations

import streamlit as st

from ecosystemiser.dashboard.design_view import show_design
from ecosystemiser.dashboard.links import asked, go, link
from ecosystemiser.dashboard.sources import reading
from ecosystemiser.dashboard.wording import plain, state_words, table
from ecosystemiser.design_tables import moment
from ecosystemiser.printing import number
from schema.store import queries


def show() -> None:
    run_id = asked("run")
    if run_id is None:
        st.title("Run")
        told = st.text_input(
            "Run", placeholder="house_front-0000042", help="Its id, as the tables show it.", width=360
        )
        if told:
            go("run", run=told.strip())
        st.info("Open a run from the table of runs, or from a point of a study's front.")
        return
    st.title(f"Run {plain(run_id)}")
    with reading() as store:
        run = queries.required_run(store.connection, run_id)
        history = queries.run_history(store.connection, run_id)
    with st.container(horizontal=True):
        if run["study_id"] is not None:
            link("study", "Its study", ":material/scatter_plot:", study=str(run["study_id"]))
            link("runs", "All runs of the study", ":material/table_rows:", study=str(run["study_id"]))
        link("compare-runs", "Compare with others", ":material/compare:", run=run_id)
    status = state_words(str(run["simulation_status"]).replace("completed", "success"))
    hours = f"{run['timesteps']:,} steps" if run["timesteps"] else "no steps told"
    st.text(f"{status} · {run['solver_type'] or 'no method told'} · {hours} · {moment(run['timestamp'])}")
    show_design(run_id, "run")
    with st.expander(f"History: {len(history)} attempt{'s' if len(history) != 1 else ''}"):
        table(
            [
                {
                    "attempt": row["attempt"],
                    "status": state_words(row["simulation_status"]),
                    "begun": moment(row["begun"]),
                    "settled": moment(row["settled"]),
                    "evaluation [s]": number(row["evaluation_time_seconds"]),
                    "solver [s]": number(row["solver_time_seconds"]),
                    "message": row["message"],
                }
                for row in history
            ],
            key="history",
        )
