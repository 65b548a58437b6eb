"""Pictures by matplotlib, without a window system: PNG and SVG."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from functools import singledispatch
from pathlib import Path
from typing import IO, Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator
from numpy.typing import NDArray

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
    Span,
    Stack,
)
from ecosystemiser.pictures.sankey_layout import Ribbon, laid_out
from ecosystemiser.pictures.wording import COLOUR_SCALE, FAINT, GREY, INK, PALE, VERMILION, tick, wrapped

_DPI = 150
_POINTS_PER_INCH = 72.0
_TITLE, _BELOW, _SMALL = 13.0, 9.5, 9.0
_AXIS_NAME = 26
_LEGEND_NAME = 34
_FEW_LEVELS = 6


def figure(picture: Picture) -> Figure:
    """The picture as a figure of matplotlib's."""
    made = Figure(figsize=(picture.width, picture.height), layout="constrained", facecolor="white")
    _head(made, picture)
    match picture.content:
        case Panels():
            _panels(made, picture.content)
        case Parallel():
            _parallel(made, picture.content)
        case Sankey():
            _sankey(made, picture.content)
    return made


def write(picture: Picture, file: Path) -> None:
    """Write it as the file's name tells; the same picture is the same file.

    Raises:
        OSError: it cannot be written.
    """
    if file.suffix.lower() == ".svg":
        with file.open("wb") as stream:
            write_svg(picture, stream)
    else:
        figure(picture).savefig(file, dpi=_DPI)


def write_svg(picture: Picture, stream: IO[bytes]) -> None:
    """Write it as SVG."""
    # Without a date and with ids that are not random; text as text, to be searched and read aloud.
    with rc_context({"svg.hashsalt": "ecosystemiser", "svg.fonttype": "none"}):
        figure(picture).savefig(stream, format="svg", metadata={"Date": None})


def _head(made: Figure, picture: Picture) -> None:
    """Title and detail at the top left; the layout keeps out of their lines."""
    room = picture.width * _POINTS_PER_INCH
    height = picture.height * _POINTS_PER_INCH
    top = 7.0
    parts: tuple[tuple[str, float, float, dict[str, Any]], ...] = (
        (picture.title, _TITLE, 0.62, {"fontweight": "bold", "color": INK}),
        (picture.below, _BELOW, 0.52, {"color": FAINT}),
    )
    for text, size, wide, style in parts:
        width = max(int(room / (size * wide)), 20)
        lines = [part for line in text.splitlines() for part in textwrap.wrap(line, width)]
        if lines:
            told = "\n".join(map(_plain, lines))
            made.text(0.012, 1 - top / height, told, ha="left", va="top", fontsize=size, **style)
            top += 1.3 * size * len(lines) + 2.0
    engine: Any = made.get_layout_engine()
    engine.set(rect=(0.0, 0.0, 1.0, 1 - (top + 4.0) / height))


def _plain(text: str) -> str:
    """Nobody's names are formulas to matplotlib."""
    return text.replace("$", r"\$")


# -- panels


def _panels(made: Figure, content: Panels) -> None:
    heights = [
        max(panel.height for panel in content.panels[row * content.columns : (row + 1) * content.columns])
        for row in range(content.rows)
    ]
    grid = made.subplots(
        content.rows,
        content.columns,
        squeeze=False,
        sharex="col" if content.shared_x else False,
        sharey="row" if content.shared_y else False,
        height_ratios=heights,
    )
    places = list(grid.flat)
    for axes in places[len(content.panels) :]:
        axes.set_visible(False)
    for position, (axes, panel) in enumerate(zip(places, content.panels, strict=False)):
        row, column = divmod(position, content.columns)
        below = position + content.columns < len(content.panels)
        _panel(
            axes,
            panel,
            content.columns,
            x=not (content.shared_x and below),
            y=not (content.shared_y and column > 0),
            title=row == 0 or not content.shared_x,
        )


