"""Electric cars at their chargers.

Symbols: c charge [kW], d discharge [kW], l level after a step [kWh], E capacity [kWh], p presence, q driving [kW],
λ level fractions, η_c, η_d efficiencies, Δ step [h]. A step is an arrival where p_t > 0 and p_{t-1} = 0, and the
last before a trip where p_t > 0 and p_{t+1} = 0.

(E1)  l_t = l_{t-1} + (η_c c_t - d_t / η_d - q_t) Δ,   l before the first step = λ_0 E
      with λ_arrival E in the place of l_{t-1} at an arrival where λ_arrival is told
(E2)  0 ≤ l_t ≤ E,   l_t ≥ λ_departure E in the last step before a trip,   l_T ≥ λ_0 E after the last step
(E3)  0 ≤ c_t ≤ p_t · charging power,  0 ≤ d_t ≤ p_t · discharging power,  c_t · d_t = 0
(E4)  objective = Σ Δ · throughput cost · d_t
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from schema.components import EvCharger
from solvers.maths import (
    Array,
    Equations,
    Maths,
    Operations,
    Port,
    Setting,
    Var,
    running_cost,
    running_ledger,
)


def _numbers(car: EvCharger, s: Setting) -> dict[str, Any]:
    hours, presence = s.horizon.step_hours, s.of(car.presence)
    keep, carried_kwh = s.ones.copy(), np.zeros(s.horizon.steps)
    carried_kwh[0] = car.begin_level_fraction * car.capacity_kwh
    if car.arrival_level_fraction is not None:
        arrivals = _arrivals(presence)
        keep[arrivals] = 0.0
        carried_kwh[arrivals] = car.arrival_level_fraction * car.capacity_kwh
    if car.driving is not None:
        carried_kwh -= hours * s.of(car.driving)
    return {
        "max_charge_kw": car.power_kw * presence,
        "max_discharge_kw": (car.discharge_power_kw or 0.0) * presence,
        "max_level_kwh": s.ones * car.capacity_kwh,
        "min_level_kwh": _least_level_kwh(car, presence),
        "keep": keep,
        "carried_kwh": carried_kwh,
        "charged_kwh_per_kw": hours * car.charge_efficiency_fraction,
        "released_kwh_per_kw": hours / car.discharge_efficiency_fraction,
        **s.running_cost(0.0 if car.discharge_power_kw is None else car.throughput_cost_eur_per_kwh),
    }


def _arrivals(presence: Array) -> NDArray[np.bool_]:
    """(T,), whether the car comes back at a step's beginning; before the first step it was where it is then."""
    here = presence > 0
    arrives: NDArray[np.bool_] = here & ~np.concatenate([here[:1], here[:-1]])
    return arrives


def _least_level_kwh(car: EvCharger, presence: Array) -> Array:
    here = presence > 0
    departs = here & ~np.concatenate([here[1:], here[-1:]])
    least = np.where(departs, car.departure_level_fraction, 0.0)
    least[-1] = max(least[-1], car.begin_level_fraction)
    bound: Array = least * car.capacity_kwh
    return bound  # (E2)


def _variables(car: EvCharger) -> tuple[Var, ...]:
    charge = Var("charge_kw", "max_charge_kw")
    discharge = Var("discharge_kw", "max_discharge_kw")
    level = Var("level_kwh", "max_level_kwh", "min_level_kwh", stock=+1)
    return (charge, level) if car.discharge_power_kw is None else (charge, discharge, level)


def _equations(p: Any, v: Any, m: Operations) -> Equations:
    ports = {"charge_kw": Port("electricity", -1, v.charge_kw)}
    level = (
        v.level_kwh
        - m.times(p.keep, m.previous(v.level_kwh))
        - m.times(p.charged_kwh_per_kw, v.charge_kw)
        - p.carried_kwh
    )
    if not hasattr(v, "discharge_kw"):
        return Equations(ports, equal={"level": level})
    return Equations(
        {**ports, "discharge_kw": Port("electricity", +1, v.discharge_kw)},
        equal={"level": level + m.times(p.released_kwh_per_kw, v.discharge_kw)},  # (E1)
        objective=running_cost(p, v.discharge_kw, m),  # (E4)
    )


CHARGER = Maths(
    _numbers,
    _variables,
    _equations,
    running_ledger("discharge_kw"),
    exclusive=("charge_kw", "discharge_kw"),
    optional=("throughput_cost_eur_per_kwh",),
)
