"""Pictures by plotly that have no panels: points in space, parallel axes, streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecosystemiser.pictures.marks import Parallel, Sankey, Space
from ecosystemiser.pictures.plotly_marks import SCALE, faded, markers, text_of
from ecosystemiser.pictures.wording import PALE, VERMILION, wrapped

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def space(made: Figure, space: Space) -> None:
    def scale(label: str) -> dict[str, Any]:
        return {"title": {"text": text_of(label), "side": "right"}, "thickness": 14, "outlinewidth": 0}

    marks = {"x": space.points.x, "y": space.points.y, "z": space.z, **markers(space.points, scale)}
    marks["marker"]["size"] = 5
    made.add_trace({"type": "scatter3d", "showlegend": False, **marks})
    names = zip(("xaxis", "yaxis", "zaxis"), space.labels, strict=True)
    axes = {name: {"title": {"text": text_of(label)}, "gridcolor": PALE} for name, label in names}
    made.update_layout(scene={**axes, "aspectmode": "cube"})


def parallel(made: Figure, content: Parallel) -> None:
    dimensions = []
    for axis in content.axes:
        one: dict[str, Any] = {"label": text_of(axis.label), "values": axis.values}
        if axis.names:
            one |= {"tickvals": list(range(len(axis.names))), "ticktext": list(axis.names)}
        dimensions.append(one)
    line = {
        "color": content.values,
        "colorscale": SCALE,
        "showscale": True,
        "colorbar": {"title": {"text": text_of(content.scale), "side": "right"}, "thickness": 14},
    }
    if content.marked:
        # Its lines cannot be of different widths: those that stand out are named by their values.
        marked = "; ".join(
            f"{name}: " + ", ".join(f"{axis.label} {axis.values[at]:,.4g}" for axis in content.axes)
            for at, name in content.marked.items()
        )
        made.add_annotation(
            text=text_of(wrapped(marked, 150)),
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


def sankey(made: Figure, content: Sankey) -> None:
    unit = text_of(content.unit)
    made.add_trace(
        {
            "type": "sankey",
            "arrangement": "snap",
            "valueformat": ",.4~g",
            "valuesuffix": f" {unit}",
            "node": {
                "label": [text_of(place.name) for place in content.places],
                "color": [place.colour for place in content.places],
                "pad": 22,
                "thickness": 18,
                "line": {"width": 0},
            },
            "link": {
                "source": [stream.source for stream in content.streams],
                "target": [stream.target for stream in content.streams],
                "value": [stream.amount for stream in content.streams],
                "color": [faded(stream.colour, 0.45) for stream in content.streams],
            },
        }
    )
