"""Pictures by plotly: interactive, for pages that work offline and for the dashboard.

plotly is the extra `plots`. Names of users are shown as they are: whatever plotly would take for markup is escaped
here, and it writes its JSON so that no page reads a tag in it.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from functools import singledispatch
from typing import TYPE_CHECKING, Any

import numpy as np

from ecosystemiser.pictures.marks import (
    Band,
    Bars,
    Heat,
    Line,
    Note,
    Panel,
    Panels,
    Parallel,
    Picture,
    Points,
    Rule,
    Sankey,
    Slope,
    Space,
    Span,
    Stack,
)
from ecosystemiser.pictures.wording import COLOUR_SCALE, FAINT, GREY, INK, PALE, VERMILION, wrapped

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_PIXELS_PER_INCH = 110
_FONT = "system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif"
_SCALE = COLOUR_SCALE.capitalize()
_SPACE_HEIGHT = 7.0
_GAP, _GAP_WITH_LABELS = 26, 72
"""Between panels below each other [pixel]."""


def figure(picture: Picture) -> Figure:
    """The picture as a figure of plotly's.

    Raises:
        InputError: plotly is not installed.
    """
    go = _graph_objects()
    made = go.Figure()
    if picture.space is not None:
        _space(made, picture.space)
    else:
        match picture.content:
            case Panels():
                _panels(made, picture.content, _pixels(picture) - sum(_margins(picture)[m] for m in "tb"))
            case Parallel():
                _parallel(made, picture.content)
            case Sankey():
                _sankey(made, picture.content)
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
    below = f"<br><span style='font-size:13px;color:{FAINT}'>{_text(picture.below)}</span>"
    return {
        "text": f"<b>{_text(picture.title)}</b>{below if picture.below else ''}",
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


def _text(text: str) -> str:
    """Shown as it stands, its lines broken."""
    return html.escape(str(text), quote=False).replace("\n", "<br>")


def _texts(lines: Sequence[str]) -> list[str]:
    return [_text(line) for line in lines]


# -- panels


def _panels(made: Figure, content: Panels, pixels: int) -> None:
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
        _Spot(made, position + 1, across, shares[row]).fill(
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


class _Spot:
    """One panel's place in a figure."""

    def __init__(
        self, made: Figure, number: int, across: tuple[float, float], upwards: tuple[float, float]
    ) -> None:
        self.made = made
        self.across, self.upwards = across, upwards
        self.end = "" if number == 1 else str(number)
        self.bars = 0
        self.beside = False
        self.named = False

    def fill(
        self, panel: Panel, *, x: bool, y: bool, title: bool, like_x: int | None, like_y: int | None
    ) -> None:
        self.beside = panel.legend == "beside"
        for mark in panel.marks:
            _draw(mark, self)
        across: dict[str, Any] = {
            **_axis(panel.x if x else "", panel.x_range, panel.x_names, 40),
            "domain": self.across,
            "anchor": f"y{self.end}",
        }
        up: dict[str, Any] = {
            **_axis(panel.y if y else "", panel.y_range, panel.y_names, 28),
            "domain": self.upwards,
            "anchor": f"x{self.end}",
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
        self.made.update_layout({f"xaxis{self.end}": across, f"yaxis{self.end}": up})
        if self.named:
            self.made.update_layout({f"legend{self.end}": self._legend(panel.legend)})
        if panel.title and title:
            self.made.add_annotation(
                text=_text(panel.title),
                x=0,
                y=1.01,
                xref=f"x{self.end} domain",
                yref=f"y{self.end} domain",
                xanchor="left",
                yanchor="bottom",
                showarrow=False,
                font={"size": 14},
            )

    def _legend(self, corner: str) -> dict[str, Any]:
        style: dict[str, Any] = {
            "bgcolor": "rgba(255,255,255,0.8)",
            "font": {"size": 12},
            "traceorder": "normal",
        }
        if self.beside:
            return {
                **style,
                "x": self.across[1] + 0.01,
                "y": self.upwards[1],
                "xanchor": "left",
                "yanchor": "top",
            }
        up, _, side = corner.partition(" ") if " " in corner else ("upper", "", "right")
        return {
            **style,
            "x": self.across[1 if side == "right" else 0],
            "y": self.upwards[1 if up == "upper" else 0],
            "xanchor": side,
            "yanchor": "top" if up == "upper" else "bottom",
        }

    def add(self, kind: str, name: str = "", **trace: Any) -> None:
        """A trace on the panel's axes, named in its legend."""
        self.named = self.named or bool(name)
        self.made.add_trace(
            {
                "type": kind,
                "xaxis": f"x{self.end}",
                "yaxis": f"y{self.end}",
                "name": _text(wrapped(name, 30)),
                "showlegend": bool(name),
                "legend": f"legend{self.end}",
                **trace,
            }
        )

    def scale(self, label: str) -> dict[str, Any]:
        """A colour bar right of the panel."""
        self.bars += 1
        return {
            "title": {"text": _text(wrapped(label, 30)), "side": "right"},
            "x": self.across[1] + 0.015,
            "xanchor": "left",
            "y": sum(self.upwards) / 2,
            "len": self.upwards[1] - self.upwards[0],
            "thickness": 14,
            "outlinewidth": 0,
        }

    def shape(self, **shape: Any) -> None:
        self.made.add_shape({"layer": "above", **shape})

    @property
    def refs(self) -> dict[str, str]:
        return {"xref": f"x{self.end}", "yref": f"y{self.end}"}


def _axis(label: str, limits: tuple[float, float] | None, names: Sequence[str], width: int) -> dict[str, Any]:
    axis: dict[str, Any] = {
        "title": {"text": _text(wrapped(label, width)), "standoff": 10},
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
            "ticktext": [_text(wrapped(name, 24)) for name in names],
            "showgrid": False,
        }
        if max(map(len, names)) <= 12:
            axis["tickangle"] = 0
    return axis


# -- marks


@singledispatch
def _draw(mark: object, spot: _Spot) -> None:  # noqa: ARG001 - as those that do draw
    raise TypeError(f"nobody draws a {type(mark).__name__}")


@_draw.register
def _(points: Points, spot: _Spot) -> None:
    spot.add("scatter", points.name, x=points.x, y=points.y, **_markers(points, spot.scale))


def _markers(points: Points, scale: Any) -> dict[str, Any]:
    marker: dict[str, Any] = {"size": points.size * 1.3, "line": {"width": 0.8, "color": "white"}}
    if points.ring:
        marker |= {"color": "rgba(0,0,0,0)", "line": {"width": 2, "color": points.colour}}
    elif points.values is not None:
        marker |= {"color": points.values, "colorscale": _SCALE, "colorbar": scale(points.scale)}
    else:
        marker["color"] = points.colour
    if points.faint:
        marker |= {"opacity": 0.4, "line": {"width": 0}}
    trace: dict[str, Any] = {"mode": "markers", "marker": marker, **_told(points.tips)}
    if points.ids:
        trace["customdata"] = list(points.ids)
    return trace


def _told(tips: Sequence[str]) -> dict[str, Any]:
    return {"hoverinfo": "text", "hovertext": _texts(tips)} if tips else {}


@_draw.register
def _(line: Line, spot: _Spot) -> None:
    value = f"%{{y:,.4~g}} {_text(line.unit)}".rstrip()
    spot.add(
        "scatter",
        line.name,
        x=line.x,
        y=line.y,
        mode="lines+markers" if line.dots else "lines",
        line={
            "color": line.colour,
            "width": line.width,
            "dash": "dash" if line.dashed else "solid",
            "shape": "hv" if line.steps else "linear",
        },
        hovertemplate=f"%{{x}}: {value}<extra>{_text(line.name)}</extra>",
    )


@_draw.register
def _(band: Band, spot: _Spot) -> None:
    """One closed outline, so that it fills its own part only."""
    there = np.isfinite(np.asarray(band.low, float)) & np.isfinite(np.asarray(band.high, float))
    x, low, high = (np.asarray(values)[there] for values in (band.x, band.low, band.high))
    spot.add(
        "scatter",
        band.name,
        x=np.concatenate([x, x[::-1]]),
        y=np.concatenate([high, low[::-1]]),
        mode="lines",
        line={"width": 0},
        fill="toself",
        fillcolor=_faded(band.colour, 0.25),
        hoverinfo="skip",
    )


def _faded(colour: str, opacity: float) -> str:
    parts = ", ".join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))
    return f"rgba({parts}, {opacity})"


