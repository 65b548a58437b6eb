"""What a picture shows, before anybody draws it: panels with labelled axes and marks on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[Any]
"""Values along an axis, (n,): numbers, or times as datetime64."""


@dataclass(frozen=True)
class Points:
    """Dots, each for itself.

    Attributes:
        x, y: where, (n,).
        name: in the legend; none where it is empty.
        colour: of all of them, unless `values` tell each one's.
        values: what colours them, (n,).
        scale: label of the colours, with unit.
        size: diameter [pt].
        faint: they lie in the background.
        ring: only their outline is drawn.
        tips: what is told of each where the picture is interactive.
        ids: what each stands for, such as its run id.
    """

    x: Numbers
    y: Numbers
    name: str = ""
    colour: str = ""
    values: Numbers | None = None
    scale: str = ""
    size: float = 7.0
    faint: bool = False
    ring: bool = False
    tips: Sequence[str] = ()
    ids: Sequence[str] = ()


@dataclass(frozen=True)
class Line:
    """A line through points in their order; `steps`: each value holds until the next."""

    x: Numbers
    y: Numbers
    name: str = ""
    colour: str = ""
    width: float = 2.0
    dashed: bool = False
    dots: bool = False
    steps: bool = False
    unit: str = ""


@dataclass(frozen=True)
class Band:
    """What lies between two lines."""

    x: Numbers
    low: Numbers
    high: Numbers
    name: str = ""
    colour: str = ""


@dataclass(frozen=True)
class Layer:
    """One part of a stack."""

    name: str
    y: Numbers
    colour: str


@dataclass(frozen=True)
class Stack:
    """Layers on top of each other, each value held until the next; negative ones hang below zero.

    Attributes:
        x: beginnings of the steps and the end of the last, (n + 1,).
        layers: each (n,), of one sign.
        unit: of the layers.
    """

    x: Numbers
    layers: Sequence[Layer]
    unit: str = ""


@dataclass(frozen=True)
class Bars:
    """Bars from zero.

    Attributes:
        at: middles, (n,).
        lengths: (n,).
        width: across, in the unit of `at`.
        lying: they lie, `at` is down the page.
        half: half-widths of the intervals at their ends, (n,).
        base: where each begins, (n,); 0 unless told.
        tips: what is told of each where the picture is interactive.
    """

    at: Numbers
    lengths: Numbers
    name: str = ""
    colour: str | Sequence[str] = ""
    width: float | Numbers = 0.8
    lying: bool = False
    half: Numbers | None = None
    base: Numbers | None = None
    tips: Sequence[str] = ()


@dataclass(frozen=True)
class Rule:
    """A straight line across the panel: at an x where it is upright, else at a y."""

    at: float
    name: str = ""
    colour: str = ""
    upright: bool = True
    dashed: bool = False
    width: float = 2.0


@dataclass(frozen=True)
class Slope:
    """A straight line through the origin, as far as the panel reaches."""

    slope: float
    name: str = ""
    colour: str = ""


@dataclass(frozen=True)
class Span:
    """A part of the x axis, shaded."""

    low: float
    high: float
    name: str = ""
    colour: str = ""


@dataclass(frozen=True)
class Note:
    """Words at a point.

    Attributes:
        away: how far from it [pt], to the right and upwards; straight beside it where it is (0, 0).
    """

    x: float
    y: float
    text: str
    away: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Heat:
    """A table of colours: columns along x, rows along y, (rows, columns), NaN where there is nothing."""

    values: NDArray[np.float64]
    scale: str
    numbers: Sequence[Sequence[str]] = ()


Mark = Points | Line | Band | Stack | Bars | Rule | Slope | Span | Note | Heat
Range = tuple[float, float]


@dataclass(frozen=True)
class Panel:
    """One pair of axes.

    Attributes:
        marks: the later above the earlier.
        x, y: the axes' labels, with units.
        title: of the panel alone.
        x_range, y_range: the part that is shown; all unless told.
        x_names, y_names: words at 0, 1, 2, … in the place of numbers.
        y_down: the first is above.
        whole_x: there are none but whole numbers.
        height: relative to the other panels.
        legend: the corner where names are told, or `beside` the panel.
    """

    marks: Sequence[Mark]
    x: str
    y: str
    title: str = ""
    x_range: Range | None = None
    y_range: Range | None = None
    x_names: Sequence[str] = ()
    y_names: Sequence[str] = ()
    y_down: bool = False
    whole_x: bool = False
    height: float = 1.0
    legend: Literal["best", "beside", "upper left", "upper right", "lower left", "lower right"] = "best"


@dataclass(frozen=True)
class Panels:
    """Panels in rows.

    Attributes:
        panels: row by row.
        columns: in each row.
        shared_x: all of a column have one x axis.
        shared_y: all of a row have one y axis.
    """

    panels: Sequence[Panel]
    columns: int = 1
    shared_x: bool = False
    shared_y: bool = False

    @property
    def rows(self) -> int:
        return -(-len(self.panels) // self.columns)


@dataclass(frozen=True)
class Axis:
    """One upright axis of parallel coordinates.

    Attributes:
        label: with unit.
        values: of every line, (n,).
        names: words at 0, 1, 2, … in the place of numbers.
    """

    label: str
    values: NDArray[np.float64]
    names: Sequence[str] = ()


@dataclass(frozen=True)
class Parallel:
    """Parallel coordinates: a line for each thing, across all axes.

    Attributes:
        axes: from left to right.
        values: what colours the lines, (n,).
        scale: label of the colours, with unit.
        marked: lines that stand out, by position, with what they are.
    """

    axes: Sequence[Axis]
    values: NDArray[np.float64]
    scale: str
    marked: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """What flows come from and go to: its name, its column from the left, its colour."""

    name: str
    column: int
    colour: str


@dataclass(frozen=True)
class Stream:
    """What flows from a place to another, by their position, over the horizon."""

    source: int
    target: int
    amount: float
    colour: str


@dataclass(frozen=True)
class Sankey:
    """Flows as wide as they are large."""

    places: Sequence[Place]
    streams: Sequence[Stream]
    unit: str


@dataclass(frozen=True)
class Space:
    """Points over three axes, which only an interactive picture shows well."""

    points: Points
    z: Numbers
    labels: tuple[str, str, str]


@dataclass(frozen=True)
class Picture:
    """A picture.

    Attributes:
        title: what it shows.
        content: what is drawn.
        below: a line of detail.
        width, height: [inch].
        space: drawn in the place of `content` where the picture is interactive.
    """

    title: str
    content: Panels | Parallel | Sankey
    below: str = ""
    width: float = 8.0
    height: float = 5.4
    space: Space | None = None
