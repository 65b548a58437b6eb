"""Storages of one carrier.

Symbols: c charge [kW], d discharge [kW], l level after a step [kWh], E capacity [kWh], λ_0 initial level
fraction, σ self-discharge per hour, η_c, η_d efficiencies, Δ step [h].

(S1)  l_t = (1 - σ)^Δ l_{t-1} + (η_c c_t - d_t / η_d) Δ,   l before the first step = λ_0 E
(S2)  λ_min E ≤ l_t ≤ E,   and l_T = λ_0 E where the storage is cyclic
(S3)  0 ≤ c_t ≤ charging power,  0 ≤ d_t ≤ discharging power,  c_t · d_t = 0
(S4)  objective = Σ Δ · throughput cost · d_t + Σ Δ · holding cost · l_t
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from schema.components import Storage
from solvers.maths import Array, Equations, Ledger, Maths, Numbers, Operations, Port, Setting, Var


def _numbers(store: Storage, s: Setting) -> dict[str, Any]:
    hours = s.horizon.step_hours
    decay = (1.0 - store.self_discharge_fraction_per_hour) ** hours
    initial_kwh = store.initial_level_fraction * store.capacity_kwh
    carried = np.zeros(s.horizon.steps)
    carried[0] = decay * initial_kwh
    lowest = s.ones * (store.min_level_fraction * store.capacity_kwh)
    highest = s.ones * store.capacity_kwh
    if store.cyclic:
        lowest[-1] = highest[-1] = initial_kwh
    numbers = {
        "max_charge_kw": s.ones * store.max_charge_kw,
        "max_discharge_kw": s.ones * store.max_discharge_kw,
        "min_level_kwh": lowest,
        "max_level_kwh": highest,
        "decay": decay,
        "charged_kwh_per_kw": hours * store.charge_efficiency_fraction,
        "released_kwh_per_kw": hours / store.discharge_efficiency_fraction,
        "carried_kwh": carried,
        "wear_eur_per_kw": s.ones * (hours * store.throughput_cost_eur_per_kwh),
    }
    if store.holding_cost_eur_per_kwh_hour > 0:
        numbers["holding_eur_per_kwh"] = s.ones * (hours * store.holding_cost_eur_per_kwh_hour)
    return numbers


def _variables(_store: Storage) -> tuple[Var, ...]:
    return (
        Var("charge_kw", "max_charge_kw"),
        Var("discharge_kw", "max_discharge_kw"),
        Var("level_kwh", "max_level_kwh", "min_level_kwh", stock=+1),
    )


def _equations_on(carrier: str) -> Any:
    def equations(p: Any, v: Any, m: Operations) -> Equations:
        objective = m.total(p.wear_eur_per_kw, v.discharge_kw)  # (S4)
        if hasattr(p, "holding_eur_per_kwh"):
            objective = objective + m.total(p.holding_eur_per_kwh, v.level_kwh)
        return Equations(
            ports={
                "discharge_kw": Port(carrier, +1, v.discharge_kw),
                "charge_kw": Port(carrier, -1, v.charge_kw),
            },
            equal={
                "level": v.level_kwh
                - m.times(p.decay, m.previous(v.level_kwh))
                - m.times(p.charged_kwh_per_kw, v.charge_kw)
                + m.times(p.released_kwh_per_kw, v.discharge_kw)
                - p.carried_kwh
            },  # (S1)
            objective=objective,
        )

    return equations


def _ledger(p: Numbers, v: Mapping[str, Array]) -> Ledger:
    cost = p["wear_eur_per_kw"] @ v["discharge_kw"]
    if "holding_eur_per_kwh" in p:
        cost += p["holding_eur_per_kwh"] @ v["level_kwh"]
    return Ledger(float(cost))


def storage_of(carrier: str) -> Maths:
    """The mathematics of a storage of `carrier`."""
    return Maths(
        _numbers,
        _variables,
        _equations_on(carrier),
        _ledger,
        exclusive=("charge_kw", "discharge_kw"),
        optional=("holding_cost_eur_per_kwh_hour",),
    )
