"""Generators from sun and wind.

(R1)  0 ≤ g_t ≤ capacity · available power per kW installed;   what is below is curtailed
"""

from __future__ import annotations

from typing import Any

from schema.components import SolarPv, WindTurbine
from solvers.maths import Equations, Maths, Operations, Port, Setting, Var


def _numbers(generator: SolarPv | WindTurbine, s: Setting) -> dict[str, Any]:
    return {"available_kw": generator.capacity_kw * s.of(generator.profile)}


def _equations(_p: Any, v: Any, _m: Operations) -> Equations:
    return Equations({"electricity_kw": Port("electricity", +1, v.electricity_kw)})


RENEWABLE = Maths(_numbers, lambda _generator: (Var("electricity_kw", "available_kw"),), _equations)
