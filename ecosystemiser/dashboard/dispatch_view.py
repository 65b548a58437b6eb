"""A dispatch on a page: over time, by duration, and where the energy goes."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

import streamlit as st

from ecosystemiser.dashboard.dispatches import dispatch_of, takes_long
from ecosystemiser.dashboard.pictured import draw
from ecosystemiser.dashboard.wording import plain
from ecosystemiser.pictures import dispatch as pictures
from ecosystemiser.pictures.running import Running
from ecosystemiser.printing import duration
from schema.store.statements import Row

_DAYS: Final = [1, 3, 7, 14, 28]
_WAYS: Final = ["Over time", "Load duration", "Where the energy goes"]


def show_dispatch(run: Row, key: str) -> None:
    """The dispatch of a run that has one.

    Args:
        run: its row of `simulation_runs`.
        key: sets this place on the page apart from others.
    """
    st.subheader("Dispatch")
    seconds = takes_long(run)
    if seconds and not st.toggle(
        f"Solve it again, which takes about {duration(seconds)}", key=f"{key} solve"
    ):
        return
    shown = dispatch_of(run)
    running = shown.running
    with st.container(horizontal=True, vertical_alignment="bottom"):
        way = st.segmented_control("Picture", _WAYS, default=_WAYS[0], required=True, key=f"{key} way")
        part = _part(running, key) if way == _WAYS[0] else running
    if way == _WAYS[0]:
        draw(pictures.week(part), f"{key} week")
    elif way == _WAYS[1]:
        draw(pictures.duration(running), f"{key} duration")
    elif running.ports:
        draw(pictures.sankey(running), f"{key} sankey")
    st.caption(f"The dispatch is {plain(shown.how)}.")


def _part(running: Running, key: str) -> Running:
    """The days that are to be seen."""
    first, last = running.index[0], running.index[-1]
    begin, days = _chosen_days(first.date(), last.date(), key)
    index = running.index.tz_localize(None)
    low = int(index.searchsorted(str(begin)))
    high = int(index.searchsorted(str(begin + timedelta(days=days))))
    return running.between(low, max(high, low + 1))


def _chosen_days(first: date, last: date, key: str) -> tuple[date, int]:
    whole = (last - first).days + 1
    if whole <= _DAYS[0]:
        return first, whole
    begin = st.date_input("From", first, min_value=first, max_value=last, key=f"{key} from", width=160)
    choices = [*(days for days in _DAYS if days < whole), *([whole] if whole <= _DAYS[-1] else [])]
    usual = choices.index(7) if 7 in choices else len(choices) - 1
    days = st.selectbox("Days", choices, usual, key=f"{key} days", width=100)
    return begin, days
