"""Demands that must be met.

(D1)  demand_t = scale · profile_t
"""

from __future__ import annotations

from typing import Any

from schema.components import Demand
from solvers.maths import Equations, Maths, Operations, Port, Setting


def _numbers(demand: Demand, s: Setting) -> dict[str, Any]:
    return {"demand_kw": demand.scale * s.of(demand.profile)}  # (D1)


def demand_of(carrier: str) -> Maths:
    """The mathematics of a demand for `carrier`."""

    def equations(p: Any, _v: Any, _m: Operations) -> Equations:
        return Equations({f"{carrier}_kw": Port(carrier, -1, p.demand_kw)})

    return Maths(_numbers, lambda _demand: (), equations)
