"""The example house is sound: its files are valid and its demand can be met by every design of its study."""

from __future__ import annotations

from pathlib import Path

import pytest

from schema.inputs import resolve_profiles
from schema.study import Choices, GeneticStudy
from schema.system import System
from schema.yaml_files import read_yaml

HOUSE = Path(__file__).parents[2] / "examples" / "house"


def load_system(name: str) -> System:
    return System.model_validate(read_yaml(HOUSE / name)[0])


@pytest.mark.parametrize("name", ["house.yaml", "week.yaml"])
def test_the_boiler_and_the_grid_alone_can_keep_the_house_warm(name):
    system = load_system(name)
    profiles = resolve_profiles(system, HOUSE, name)
    grid, boiler = system.components["grid"], system.components["boiler"]
    assert profiles["heat"].max() < boiler.capacity_kw
    worst_kw = profiles["load"] + profiles["heat"] / boiler.efficiency_fraction
    assert worst_kw.max() < grid.import_limit_kw


def test_the_year_s_figures_are_those_in_the_notes():
    profiles = resolve_profiles(load_system("house.yaml"), HOUSE)
    notes = (HOUSE / "README.md").read_text(encoding="utf-8")
    assert f"{profiles['pv'].sum():,.0f} kWh/kW" in notes
    assert f"({profiles['heat'].max():.1f} kW)" in notes
    seasonal_cop = profiles["heat"].sum() / (profiles["heat"] / profiles["cop"]).sum()
    assert f"{seasonal_cop:.2f} over the heat delivered" in notes


def test_cheap_hours_are_not_the_clean_ones():
    profiles = resolve_profiles(load_system("house.yaml"), HOUSE)
    cheapest = profiles["price"] == profiles["price"].min()
    cleanest = profiles["import_co2"] == profiles["import_co2"].min()
    assert not (cheapest & cleanest).any()
    assert profiles["import_co2"].mean() == pytest.approx(0.38, abs=0.001)


@pytest.mark.parametrize(
    ("study", "system"), [("study.yaml", "house.yaml"), ("study_week.yaml", "week.yaml")]
)
def test_the_studies_corners_are_valid_designs(study, system):
    spec = GeneticStudy.model_validate(read_yaml(HOUSE / study)[0])
    assert spec.system == system
    house = load_system(system)
    for pick in (min, max):
        design = {
            path: pick(variable.choices)
            if isinstance(variable, Choices)
            else getattr(variable, pick.__name__)
            for path, variable in spec.variables.items()
        }
        house.with_values(design)


def test_the_week_is_the_same_house():
    year, week = load_system("house.yaml"), load_system("week.yaml")
    assert (year.components, year.profiles, year.economics) == (
        week.components,
        week.profiles,
        week.economics,
    )
    assert week.horizon.steps == 168
