"""Calliope's example model `urban_scale` on 2005-07-01, restated with our components: 430.082290.

Three places with heat and power demands, a CHP, PV, boilers, power lines and a branching heat pipe; every capacity
is chosen, and costs are of the day: annuities at 10 % over 25 years times 24 / 8,760, energy, running costs and
exports. Calliope 0.7, src/calliope/example_models/urban_scale (Apache-2.0; its PV from renewables.ninja, CC BY-NC
4.0, doi:10.1016/j.energy.2016.08.060); the expected numbers are those of its tests/example_models.

What Calliope states otherwise than we do:

- what a generator exports leaves from the generator: it has a node of its own, with a link to its place;
- a negative yearly cost for each kW of PV (-80.5 at X3) is taken off the investment;
- exports of PV that earn nothing, at X1 and X3, are our curtailment;
- running costs of a boiler go with the fuel, ours with the heat;
- a pipe's balance is that of a pool: out_1 + out_2 = η (in_1 + in_2), each at most its capacity. So it may take
  heat and give it back at the same end. The optimum does that to get rid of the CHP's heat.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from schema.study import SolverSettings
from schema.system import System
from solvers.dispatch import Dispatcher
from solvers.economics import capital_recovery_factor
from solvers.solution import Status

DAY = Path(__file__).with_name("calliope_urban_scale_2005_07_01.csv")
PUBLISHED = 430.082290
RATE, LIFE = 0.10, 25.0
PV_KW_PER_M2 = 1 / 7
PIPES = {("x1", "n1"): (3, 483.514734), ("n1", "x2"): (3, 182.192602), ("n1", "x3"): (4, 10.382599)}
"""Length, and capacity in Calliope's optimum [kW]: its own equations on its own data, solved with HiGHS."""


def chosen_up_to(most):
    return {"optimise": {"min": 0, "max": most}}


def bought(investment, most=2000):
    """A capacity that is chosen, and what it costs."""
    return {"capacity_kw": chosen_up_to(most), "investment_eur_per_kw": investment, "lifetime_years": LIFE}


def source(carrier, price, investment, **more):
    return (
        {"type": "generic_source", "carrier": carrier, "price_eur_per_kwh": price} | bought(investment) | more
    )


def link(start, end, **more):
    return {
        "type": "link",
        "from_node": start,
        "to_node": end,
        "capacity_kw": 2000,
        "lifetime_years": LIFE,
    } | more


def exporting(start, end, price):
    """A generator's node `start`: what it does not export goes to `end`."""
    at = start.partition("@")[2]
    grid = {
        "type": "grid",
        "carriers": {"electricity": start},
        "import_limit_kw": 0,
        "import_price_eur_per_kwh": 0,
    }
    return {f"{at}_export": grid | {"export_price_eur_per_kwh": price}, f"{at}_use": link(start, end)}


def demands(place):
    return {
        f"power_{place}": {
            "type": "generic_demand",
            "carrier": f"electricity@{place}",
            "profile": f"power_{place}_kw",
        },
        f"heat_{place}": {
            "type": "generic_demand",
            "carrier": f"heat@{place}",
            "profile": f"heat_{place}_kw",
        },
    }


def photovoltaics(node, area_m2, investment, **more):
    pv = {"type": "generic_source", "carrier": node, "profile": "pv_kw_per_kw"}
    return pv | bought(investment, min(area_m2 * PV_KW_PER_M2, 250)) | more


def boiler(place, investment):
    return {
        "type": "gas_boiler",
        "carriers": {"gas": f"gas@{place}", "heat": f"heat@{place}"},
        "efficiency_fraction": 0.85,
        "variable_cost_eur_per_kwh": 0.004 / 0.85,
    } | bought(investment, 600)


def places():
    """Everything but the pipes."""
    chp = {
        "type": "chp",
        "carriers": {"gas": "gas@x1", "electricity": "electricity@chp", "heat": "heat@x1"},
        "electric_efficiency_fraction": 0.405,
        "thermal_efficiency_fraction": 0.8 * 0.405,
        "variable_cost_eur_per_kwh": 0.004,
    }
    line = {"loss_fraction": 0.02, "both_ways": True}
    parts = {
        "grid": source("electricity@x1", 0.1, 100),
        "gas_x1": source("gas@x1", 0.025, 1),
        "gas_x2": source("gas@x2", 0.025, 1),
        "gas_x3": source("gas@x3", 0.025, 1),
        "chp": chp | bought(750, 1500),
        "boiler_x2": boiler("x2", 43.1),
        "boiler_x3": boiler("x3", 78),
        "pv_x1": photovoltaics("electricity@x1", 500, 1350),
        "pv_x2": photovoltaics("electricity@pv_x2", 1300, 1350, price_eur_per_kwh=-0.0203),
        "pv_x3": photovoltaics(
            "electricity@x3", 50 / PV_KW_PER_M2, 1350 - 80.5 / capital_recovery_factor(RATE, LIFE)
        ),
        "line_x2": link("electricity@x1", "electricity@x2", **line, **bought(0.01 * 10)),
        "line_x3": link("electricity@x1", "electricity@x3", **line, **bought(0.01 * 5)),
    }
    parts |= exporting("electricity@chp", "electricity@x1", {"profile": "chp_export_price"})
    parts |= exporting("electricity@pv_x2", "electricity@x2", 0.0491)
    for place in ("x1", "x2", "x3"):
        parts |= demands(place)
    return parts


