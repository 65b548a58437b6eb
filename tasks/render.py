"""Pictures of a study: its front and how it came along; of a dispatch: who gives and takes. PNG or SVG.

Drawn from rows as `schema.store` returns them, without a window system. Colours are Okabe and Ito's, which
colour-blind readers can tell apart, and cividis.
"""

from __future__ import annotations

import math
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from schema.errors import Finding, InputError
from schema.kpis import KPI_UNITS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

Row = Mapping[str, Any]
Points = NDArray[np.float64]

FORMATS = (".png", ".svg")
BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY = (
    *("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"),
)
GREY, INK = "#9A9A9A", "#222222"
_DPI = 150


# -- words and axes


def words(name: str) -> str:
    """A KPI or another column in words: `total_co2` is total CO₂."""
    text = name.replace("co2", "CO₂").replace("self_", "self-").replace("_", " ")
    return text.removesuffix(" kwh").removesuffix(" kw").removesuffix(" seconds")


def label(name: str) -> str:
    """What an axis shows, with its unit."""
    unit = KPI_UNITS.get(name, "")
    return f"{words(name)} [{'share' if unit == '-' else unit}]" if unit else words(name)


def new_figure(height: float = 5.4, width: float = 8.0) -> Figure:
    """An empty picture [inches]."""
    return Figure(figsize=(width, height), layout="constrained", facecolor="white")


