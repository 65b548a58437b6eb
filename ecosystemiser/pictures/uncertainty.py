"""How outputs spread: histograms with mean, the middle 90 %, VaR and CVaR."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecosystemiser.pictures.marks import Bars, Mark, Panel, Panels, Picture, Rule, Span
from ecosystemiser.pictures.wording import BLUE, ORANGE, SKY, VERMILION, label, short, unit

Row = Mapping[str, Any]
MOST_OUTPUTS = 3
_BINS = 40


def distributions(
    spreads: Sequence[Row], values: Mapping[str, NDArray[np.float64]], *, title: str
) -> Picture:
    """Histograms of outputs with mean, middle 90 % and the adverse tail.

    Args:
        spreads: rows of `uncertainty_analysis`, one for each output.
        values: output → its values over the samples that follow the distributions, (n,).
        title: what the picture shows.
    """
    told = {row["objective_name"]: row for row in spreads}
    outputs = [name for name in values if name in told and len(values[name])][:MOST_OUTPUTS]
    if not outputs:
        raise ValueError("no output has a spread")
    panels = [_distribution(told[name], values[name]) for name in outputs]
    count = len(values[outputs[0]])
    return Picture(
        title,
        Panels(panels),
        below=f"{count:,} samples" if count != 1 else "one sample",
        width=9.6,
        height=0.6 + 3.1 * len(outputs),
    )


def _distribution(row: Row, values: NDArray[np.float64]) -> Panel:
    name = row["objective_name"]
    counts, edges = np.histogram(values, bins=min(_BINS, max(8, int(np.sqrt(len(values))))))
    shares, middles, wide = counts / len(values), (edges[:-1] + edges[1:]) / 2, np.diff(edges)
    is_high = (row["metadata_json"] or {}).get("adverse") != "low"
    which = "highest" if is_high else "lowest"
    marks: list[Mark] = [
        Span(row["percentile_5"], row["percentile_95"], f"middle 90 %: {_range(row, name)}", BLUE),
        Bars(
            middles,
            shares,
            "",
            SKY,
            wide,
            tips=[
                f"{short(low)} to {short(high)} {unit(name)}: {share:.1%} of the samples"
                for low, high, share in zip(edges[:-1], edges[1:], shares, strict=True)
            ],
        ),
        Rule(row["mean_value"], f"mean: {_told(row['mean_value'], name)}", BLUE),
    ]
    for column, colour, text in (
        ("var_95", ORANGE, f"value at risk (VaR) 95 %: {_told(row.get('var_95'), name)}"),
        ("cvar_95", VERMILION, f"mean of the {which} 5 % (CVaR): {_told(row.get('cvar_95'), name)}"),
    ):
        if row.get(column) is not None:
            marks.append(Rule(row[column], text, colour, dashed=True))
    low, high = (float(f) for f in (min(edges[0], row["percentile_5"]), max(edges[-1], row["percentile_95"])))
    room = 0.03 * (high - low)
    return Panel(
        marks, label(name), "share of the samples", x_range=(low - room, high + room), legend="beside"
    )


def _range(row: Row, name: str) -> str:
    return f"{short(row['percentile_5'])} to {_told(row['percentile_95'], name)}"


def _told(value: float | None, name: str) -> str:
    return "–" if value is None else f"{short(value)} {unit(name)}".strip()
