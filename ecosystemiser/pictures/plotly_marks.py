"""Marks by plotly: each as traces, shapes or annotations on the axes of its panel.

Whatever plotly would take for markup in a name is escaped here.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from functools import singledispatch
from typing import TYPE_CHECKING, Any

import numpy as np

from ecosystemiser.pictures.marks import Band, Bars, Heat, Line, Note, Points, Rule, Slope, Span, Stack
from ecosystemiser.pictures.wording import COLOUR_SCALE, GREY, INK, wrapped

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SCALE = COLOUR_SCALE.capitalize()


def text_of(text: str) -> str:
    """Shown as it stands, its lines broken."""
    return html.escape(str(text), quote=False).replace("\n", "<br>")


def _texts(lines: Sequence[str]) -> list[str]:
    return [text_of(line) for line in lines]


class Spot:
    """One panel's place in a figure, on whose axes marks are drawn."""

    def __init__(
        self, made: Figure, number: int, across: tuple[float, float], upwards: tuple[float, float]
    ) -> None:
        self.made = made
        self.across, self.upwards = across, upwards
        self.end = "" if number == 1 else str(number)
        self.named = False
        """Whether anything on it has a name in its legend."""

    def add(self, kind: str, name: str = "", **trace: Any) -> None:
        """A trace on the panel's axes, named in its legend."""
        self.named = self.named or bool(name)
        self.made.add_trace(
            {
                "type": kind,
                "xaxis": f"x{self.end}",
                "yaxis": f"y{self.end}",
                "name": text_of(wrapped(name, 30)),
                "showlegend": bool(name),
                "legend": f"legend{self.end}",
                **trace,
            }
        )

    def scale(self, label: str) -> dict[str, Any]:
        """A colour bar right of the panel."""
        return {
            "title": {"text": text_of(wrapped(label, 30)), "side": "right"},
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


@singledispatch
def draw(mark: object, spot: Spot) -> None:  # noqa: ARG001 - as those that do draw
    raise TypeError(f"nobody draws a {type(mark).__name__}")


@draw.register
def _(points: Points, spot: Spot) -> None:
    spot.add("scatter", points.name, x=points.x, y=points.y, **markers(points, spot.scale))


def markers(points: Points, scale: Any) -> dict[str, Any]:
    marker: dict[str, Any] = {"size": points.size * 1.3, "line": {"width": 0.8, "color": "white"}}
    if points.ring:
        marker |= {"color": "rgba(0,0,0,0)", "line": {"width": 2, "color": points.colour}}
    elif points.values is not None:
        marker |= {"color": points.values, "colorscale": SCALE, "colorbar": scale(points.scale)}
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


@draw.register
def _(line: Line, spot: Spot) -> None:
    value = f"%{{y:,.4~g}} {text_of(line.unit)}".rstrip()
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
        hovertemplate=f"%{{x}}: {value}<extra>{text_of(line.name)}</extra>",
    )


@draw.register
def _(band: Band, spot: Spot) -> None:
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
        fillcolor=faded(band.colour, 0.25),
        hoverinfo="skip",
    )


def faded(colour: str, opacity: float) -> str:
    parts = ", ".join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))
    return f"rgba({parts}, {opacity})"


@draw.register
def _(stack: Stack, spot: Spot) -> None:
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
            hovertemplate=f"%{{x}}: %{{y:,.3~g}} {text_of(stack.unit)}<extra>{text_of(layer.name)}</extra>",
        )


@draw.register
def _(bars: Bars, spot: Spot) -> None:
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


@draw.register
def _(rule: Rule, spot: Spot) -> None:
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


def _legend_only(spot: Spot, name: str, style: dict[str, Any]) -> None:
    """A shape has no name in a legend: a line without points has."""
    spot.add("scatter", name, x=[None], y=[None], mode="lines", **style)


@draw.register
def _(slope: Slope, spot: Spot) -> None:
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


@draw.register
def _(span: Span, spot: Spot) -> None:
    colour = faded(span.colour, 0.12)
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


@draw.register
def _(note: Note, spot: Spot) -> None:
    away_x, away_y = note.away
    beside = note.away == (0.0, 0.0)
    spot.made.add_annotation(
        x=note.x,
        y=note.y,
        text=text_of(note.text),
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


@draw.register
def _(heat: Heat, spot: Spot) -> None:
    trace: dict[str, Any] = {}
    if heat.numbers:
        trace = {"text": [_texts(row) for row in heat.numbers], "texttemplate": "%{text}"}
    spot.add(
        "heatmap",
        z=heat.values,
        colorscale=SCALE,
        colorbar=spot.scale(heat.scale),
        xgap=1,
        ygap=1,
        hovertemplate="%{z:,.5~g}<extra></extra>",
        **trace,
    )
