"""Numbers, units, tables, JSON and CSV as they reach the user."""

from __future__ import annotations

import csv
import io
import json

import pytest

from ecosystemiser.printing import (
    Grid,
    as_csv,
    as_json,
    broken,
    duration,
    heading,
    number,
    quantity,
    show,
    size,
    unit_of,
)

ROWS = [
    {
        "run_id": "s-0000001",
        "parameter_names": ["pv.capacity_kw"],
        "parameter_vector": [4.5],
        "parameters": {"pv.capacity_kw": 4.5},
        "objectives": {"total_cost": 0.1 + 0.2},
        "total_cost": 0.1 + 0.2,
        "is_pareto_optimal": True,
        "constraint_violations": {"renewable_fraction": 0.1},
        "flows_path": None,
    },
    {
        "run_id": "s-0000002",
        "parameter_names": ["battery.capacity_kwh"],
        "parameter_vector": [2.0],
        "parameters": {"battery.capacity_kwh": 2.0},
        "objectives": {},
        "total_cost": None,
        "is_pareto_optimal": False,
        "constraint_violations": {},
        "flows_path": 'a "quoted", path',
    },
]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12345.678, "12,346"),
        (1234.5, "1,234"),
        (123.45, "123.5"),
        (1.23456, "1.235"),
        (0.0004, "0.000400"),
        (-2.5, "-2.500"),
        (0, "0"),
        (-0.0, "0"),
        (None, "–"),
        (float("nan"), "–"),
        (float("inf"), "–"),
    ],
)
def test_numbers_have_four_digits_that_count(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("total_cost", "€"),
        ("total_co2", "kg"),
        ("self_sufficiency_rate", ""),
        ("net_grid_usage_kwh", "kWh"),
        ("pv.capacity_kw", "kW"),
        ("battery.investment_eur_per_kwh", "€/kWh"),
        ("battery.self_discharge_fraction_per_hour", "1/h"),
        ("pv.fixed_cost_eur_per_kw_year", "€/(kW a)"),
        ("heat_pump.cop", ""),
        ("economics.project_years", "a"),
        ("c", ""),
    ],
)
def test_units_are_read_from_names(name, unit):
    assert unit_of(name) == unit


def test_a_heading_tells_the_unit_once():
    assert heading("total_cost") == "total_cost [€]"
    assert heading("pv.capacity_kw") == "pv.capacity_kw"
    assert heading("total_demand_kwh") == "total_demand_kwh"
    assert heading("renewable_fraction") == "renewable_fraction"


def test_a_long_heading_breaks_where_its_words_end():
    assert broken("battery.capacity_kwh") == "battery.\ncapacity_\nkwh"
    assert broken("total_cost [€]") == "total_cost\n[€]"
    assert broken("run_id") == "run_id"


def test_quantities_durations_and_sizes_read_well():
    assert quantity("total_cost", 1234.5) == "1,234 €"
    assert quantity("renewable_fraction", 0.5) == "0.5000"
    assert [duration(s) for s in (0.2, 12, 600, 7200)] == ["less than a second", "12 s", "10 min", "2.0 h"]
    assert [size(b) for b in (12, 1500, 2.3e9, 5e12)] == ["12 bytes", "2 kB", "2 GB", "5.0 TB"]


def test_json_has_no_number_that_json_does_not_know():
    assert json.loads(as_json({"gap": float("inf"), "cost": 0.1 + 0.2})) == {"gap": None, "cost": 0.1 + 0.2}


def test_csv_keeps_every_digit_and_gives_each_parameter_a_column():
    rows = list(csv.DictReader(io.StringIO(as_csv(ROWS))))
    assert float(rows[0]["total_cost"]) == 0.1 + 0.2
    assert rows[0]["pv.capacity_kw"] == "4.5"
    assert rows[0]["battery.capacity_kwh"] == ""
    assert rows[0]["is_pareto_optimal"] == "true"
    assert json.loads(rows[0]["constraint_violations"]) == {"renewable_fraction": 0.1}
    assert rows[1]["total_cost"] == ""
    assert rows[1]["flows_path"] == 'a "quoted", path'
    assert not {"parameters", "objectives", "parameter_vector", "parameter_names"} & rows[0].keys()


def test_no_rows_are_an_empty_csv():
    assert as_csv([]) == ""


def test_a_table_that_is_not_on_a_terminal_is_never_cut(capsys):
    long = "x" * 300
    show(Grid("Title", {"name": [long, "[red]plain[/red]"], "cost": [1.0, 1000.0]}, marks=["", "knee"]))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Title"
    assert long in lines[3]
    assert "[red]plain[/red]" in lines[4]
    assert lines[4].split()[-2:] == ["1,000", "knee"]
