"""Units that are switched on and off, around the equations of whatever they are.

Symbols: y output [kW], u on (0 or 1), s started in this step (0 or 1), z = s_t - u_t + u_{t-1} stopped in this
step, a most that it can give [kW] (its capacity, or what is available), m its least output while on [kW],
ρ Δ what a ramp allows in a step [kW], U and D minimum up and down time in steps, r = max(m, ρ Δ) what it reaches
in the step of a start, and from where it stops [kW].

(U1)  m u_t ≤ y_t ≤ a_t u_t
(U2)  z_t ≥ 0,   Σ_{i=t-U+1..t} s_i ≤ u_t,   Σ_{i=t-D+1..t} z_i ≤ 1 - u_t
(U3)  (y_t - m u_t) - (y_{t-1} - m u_{t-1}) ≤ ρ Δ u_t + (r - m - ρ Δ) s_t
(U4)  (y_{t-1} - m u_{t-1}) - (y_t - m u_t) ≤ ρ Δ u_{t-1} + (r - m - ρ Δ) z_t
(U5)  objective = Σ start-up cost · s_t

(U2) are the facets of minimum up and down times (Rajan and Takriti 2005, IBM RC23628): with u whole, s and z are
whole of themselves. (U3) and (U4) bind the output above the least (Damcı-Kurt et al. 2016,
doi:10.1007/s10107-015-0919-9).

Only what an attribute asks for stands: u for a least output, a start-up cost, a minimum time or a part-load line;
s for a start-up cost, a minimum time, or a ramp of a unit with u. A ramp alone has u = 1, s = z = 0 and m = 0.
What was before the first step stands on the right of (U2) to (U4).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from schema.components import Converter, Dispatchable
from solvers.maths import Array, Equations, Ledger, Maths, Numbers, Operations, Setting, Var

_ALMOST = 1e-9
"""A minimum time this much above a whole number of steps is that number."""


def is_switched(unit: Dispatchable) -> bool:
    """Whether the unit's equations say when it is on."""
    has_line = isinstance(unit, Converter) and unit.part_load is not None
    return bool(unit.min_load_fraction or _has_times(unit) or has_line)


def counts_starts(unit: Dispatchable) -> bool:
    """Whether the unit's equations say when it starts."""
    return _has_times(unit) or (is_switched(unit) and unit.ramp_fraction_per_hour is not None)


def _has_times(unit: Dispatchable) -> bool:
    return bool(unit.start_up_cost_eur or unit.min_up_time_hours or unit.min_down_time_hours)


def committed(maths: Maths, output: str) -> Maths:
    """The mathematics of a unit that is also switched on and off.

    Args:
        maths: its mathematics without.
        output: the variable that its capacity measures.
    """

    def most_kw(unit: Dispatchable, base: Mapping[str, Any]) -> Array:
        upper = next(var.upper for var in maths.variables(unit) if var.name == output)
        return np.asarray(base[upper], dtype=float)

    def numbers(unit: Dispatchable, s: Setting) -> dict[str, Any]:
        base = maths.numbers(unit, s)
        own: dict[str, Any] = {}
        if is_switched(unit):
            own |= _switch_numbers(unit, s, most_kw(unit, base))
        if counts_starts(unit):
            own |= _start_numbers(unit, s)
        if unit.ramp_fraction_per_hour is not None:
            own |= _ramp_numbers(unit, unit.ramp_fraction_per_hour, s)
        return base | own

    def variables(unit: Dispatchable) -> tuple[Var, ...]:
        own = (Var("on", "most_on", integer=True),) if is_switched(unit) else ()
        starts = (Var("start", "most_start"),) if counts_starts(unit) else ()
        return maths.variables(unit) + own + starts

    def equations(p: Any, v: Any, m: Operations) -> Equations:
        stated = maths.equations(p, v, m)
        power = getattr(v, output)
        at_most = {**stated.at_most, **_switching(p, v, m, power), **_ramping(p, v, m, power)}
        cost = m.total(p.start_up_eur, v.start) if hasattr(v, "start") else 0.0  # (U5)
        return replace(stated, at_most=at_most, objective=stated.objective + cost)

    def ledger(p: Numbers, v: Mapping[str, Array]) -> Ledger:
        base = maths.ledger(p, v)
        starts_eur = float(p["start_up_eur"] @ v["start"]) if "start" in v else 0.0
        return replace(base, cost_eur=base.cost_eur + starts_eur)

    return replace(
        maths,
        numbers=numbers,
        variables=variables,
        equations=equations,
        ledger=ledger,
        optional=(*maths.optional, "min_load_fraction", "ramp_fraction_per_hour"),
        structural=(*maths.structural, "min_up_time_hours", "min_down_time_hours"),
    )


