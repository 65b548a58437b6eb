"""A study's front: its points can be clicked, and its designs are told apart by their kinds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from ecosystemiser.dashboard.design_view import show_design
from ecosystemiser.dashboard.drawings import kinds_picture
from ecosystemiser.dashboard.links import link
from ecosystemiser.dashboard.pictured import draw, draw_to_choose
from ecosystemiser.dashboard.sources import reading
from ecosystemiser.dashboard.wording import guarded, plain, table
from ecosystemiser.pictures import of_studies
from ecosystemiser.printing import heading, number
from ecosystemiser.study_results import front_of
from schema.store import queries
from tasks.kinds import MOST, Kind, Spread, kinds_of, usual_count


def show_front(study_id: str) -> None:
    """The front, and the design of the point that is clicked."""
    with reading() as store:
        picture = of_studies.front(store, study_id)
    if picture is None:
        st.info("There is no front yet.")
        return
    _chosen_design(draw_to_choose(picture, f"front {study_id}"), "front")
    if st.toggle("All designs of the front across all their numbers", key=f"across {study_id}"):
        with reading() as store:
            across = of_studies.parallel(store, study_id)
        if across is not None:
            draw(across, f"parallel {study_id}")


def show_kinds(study_id: str) -> None:
    """The front by kinds of design."""
    with reading() as store:
        objectives = dict(queries.required_study(store.connection, study_id)["optimization_objective"] or {})
        front = front_of(store, study_id)
    most = st.slider(
        "Kinds at most", 2, MOST, usual_count(len(front)), key=f"kinds at most {study_id}", width=320
    )
    kinds = kinds_of(front, objectives, most)
    if not kinds:
        st.info("There is no front yet.")
        return
    names = list(objectives)[:2]
    title = f"{study_id}: {len(front)} designs of {len(kinds)} kind{'s' if len(kinds) != 1 else ''}"
    chosen = draw_to_choose(kinds_picture(front, names, kinds, title), f"kinds {study_id}")
    st.caption(
        "Designs of a kind are alike in their parameters and objectives (k-means, each scaled to its range on the "
        "front). Medians, with the range in brackets; the example lies nearest to the middle of its kind."
    )
    picked = table(
        [_told(kind, front) for kind in kinds],
        _headings(kinds),
        key=f"kinds table {study_id} {most}",
        on_select="rerun",
        selection_mode="single-cell",
        height="content",
    )
    cells = picked["selection"]["cells"]
    example = str(front[kinds[cells[0][0]].example]["run_id"]) if cells else None
    _chosen_design(chosen or example, "kinds")


def _told(kind: Kind, front: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    spreads = {name: _spread(spread) for name, spread in kind.spreads.items()}
    choices = {name: ", ".join(told) for name, told in kind.choices.items()}
    objectives = [name for name in front[0]["objectives"] if name in spreads]
    first = {name: spreads.pop(name) for name in objectives}
    return {
        "kind": kind.name,
        "designs": len(kind.members),
        **first,
        **spreads,
        **choices,
        "example": front[kind.example]["run_id"],
    }


def _spread(spread: Spread) -> str:
    if spread.least == spread.most:
        return number(spread.median)
    return f"{number(spread.median)} ({number(spread.least)} – {number(spread.most)})"


def _headings(kinds: Sequence[Kind]) -> dict[str, str]:
    return {name: heading(name) for kind in kinds for name in [*kind.spreads, *kind.choices]}


def _chosen_design(run_id: str | None, key: str) -> None:
    if run_id is None:
        st.caption("Click on a point to see its design, its KPIs and its dispatch.")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header(f"Design {plain(run_id)}")
        link("run", "On a page of its own", ":material/bolt:", run=run_id)
    guarded(show_design)(run_id, key)
