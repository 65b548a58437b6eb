"""Pictures of analyses name what they show, with units, and the most important first."""

from __future__ import annotations

import numpy as np
import pytest

from ecosystemiser.pictures import by_matplotlib, by_plotly, files, sensitivity, sweeps, uncertainty

OUTPUTS = {"total_cost": "minimise", "self_sufficiency_rate": "maximise"}
NOTHING = dict.fromkeys(
    (
        *("sobol_first_order", "sobol_first_order_confidence", "sobol_total", "sobol_total_confidence"),
        *("mu_star", "mu_star_confidence", "sigma", "rank_correlation", "correlation_coefficient"),
    )
)


def effect(output, name, rank, **figures):
    return {
        "objective_name": output,
        "parameter_name": name,
        "parameter_index": rank - 1,
        "importance_rank": rank,
        **NOTHING,
        **figures,
    }


def sensitivities(*words, **more):
    return by_matplotlib.figure(sensitivity.sensitivities(*words, **more))


def texts(figure):
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]


def widths(axes):
    return [patch.get_width() for patch in axes.patches]


def test_a_distribution_shows_mean_and_adverse_tail_of_each_output():
    values = {"total_cost": np.arange(101.0), "self_sufficiency_rate": np.linspace(0, 1, 101)}
    rows = [
        {
            "objective_name": name,
            "mean_value": v.mean(),
            "percentile_5": v[5],
            "percentile_95": v[95],
            "var_95": v[95] if side == "high" else v[5],
            "cvar_95": v[97] if side == "high" else v[2],
            "metadata_json": {"adverse": side},
        }
        for (name, v), side in zip(values.items(), ("high", "low"), strict=True)
    ]
    picture = uncertainty.distributions(rows, values, title="house: how sure")
    figure = by_matplotlib.figure(picture)
    told = texts(figure)
    assert [axes.get_xlabel() for axes in figure.axes] == ["total cost [€]", "self-sufficiency rate [share]"]
    assert "mean of the highest 5 % (CVaR):\n97.0 €" in told
    assert any(text.startswith("mean of the lowest 5 % (CVaR):") for text in told)
    assert "value at risk (VaR) 95 %: 95.0 €" in told
    assert "middle 90 %: 5.00 to 95.0 €" in told
    assert "101 samples" in told
    heights = [patch.get_height() for patch in figure.axes[0].patches if patch.get_height() < 1]
    assert sum(heights) == pytest.approx(1)
    page = by_plotly.figure(picture)
    assert page.layout.xaxis.title.text == "total cost [€]"
    assert sum(page.data[1].y) == pytest.approx(1)
    lines = [shape for shape in page.layout.shapes if shape.type == "line" and shape.xref == "x"]
    assert [line.x0 for line in lines] == [50.0, 95.0, 97.0]


def test_total_stands_beside_first_order_with_its_intervals():
    rows = [
        effect(
            "total_cost",
            "grid.price",
            1,
            sobol_total=0.7,
            sobol_total_confidence=0.1,
            sobol_first_order=0.6,
            sobol_first_order_confidence=0.05,
        ),
        effect(
            "total_cost",
            "pv.size",
            2,
            sobol_total=0.4,
            sobol_total_confidence=0.1,
            sobol_first_order=0.3,
            sobol_first_order_confidence=0.05,
        ),
    ]
    (axes,) = sensitivities(rows, OUTPUTS, title="t").axes
    assert [text.get_text() for text in axes.get_yticklabels()] == ["grid.price", "pv.size"]
    assert axes.yaxis_inverted()  # the most important above
    assert widths(axes) == [0.7, 0.4, 0.6, 0.3]
    assert axes.get_xlabel() == "share of the variance of total cost"
    assert len(axes.containers) == 4  # two sets of bars, two of intervals


def test_morris_and_correlations_have_pictures_of_their_own():
    (axes,) = sensitivities(
        [effect("total_cost", "a.x", 1, mu_star=12.0, mu_star_confidence=1.0)], OUTPUTS, title="t"
    ).axes
    assert (axes.get_xlabel(), widths(axes)) == ("mean elementary effect μ* on total cost [€]", [12.0])
    (axes,) = sensitivities([effect("total_cost", "a.x", 1, rank_correlation=-0.5)], OUTPUTS, title="t").axes
    assert (axes.get_xlabel(), widths(axes)) == ("rank correlation with total cost [−1 to 1]", [-0.5])