@_draw.register
def _(stack: Stack, spot: _Spot) -> None:
    group = f"{spot.end}{'down' if any(np.any(one.y < 0) for one in stack.layers) else 'up'}"
    for layer in stack.layers:
        spot.add(
            "scatter",
            layer.name,
            x=stack.x,
            y=np.append(layer.y, layer.y[-1:]),
            mode="lines",
            line={"width": 0, "shape": "hv", "color": layer.colour},
            stackgroup=group,
            fillcolor=layer.colour,
            hovertemplate=f"%{{x}}: %{{y:,.3~g}} {_text(stack.unit)}<extra>{_text(layer.name)}</extra>",
        )


@_draw.register
def _(bars: Bars, spot: _Spot) -> None:
    colour = bars.colour if isinstance(bars.colour, str) else list(bars.colour)
    errors = None
    if bars.half is not None and np.any(bars.half > 0):
        errors = {"type": "data", "array": bars.half, "thickness": 1.2, "width": 3, "color": INK}
    trace: dict[str, Any] = {
        "marker": {"color": colour, "line": {"width": 0.5, "color": "white"}},
        "width": bars.width,
        "base": bars.base,
        **_told(bars.tips),
    }
    if bars.lying:
        spot.add("bar", bars.name, x=bars.lengths, y=bars.at, orientation="h", error_x=errors, **trace)
    else:
        spot.add("bar", bars.name, x=bars.at, y=bars.lengths, error_y=errors, **trace)