def dispatch(pipes):
    day = pd.read_csv(DAY, index_col="time")
    series = {name: day[name].to_numpy(float) for name in day}
    series["chp_export_price"] = -series["chp_export_cost_per_kwh"]
    series["pv_kw_per_kw"] = 0.85 * series["pv_kw_per_m2"] / PV_KW_PER_M2  # 0.85 for the inverter
    data = {
        "system": "urban scale",
        "horizon": {"start": "2005-07-01T00:00", "steps": 24},
        "economics": {"discount_rate": RATE},
        "components": places() | pipes,
    }
    system = System.model_validate(data)
    return Dispatcher(system, series, SolverSettings(mip_gap_fraction=1e-9)).dispatch()


def loss_over(length):
    return 1 - 0.975**length


def pools():
    """Each pipe a node between two ways in, with its losses, and two ways out; as large as in their optimum."""
    parts = {}
    for (start, end), (length, capacity_kw) in PIPES.items():
        pool, built = f"heat@{start}_{end}", {"investment_eur_per_kw": 0.3 * length}
        for place in (start, end):
            way_in = link(f"heat@{place}", pool, loss_fraction=loss_over(length))
            parts[f"{start}_{end}_from_{place}"] = way_in | {"capacity_kw": capacity_kw} | built
            parts[f"{start}_{end}_to_{place}"] = link(pool, f"heat@{place}") | {"capacity_kw": capacity_kw}
            built = {}
    return parts


def pairs():
    """Each pipe two one-way links, the one back as large as it likes and free."""
    parts = {}
    for (start, end), (length, _) in PIPES.items():
        ends = (f"heat@{start}", f"heat@{end}")
        loss = loss_over(length)
        parts[f"{start}_{end}"] = link(*ends, loss_fraction=loss) | bought(0.3 * length)
        parts[f"{end}_{start}"] = link(*reversed(ends), loss_fraction=loss)
    return parts


def pipes_that_run_one_way_at_a_time():
    return {
        f"{start}_{end}": link(
            f"heat@{start}", f"heat@{end}", loss_fraction=loss_over(length), both_ways=True
        )
        | bought(0.3 * length)
        for (start, end), (length, _) in PIPES.items()
    }


def test_its_optimum_comes_out_with_pipes_that_are_pools():
    run = dispatch(pools())
    assert run.status is Status.OPTIMAL
    assert run.kpis["total_cost"] == pytest.approx(PUBLISHED, rel=1e-7)
    assert run.sizes["chp.capacity_kw"] == pytest.approx(250.090112)
    assert run.sizes["pv_x2.capacity_kw"] / PV_KW_PER_M2 == pytest.approx(830.064659)
    assert run.flows["boiler_x3.heat_kw"].sum() == pytest.approx(0.18720, abs=5e-6)
    exported = run.flows["chp_export.export_kw"].sum() + run.flows["pv_x2_export.export_kw"].sum()
    assert exported == pytest.approx(122.7156)


def test_two_one_way_links_for_each_pipe_are_dearer_by_less_than_a_cent():
    """They cannot give back heat at the end where they take it: the trunk must be larger to lose as much."""
    run = dispatch(pairs())
    assert run.status is Status.OPTIMAL
    assert run.kpis["total_cost"] == pytest.approx(430.089189, rel=1e-7)
    assert run.sizes["n1_x2.capacity_kw"] == pytest.approx(182.19260)
    assert run.sizes["x1_n1.capacity_kw"] == pytest.approx(508.911533)
    pumped = min(run.flows["x1_n1.forward_kw"].max(), run.flows["n1_x1.forward_kw"].max())
    assert pumped > 300  # both ways at once


def test_pipes_that_run_one_way_at_a_time_cost_what_the_heat_is_worth():
    run = dispatch(pipes_that_run_one_way_at_a_time())
    assert run.status is Status.OPTIMAL
    assert run.kpis["total_cost"] == pytest.approx(437.433749, rel=1e-7)
    assert run.sizes["chp.capacity_kw"] == pytest.approx(238.830474)
    assert run.checks.exclusivity == 0