def _switch_numbers(unit: Dispatchable, s: Setting, most_kw: Array) -> dict[str, Any]:
    least = {"least_kw": unit.min_load_fraction * unit.capacity_kw} if unit.min_load_fraction > 0 else {}
    return {"most_on": s.ones, "most_kw": most_kw, **least}


def _start_numbers(unit: Dispatchable, s: Setting) -> dict[str, Any]:
    return {
        "most_start": s.ones,
        "was_on": _first(s.horizon.steps, float((unit.initial_load_fraction or 0.0) > 0)),
        "start_up_eur": s.ones * unit.start_up_cost_eur,
        "min_up_steps": _steps(unit.min_up_time_hours, s),
        "min_down_steps": _steps(unit.min_down_time_hours, s),
    }


def _steps(hours: float, s: Setting) -> int:
    return max(1, math.ceil(hours / s.horizon.step_hours - _ALMOST))


def _ramp_numbers(unit: Dispatchable, ramp_fraction_per_hour: float, s: Setting) -> dict[str, Any]:
    capacity, before = unit.capacity_kw, unit.initial_load_fraction
    ramp = min(ramp_fraction_per_hour * s.horizon.step_hours, 1.0) * capacity
    least = unit.min_load_fraction * capacity
    start_ramp = max(least, ramp) - least - ramp
    rise = fall = capacity
    if before is not None:
        was_on = before > 0
        rise = before * capacity - least * was_on
        # Without u, (U4) has ρ Δ on its right in every step.
        fall = (ramp + start_ramp) * (was_on and is_switched(unit)) - rise
    return {
        "ramp_kw": ramp,
        "always_kw": s.ones * ramp,
        "start_ramp_kw": start_ramp,
        "carried_rise_kw": _first(s.horizon.steps, rise),
        "carried_fall_kw": _first(s.horizon.steps, fall),
    }


def _first(steps: int, value: float) -> Array:
    """(T,), a value in the first step."""
    series = np.zeros(steps)
    series[0] = value
    return series


def _switching(p: Any, v: Any, m: Operations, power: Any) -> dict[str, Any]:
    if not hasattr(v, "on"):
        return {}
    rules = {"most output while on": power - m.times(p.most_kw, v.on)}  # (U1)
    if hasattr(p, "least_kw"):
        rules["minimum load"] = m.times(p.least_kw, v.on) - power  # (U1)
    if hasattr(v, "start"):
        stop = _stop(v, m) + p.was_on
        rules["starts and stops"] = -stop  # (U2)
        rules["minimum up time"] = m.recent(v.start, p.min_up_steps) - v.on  # (U2)
        rules["minimum down time"] = m.recent(stop, p.min_down_steps) + v.on - 1.0  # (U2)
    return rules


def _stop(v: Any, m: Operations) -> Any:
    """z, less u before the first step."""
    return v.start - v.on + m.previous(v.on)


def _ramping(p: Any, v: Any, m: Operations, power: Any) -> dict[str, Any]:
    if not hasattr(p, "ramp_kw"):
        return {}
    if not hasattr(v, "on"):
        change = power - m.previous(power)
        return {
            "ramp up": change - p.always_kw - p.carried_rise_kw,
            "ramp down": -change - p.always_kw - p.carried_fall_kw,
        }
    above = power - m.times(p.least_kw, v.on) if hasattr(p, "least_kw") else power
    change = above - m.previous(above)
    rise = m.times(p.ramp_kw, v.on) + m.times(p.start_ramp_kw, v.start)
    fall = m.times(p.ramp_kw, m.previous(v.on)) + m.times(p.start_ramp_kw, _stop(v, m))
    return {
        "ramp up": change - rise - p.carried_rise_kw,  # (U3)
        "ramp down": -change - fall - p.carried_fall_kw,  # (U4)
    }