def dress(axes: Axes) -> None:
    """Frame, grid and numbers as all pictures have them."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color="#E4E4E4", linewidth=0.8)
    axes.set_axisbelow(True)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(_tick))


def _tick(value: float, _position: int | None = None) -> str:
    return f"{value:,.10g}".replace("-", "−")


def _round(value: float, spread: float) -> str:
    """As many digits as tell the points of a picture apart."""
    places = 0 if spread <= 0 else min(max(2 - math.floor(math.log10(spread)), 0), 6)
    return f"{value:,.{places}f}".replace("-", "−")


def head(axes: Axes, title: str, below: str = "") -> list[Text]:
    """What a picture shows, and a line of detail."""
    told = [
        axes.set_title(title, loc="left", fontsize=13, fontweight="bold", color=INK, pad=24 if below else 10)
    ]
    if below:
        told.append(axes.text(0, 1.025, below, transform=axes.transAxes, fontsize=9.5, color="#555555"))
    return told


# -- the front


def pareto_front(
    front: Sequence[Row],
    objectives: Mapping[str, str],
    *,
    title: str,
    others: Sequence[Row] = (),
    knee: int | None = None,
    colour: str | None = None,
) -> Figure:
    """The trade-off between a study's first two objectives.

    Args:
        front: its designs, each with `objectives`.
        objectives: name → minimise or maximise, two at least.
        title: what the picture shows.
        others: designs that were solved and keep the constraints, but are dominated.
        knee: position of the knee in `front`.
        colour: an objective or KPI of the rows that colours the points.
    """
    if len(objectives) < 2 or not front:
        raise ValueError("a front takes two objectives and a design")
    names = list(objectives)[:2]
    points = _points(front, names)
    figure = new_figure()
    axes = figure.subplots()
    dress(axes)
    signs = _signs(list(objectives.values())[:2])
    _limit(axes, points, signs)
    if others:
        beside = _points(others, names)
        axes.scatter(
            beside[:, 0], beside[:, 1], s=10, color=GREY, alpha=0.35, linewidths=0, label="dominated designs"
        )
    order = np.argsort(points[:, 0])
    axes.plot(*points[order].T, color=GREY, linewidth=1, zorder=2)
    values = None if colour is None else [_value(row, colour) for row in front]
    style: dict[str, Any] = {"color": BLUE}
    if values is not None and all(value is not None for value in values):
        style = {"c": values, "cmap": "cividis"}
    drawn = axes.scatter(
        points[:, 0], points[:, 1], s=44, edgecolors="white", linewidths=0.8, zorder=3, label="front", **style
    )
    if "c" in style and colour is not None:
        bar = figure.colorbar(drawn, ax=axes, pad=0.02, format=FuncFormatter(_tick))
        bar.set_label(label(colour))
        bar.outline.set_visible(False)
    _annotate(axes, points, names, list(objectives.values())[:2], knee)
    axes.set_xlabel(label(names[0]))
    axes.set_ylabel(label(names[1]))
    if others:
        corner: Any = f"{'upper' if signs[1] > 0 else 'lower'} {'right' if signs[0] > 0 else 'left'}"
        axes.legend(loc=corner, frameon=False, fontsize=9)
    aims = ", ".join(f"{sense} {words(name)}" for name, sense in objectives.items())
    head(axes, title, f"{len(front)} non-dominated designs: {aims}")
    return figure


def _points(rows: Sequence[Row], names: Sequence[str]) -> Points:
    return np.array([[row["objectives"][name] for name in names] for row in rows], dtype=float)


def _value(row: Row, name: str) -> float | None:
    value = row["objectives"].get(name, row.get(name))
    return None if value is None else float(value)


def _limit(axes: Axes, points: Points, signs: Points) -> None:
    """The front fills the picture however far the dominated designs lie; words find room on their side."""
    low, high = points.min(axis=0), points.max(axis=0)
    size = np.where(high > low, high - low, np.maximum(np.abs(high), 1.0))
    room = size * np.where(signs > 0, [[0.08, 0.08], [0.3, 0.2]], [[0.3, 0.2], [0.08, 0.08]])
    axes.set_xlim(low[0] - room[0, 0], high[0] + room[1, 0])
    axes.set_ylim(low[1] - room[0, 1], high[1] + room[1, 1])


def _annotate(
    axes: Axes, points: Points, names: Sequence[str], senses: Sequence[str], knee: int | None
) -> None:
    """Name the extremes and the knee, on the side of what they dominate: there is no other point of a front."""
    signs = _signs(senses)
    spread = np.ptp(points, axis=0)
    marked: dict[int, list[str]] = {}
    for column, (name, sense) in enumerate(zip(names, senses, strict=True)):
        way = "highest" if sense == "maximise" else "lowest"
        marked.setdefault(int((points * signs)[:, column].argmin()), []).append(f"{way} {words(name)}")
    if knee is not None:
        marked.setdefault(knee, []).append("knee")
    for index, told in marked.items():
        x, y = points[index]
        numbers = " · ".join(
            f"{_round(value, wide)} {KPI_UNITS.get(name, '').strip('-')}".strip()
            for value, wide, name in zip((x, y), spread, names, strict=True)
        )
        away = 20 if told == ["knee"] else 10
        axes.annotate(
            f"{' and '.join(told)}\n{numbers}",
            (x, y),
            xytext=(away * signs[0], away * signs[1]),
            textcoords="offset points",
            ha="left" if signs[0] > 0 else "right",
            va="bottom" if signs[1] > 0 else "top",
            fontsize=9,
            color=INK,
            bbox={"boxstyle": "round,pad=0.3", "facecolor": "white", "edgecolor": "#CCCCCC", "alpha": 0.92},
            arrowprops={"arrowstyle": "-", "color": "#777777", "linewidth": 0.8},
            zorder=5,
        )
        axes.scatter([x], [y], s=120, facecolors="none", edgecolors=VERMILION, linewidths=1.6, zorder=4)


def _signs(senses: Iterable[str]) -> Points:
    return np.array([-1.0 if sense == "maximise" else 1.0 for sense in senses])


# -- convergence


def convergence(generations: Sequence[Row], objectives: Mapping[str, str], *, title: str) -> Figure:
    """How a study came along: its first objective and, where there is a front, the hypervolume.

    Args:
        generations: rows of `convergence_metrics` with their front's `hypervolume`.
        objectives: name → minimise or maximise; the first one is the fitness, negated where it is maximised.
        title: what the picture shows.
    """
    if not generations:
        raise ValueError("no generation is recorded")
    objective, sense = next(iter(objectives.items()))
    sign = -1.0 if sense == "maximise" else 1.0
    number = [row["generation_number"] for row in generations]
    best, mean, worst = (
        np.array([_or_nan(row[f"{which}_fitness"]) * sign for row in generations])
        for which in ("best", "average", "worst")
    )
    volumes = [_or_nan(row.get("hypervolume")) for row in generations]
    with_volume = any(math.isfinite(volume) for volume in volumes)
    figure = new_figure(6.4 if with_volume else 4.6)
    panels = figure.subplots(2 if with_volume else 1, sharex=True, squeeze=False)[:, 0]
    axes = panels[0]
    dress(axes)
    low, high = np.minimum(mean, worst), np.maximum(mean, worst)
    axes.fill_between(
        number, low, high, color=SKY, alpha=0.25, linewidth=0, label="generation: mean to worst"
    )
    axes.plot(number, mean, color=SKY, linewidth=1.6, label="generation: mean")
    axes.plot(number, best, color=BLUE, linewidth=2.2, marker="o", markersize=3.5, label="best so far")
    axes.set_ylabel(label(objective))
    axes.legend(frameon=False, fontsize=9)
    final = next((value for value in best[::-1] if math.isfinite(value)), math.nan)
    told = f"best {words(objective)}: {_round(final, float(np.nanmax(np.abs(best))) / 10)}"
    head(axes, title, f"{told} {KPI_UNITS.get(objective, '').strip('-')}" if math.isfinite(final) else "")
    if with_volume:
        dress(panels[1])
        unit = "·".join(filter(None, (KPI_UNITS.get(name, "").strip("-") for name in objectives)))
        panels[1].plot(number, volumes, color=GREEN, linewidth=2.2, marker="o", markersize=3.5)
        panels[1].set_ylabel(f"hypervolume of the front [{unit}]" if unit else "hypervolume of the front")
    panels[-1].set_xlabel("generation")
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else float(value)


# -- files


def check_format(file: Path) -> None:
    """See that a picture can have this file's name.

    Raises:
        InputError: it ends in something else than .png or .svg.
    """
    if file.suffix.lower() not in FORMATS:
        expected = " or ".join(FORMATS)
        message = f"pictures are written as {expected}, not as '{file.suffix}'"
        raise InputError(Finding(str(file), "", file.suffix, expected, message))


def save(figure: Figure, file: Path) -> None:
    """Write a picture, whole or not at all; its folder is made.

    Raises:
        InputError: the file's name ends in something else than .png or .svg, or it cannot be written.
    """
    check_format(file)
    half = file.with_name(f".{secrets.token_hex(4)}{file.suffix}")
    metadata: dict[str, Any] = {"Date": None} if file.suffix.lower() == ".svg" else {}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # Without a date and with ids that are not random, the same picture is the same file.
        with rc_context({"svg.hashsalt": "ecosystemiser"}):
            figure.savefig(half, dpi=_DPI, metadata=metadata)
        half.replace(file)
    except OSError as error:
        reason = error.strerror or os.strerror(error.errno or 0)
        message = f"cannot be written ({reason}); name a file in a folder that you may write to"
        raise InputError(Finding(str(file), "", reason, "a writable file", message)) from error
    finally:
        with suppress(OSError):
            half.unlink(missing_ok=True)
