"""Pictures of analyses: how outputs spread, what parameters do to them, what a sweep found. PNG or SVG.

Drawn from rows as `schema.store` returns them, in the manner of `tasks.render`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from schema.kpis import KPI_UNITS
from tasks.render import BLUE, GREY, INK, ORANGE, SKY, VERMILION, dress, head, label, new_figure, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Row = Mapping[str, Any]
_MOST_OUTPUTS = 3
_MOST_PARAMETERS = 12
_BINS = 40


def _panels(outputs: Sequence[str], height: float) -> tuple[Figure, list[Axes]]:
    """A panel for each output, up to three, below each other."""
    figure = new_figure(height=height * len(outputs))
    return figure, list(figure.subplots(len(outputs), squeeze=False)[:, 0])


def _outputs(names: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Those of the outputs that are there, in the study's order."""
    return [name for name in wanted if name in set(names)][:_MOST_OUTPUTS]


# -- how outputs spread


def distributions(spreads: Sequence[Row], values: Mapping[str, NDArray[np.float64]], *, title: str) -> Figure:
    """Histograms of outputs with mean, middle 90 % and the adverse tail.

    Args:
        spreads: rows of `uncertainty_analysis`, one for each output.
        values: output → its values over the samples that follow the distributions, (n,).
        title: what the picture shows.
    """
    told = {row["objective_name"]: row for row in spreads}
    outputs = _outputs(list(told), list(values))
    if not outputs:
        raise ValueError("no output has a spread")
    figure, panels = _panels(outputs, 3.6)
    for axes, name in zip(panels, outputs, strict=True):
        _distribution(axes, told[name], values[name])
    head(panels[0], title, f"{len(values[outputs[0]]):,} samples")
    return figure


def _distribution(axes: Axes, row: Row, values: NDArray[np.float64]) -> None:
    dress(axes)
    counts, edges = np.histogram(values, bins=min(_BINS, max(8, int(np.sqrt(len(values))))))
    axes.bar(edges[:-1], counts / len(values), np.diff(edges), align="edge", color=SKY, edgecolor="white")
    low, high = row["percentile_5"], row["percentile_95"]
    axes.axvspan(low, high, color=BLUE, alpha=0.08, linewidth=0, label="middle 90 %")
    axes.axvline(row["mean_value"], color=BLUE, linewidth=2, label="mean")
    is_high = (row["metadata_json"] or {}).get("adverse") != "low"
    which = "highest" if is_high else "lowest"
    axes.axvline(
        row["cvar_95"], color=VERMILION, linewidth=2, linestyle="--", label=f"mean of the {which} 5 % (CVaR)"
    )
    axes.set_xlabel(label(row["objective_name"]))
    axes.set_ylabel("share of the samples")
    axes.legend(framealpha=0.9, edgecolor="none", fontsize=9)


# -- what parameters do


def sensitivities(effects: Sequence[Row], objectives: Mapping[str, str], *, title: str) -> Figure:
    """The effect of every parameter on up to three outputs, the most important above.

    Total order beside first order with their intervals where there are such, else Morris' μ*, else the rank
    correlation.

    Args:
        effects: rows of `sensitivity_analysis` of one design.
        objectives: the study's outputs, in its order.
        title: what the picture shows.
    """
    outputs = _outputs([row["objective_name"] for row in effects], list(objectives))
    if not outputs:
        raise ValueError("no output has an effect")
    shown = {
        name: [row for row in effects if row["objective_name"] == name][:_MOST_PARAMETERS] for name in outputs
    }
    most = max(map(len, shown.values()))
    figure, panels = _panels(outputs, 1.5 + 0.5 * most)
    for axes, name in zip(panels, outputs, strict=True):
        _effects(axes, shown[name], name)
    head(panels[0], title)
    return figure


def _effects(axes: Axes, rows: Sequence[Row], output: str) -> None:
    dress(axes)
    place = np.arange(len(rows))
    if any(row["sobol_total"] is not None for row in rows):
        _bars(axes, rows, place - 0.19, "sobol_total", "total, with interactions", SKY)
        _bars(axes, rows, place + 0.19, "sobol_first_order", "alone", BLUE)
        axes.set_xlabel(f"share of the variance of {words(output)}")
        axes.legend(frameon=False, fontsize=9, loc="lower right")
    elif any(row["mu_star"] is not None for row in rows):
        _bars(axes, rows, place, "mu_star", "", ORANGE, 0.6)
        axes.set_xlabel(f"mean elementary effect on {label(output)}")
    else:
        _bars(axes, rows, place, "rank_correlation", "", BLUE, 0.6)
        axes.set_xlim(-1, 1)
        axes.set_xlabel(f"rank correlation with {words(output)}")
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.set_yticks(place, [row["parameter_name"] for row in rows], color=INK)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")


def _bars(
    axes: Axes, rows: Sequence[Row], place: Any, column: str, name: str, colour: str, height: float = 0.36
) -> None:
    values = [row[column] if row[column] is not None else np.nan for row in rows]
    half = [row.get(f"{column}_confidence") or 0.0 for row in rows]
    axes.barh(place, values, height, color=colour, label=name or None)
    if any(half):
        axes.errorbar(values, place, xerr=half, fmt="none", ecolor=INK, elinewidth=1, capsize=2)


# -- what a sweep found


def sweep(effects: Sequence[Row], objectives: Mapping[str, str], *, title: str) -> Figure:
    """Each output's mean, least and most at every value of each parameter.

    Args:
        effects: rows of `sensitivity_analysis` of a parametric study.
        objectives: the study's outputs, in its order.
        title: what the picture shows.
    """
    outputs = _outputs([row["objective_name"] for row in effects], list(objectives))
    names = list(
        dict.fromkeys(row["parameter_name"] for row in sorted(effects, key=lambda r: r["parameter_index"]))
    )
    names = names[:4]
    if not outputs:
        raise ValueError("no output was swept")
    figure = new_figure(height=3.2 * len(outputs), width=max(6.0, 3.4 * len(names)))
    grid = figure.subplots(len(outputs), len(names), squeeze=False, sharey="row", sharex="col")
    found = {
        (row["objective_name"], row["parameter_name"]): row["metadata_json"]["levels"] for row in effects
    }
    for i, output in enumerate(outputs):
        for j, name in enumerate(names):
            _levels(grid[i, j], [at for at in found[output, name] if at["evaluations"]])
            if i == len(outputs) - 1:
                grid[i, j].set_xlabel(name)
        grid[i, 0].set_ylabel(label(output) if output in KPI_UNITS else output)
    for text in head(grid[0, 0], title, "means, and the range over all values of the others"):
        text.set_in_layout(False)  # it is wider than its column
    return figure


def _levels(axes: Axes, levels: Sequence[Row]) -> None:
    dress(axes)
    values = [at["value"] for at in levels]
    are_words = any(isinstance(value, str) for value in values)
    x = np.arange(len(values)) if are_words else np.array(values, dtype=float)
    order = np.argsort(x)
    mean, low, high = (np.array([at[which] for at in levels])[order] for which in ("mean", "min", "max"))
    if are_words:
        axes.errorbar(x, mean, yerr=[mean - low, high - mean], fmt="o", color=BLUE, ecolor=SKY, capsize=4)
        axes.set_xticks(x, [str(value) for value in values])
        axes.margins(x=0.3)
    else:
        axes.fill_between(x[order], low, high, color=SKY, alpha=0.3, linewidth=0)
        axes.plot(x[order], mean, color=BLUE, linewidth=2, marker="o", markersize=4)
