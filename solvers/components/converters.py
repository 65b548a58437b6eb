"""Converters from one carrier to others.

Symbols: h heat out [kW], e electricity out [kW], η efficiency or COP (a number or a series).

(C1)  0 ≤ h_t ≤ capacity,  input_t = h_t / η_t          heat pump, electric boiler, gas boiler
(C2)  0 ≤ e_t ≤ capacity,  gas_t = e_t / η_e,  heat_t = e_t η_th / η_e          combined heat and power
"""

from __future__ import annotations

from typing import Any

from schema.components import Chp, ElectricBoiler, GasBoiler, HeatPump
from solvers.maths import Equations, Maths, Operations, Port, Setting, Var


def _heater_numbers(heater: HeatPump | ElectricBoiler | GasBoiler, s: Setting) -> dict[str, Any]:
    efficiency = heater.cop if isinstance(heater, HeatPump) else heater.efficiency_fraction
    return {"capacity_kw": s.ones * heater.capacity_kw, "input_per_heat": 1.0 / s.of(efficiency)}


def heater_from(carrier: str) -> Maths:
    """The mathematics of a heater that takes `carrier`."""

    def equations(p: Any, v: Any, m: Operations) -> Equations:
        return Equations(
            {
                "heat_kw": Port("heat", +1, v.heat_kw),
                f"{carrier}_kw": Port(carrier, -1, m.times(p.input_per_heat, v.heat_kw)),  # (C1)
            }
        )

    return Maths(_heater_numbers, lambda _heater: (Var("heat_kw", "capacity_kw"),), equations)


def _chp_numbers(chp: Chp, s: Setting) -> dict[str, Any]:
    return {
        "capacity_kw": s.ones * chp.capacity_kw,
        "gas_per_electricity": 1.0 / chp.electric_efficiency_fraction,
        "heat_per_electricity": chp.thermal_efficiency_fraction / chp.electric_efficiency_fraction,
    }


def _chp_equations(p: Any, v: Any, m: Operations) -> Equations:
    return Equations(
        {
            "electricity_kw": Port("electricity", +1, v.electricity_kw),
            "heat_kw": Port("heat", +1, m.times(p.heat_per_electricity, v.electricity_kw)),
            "gas_kw": Port("gas", -1, m.times(p.gas_per_electricity, v.electricity_kw)),
        }
    )  # (C2)


CHP = Maths(_chp_numbers, lambda _chp: (Var("electricity_kw", "capacity_kw"),), _chp_equations)