@_draw.register
def _(rule: Rule, spot: _Spot) -> None:
    colour = rule.colour or GREY
    dash = "dash" if rule.dashed else "solid"
    end = spot.end
    if rule.upright:
        place = {"x0": rule.at, "x1": rule.at, "xref": f"x{end}", "y0": 0, "y1": 1, "yref": f"y{end} domain"}
    else:
        place = {"y0": rule.at, "y1": rule.at, "yref": f"y{end}", "x0": 0, "x1": 1, "xref": f"x{end} domain"}
    spot.shape(type="line", line={"color": colour, "width": rule.width, "dash": dash}, **place)
    if rule.name:
        _legend_only(spot, rule.name, {"line": {"color": colour, "width": rule.width, "dash": dash}})


def _legend_only(spot: _Spot, name: str, style: dict[str, Any]) -> None:
    """A shape has no name in a legend: a line without points has."""
    spot.add("scatter", name, x=[None], y=[None], mode="lines", **style)


@_draw.register
def _(slope: Slope, spot: _Spot) -> None:
    """As far as the points that are drawn before it reach."""
    drawn = [t for t in spot.made.data if t.xaxis == f"x{spot.end}" and t.x is not None]
    most = max((float(np.nanmax(np.asarray(t.x, float))) for t in drawn if len(t.x)), default=1.0)
    spot.add(
        "scatter",
        slope.name,
        x=[0.0, most],
        y=[0.0, most * slope.slope],
        mode="lines",
        line={"color": slope.colour or GREY, "width": 1.2, "dash": "dash"},
        hoverinfo="skip",
    )


@_draw.register
def _(span: Span, spot: _Spot) -> None:
    colour = _faded(span.colour, 0.12)
    spot.shape(
        type="rect",
        x0=span.low,
        x1=span.high,
        y0=0,
        y1=1,
        xref=f"x{spot.end}",
        yref=f"y{spot.end} domain",
        fillcolor=colour,
        line={"width": 0},
        layer="below",
    )
    if span.name:
        spot.add(
            "scatter",
            span.name,
            x=[None],
            y=[None],
            mode="markers",
            marker={"color": colour, "size": 14, "symbol": "square"},
        )