def test_a_sweep_has_a_row_for_each_output_and_a_column_for_each_parameter(tmp_path):
    numbers = [
        {"value": v, "evaluations": 2, "mean": 10 * v, "min": 9 * v, "max": 11 * v} for v in (2.0, 0.0, 1.0)
    ]
    names = [
        {"value": "price", "evaluations": 2, "mean": 5, "min": 4, "max": 6},
        {"value": "flat", "evaluations": 0},
    ]
    rows = [
        effect(output, name, rank, metadata_json={"levels": levels})
        for output in OUTPUTS
        for name, rank, levels in (("pv.capacity_kw", 1, numbers), ("grid.price", 2, names))
    ]
    picture = sweeps.sweep(rows, OUTPUTS, title="house: swept")
    figure = by_matplotlib.figure(picture)
    assert len(figure.axes) == 4
    first = figure.axes[0]
    assert first.get_ylabel() == "total cost [€]"
    assert first.lines[0].get_xydata().tolist() == [[0, 0], [1, 10], [2, 20]]
    assert [axes.get_xlabel() for axes in figure.axes[2:]] == ["pv.capacity_kw [kW]", "grid.price"]
    assert [text.get_text() for text in figure.axes[3].get_xticklabels()] == ["price"]  # flat had no answer
    for name in ("sweep.png", "sweep.svg", "sweep.html"):
        files.save(picture, tmp_path / name)
        assert (tmp_path / name).stat().st_size > 5_000
    page = by_plotly.figure(picture)
    assert [page.layout[f"xaxis{end}"].title.text for end in (3, 4)] == ["pv.capacity_kw [kW]", "grid.price"]


def test_intervals_stand_at_the_ends_of_bars_in_pages_too():
    row = effect(
        "total_cost", "grid.price", 1, sobol_total=0.7, sobol_total_confidence=0.1, sobol_first_order=0.5
    )
    page = by_plotly.figure(sensitivity.sensitivities([row], OUTPUTS, title="t"))
    total, alone = page.data
    assert (list(total.x), list(total.error_x.array)) == ([0.7], [0.1])
    assert (list(alone.x), alone.error_x.array) == ([0.5], None)
    assert list(page.layout.yaxis.ticktext) == ["grid.price"]
    assert page.layout.yaxis.autorange == "reversed"


def test_morris_plane_names_every_parameter_and_both_axes_with_units():
    rows = [
        effect("total_cost", "a.x", 1, mu_star=12.0, sigma=3.0),
        effect("total_cost", "b.y", 2, mu_star=2.0, sigma=2.5),
    ]
    picture = sensitivity.morris_plane(rows, OUTPUTS, title="t")
    figure = by_matplotlib.figure(picture)
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("μ* on total cost [€]", "σ [€]")
    assert {"a.x", "b.y"} <= set(texts(figure))
    page = by_plotly.figure(picture)
    assert [note.text for note in page.layout.annotations] == ["a.x", "b.y"]
    assert list(page.data[0].x) == [12.0, 2.0]
    sobol = [effect("total_cost", "a.x", 1, sobol_total=0.5)]
    assert sensitivity.morris_plane(sobol, OUTPUTS, title="t") is None


def levels(*means):
    told = [{"value": float(i), "evaluations": 1, "mean": m, "min": m, "max": m} for i, m in enumerate(means)]
    return {"metadata_json": {"levels": told}}


def test_the_widest_bar_of_a_tornado_is_above_whichever_parameter_comes_first():
    rows = [
        effect("total_cost", "a.x", 1, **levels(10.0, 12.0)),
        effect("total_cost", "b.y", 2, **levels(14.0, 11.0, 8.0)),
    ]
    picture = sensitivity.tornado(rows, OUTPUTS, title="t")
    (axes,) = by_matplotlib.figure(picture).axes
    assert [text.get_text() for text in axes.get_yticklabels()] == ["b.y: 0 to 2", "a.x: 0 to 1"]
    assert axes.get_xlabel() == "total cost [€]"
    first, last = by_plotly.figure(picture).data[:2]
    ends = [[base + length for base, length in zip(t.base, t.x, strict=True)] for t in (first, last)]
    assert ends == [pytest.approx([14.0, 10.0]), pytest.approx([8.0, 12.0])]


def cell(a, b, mean):
    return {
        "objective_name": "total_cost",
        "parameter_a": "pv.capacity_kw",
        "value_a": a,
        "parameter_b": "battery.capacity_kwh",
        "value_b": b,
        "mean_value": mean,
        "evaluations": 1,
    }


def test_a_heat_map_has_a_number_in_every_cell_that_has_an_answer():
    rows = [cell(5.0, 0.0, 30.0), cell(0.0, 0.0, 10.0), cell(0.0, 4.0, None), cell(5.0, 4.0, 40.0)]
    picture = sweeps.heat_map(rows, OUTPUTS, title="t")
    figure = by_matplotlib.figure(picture)
    axes, bar = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("battery.capacity_kwh [kWh]", "pv.capacity_kw [kW]")
    assert bar.get_ylabel() == "total cost [€]"
    assert {"30.0", "10.0", "40.0"} <= set(texts(figure))
    (heat,) = by_plotly.figure(picture).data
    assert [[None if np.isnan(v) else v for v in line] for line in heat.z] == [[10.0, None], [30.0, 40.0]]
    assert (list(heat.text[0]), heat.colorbar.title.text) == (["10.0", ""], "total cost [€]")


def test_nothing_to_draw_is_an_error_of_the_caller():
    for draw in (
        lambda: uncertainty.distributions([], {}, title="t"),
        lambda: sensitivities([], OUTPUTS, title="t"),
        lambda: sweeps.sweep([], OUTPUTS, title="t"),
    ):
        with pytest.raises(ValueError, match="no output"):
            draw()
