"""Converters from one carrier to others.

Symbols: y output [kW], h heat out [kW], e electricity out [kW], η efficiency or COP (a number or a series).

(C1)  0 ≤ y_t ≤ capacity,  input_t = y_t / η_t          heat pump, boilers, chiller, generic
(C2)  0 ≤ e_t ≤ capacity,  fuel_t = e_t / η_e,  h_t = e_t η_th / η_e         combined heat and power, fuel cell
(C3)  e_t η_min / η_e ≤ h_t ≤ e_t η_th / η_e            in the place of (C2)'s heat where η_min is told
(C4)  objective = Σ Δ · variable cost · what the capacity measures
(C5)  0 ≤ x_t ≤ capacity,  output_t = η_t x_t           electrolyser; x electricity in [kW]

All of them may be switched on and off (solvers.components.commitment) and have another efficiency at part load
(solvers.components.part_load).
"""

from __future__ import annotations

from typing import Any

from schema.components import (
    Chiller,
    Cogeneration,
    ElectricBoiler,
    Electrolyser,
    GasBoiler,
    GenericConverter,
    HeatPump,
)
from schema.profiles import ProfileRef
from solvers.components.commitment import committed
from solvers.components.part_load import at_part_load, intake, yielded
from solvers.maths import Equations, Maths, Operations, Port, Setting, Var, running_cost, running_ledger

_OPTIONAL = ("variable_cost_eur_per_kwh",)


_Converter = HeatPump | ElectricBoiler | GasBoiler | Chiller | GenericConverter


def _output_per_input(converter: _Converter) -> float | ProfileRef:
    match converter:
        case HeatPump() | Chiller():
            return converter.cop
        case GenericConverter():
            return converter.output_per_input
        case _:
            return converter.efficiency_fraction


def _converter_numbers(converter: _Converter, s: Setting) -> dict[str, Any]:
    return {
        "capacity_kw": s.ones * converter.capacity_kw,
        "input_per_output": 1.0 / s.of(_output_per_input(converter)),
        **s.running_cost(converter.variable_cost_eur_per_kwh),
    }


def converter_of(source: str, target: str, ports: tuple[str, str] | None = None) -> Maths:
    """The mathematics of a converter whose capacity is of what comes out.

    Args:
        source: the carrier that it takes.
        target: the carrier that it gives.
        ports: names of the two ports; after the carriers unless told.
    """
    taken, output = ports or (f"{source}_kw", f"{target}_kw")

    def equations(p: Any, v: Any, m: Operations) -> Equations:
        power = getattr(v, output)
        return Equations(
            {
                output: Port(target, +1, power),
                taken: Port(source, -1, m.times(p.input_per_output, power)),  # (C1)
            },
            objective=running_cost(p, power, m),  # (C4)
        )

    nominal = Maths(
        _converter_numbers,
        lambda _converter: (Var(output, "capacity_kw"),),
        equations,
        running_ledger(output),
        optional=_OPTIONAL,
    )
    return committed(at_part_load(nominal, output, intake(taken, "input_per_output")), output)


def _electrolyser_numbers(electrolyser: Electrolyser, s: Setting) -> dict[str, Any]:
    return {
        "capacity_kw": s.ones * electrolyser.capacity_kw,
        "output_per_input": electrolyser.efficiency_fraction,
        **s.running_cost(electrolyser.variable_cost_eur_per_kwh),
    }


def _electrolyser_equations(p: Any, v: Any, m: Operations) -> Equations:
    return Equations(
        {
            "electricity_kw": Port("electricity", -1, v.electricity_kw),
            "hydrogen_kw": Port("hydrogen", +1, m.times(p.output_per_input, v.electricity_kw)),  # (C5)
        },
        objective=running_cost(p, v.electricity_kw, m),  # (C4)
    )


_NOMINAL_ELECTROLYSER = Maths(
    _electrolyser_numbers,
    lambda _electrolyser: (Var("electricity_kw", "capacity_kw"),),
    _electrolyser_equations,
    running_ledger("electricity_kw"),
    optional=_OPTIONAL,
)
ELECTROLYSER = committed(
    at_part_load(_NOMINAL_ELECTROLYSER, "electricity_kw", yielded("hydrogen_kw", "output_per_input")),
    "electricity_kw",
)


def _cogeneration_numbers(unit: Cogeneration, s: Setting) -> dict[str, Any]:
    electric = unit.electric_efficiency_fraction
    heat: dict[str, Any] = {"heat_per_electricity": unit.thermal_efficiency_fraction / electric}
    if unit.min_thermal_efficiency_fraction is not None:
        heat["least_heat_per_electricity"] = unit.min_thermal_efficiency_fraction / electric
        heat["heat_limit_kw"] = s.ones * (unit.capacity_kw * heat["heat_per_electricity"])
    return {
        "capacity_kw": s.ones * unit.capacity_kw,
        "fuel_per_electricity": 1.0 / electric,
        **heat,
        **s.running_cost(unit.variable_cost_eur_per_kwh),
    }


def _cogeneration_variables(unit: Cogeneration) -> tuple[Var, ...]:
    electricity = Var("electricity_kw", "capacity_kw")
    fixed = unit.min_thermal_efficiency_fraction is None
    return (electricity,) if fixed else (electricity, Var("heat_kw", "heat_limit_kw"))


def cogeneration_from(fuel: str) -> Maths:
    """The mathematics of a unit that makes electricity and heat from `fuel`."""

    def equations(p: Any, v: Any, m: Operations) -> Equations:
        heat = most_heat = m.times(p.heat_per_electricity, v.electricity_kw)  # (C2)
        at_most = {}
        if hasattr(v, "heat_kw"):
            heat = v.heat_kw
            at_most["most heat"] = heat - most_heat  # (C3)
            at_most["least heat"] = m.times(p.least_heat_per_electricity, v.electricity_kw) - heat
        return Equations(
            {
                "electricity_kw": Port("electricity", +1, v.electricity_kw),
                "heat_kw": Port("heat", +1, heat),
                f"{fuel}_kw": Port(fuel, -1, m.times(p.fuel_per_electricity, v.electricity_kw)),
            },
            at_most=at_most,
            objective=running_cost(p, v.electricity_kw, m),  # (C4)
        )

    nominal = Maths(
        _cogeneration_numbers,
        _cogeneration_variables,
        equations,
        running_ledger("electricity_kw"),
        optional=_OPTIONAL,
    )
    follows = intake(f"{fuel}_kw", "fuel_per_electricity")
    return committed(at_part_load(nominal, "electricity_kw", follows), "electricity_kw")
