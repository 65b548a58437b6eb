"""Pictures of searches say what they show, with units, and leave out what is no result."""

from __future__ import annotations

import math

import pytest

from ecosystemiser.pictures import by_matplotlib, by_plotly, convergence, fronts
from ecosystemiser.pictures.wording import component_colours, label, parameter_label, rounded, wrapped

OBJECTIVES = {"total_cost": "minimise", "total_co2": "minimise"}


def row(cost, co2, **kpis):
    return {"run_id": f"r{cost:g}", "objectives": {"total_cost": cost, "total_co2": co2}, **kpis}


FRONT = [
    row(1000.0, 500.0, renewable_fraction=0.2, parameters={"pv.capacity_kw": 1.0, "solver.method": "milp"}),
    row(1100.0, 300.0, renewable_fraction=0.5, parameters={"pv.capacity_kw": 4.0, "solver.method": "hybrid"}),
    row(1900.0, 250.0, renewable_fraction=0.9, parameters={"pv.capacity_kw": 9.0, "solver.method": "milp"}),
]


def front(rows=FRONT, objectives=OBJECTIVES, **more):
    return fronts.pareto_front(rows, objectives, title="house: cost against CO2", **more)


def texts(figure):
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]


def traces(figure):
    return {trace.name: trace for trace in figure.data if trace.name}


def test_a_front_names_axes_with_units_extremes_and_knee():
    figure = by_matplotlib.figure(front(knee=1))
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("total cost [€]", "total CO₂ [kg]")
    told = texts(figure)
    assert "house: cost against CO2" in told
    assert "3 non-dominated designs: minimise total cost, minimise total co2".replace("co2", "CO₂") in told
    assert "lowest total cost\n1,000 € · 500 kg" in told
    assert "lowest total CO₂\n1,900 € · 250 kg" in told
    assert "knee\n1,100 € · 300 kg" in told


def test_the_interactive_front_says_the_same_and_knows_its_runs():
    figure = by_plotly.figure(front(knee=1, others=[row(1500.0, 600.0)]))
    assert figure.layout.xaxis.title.text == "total cost [€]"
    assert figure.layout.yaxis.title.text == "total CO₂ [kg]"
    notes = [note.text for note in figure.layout.annotations]
    assert notes == [
        "lowest total cost<br>1,000 € · 500 kg",
        "lowest total CO₂<br>1,900 € · 250 kg",
        "knee<br>1,100 € · 300 kg",
    ]
    points = traces(figure)["front"]
    assert list(points.x) == [1000.0, 1100.0, 1900.0]
    assert list(points.customdata) == ["r1000", "r1100", "r1900"]
    assert points.hovertext[1].split("<br>") == [
        *("r1100", "total_cost: 1,100 €", "total_co2: 300 kg"),
        *("pv.capacity_kw: 4.00 kW", "solver.method: hybrid"),
    ]
    assert list(traces(figure)["dominated designs"].customdata) == ["r1500"]


def test_the_front_fills_the_picture_however_bad_the_others_are():
    figure = by_matplotlib.figure(front(others=[row(1e6, 1e6)]))
    assert figure.axes[0].get_xlim()[1] < 3000


@pytest.mark.parametrize(
    ("colour", "bar", "values"),
    [
        ("renewable_fraction", "renewable fraction [share]", [0.2, 0.5, 0.9]),
        ("pv.capacity_kw", "pv.capacity_kw [kW]", [1.0, 4.0, 9.0]),
        ("total_co2", "total CO₂ [kg]", [500.0, 300.0, 250.0]),
    ],
)
def test_any_kpi_or_parameter_colours_the_points_and_names_its_bar(colour, bar, values):
    assert by_matplotlib.figure(front(colour=colour)).axes[1].get_ylabel() == bar
    marker = traces(by_plotly.figure(front(colour=colour, others=FRONT[:1])))["front"].marker
    assert (list(marker.color), marker.colorbar.title.text) == (values, bar)


def test_what_not_every_design_has_colours_nothing():
    assert len(by_matplotlib.figure(front(colour="self_sufficiency_rate")).axes) == 1


def test_three_objectives_are_drawn_in_pairs_and_as_a_space_where_it_can_be_turned():
    rows = [
        {**one, "objectives": {**one["objectives"], "renewable_fraction": one["renewable_fraction"]}}
        for one in FRONT
    ]
    picture = front(rows, {**OBJECTIVES, "renewable_fraction": "maximise"})
    axes = by_matplotlib.figure(picture).axes
    assert [(one.get_xlabel(), one.get_ylabel()) for one in axes[:3]] == [
        ("total cost [€]", "total CO₂ [kg]"),
        ("total cost [€]", "renewable fraction [share]"),
        ("total CO₂ [kg]", "renewable fraction [share]"),
    ]
    assert not any(one.lines for one in axes[:3])  # of three, two do not follow each other
    (cloud,) = by_plotly.figure(picture).data
    assert (cloud.type, list(cloud.z)) == ("scatter3d", [0.2, 0.5, 0.9])


def test_the_best_of_a_maximised_objective_is_its_highest():
    rows = [
        {"objectives": {"total_cost": 1.0, "renewable_fraction": 0.25}},
        {"objectives": {"total_cost": 2.0, "renewable_fraction": 0.75}},
    ]
    aims = {"total_cost": "minimise", "renewable_fraction": "maximise"}
    assert "highest renewable fraction\n2.00 € · 0.750" in texts(by_matplotlib.figure(front(rows, aims)))


