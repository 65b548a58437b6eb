"""Panels by plotly: where each stands in the figure, with its axes and its legend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ecosystemiser.pictures.marks import Heat, Panel, Panels, Points
from ecosystemiser.pictures.plotly_marks import Spot, draw, text_of
from ecosystemiser.pictures.wording import GREY, PALE, wrapped

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_GAP, _GAP_WITH_LABELS = 26, 72
"""Between panels below each other [pixel]."""


def panels(made: Figure, content: Panels, pixels: int) -> None:
    """Axes are placed by hand, so that legends and colour bars stand beside their own panel."""
    rows, columns = content.rows, content.columns
    gap = (_GAP if content.shared_x else _GAP_WITH_LABELS) / max(pixels, 1)
    shares = _shares([content.panels[row * columns].height for row in range(rows)], min(gap, 0.4 / rows))
    beside = any(panel.legend == "beside" or _has_scale(panel) for panel in content.panels)
    right = 0.84 if beside and columns == 1 else 1.0
    for position, panel in enumerate(content.panels):
        row, column = divmod(position, columns)
        between = 0.0 if columns == 1 else (0.04 if content.shared_y else 0.3 / columns)
        wide = (right - between * (columns - 1)) / columns
        across = (column * (wide + between), column * (wide + between) + wide)
        last = position + columns >= len(content.panels)
        _fill(
            Spot(made, position + 1, across, shares[row]),
            panel,
            x=last or not content.shared_x,
            y=column == 0 or not content.shared_y,
            title=row == 0 or not content.shared_x,
            like_x=column + 1 if content.shared_x and row else None,
            like_y=row * columns + 1 if content.shared_y and column else None,
        )


def _has_scale(panel: Panel) -> bool:
    return any(isinstance(m, Heat) or (isinstance(m, Points) and m.values is not None) for m in panel.marks)


def _shares(heights: Sequence[float], gap: float) -> list[tuple[float, float]]:
    """The rows' parts of the height, the first above."""
    whole = 1 - gap * (len(heights) - 1)
    parts, top = [], 1.0
    for height in heights:
        size = whole * height / sum(heights)
        parts.append((max(top - size, 0.0), top))
        top -= size + gap
    return parts


def _fill(
    spot: Spot, panel: Panel, *, x: bool, y: bool, title: bool, like_x: int | None, like_y: int | None
) -> None:
    for mark in panel.marks:
        draw(mark, spot)
    across: dict[str, Any] = {
        **_axis(panel.x if x else "", panel.x_range, panel.x_names, 40),
        "domain": spot.across,
        "anchor": f"y{spot.end}",
    }
    up: dict[str, Any] = {
        **_axis(panel.y if y else "", panel.y_range, panel.y_names, 28),
        "domain": spot.upwards,
        "anchor": f"x{spot.end}",
    }
    if panel.y_down and not panel.y_range:
        up["autorange"] = "reversed"
    if panel.whole_x:
        across["tickformat"] = "d"
    if like_x:
        across["matches"] = f"x{'' if like_x == 1 else like_x}"
    if not x:
        across["showticklabels"] = False
    if like_y:
        up |= {"matches": f"y{'' if like_y == 1 else like_y}", "showticklabels": False}
    spot.made.update_layout({f"xaxis{spot.end}": across, f"yaxis{spot.end}": up})
    if spot.named:
        spot.made.update_layout({f"legend{spot.end}": _legend(spot, panel.legend)})
    if panel.title and title:
        spot.made.add_annotation(
            text=text_of(panel.title),
            x=0,
            y=1.01,
            xref=f"x{spot.end} domain",
            yref=f"y{spot.end} domain",
            xanchor="left",
            yanchor="bottom",
            showarrow=False,
            font={"size": 14},
        )


def _legend(spot: Spot, corner: str) -> dict[str, Any]:
    style: dict[str, Any] = {
        "bgcolor": "rgba(255,255,255,0.8)",
        "font": {"size": 12},
        "traceorder": "normal",
    }
    if corner == "beside":
        return {
            **style,
            "x": spot.across[1] + 0.01,
            "y": spot.upwards[1],
            "xanchor": "left",
            "yanchor": "top",
        }
    up, _, side = corner.partition(" ") if " " in corner else ("upper", "", "right")
    return {
        **style,
        "x": spot.across[1 if side == "right" else 0],
        "y": spot.upwards[1 if up == "upper" else 0],
        "xanchor": side,
        "yanchor": "top" if up == "upper" else "bottom",
    }


def _axis(label: str, limits: tuple[float, float] | None, names: Sequence[str], width: int) -> dict[str, Any]:
    axis: dict[str, Any] = {
        "title": {"text": text_of(wrapped(label, width)), "standoff": 10},
        "gridcolor": PALE,
        "zeroline": False,
        "linecolor": GREY,
        "showline": True,
        "ticks": "outside",
        "tickcolor": GREY,
        "automargin": True,
        "separatethousands": True,
        "exponentformat": "none",
    }
    if limits:
        axis["range"] = list(limits)
    if names:
        axis |= {
            "tickvals": list(range(len(names))),
            "ticktext": [text_of(wrapped(name, 24)) for name in names],
            "showgrid": False,
        }
        if max(map(len, names)) <= 12:
            axis["tickangle"] = 0
    return axis
