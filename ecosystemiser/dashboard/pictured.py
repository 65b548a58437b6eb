"""Pictures on a page, and which of their points was clicked."""

from __future__ import annotations

from typing import Any

import streamlit as st

from ecosystemiser.pictures import by_plotly
from ecosystemiser.pictures.marks import Picture

_CONFIG = {"displaylogo": False, "responsive": True}


def draw(picture: Picture, key: str) -> None:
    """The picture as wide as the page."""
    st.plotly_chart(by_plotly.figure(picture), key=key, theme=None, config=_CONFIG)


def draw_to_choose(picture: Picture, key: str) -> str | None:
    """The picture, whose points can be clicked.

    Returns:
        What the chosen point stands for; None where none is chosen.
    """
    figure = by_plotly.figure(picture)
    for trace in figure.data:
        if trace.customdata is None:  # lines and rings must not catch the click on the point beneath
            trace.update(hoverinfo="skip", hovertemplate=None)
    chosen: Any = st.plotly_chart(
        figure,
        key=key,
        theme=None,
        config=_CONFIG,
        on_select="rerun",
        selection_mode="points",
    )
    for point in chosen["selection"]["points"]:
        told = point.get("customdata")
        if isinstance(told, list | tuple):
            told = told[0] if told else None
        if told:
            return str(told)
    return None
