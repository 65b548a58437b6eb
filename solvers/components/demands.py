"""Demands.

Symbols: u unserved [kW], s served [kW], b backlog after a step [kWh], negative where the demand was served ahead
of its wish, Δ step [h].

(D1)  demand_t = scale · profile_t - u_t,   0 ≤ u_t ≤ scale · profile_t           u only where it has a price
(D2)  objective = Σ Δ · price · u_t
(D3)  b_t = b_{t-1} + (scale · profile_t - s_t) Δ,   b = 0 before the first step and at each window's end
(D4)  0 ≤ s_t ≤ maximum power                                          (D3) and (D4) of the shiftable demand
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schema.components import Demand, ShiftableDemand
from solvers.maths import Array, Equations, Ledger, Maths, Numbers, Operations, Port, Setting, Var


def _numbers(demand: Demand, s: Setting) -> dict[str, Any]:
    demand_kw = demand.scale * s.of(demand.profile)  # (D1)
    price = demand.unserved_price_eur_per_kwh
    if price is None:
        return {"demand_kw": demand_kw}
    unserved = {"most_unserved_kw": demand_kw, "unserved_eur_per_kw": s.ones * (s.horizon.step_hours * price)}
    return {"demand_kw": demand_kw, **unserved}


def _variables(demand: Demand) -> tuple[Var, ...]:
    return () if demand.unserved_price_eur_per_kwh is None else (Var("unserved_kw", "most_unserved_kw"),)


def _ledger(p: Numbers, v: Mapping[str, Array]) -> Ledger:
    return Ledger(float(p["unserved_eur_per_kw"] @ v["unserved_kw"])) if "unserved_kw" in v else Ledger()


def demand_of(carrier: str, port: str | None = None) -> Maths:
    """The mathematics of a demand for `carrier`; its port is named after that unless told."""
    port = port or f"{carrier}_kw"

    def equations(p: Any, v: Any, m: Operations) -> Equations:
        if not hasattr(v, "unserved_kw"):
            return Equations({port: Port(carrier, -1, p.demand_kw)})
        return Equations(
            {port: Port(carrier, -1, p.demand_kw - v.unserved_kw)},  # (D1)
            objective=m.total(p.unserved_eur_per_kw, v.unserved_kw),  # (D2)
        )

    return Maths(_numbers, _variables, equations, _ledger)


def _shiftable_numbers(demand: ShiftableDemand, s: Setting) -> dict[str, Any]:
    hours = s.horizon.step_hours
    window = max(1, round(demand.window_hours / hours))
    open_kwh = s.limit(None)
    open_kwh[window - 1 :: window] = open_kwh[-1] = 0.0
    return {
        "max_power_kw": s.limit(demand.max_power_kw),
        "most_backlog_kwh": open_kwh,
        "least_backlog_kwh": -open_kwh,
        "wished_kwh": hours * demand.scale * s.of(demand.profile),
        "hours": hours,
    }


def _shiftable_equations(p: Any, v: Any, m: Operations) -> Equations:
    return Equations(
        {"electricity_kw": Port("electricity", -1, v.electricity_kw)},
        equal={
            "backlog": v.backlog_kwh
            - m.previous(v.backlog_kwh)
            - p.wished_kwh
            + m.times(p.hours, v.electricity_kw)
        },  # (D3)
    )


SHIFTABLE = Maths(
    _shiftable_numbers,
    lambda _demand: (
        Var("electricity_kw", "max_power_kw"),
        Var("backlog_kwh", "most_backlog_kwh", "least_backlog_kwh", stock=-1),
    ),
    _shiftable_equations,
)