@_draw.register
def _(note: Note, spot: _Spot) -> None:
    away_x, away_y = note.away
    beside = note.away == (0.0, 0.0)
    spot.made.add_annotation(
        x=note.x,
        y=note.y,
        text=_text(note.text),
        **spot.refs,
        align="left",
        xanchor="left" if away_x >= 0 else "right",
        yanchor="middle" if beside else "bottom" if away_y > 0 else "top",
        showarrow=not beside,
        arrowhead=0,
        arrowcolor="#777777",
        ax=away_x * 1.4,
        ay=-away_y * 1.4,
        xshift=8 if beside else 0,
        font={"size": 12},
        bgcolor="rgba(255,255,255,0.9)",
        bordercolor="#CCCCCC",
        borderwidth=0 if beside else 1,
    )


@_draw.register
def _(heat: Heat, spot: _Spot) -> None:
    trace: dict[str, Any] = {}
    if heat.numbers:
        trace = {"text": [_texts(row) for row in heat.numbers], "texttemplate": "%{text}"}
    spot.add(
        "heatmap",
        z=heat.values,
        colorscale=_SCALE,
        colorbar=spot.scale(heat.scale),
        xgap=1,
        ygap=1,
        hovertemplate="%{z:,.5~g}<extra></extra>",
        **trace,
    )


# -- what has no panels


def _space(made: Figure, space: Space) -> None:
    def scale(label: str) -> dict[str, Any]:
        return {"title": {"text": _text(label), "side": "right"}, "thickness": 14, "outlinewidth": 0}

    marks = {"x": space.points.x, "y": space.points.y, "z": space.z, **_markers(space.points, scale)}
    marks["marker"]["size"] = 5
    made.add_trace({"type": "scatter3d", "showlegend": False, **marks})
    names = zip(("xaxis", "yaxis", "zaxis"), space.labels, strict=True)
    axes = {name: {"title": {"text": _text(label)}, "gridcolor": PALE} for name, label in names}
    made.update_layout(scene={**axes, "aspectmode": "cube"})


def _parallel(made: Figure, content: Parallel) -> None:
    dimensions = []
    for axis in content.axes:
        one: dict[str, Any] = {"label": _text(axis.label), "values": axis.values}
        if axis.names:
            one |= {"tickvals": list(range(len(axis.names))), "ticktext": list(axis.names)}
        dimensions.append(one)
    line = {
        "color": content.values,
        "colorscale": _SCALE,
        "showscale": True,
        "colorbar": {"title": {"text": _text(content.scale), "side": "right"}, "thickness": 14},
    }
    if content.marked:
        # Its lines cannot be of different widths: those that stand out are named by their values.
        marked = "; ".join(
            f"{name}: " + ", ".join(f"{axis.label} {axis.values[at]:,.4g}" for axis in content.axes)
            for at, name in content.marked.items()
        )
        made.add_annotation(
            text=_text(wrapped(marked, 150)),
            x=0,
            y=-0.1,
            xref="paper",
            yref="paper",
            xanchor="left",
            yanchor="top",
            align="left",
            showarrow=False,
            font={"size": 12, "color": VERMILION},
        )
    made.add_trace({"type": "parcoords", "dimensions": dimensions, "line": line, "labelangle": -12})


def _sankey(made: Figure, content: Sankey) -> None:
    unit = _text(content.unit)
    made.add_trace(
        {
            "type": "sankey",
            "arrangement": "snap",
            "valueformat": ",.4~g",
            "valuesuffix": f" {unit}",
            "node": {
                "label": [_text(place.name) for place in content.places],
                "color": [place.colour for place in content.places],
                "pad": 22,
                "thickness": 18,
                "line": {"width": 0},
            },
            "link": {
                "source": [stream.source for stream in content.streams],
                "target": [stream.target for stream in content.streams],
                "value": [stream.amount for stream in content.streams],
                "color": [_faded(stream.colour, 0.45) for stream in content.streams],
            },
        }
    )
