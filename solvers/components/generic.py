"""Sources of any energy, and links between nodes.

Symbols: g generation [kW], π price [€/kWh], κ CO2 intensity [kg/kWh], w weight of CO2 [€/kg], f and b power sent
forward and back [kW], λ loss fraction, Δ step [h]. Any demand, storage and converter are as those with a name; a
source may be switched on and off (solvers.components.commitment).

(N1)  0 ≤ g_t ≤ capacity · available power per kW installed
(N2)  objective = Σ Δ (π + w κ + variable cost) g_t
(L1)  0 ≤ f_t ≤ capacity,  0 ≤ b_t ≤ capacity,  f_t · b_t = 0                 b only where it runs both ways
(L2)  into the node at its end:  (1 - λ) f_t - b_t,   into that at its beginning:  (1 - λ) b_t - f_t
(L3)  objective = Σ Δ · variable cost (f_t + b_t)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schema.components import GenericSource, Link
from solvers.components.commitment import committed
from solvers.maths import (
    Array,
    Equations,
    Ledger,
    Maths,
    Numbers,
    Operations,
    Port,
    Setting,
    Var,
    running_cost,
)


def _source_numbers(source: GenericSource, s: Setting) -> dict[str, Any]:
    hours = s.horizon.step_hours
    available = s.ones if source.profile is None else s.of(source.profile)
    price = s.of(source.price_eur_per_kwh) + source.variable_cost_eur_per_kwh
    co2 = s.of(source.co2_kg_per_kwh)
    return {
        "available_kw": source.capacity_kw * available,
        "cost_eur_per_kw": hours * price,
        "co2_kg_per_kw": hours * co2,
        "weight_eur_per_kw": hours * (price + s.carbon_price_eur_per_kg * co2),
    }


def _source_equations(p: Any, v: Any, m: Operations) -> Equations:
    ports = {"output_kw": Port("carrier", +1, v.output_kw)}
    return Equations(ports, objective=m.total(p.weight_eur_per_kw, v.output_kw))  # (N2)


def _source_ledger(p: Numbers, v: Mapping[str, Array]) -> Ledger:
    return Ledger(float(p["cost_eur_per_kw"] @ v["output_kw"]), float(p["co2_kg_per_kw"] @ v["output_kw"]))


SOURCE = committed(
    Maths(
        _source_numbers,
        lambda _source: (Var("output_kw", "available_kw"),),  # (N1)
        _source_equations,
        _source_ledger,
        weighted=True,
    ),
    "output_kw",
)


def _link_numbers(link: Link, s: Setting) -> dict[str, Any]:
    return {
        "capacity_kw": s.ones * link.capacity_kw,
        "delivered": 1.0 - link.loss_fraction,
        **s.running_cost(link.variable_cost_eur_per_kwh),
    }


def _link_variables(link: Link) -> tuple[Var, ...]:
    forward, backward = Var("forward_kw", "capacity_kw"), Var("backward_kw", "capacity_kw")  # (L1)
    return (forward, backward) if link.both_ways else (forward,)


def _link_equations(p: Any, v: Any, m: Operations) -> Equations:
    ports = {
        "forward_kw": Port("from_node", -1, v.forward_kw),
        "forward_delivered_kw": Port("to_node", +1, m.times(p.delivered, v.forward_kw)),
    }
    if not hasattr(v, "backward_kw"):
        return Equations(ports, objective=running_cost(p, v.forward_kw, m))
    ports["backward_kw"] = Port("to_node", -1, v.backward_kw)
    ports["backward_delivered_kw"] = Port("from_node", +1, m.times(p.delivered, v.backward_kw))  # (L2)
    return Equations(ports, objective=running_cost(p, v.forward_kw + v.backward_kw, m))  # (L3)


def _link_ledger(p: Numbers, v: Mapping[str, Array]) -> Ledger:
    price = p.get("running_eur_per_kw")
    return Ledger() if price is None else Ledger(float(sum(price @ sent for sent in v.values())))


LINK = Maths(
    _link_numbers,
    _link_variables,
    _link_equations,
    _link_ledger,
    exclusive=("forward_kw", "backward_kw"),
    optional=("variable_cost_eur_per_kwh",),
)