def _panel(axes: Axes, panel: Panel, columns: int, *, x: bool, y: bool, title: bool) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color=PALE, linewidth=0.8)
    axes.set_axisbelow(True)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(tick))
    if panel.whole_x:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for mark in panel.marks:
        _draw(mark, axes)
    if panel.x_range:
        axes.set_xlim(panel.x_range)
    if panel.y_range:
        axes.set_ylim(panel.y_range)
    if panel.x_names:
        _name(axes.xaxis, panel.x_names, upright=len(panel.x_names) > 4)
        axes.grid(visible=False, axis="x")
    if panel.y_names:
        _name(axes.yaxis, panel.y_names)
        axes.grid(visible=False, axis="y")
    if panel.y_down:
        axes.invert_yaxis()
    if x:
        axes.set_xlabel(_plain(wrapped(panel.x, 60 if columns == 1 else 30)))
    if y:
        axes.set_ylabel(_plain(wrapped(panel.y, 38)))
    if panel.title and title:
        axes.set_title(_plain(wrapped(panel.title, 60)), loc="left", fontsize=10, color=INK)
    _legend(axes, panel)


def _name(axis: Any, names: Sequence[str], *, upright: bool = False) -> None:
    axis.set_major_locator(FixedLocator(range(len(names))))
    shown = [_plain(wrapped(name, 14 if upright else _AXIS_NAME)) for name in names]
    axis.set_ticklabels(shown, color=INK, fontsize=_SMALL)
    if upright and max(map(len, names)) > 6:
        axis.set_tick_params(labelrotation=45)


def _legend(axes: Axes, panel: Panel) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if not handles:
        return
    shown = [_plain(wrapped(text, _LEGEND_NAME)) for text in labels]
    if panel.legend == "beside":
        axes.legend(
            handles,
            shown,
            loc="upper left",
            bbox_to_anchor=(1.01, 1.0),
            frameon=False,
            fontsize=_SMALL,
            borderaxespad=0,
        )
    else:
        axes.legend(handles, shown, loc=panel.legend, framealpha=0.85, edgecolor="none", fontsize=_SMALL)


# -- marks


@singledispatch
def _draw(mark: object, axes: Axes) -> None:  # noqa: ARG001 - as those that do draw
    raise TypeError(f"nobody draws a {type(mark).__name__}")


@_draw.register
def _(points: Points, axes: Axes) -> None:
    style: dict[str, Any] = {"color": points.colour}
    if points.values is not None:
        style = {"c": points.values, "cmap": COLOUR_SCALE}
    if points.ring:
        style = {"facecolors": "none", "edgecolors": points.colour, "linewidths": 1.6, "zorder": 4}
    elif points.faint:
        style |= {"alpha": 0.35, "linewidths": 0}
    else:
        style |= {"edgecolors": "white", "linewidths": 0.8, "zorder": 3}
    drawn = axes.scatter(points.x, points.y, s=points.size**2, label=_named(points.name), **style)
    if points.values is not None:
        bar = axes.figure.colorbar(drawn, ax=axes, pad=0.02, format=FuncFormatter(tick))
        bar.set_label(_plain(wrapped(points.scale, 38)))
        bar.outline.set_visible(False)


def _named(name: str) -> str | None:
    return _plain(name) or None


@_draw.register
def _(line: Line, axes: Axes) -> None:
    _dated(axes, line.x)
    axes.plot(
        line.x,
        line.y,
        color=line.colour,
        linewidth=line.width,
        linestyle="--" if line.dashed else "-",
        marker="o" if line.dots else None,
        markersize=4,
        drawstyle="steps-post" if line.steps else "default",
        label=_named(line.name),
    )


@_draw.register
def _(band: Band, axes: Axes) -> None:
    axes.fill_between(
        band.x, band.low, band.high, color=band.colour, alpha=0.25, linewidth=0, label=_named(band.name)
    )


@_draw.register
def _(stack: Stack, axes: Axes) -> None:
    _dated(axes, stack.x)
    below = np.zeros(len(stack.x))
    for layer in stack.layers:
        above = below + np.append(layer.y, layer.y[-1:])
        axes.fill_between(
            stack.x,
            below,
            above,
            step="post",
            color=layer.colour,
            linewidth=0,
            label=_named(layer.name),
        )
        below = above