@pytest.mark.parametrize("rows", [FRONT[:1], [row(5.0, 5.0), row(5.0, 5.0)], [row(0.0, 0.0)]])
def test_a_front_of_one_point_can_be_drawn(rows):
    assert len(by_matplotlib.figure(front(rows)).axes) == 1
    assert by_plotly.figure(front(rows)).data


def test_parallel_coordinates_have_an_axis_for_each_objective_and_parameter():
    picture = fronts.parallel(FRONT, OBJECTIVES, title="t", knee=1)
    (lines,) = by_plotly.figure(picture).data
    assert [axis.label for axis in lines.dimensions] == [
        *("total cost [€]", "total CO₂ [kg]", "pv.capacity_kw [kW]", "solver.method"),
    ]
    assert list(lines.dimensions[3].ticktext) == ["milp", "hybrid"]
    assert list(lines.dimensions[3]["values"]) == [0.0, 1.0, 0.0]
    axes = by_matplotlib.figure(picture).axes
    assert next(text.get_text() for text in axes[0].get_xticklabels()) == "total cost [€]"
    assert (
        len([line for line in axes[0].lines if len(line.get_xdata()) == 4]) == len(FRONT) + 1
    )  # and the knee
    assert "knee" in texts(by_matplotlib.figure(picture))


def generation(number, best, hypervolume=None):
    return {
        "generation_number": number,
        "best_fitness": best,
        "average_fitness": None if best is None else best + 1,
        "worst_fitness": None if best is None else best + 2,
        "hypervolume": hypervolume,
    }


def test_convergence_shows_the_objective_and_the_hypervolume_in_their_units():
    rows = [generation(1, None), generation(2, 12.0, 5.0), generation(3, 10.0, 6.0)]
    picture = convergence.convergence(rows, OBJECTIVES, title="t")
    figure = by_matplotlib.figure(picture)
    assert [axes.get_ylabel() for axes in figure.axes] == [
        "total cost [€]",
        "hypervolume of the front [€·kg]",
    ]
    assert any(text.startswith("best total cost: 10.00 €") for text in texts(figure))
    page = by_plotly.figure(picture)
    assert set(traces(page)) == {"generation: mean to worst", "generation: mean", "best so far"}
    assert list(page.data[-1].y)[1:] == [5.0, 6.0]


def test_a_maximised_fitness_is_shown_as_the_objective_is():
    rows = [generation(1, -0.5), generation(2, -0.75)]
    figure = by_matplotlib.figure(
        convergence.convergence(rows, {"self_sufficiency_rate": "maximise"}, title="t")
    )
    assert len(figure.axes) == 1
    best = next(line for line in figure.axes[0].lines if line.get_label() == "best so far")
    assert list(best.get_ydata()) == [0.5, 0.75]


@pytest.mark.parametrize(
    ("value", "spread", "text"),
    [
        *((1234.5, 1000, "1,234"), (72.351, 1.0, "72.35"), (-3.0, 100, "−3"), (0.5, 0.01, "0.5000")),
        *((7, 0, "7"), (0.5931, 0, "0.5931")),
    ],
)
def test_numbers_have_as_many_digits_as_tell_points_apart(value, spread, text):
    assert rounded(value, spread) == text


def test_nothing_is_no_picture():
    with pytest.raises(ValueError, match="front"):
        front([])
    with pytest.raises(ValueError, match="generation"):
        convergence.convergence([], OBJECTIVES, title="t")
    assert math.isnan(convergence._or_nan(None))


# -- words and colours


def test_every_kpi_has_a_label_with_its_unit():
    from schema.kpis import KPI_UNITS

    assert all(label(name).endswith("]") for name in KPI_UNITS)
    assert label("self_sufficiency_rate") == "self-sufficiency rate [share]"
    assert label("npv_eur") == "NPV [€]"
    assert label("lcoe_eur_per_kwh") == "LCOE [€/kWh]"
    assert label("storage_cycles") == "storage cycles [-]"


def test_a_factor_on_a_profile_is_told_as_one():
    system = {
        "components": {"grid": {"import_price_eur_per_kwh": {"profile": "price"}, "import_limit_kw": 5}}
    }
    assert parameter_label("grid.import_price_eur_per_kwh", system).endswith("[factor on the profile]")
    assert parameter_label("grid.import_limit_kw", system) == "grid.import_limit_kw [kW]"
    assert parameter_label("grid.import_price_eur_per_kwh") == "grid.import_price_eur_per_kwh [€/kWh]"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("short", ["short"]),
        ("grid.import_price_eur_per_kwh", ["grid.import_", "price_eur_per_", "kwh"]),
        ("x" * 40, ["x" * 14, "x" * 14, "x" * 12]),
    ],
)
def test_long_names_are_broken_where_their_words_end(text, lines):
    assert wrapped(text, 14).split("\n") == lines


def test_a_component_has_one_colour_and_no_two_of_a_type_the_same():
    types = {"pv": "solar_pv", "roof": "solar_pv", "battery": "battery", "odd": "of_the_future"}
    colours = component_colours(types)
    assert len(set(colours.values())) == 4
    assert colours == component_colours(types)
    assert colours["pv"] == component_colours({"sun": "solar_pv"})["sun"]
