"""Pictures say what they show, with units, and leave out what is no result."""

from __future__ import annotations

import math

import pytest

from schema.errors import InputError
from tasks import render

OBJECTIVES = {"total_cost": "minimise", "total_co2": "minimise"}


def row(cost, co2, **kpis):
    return {"objectives": {"total_cost": cost, "total_co2": co2}, **kpis}


FRONT = [
    row(1000.0, 500.0, renewable_fraction=0.2),
    row(1100.0, 300.0, renewable_fraction=0.5),
    row(1900.0, 250.0, renewable_fraction=0.9),
]


def texts(figure):
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]


def test_a_front_names_axes_with_units_extremes_and_knee():
    figure = render.pareto_front(FRONT, OBJECTIVES, title="house: cost against CO2", knee=1)
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("total cost [€]", "total CO₂ [kg]")
    told = texts(figure)
    assert "house: cost against CO2" in told
    assert "lowest total cost\n1,000 € · 500 kg" in told
    assert "lowest total CO₂\n1,900 € · 250 kg" in told
    assert "knee\n1,100 € · 300 kg" in told


def test_the_front_fills_the_picture_however_bad_the_others_are():
    figure = render.pareto_front(FRONT, OBJECTIVES, title="t", others=[row(1e6, 1e6)])
    assert figure.axes[0].get_xlim()[1] < 3000


def test_a_kpi_colours_the_points_and_names_its_bar():
    figure = render.pareto_front(FRONT, OBJECTIVES, title="t", colour="renewable_fraction")
    assert figure.axes[1].get_ylabel() == "renewable fraction [share]"
    plain = render.pareto_front(FRONT, OBJECTIVES, title="t", colour="self_sufficiency_rate")
    assert len(plain.axes) == 1


def test_the_best_of_a_maximised_objective_is_its_highest():
    rows = [
        {"objectives": {"total_cost": 1.0, "renewable_fraction": 0.25}},
        {"objectives": {"total_cost": 2.0, "renewable_fraction": 0.75}},
    ]
    aims = {"total_cost": "minimise", "renewable_fraction": "maximise"}
    told = texts(render.pareto_front(rows, aims, title="t"))
    assert "highest renewable fraction\n2.00 € · 0.750" in told


@pytest.mark.parametrize("rows", [FRONT[:1], [row(5.0, 5.0), row(5.0, 5.0)], [row(0.0, 0.0)]])
def test_a_front_of_one_point_can_be_drawn(rows, tmp_path):
    render.save(render.pareto_front(rows, OBJECTIVES, title="t"), tmp_path / "one.png")


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
    figure = render.convergence(rows, OBJECTIVES, title="t")
    assert [axes.get_ylabel() for axes in figure.axes] == [
        "total cost [€]",
        "hypervolume of the front [€·kg]",
    ]
    assert any(text.startswith("best total cost: 10.00 €") for text in texts(figure))


def test_a_maximised_fitness_is_shown_as_the_objective_is():
    rows = [generation(1, -0.5), generation(2, -0.75)]
    figure = render.convergence(rows, {"self_sufficiency_rate": "maximise"}, title="t")
    assert len(figure.axes) == 1
    best = next(line for line in figure.axes[0].lines if line.get_label() == "best so far")
    assert list(best.get_ydata()) == [0.5, 0.75]


def test_pictures_are_made_anew_bit_for_bit(tmp_path):
    for name in ("a.svg", "b.svg", "a.png", "b.png"):
        render.save(render.pareto_front(FRONT, OBJECTIVES, title="t"), tmp_path / name)
    for kind in ("svg", "png"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


def test_a_picture_of_another_kind_is_refused(tmp_path):
    figure = render.pareto_front(FRONT, OBJECTIVES, title="t")
    with pytest.raises(InputError, match=r"\.png or \.svg"):
        render.save(figure, tmp_path / "front.gif")


def test_a_picture_that_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        render.save(render.pareto_front(FRONT, OBJECTIVES, title="t"), tmp_path / "file" / "front.png")
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("value", "spread", "text"),
    [(1234.5, 1000, "1,234"), (72.351, 1.0, "72.35"), (-3.0, 100, "−3"), (0.5, 0.01, "0.5000"), (7, 0, "7")],
)
def test_numbers_have_as_many_digits_as_tell_points_apart(value, spread, text):
    assert render._round(value, spread) == text


def test_nothing_is_no_picture():
    with pytest.raises(ValueError, match="front"):
        render.pareto_front([], OBJECTIVES, title="t")
    with pytest.raises(ValueError, match="generation"):
        render.convergence([], OBJECTIVES, title="t")
    assert math.isnan(render._or_nan(None))