@_draw.register
def _(bars: Bars, axes: Axes) -> None:
    start = 0.0 if bars.base is None else bars.base
    colour: Any = bars.colour
    label = _named(bars.name)
    if bars.lying:
        drawn = axes.barh(bars.at, bars.lengths, bars.width, left=start, color=colour, label=label)
        ends: dict[str, Any] = {"x": start + bars.lengths, "y": bars.at, "xerr": bars.half}
    else:
        edge = "white" if isinstance(colour, str) else "none"
        drawn = axes.bar(
            bars.at, bars.lengths, bars.width, bottom=start, color=colour, edgecolor=edge, label=label
        )
        ends = {"x": bars.at, "y": start + bars.lengths, "yerr": bars.half}
    if bars.base is not None:
        # They need not begin at the frame.
        for patch in drawn:
            patch.sticky_edges.x.clear()
            patch.sticky_edges.y.clear()
    if bars.half is not None and np.any(bars.half > 0):
        axes.errorbar(**ends, fmt="none", ecolor=INK, elinewidth=1, capsize=2)


@_draw.register
def _(rule: Rule, axes: Axes) -> None:
    draw = axes.axvline if rule.upright else axes.axhline
    draw(
        rule.at,
        color=rule.colour or GREY,
        linewidth=rule.width,
        linestyle="--" if rule.dashed else "-",
        label=_named(rule.name),
    )


@_draw.register
def _(slope: Slope, axes: Axes) -> None:
    axes.axline(
        (0.0, 0.0),
        slope=slope.slope,
        color=slope.colour or GREY,
        linewidth=1,
        linestyle="--",
        label=_named(slope.name),
    )


@_draw.register
def _(span: Span, axes: Axes) -> None:
    axes.axvspan(span.low, span.high, color=span.colour, alpha=0.1, linewidth=0, label=_named(span.name))


@_draw.register
def _(note: Note, axes: Axes) -> None:
    away_x, away_y = note.away
    beside = note.away == (0.0, 0.0)
    axes.annotate(
        _plain(note.text),
        (note.x, note.y),
        xytext=(6, 0) if beside else note.away,
        textcoords="offset points",
        ha="left" if away_x >= 0 else "right",
        va="center" if beside else "bottom" if away_y > 0 else "top",
        fontsize=_SMALL,
        color=INK,
        bbox={"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": "#CCCCCC", "alpha": 0.9},
        arrowprops=None if beside else {"arrowstyle": "-", "color": "#777777", "linewidth": 0.8},
        zorder=5,
    )


@_draw.register
def _(heat: Heat, axes: Axes) -> None:
    masked = np.ma.masked_invalid(heat.values)
    drawn = axes.imshow(masked, cmap=COLOUR_SCALE, aspect="auto", origin="lower")
    bar = axes.figure.colorbar(drawn, ax=axes, pad=0.02, format=FuncFormatter(tick))
    bar.set_label(_plain(wrapped(heat.scale, 38)))
    bar.outline.set_visible(False)
    axes.grid(visible=False)
    middle = np.nanmean([np.nanmin(heat.values), np.nanmax(heat.values)])
    for i, row in enumerate(heat.numbers):
        for j, text in enumerate(row):
            dark = heat.values[i, j] < middle
            axes.text(j, i, text, ha="center", va="center", fontsize=_SMALL, color="white" if dark else INK)


def _dated(axes: Axes, x: NDArray[Any]) -> None:
    """Days and hours along the axis, where it is one of time."""
    if np.issubdtype(np.asarray(x).dtype, np.datetime64):
        locator = AutoDateLocator(minticks=4, maxticks=9)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
        axes.margins(x=0)


# -- parallel coordinates


