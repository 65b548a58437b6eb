"""Pictures by plotly: interactive, for pages that work offline and for the dashboard.

plotly is the extra `plots`. Names of users are shown as they are: what plotly would take for markup is escaped,
and it writes its JSON so that no page reads a tag in it.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from ecosystemiser.pictures.marks import Panels, Parallel, Picture, Sankey
from ecosystemiser.pictures.plotly_marks import text_of
from ecosystemiser.pictures.plotly_panels import panels
from ecosystemiser.pictures.plotly_whole import parallel, sankey, space
from ecosystemiser.pictures.wording import FAINT, INK

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_PIXELS_PER_INCH = 110
_FONT = "system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif"
_SPACE_HEIGHT = 7.0


def figure(picture: Picture) -> Figure:
    """The picture as a figure of plotly's.

    Raises:
        InputError: plotly is not installed.
    """
    go = _graph_objects()
    made = go.Figure()
    if picture.space is not None:
        space(made, picture.space)
    else:
        match picture.content:
            case Panels():
                panels(made, picture.content, _pixels(picture) - sum(_margins(picture)[m] for m in "tb"))
            case Parallel():
                parallel(made, picture.content)
            case Sankey():
                sankey(made, picture.content)
    made.update_layout(
        title=_title(picture),
        template="none",
        font={"family": _FONT, "size": 13, "color": INK},
        height=_pixels(picture),
        margin=_margins(picture),
        paper_bgcolor="white",
        plot_bgcolor="white",
        hoverlabel={"align": "left"},
        legend={"bgcolor": "rgba(255,255,255,0.8)"},
        barmode="overlay",
    )
    return made


def _title(picture: Picture) -> dict[str, Any]:
    below = f"<br><span style='font-size:13px;color:{FAINT}'>{text_of(picture.below)}</span>"
    return {
        "text": f"<b>{text_of(picture.title)}</b>{below if picture.below else ''}",
        "x": 0.01,
        "xanchor": "left",
        "y": 1 - 18 / _pixels(picture),
        "yanchor": "top",
        "font": {"size": 18, "color": INK},
    }


def _margins(picture: Picture) -> dict[str, int]:
    """Room for the title and its detail above [pixel]."""
    head = 56 + 22 * len(picture.below.splitlines())
    if isinstance(picture.content, Parallel) and picture.space is None:
        return {"l": 90, "r": 110, "t": head + 60, "b": 90}
    return {"l": 80, "r": 40, "t": head, "b": 60}


def _pixels(picture: Picture) -> int:
    """Its height."""
    return round((_SPACE_HEIGHT if picture.space is not None else picture.height) * _PIXELS_PER_INCH)


def _graph_objects() -> Any:
    require()
    import plotly.graph_objects as go

    return go


def require() -> None:
    """See that there is plotly.

    Raises:
        InputError: there is none; what to install is told.
    """
    from importlib.util import find_spec

    from schema.errors import Finding, InputError

    if find_spec("plotly") is None:
        message = (
            "interactive pictures need plotly: install the extra with `pip install 'ecosystemiser[plots]'`, or "
            "name a .png or .svg file"
        )
        raise InputError(Finding("", "", "no plotly", "the extra `plots`", message))


def fragment(picture: Picture, name: str, *, library: bool) -> str:
    """The picture as a part of a page.

    Args:
        picture: what to draw.
        name: id of its element, unique in the page.
        library: with plotly's own program; once in a page.
    """
    made: str = figure(picture).to_html(
        full_html=False,
        include_plotlyjs=library,
        div_id=name,
        config={"responsive": True, "displaylogo": False},
        default_height=f"{_pixels(picture)}px",
    )
    return made


def page(picture: Picture) -> str:
    """The picture as a whole page that needs nothing else, nor a network."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(picture.title)}</title>"
        "<style>body{margin:1rem auto;max-width:1200px;font-family:sans-serif}</style></head><body>\n"
        f"{fragment(picture, 'picture', library=True)}\n</body></html>\n"
    )
