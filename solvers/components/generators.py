"""Generators from sun and wind.

(R1)  0 ≤ g_t ≤ capacity · available power per kW installed;   what is below is curtailed
(R2)  objective = Σ Δ · variable cost · g_t
"""

from __future__ import annotations

from typing import Any

from schema.components import SolarPv, SolarThermal, WindTurbine
from solvers.maths import Equations, Maths, Operations, Port, Setting, Var, running_cost, running_ledger


def _numbers(generator: SolarPv | SolarThermal | WindTurbine, s: Setting) -> dict[str, Any]:
    return {
        "available_kw": generator.capacity_kw * s.of(generator.profile),
        **s.running_cost(generator.variable_cost_eur_per_kwh),
    }


def renewable_of(carrier: str) -> Maths:
    """The mathematics of a generator of `carrier` from what nature offers."""
    output = f"{carrier}_kw"

    def equations(p: Any, v: Any, m: Operations) -> Equations:
        power = getattr(v, output)
        return Equations({output: Port(carrier, +1, power)}, objective=running_cost(p, power, m))  # (R2)

    return Maths(
        _numbers,
        lambda _generator: (Var(output, "available_kw"),),  # (R1)
        equations,
        running_ledger(output),
        optional=("variable_cost_eur_per_kwh",),
    )
