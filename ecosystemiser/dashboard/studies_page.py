"""All studies with their state, live while they run."""

from __future__ import annotations

from typing import Final

import streamlit as st

from ecosystemiser.dashboard.links import go
from ecosystemiser.dashboard.sources import reading, results_folder
from ecosystemiser.dashboard.wording import guarded, plain, state_words, table
from ecosystemiser.design_tables import best, moment, state
from ecosystemiser.printing import duration
from schema.store import queries
from schema.store.database import is_there
from schema.store.statements import Row
from schema.store.store import Store

PER_PAGE: Final = 50
SECONDS_BETWEEN_LOOKS: Final = 2
UNDER_WAY: Final = ("running", "pending")
_TYPES: Final = {
    "ga": "genetic algorithm",
    "mc": "Monte Carlo",
    "parametric": "parametric",
    "single": "single",
}
_STATES: Final = ["running", "completed", "failed", "cancelled", "pending"]


def show() -> None:
    st.title("Studies")
    if not is_there(results_folder()):
        st.info(
            f"There are no results in {plain(results_folder())} yet. Run a study with "
            "`ecosystemiser run STUDY.yaml`, or name another folder with `--results`."
        )
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        words = st.text_input(
            "Find", placeholder="part of a name", key="find", bind="query-params", width=260
        )
        kind = st.selectbox(
            "Type",
            list(_TYPES),
            None,
            _TYPES.__getitem__,
            key="type",
            bind="query-params",
            placeholder="all",
            width=200,
        )
        status = st.selectbox(
            "State", _STATES, None, key="state", bind="query-params", placeholder="all", width=200
        )
    with reading() as store:
        rows = _found(store, words or "", kind, status, 0)
        live = any(state(row, store) in UNDER_WAY for row in rows)
    every = SECONDS_BETWEEN_LOOKS if live else None
    st.fragment(guarded(_list), run_every=every)(words or "", kind, status, live)


def _found(store: Store, words: str, kind: str | None, status: str | None, page: int) -> list[Row]:
    return queries.list_studies(
        store.connection,
        study_type=kind,
        status=status,
        containing=words.strip() or None,
        limit=PER_PAGE + 1,
        offset=page * PER_PAGE,
    )


def _list(words: str, kind: str | None, status: str | None, live: bool) -> None:
    page = st.session_state.setdefault("studies page", 0)
    with reading() as store:
        rows = _found(store, words, kind, status, page)
        if not rows and page:
            page = st.session_state["studies page"] = 0
            rows = _found(store, words, kind, status, page)
        told = [_told(row, store) for row in rows[:PER_PAGE]]
    if not told:
        st.info("No study fits.")
        return
    chosen = table(
        told,
        _HEADINGS,
        formats={
            "done": st.column_config.ProgressColumn("done", min_value=0, max_value=100, format="%.0f %%"),
        },
        key="studies table",
        on_select="rerun",
        selection_mode="single-cell",
        height="content",
    )
    _turn(page, more=len(rows) > PER_PAGE)
    st.caption(
        "Click on a study to open it." + (" Updated every few seconds while one runs." if live else "")
    )
    if cells := chosen["selection"]["cells"]:
        go("study", study=told[cells[0][0]]["study"])
    if live and not any(one["state"] in map(state_words, UNDER_WAY) for one in told):
        st.rerun()  # the last one ended: nothing needs to be looked at again and again


def _turn(page: int, *, more: bool) -> None:
    """To the pages before and after, where there are any."""
    if not page and not more:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        back = st.button("Newer", icon=":material/chevron_left:", disabled=not page)
        on = st.button("Older", icon=":material/chevron_right:", disabled=not more)
        st.text(f"studies {page * PER_PAGE + 1:,} and following")
    if back or on:
        st.session_state["studies page"] = page + (1 if on else -1)
        st.rerun(scope="fragment")


_HEADINGS: Final = {"runs": "evaluations"}


def _told(row: Row, store: Store) -> Row:
    seconds = row["execution_time_seconds"]
    name = row["study_name"] if row["study_name"] != row["study_id"] else None
    return {
        "study": row["study_id"],
        **({"name": name} if name else {}),
        "type": str(row["study_type"]).replace("_", " "),
        "state": state_words(state(row, store)),
        "done": row["progress_percent"] or 0.0,
        "runs": row["run_count"] or 0,
        "best": best(row),
        "begun": moment(row["created_at"]),
        "took": "–" if seconds is None else duration(seconds),
    }
