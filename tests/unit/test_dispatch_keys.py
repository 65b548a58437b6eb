"""What tells dispatches apart, and what does not."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from schema.components import COMPONENT_TYPES
from schema.components.base import Sized
from schema.loading import load_system
from schema.study import SolverSettings
from tasks.dispatch_keys import DispatchKeys, is_money
from tasks.versions import deciding, versions

SYSTEM = {
    "system": "house",
    "description": "as it stands",
    "horizon": {"start": "2019-01-01T00:00", "steps": 3},
    "profiles": {
        "load": {"file": "house.csv", "column": "load_kw"},
        "sun": {"file": "house.csv", "column": "sun"},
        "unused": {"file": "house.csv", "column": "sun"},
        "price": {"time_of_use": {0: 0.2, 2: 0.3}},
    },
    "components": {
        "grid": {
            "type": "grid",
            "import_limit_kw": 12,
            "import_price_eur_per_kwh": {"profile": "price"},
            "import_co2_kg_per_kwh": 0.35,
        },
        "pv": {"type": "solar_pv", "capacity_kw": 4, "profile": "sun", "investment_eur_per_kw": 1100},
        "battery": {"type": "battery", "capacity_kwh": 5, "power_kw": 4, "investment_eur_per_kwh": 250},
        "lights": {"type": "power_demand", "profile": "load"},
    },
}
CSV = "time,load_kw,sun\n2019-01-01 00:00,1.0,0.0\n2019-01-01 01:00,2.0,0.5\n2019-01-01 02:00,1.5,0.25\n"
SOLVER = {"method": "milp", "mip_gap_fraction": 1e-4, "time_limit_seconds": 300}
MADE_WITH = {"highspy": "1.15.1", "equations": "abc", "machine": "Linux x86_64"}
DESIGN = {"pv.capacity_kw": 6.0, "battery.capacity_kwh": 8.0}


def changed(mapping, path, value):
    """A copy with the value at a path of keys; None takes it out."""
    first, *rest = path
    inner = value if not rest else changed(mapping.get(first, {}), rest, value)
    kept = {key: inner if key == first else own for key, own in {first: None, **mapping}.items()}
    kept = {key: kept[key] for key in [*mapping, *([] if first in mapping else [first])]}
    return {key: own for key, own in kept.items() if own is not None}


@pytest.fixture
def key_of(tmp_path):
    def key(system=SYSTEM, csv=CSV, solver=SOLVER, design=DESIGN, made_with=MADE_WITH):
        (tmp_path / "house.csv").write_text(csv)
        (tmp_path / "house.yaml").write_text(yaml.safe_dump(system, sort_keys=False))
        loaded = load_system(tmp_path / "house.yaml")
        keys = DispatchKeys(loaded.system, loaded.series, SolverSettings(**solver), made_with)
        return keys.key(design)

    return key


def of_system(*path, value):
    return {"system": changed(SYSTEM, path, value)}


ANOTHER = {
    "a design": {"design": DESIGN | {"pv.capacity_kw": 6.000000000000001}},
    "a factor on a profile": {"design": DESIGN | {"lights.profile": 1.1}},
    "another profile": {"design": DESIGN | {"lights.profile": "sun"}},
    "a number of a file's, in its last digit": {"csv": CSV.replace("2.0,0.5", "2.0000000000000004,0.5")},
    "the reference's capacity, though the design states its own": of_system(
        "components", "pv", "capacity_kw", value=5
    ),
    "a price": of_system("components", "grid", "import_price_eur_per_kwh", value=0.25),
    "an intensity of CO2": of_system("components", "grid", "import_co2_kg_per_kwh", value=0.36),
    "the price of CO2": of_system("economics", value={"co2_price_eur_per_kg": 0.1}),
    "what is compared with": of_system("economics", value={"baseline": {"pv.capacity_kw": 0}}),
    "a limit": of_system("components", "grid", "import_limit_kw", value=11),
    "the horizon's start": of_system("horizon", "start", value="2019-01-01T00:00") | {
        "system": changed(SYSTEM, ("horizon", "timezone"), "Europe/Berlin"),
    },
    "the order of components": {
        "system": SYSTEM | {"components": dict(reversed(SYSTEM["components"].items()))},
    },
    "a component's name": {
        "system": SYSTEM
        | {"components": {("home" if n == "lights" else n): c for n, c in SYSTEM["components"].items()}}
    },
    "the method": {"solver": SOLVER | {"method": "rolling_horizon"}},
    "the gap": {"solver": SOLVER | {"mip_gap_fraction": 1e-3}},
    "the time limit": {"solver": SOLVER | {"time_limit_seconds": 299}},
    "a solver's setting in the design": {"design": DESIGN | {"solver.co2_weight_eur_per_kg": 0.1}},
    "HiGHS": {"made_with": MADE_WITH | {"highspy": "1.16.0"}},
    "our equations": {"made_with": MADE_WITH | {"equations": "abd"}},
    "the machine": {"made_with": MADE_WITH | {"machine": "Darwin arm64"}},
}  # fmt: skip
THE_SAME = {
    "nothing": {},
    "the system's name": of_system("system", value="home"),
    "its description": of_system("description", value="otherwise"),
    "a profile that nothing names": {
        "system": changed(SYSTEM, ("profiles", "unused"), {"file": "house.csv", "column": "load_kw"}),
    },
    "how a profile is stated": of_system("profiles", "price", value={"time_of_use": {0: 0.2, 1: 0.2, 2: 0.3}}),
    "how numbers are written": {"csv": CSV.replace("2.0,0.5", "2,0.50")},
    "an investment": of_system("components", "pv", "investment_eur_per_kw", value=900),
    "a lifetime": of_system("components", "battery", "lifetime_years", value=12),
    "a subsidy": of_system("components", "battery", "subsidy_fraction", value=0.5),
    "a yearly fixed cost": of_system("components", "pv", "fixed_cost_eur_per_kw_year", value=20),
    "the discount rate": of_system("economics", value={"discount_rate": 0.02}),
    "the project's years": of_system("economics", value={"project_years": 25}),
    "an investment in the design": {"design": DESIGN | {"pv.investment_eur_per_kw": 1.0}},
    "the discount rate in the design": {"design": DESIGN | {"economics.discount_rate": 0.1}},
    "a value that the reference has": {"design": DESIGN | {"grid.import_limit_kw": 12.0}},
    "the order of a design's values": {"design": dict(reversed(DESIGN.items()))},
    "a whole number": {"design": {"pv.capacity_kw": 6, "battery.capacity_kwh": 8}},
    "a setting that is the study's in the design": {"design": DESIGN | {"solver.mip_gap_fraction": 1e-4}},
}  # fmt: skip


@pytest.mark.parametrize("what", ANOTHER)
def test_another_dispatch_has_another_key(what, key_of):
    assert key_of(**ANOTHER[what]) != key_of()


@pytest.mark.parametrize("what", THE_SAME)
def test_the_same_dispatch_has_the_same_key(what, key_of):
    assert key_of(**THE_SAME[what]) == key_of()


def test_a_key_is_short_text(key_of):
    assert len(key_of()) == 16
    assert key_of().isascii()


@pytest.mark.parametrize(
    "design", [{"pv.capacity_kw": -1.0}, {"attic.capacity_kw": 1.0}, {"solver.mip_gap_fraction": 2.0}]
)
def test_a_design_that_cannot_be_has_none(design, key_of):
    assert key_of(design=design) is None


def test_where_the_solver_chooses_capacities_money_belongs_to_the_dispatch(key_of):
    system = changed(SYSTEM, ("components", "pv", "capacity_kw"), {"optimise": {"min": 0, "max": 9}})
    design = {"battery.capacity_kwh": 8.0}
    key = key_of(system=system, design=design)
    assert key_of(system=system, design=design | {"economics.discount_rate": 0.1}) != key
    assert key_of(system=system, design=design | {"pv.investment_eur_per_kw": 9.0}) != key
    assert key_of(system=changed(system, ("system",), "home"), design=design) == key


def test_a_key_is_the_same_in_every_process():
    # Were it not, no study would find what another has solved.
    told = {"highspy": versions()["highspy"], "numpy": versions()["numpy"], "python": versions()["python"]}
    assert told.items() <= deciding().items()
    assert {"machine", "equations"} <= deciding().keys()
    assert not {"prefect", "pymoo", "salib"} & deciding().keys()


def test_what_counts_as_money_is_what_a_component_is_bought_for():
    bought = {name: kind for name, kind in COMPONENT_TYPES.items() if issubclass(kind, Sized)}
    assert len(bought) > 10
    for kind in bought.values():
        money = [name for name in kind.model_fields if is_money(name)]
        assert len(money) == 4, f"{kind.__name__}: {money}"
    others = [kind for kind in COMPONENT_TYPES.values() if not issubclass(kind, Sized)]
    assert [name for kind in others for name in kind.model_fields if is_money(name)] == []


def test_series_count_by_their_numbers():
    """Arrays that are equal have one key, whatever memory they lie in."""
    from schema.system import System

    system = System.model_validate(changed(SYSTEM, ("profiles",), {"load": 1.0, "sun": 0.5, "price": 0.2}))
    wide = np.arange(6.0)
    series = {"load": wide[::2], "sun": np.zeros(3), "price": np.ones(3)}
    plain = {name: np.array(values) for name, values in series.items()}
    first, second = (
        DispatchKeys(system, own, SolverSettings(), MADE_WITH).key({}) for own in (series, plain)
    )
    assert first == second
