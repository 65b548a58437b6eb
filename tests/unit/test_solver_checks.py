"""The checker: a solution tampered with by a hair fails, each kind of check by its name."""

from __future__ import annotations

import numpy as np
import pytest

from schema.system import System
from solvers.checks import TOLERANCE, check, stated, within_bounds
from solvers.dispatch import Dispatcher

HAIR = 5e-5
"""Above the tolerance at every scale of this house, whose largest number is below 20."""


@pytest.fixture(scope="module")
def solved():
    parts = {
        "grid": {
            "type": "grid",
            "import_price_eur_per_kwh": {"profile": "price"},
            "import_limit_kw": 6,
            "export_limit_kw": 4,
            "export_price_eur_per_kwh": 0.05,
            "demand_charge_eur_per_kw_month": 5,
        },
        "pv": {"type": "solar_pv", "capacity_kw": 3, "profile": "sun"},
        "battery": {
            "type": "battery",
            "capacity_kwh": 4,
            "power_kw": 2,
            "charge_efficiency_fraction": 0.9,
            "throughput_cost_eur_per_kwh": 0.01,
        },
        "pump": {"type": "heat_pump", "capacity_kw": 5, "cop": 3},
        "tank": {
            "type": "heat_buffer",
            "capacity_kwh": 9,
            "power_kw": 4,
            "self_discharge_fraction_per_hour": 0.01,
        },
        "load": {"type": "power_demand", "profile": "load"},
        "heat": {"type": "heat_demand", "profile": "heat"},
    }
    rng = np.random.default_rng(7)
    series = {
        "price": rng.uniform(0.1, 0.4, 24),
        "load": rng.uniform(0, 2, 24),
        "heat": rng.uniform(0, 4, 24),
        "sun": np.clip(np.sin(np.arange(24) / 24 * 2 * np.pi - np.pi / 2), 0, None),
    }
    horizon = {"start": "2019-01-01T00:00", "steps": 24}
    system = System.model_validate({"system": "house", "horizon": horizon, "components": parts})
    one = Dispatcher(system, series)
    run = one.dispatch()
    return system, one.case().numbers, run.solution


def judged(solved, objective_error=0.0, **changes):
    """Check the solution with `component__variable` moved in one step."""
    system, numbers, solution = solved
    values = {name: {k: v.copy() for k, v in own.items()} for name, own in solution.values.items()}
    for place, (step, move) in changes.items():
        component, _, variable = place.partition("__")
        values[component][variable][step] += move
    equations = stated(system, numbers, values)
    return check(system, numbers, values, equations, solution.objective_eur + objective_error)


def test_the_solution_itself_passes(solved):
    checks = judged(solved)
    assert checks.passed
    assert max(checks.balance, checks.equations, checks.bounds, checks.exclusivity, checks.objective) < 1e-9
    assert checks.wholeness == 0
    assert checks.as_dict()["passed"] is True


def test_a_hair_more_import_breaks_the_balance(solved):
    checks = judged(solved, grid__import_kw=(3, HAIR))
    assert not checks.passed
    assert any("balance of electricity" in failure for failure in checks.failures)


def test_a_hair_less_heat_breaks_the_balance_of_heat(solved):
    assert any("balance of heat" in failure for failure in judged(solved, pump__heat_kw=(0, -HAIR)).failures)


def test_a_hair_in_a_level_breaks_the_recursion(solved):
    checks = judged(solved, battery__level_kwh=(10, HAIR))
    assert checks.failures
    assert any("battery: the equation of its level" in failure for failure in checks.failures)


def test_a_hair_off_the_monthly_peak_breaks_its_limit(solved):
    checks = judged(solved, grid__monthly_peak_kw=(0, -HAIR))
    assert any("grid: the limit of its monthly peak" in failure for failure in checks.failures)


@pytest.mark.parametrize("way", [-1, 1])
def test_a_hair_outside_a_bound_fails(solved, way):
    lower_or_upper = 0.0 if way < 0 else 2.0
    charge = solved[2].values["battery"]["charge_kw"]
    checks = judged(solved, battery__charge_kw=(5, lower_or_upper - charge[5] + way * HAIR))
    assert any("battery: the bound of its charge_kw" in failure for failure in checks.failures)


def test_a_cyclic_level_a_hair_away_from_its_beginning_fails(solved):
    assert any("bound of its level_kwh" in f for f in judged(solved, tank__level_kwh=(23, HAIR)).failures)


def test_import_and_export_at_once_fail_even_where_the_balance_holds(solved):
    checks = judged(solved, grid__import_kw=(4, 1.0), grid__export_kw=(4, 1.0))
    assert checks.balance < 1e-9
    assert any("import_kw and export_kw at once" in failure for failure in checks.failures)


def test_a_claimed_cost_a_hair_too_low_fails(solved):
    cost = abs(solved[2].objective_eur)
    assert judged(solved, objective_error=-1e-5 * max(cost, 1)).failures[0].startswith("the objective")


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(
    "place",
    ["grid__import_kw", "grid__monthly_peak_kw", "battery__level_kwh", "pump__heat_kw", "pv__electricity_kw"],
)
def test_what_is_no_number_fails(solved, place, value):
    checks = judged(solved, **{place: (0, value)})
    assert not checks.passed


def test_dust_is_swept_and_more_than_dust_is_not(solved):
    system, numbers, solution = solved
    values = {name: {k: v.copy() for k, v in own.items()} for name, own in solution.values.items()}
    values["battery"]["charge_kw"][:2] = [-1e-9, -1e-3]
    values["battery"]["level_kwh"][0] = 4 + 1e-9
    clean = within_bounds(system, numbers, values)[0]["battery"]
    assert clean["charge_kw"][:2] == pytest.approx([0.0, -1e-3], abs=0)
    assert clean["level_kwh"][0] == 4.0
    assert TOLERANCE < HAIR