def _parallel(made: Figure, content: Parallel) -> None:
    axes = made.subplots()
    places = np.arange(len(content.axes))
    scaled = np.column_stack([_scaled(axis.values) for axis in content.axes])
    span = float(np.ptp(content.values)) or 1.0
    shades = (content.values - content.values.min()) / span
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    scale = colormaps[COLOUR_SCALE]
    for line, shade in zip(scaled, shades, strict=True):
        axes.plot(places, line, color=scale(shade), linewidth=1.2, alpha=0.75)
    for position, name in content.marked.items():
        axes.plot(places, scaled[position], color=VERMILION, linewidth=2.6, label=_named(name), zorder=4)
    for place, axis in zip(places, content.axes, strict=True):
        axes.axvline(float(place), color=INK, linewidth=1, zorder=3)
        for height, text in _ends(axis):
            axes.annotate(
                _plain(text),
                (place, height),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=_SMALL,
                color=INK,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.8},
                zorder=5,
            )
    axes.set_xticks(places, [_plain(wrapped(axis.label, 16)) for axis in content.axes], color=INK)
    axes.set_yticks([])
    axes.set_ylim(-0.06, 1.06)
    axes.set_xlim(-0.15, len(places) - 0.6)
    axes.spines[:].set_visible(False)
    low, high = float(content.values.min()), float(content.values.max())
    mappable = ScalarMappable(Normalize(low, high if high > low else low + 1), COLOUR_SCALE)
    bar = made.colorbar(mappable, ax=axes, pad=0.02, format=FuncFormatter(tick))
    bar.set_label(_plain(wrapped(content.scale, 38)))
    bar.outline.set_visible(False)
    if content.marked:
        axes.legend(loc="upper left", framealpha=0.9, edgecolor="none", fontsize=_SMALL)


def _scaled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """To 0-1; in the middle where all are the same."""
    low, high = float(values.min()), float(values.max())
    return (values - low) / (high - low) if high > low else np.full(len(values), 0.5)


def _ends(axis: Any) -> list[tuple[float, str]]:
    """What is told along an axis, and where [0-1]."""
    low, high = float(axis.values.min()), float(axis.values.max())
    levels = sorted(set(axis.values.tolist()))
    if axis.names or len(levels) <= _FEW_LEVELS:
        heights = [(v - low) / (high - low) if high > low else 0.5 for v in levels]
        shown = [axis.names[int(v)] if axis.names else tick(float(f"{v:.4g}")) for v in levels]
        return list(zip(heights, shown, strict=True))
    places = max(2 - math.floor(math.log10(high - low)), 0)
    return [(h, tick(round(low + h * (high - low), min(places, 6)))) for h in (0.0, 0.25, 0.5, 0.75, 1.0)]


# -- Sankey


def _sankey(made: Figure, content: Sankey) -> None:
    from matplotlib.patches import PathPatch, Rectangle
    from matplotlib.path import Path as Curve

    axes = made.subplots()
    boxes, ribbons = laid_out(content)
    for ribbon in ribbons:
        axes.add_patch(PathPatch(_ribbon(ribbon, Curve), facecolor=ribbon.colour, alpha=0.45, linewidth=0))
    last = max(box.column for box in boxes)
    for box in boxes:
        axes.add_patch(Rectangle((box.x, box.y), box.width, box.height, facecolor=box.colour, linewidth=0))
        right = box.column == last
        axes.text(
            box.x - 0.008 if right else box.x + box.width + 0.008,
            box.y + box.height / 2,
            _plain(f"{wrapped(box.name, 22)}\n{tick(float(f'{box.amount:.4g}'))} {content.unit}"),
            ha="right" if right else "left",
            va="center",
            fontsize=_SMALL,
            color=INK,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.65, "pad": 0.5},
        )
    axes.set_xlim(-0.005, 1.005)
    axes.set_ylim(-0.02, 1.02)
    axes.set_axis_off()


def _ribbon(ribbon: Ribbon, curve: Any) -> Any:
    """From the right of a box to the left of another, as wide as what flows."""
    (x0, y0), (x1, y1), wide = ribbon.start, ribbon.end, ribbon.width
    middle = (x0 + x1) / 2
    points = [
        (x0, y0),
        *((middle, y0), (middle, y1), (x1, y1)),
        (x1, y1 + wide),
        *((middle, y1 + wide), (middle, y0 + wide), (x0, y0 + wide)),
        (x0, y0),
    ]
    bend = [curve.CURVE4] * 3
    return curve(points, [curve.MOVETO, *bend, curve.LINETO, *bend, curve.CLOSEPOLY])
