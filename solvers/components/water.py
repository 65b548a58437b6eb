"""Water: flows in m³/h, levels in m³.

Symbols: i import, r rain used, u unserved, f inflow, d outflow, o overflow, q pumped [m³/h], l level after a step
[m³], V capacity [m³], λ level fractions, σ loss per hour, π price [€/m³], κ CO2 intensity [kg/m³], w weight of CO2
[€/kg], ε electricity [kWh/m³], Δ step [h].

(W1)  0 ≤ i_t ≤ import limit,  objective = Σ Δ (π + w κ) i_t                   water grid
(W2)  0 ≤ r_t ≤ area · runoff coefficient · rain_t / 1000;   the rest runs off
(W3)  demand_t = scale · profile_t - u_t,  0 ≤ u_t ≤ scale · profile_t,  objective = Σ Δ · price · u_t
      u only where it has a price
(W4)  l_t = (1 - σ)^Δ l_{t-1} + (f_t - d_t - o_t) Δ,   l before the first step = λ_0 V
(W5)  λ_min V ≤ l_t ≤ V,   and l_T = λ_0 V where the tank is cyclic;   0 ≤ f_t, d_t ≤ flow limit,  0 ≤ o_t
(W6)  0 ≤ q_t ≤ capacity,  electricity_t = ε q_t
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from schema.components import Pump, RainwaterSource, WaterDemand, WaterGrid, WaterTank
from solvers.maths import Array, Equations, Ledger, Maths, Numbers, Operations, Port, Setting, Var

LITRES_PER_M3 = 1000.0


def _grid_numbers(grid: WaterGrid, s: Setting) -> dict[str, Any]:
    hours = s.horizon.step_hours
    price, co2 = s.of(grid.import_price_eur_per_m3), s.of(grid.import_co2_kg_per_m3)
    return {
        "import_limit_m3_per_hour": s.limit(grid.import_limit_m3_per_hour),
        "cost_eur_per_flow": hours * price,
        "co2_kg_per_flow": hours * co2,
        "weight_eur_per_flow": hours * (price + s.carbon_price_eur_per_kg * co2),
    }


def _grid_equations(p: Any, v: Any, m: Operations) -> Equations:
    return Equations(
        {"import_m3_per_hour": Port("water", +1, v.import_m3_per_hour)},
        objective=m.total(p.weight_eur_per_flow, v.import_m3_per_hour),
    )  # (W1)


def _grid_ledger(p: Numbers, v: Mapping[str, Array]) -> Ledger:
    imported = v["import_m3_per_hour"]
    return Ledger(float(p["cost_eur_per_flow"] @ imported), float(p["co2_kg_per_flow"] @ imported))


WATER_GRID = Maths(
    _grid_numbers,
    lambda _grid: (Var("import_m3_per_hour", "import_limit_m3_per_hour"),),
    _grid_equations,
    _grid_ledger,
    weighted=True,
)


def _rain_numbers(source: RainwaterSource, s: Setting) -> dict[str, Any]:
    caught_m2 = source.catchment_area_m2 * source.runoff_coefficient
    return {"available_m3_per_hour": s.of(source.profile) * (caught_m2 / LITRES_PER_M3)}  # (W2)


RAINWATER = Maths(
    _rain_numbers,
    lambda _source: (Var("rain_m3_per_hour", "available_m3_per_hour"),),
    lambda _p, v, _m: Equations({"rain_m3_per_hour": Port("water", +1, v.rain_m3_per_hour)}),
)


def _demand_numbers(demand: WaterDemand, s: Setting) -> dict[str, Any]:
    wanted = demand.scale * s.of(demand.profile)
    numbers = {"demand_m3_per_hour": wanted}
    if demand.unserved_price_eur_per_m3 is not None:
        numbers["most_unserved_m3_per_hour"] = wanted
        numbers["unserved_eur_per_flow"] = s.ones * (s.horizon.step_hours * demand.unserved_price_eur_per_m3)
    return numbers


def _demand_variables(demand: WaterDemand) -> tuple[Var, ...]:
    all_served = demand.unserved_price_eur_per_m3 is None
    return () if all_served else (Var("unserved_m3_per_hour", "most_unserved_m3_per_hour"),)


def _demand_equations(p: Any, v: Any, m: Operations) -> Equations:
    if not hasattr(v, "unserved_m3_per_hour"):
        return Equations({"water_m3_per_hour": Port("water", -1, p.demand_m3_per_hour)})
    served = p.demand_m3_per_hour - v.unserved_m3_per_hour
    return Equations(
        {"water_m3_per_hour": Port("water", -1, served)},
        objective=m.total(p.unserved_eur_per_flow, v.unserved_m3_per_hour),
    )  # (W3)


def _demand_ledger(p: Numbers, v: Mapping[str, Array]) -> Ledger:
    unserved = v.get("unserved_m3_per_hour")
    return Ledger() if unserved is None else Ledger(float(p["unserved_eur_per_flow"] @ unserved))


WATER_DEMAND = Maths(_demand_numbers, _demand_variables, _demand_equations, _demand_ledger)


def _tank_numbers(tank: WaterTank, s: Setting) -> dict[str, Any]:
    decay = (1.0 - tank.loss_fraction_per_hour) ** s.horizon.step_hours
    initial_m3 = tank.initial_level_fraction * tank.capacity_m3
    carried = np.zeros(s.horizon.steps)
    carried[0] = decay * initial_m3
    lowest, highest = s.ones * (tank.min_level_fraction * tank.capacity_m3), s.ones * tank.capacity_m3
    if tank.cyclic:
        lowest[-1] = highest[-1] = initial_m3
    return {
        "flow_limit_m3_per_hour": s.limit(tank.flow_limit_m3_per_hour),
        "no_limit_m3_per_hour": s.limit(None),
        "max_level_m3": highest,
        "min_level_m3": lowest,
        "decay": decay,
        "carried_m3": carried,
        "hours": s.horizon.step_hours,
    }


def _tank_equations(p: Any, v: Any, m: Operations) -> Equations:
    gained = v.inflow_m3_per_hour - v.outflow_m3_per_hour - v.overflow_m3_per_hour
    return Equations(
        {
            "inflow_m3_per_hour": Port("water", -1, v.inflow_m3_per_hour),
            "outflow_m3_per_hour": Port("water", +1, v.outflow_m3_per_hour),
        },
        equal={
            "level": v.level_m3
            - m.times(p.decay, m.previous(v.level_m3))
            - m.times(p.hours, gained)
            - p.carried_m3
        },  # (W4)
    )


WATER_TANK = Maths(
    _tank_numbers,
    lambda _tank: (
        Var("inflow_m3_per_hour", "flow_limit_m3_per_hour"),
        Var("outflow_m3_per_hour", "flow_limit_m3_per_hour"),
        Var("overflow_m3_per_hour", "no_limit_m3_per_hour"),
        Var("level_m3", "max_level_m3", "min_level_m3", stock=+1),
    ),  # (W5)
    _tank_equations,
)


def _pump_numbers(pump: Pump, s: Setting) -> dict[str, Any]:
    return {
        "capacity_m3_per_hour": s.ones * pump.capacity_m3_per_hour,
        "electricity_kwh_per_m3": pump.electricity_kwh_per_m3,
    }


def _pump_equations(p: Any, v: Any, m: Operations) -> Equations:
    pumped = v.pumped_m3_per_hour
    return Equations(
        {
            "taken_m3_per_hour": Port("from_node", -1, pumped),
            "pumped_m3_per_hour": Port("to_node", +1, pumped),
            "electricity_kw": Port("electricity", -1, m.times(p.electricity_kwh_per_m3, pumped)),
        }
    )  # (W6)


PUMP = Maths(
    _pump_numbers, lambda _pump: (Var("pumped_m3_per_hour", "capacity_m3_per_hour"),), _pump_equations
)
