"""Efficiency at part load: what a unit takes or gives as a line through points, around its other equations.

Symbols: y output [kW], C its capacity [kW], u on (0 or 1), f_k load fractions and r_k relative efficiencies of the
points k = 1 … K, η nominal ratio of the other flow to y, g_k = f_k / r_k where y is what comes out, g_k = f_k r_k
where y is what goes in, a_k = (g_{k+1} - g_k) / (f_{k+1} - f_k) slope of segment k, w_k = C (f_{k+1} - f_k) its
length [kW], e_k part of y in segment k ≥ 2 [kW], b_k whether segment k ≥ 2 is in use (0 or 1).

(P1)  other flow_t = η_t (a_1 y_t + C (g_1 - a_1 f_1) u_t + Σ_{k≥2} (a_k - a_1) e_{k,t})
(P2)  w_1 b_{2,t} ≤ y_t - C f_1 u_t - Σ_{k≥2} e_{k,t} ≤ w_1 u_t
(P3)  w_k b_{k+1,t} ≤ e_{k,t} ≤ w_k b_{k,t}                                                     with b_K = 0

A segment is in use only when those before it are full, so the line holds whatever the other flow is worth,
negative prices included. This is the incremental form, whose relaxation is the convex hull of the line's points
(Padberg 2000, Operations Research Letters 27). One segment needs neither e nor b.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count, takewhile
from typing import Any

import numpy as np

from schema.components import Converter, PartLoad
from solvers.maths import Array, Equations, Maths, Operations, Setting, Var


@dataclass(frozen=True)
class OtherFlow:
    """The flow that follows the line.

    Attributes:
        port: its name.
        ratio: parameter of its nominal ratio to the output.
        relative: the points' g from their load fractions and relative efficiencies, each (K,).
    """

    port: str
    ratio: str
    relative: Callable[[Array, Array], Array]


def intake(port: str, ratio: str) -> OtherFlow:
    """What goes in, where the capacity is of what comes out."""
    return OtherFlow(port, ratio, lambda load, efficiency: load / efficiency)


def yielded(port: str, ratio: str) -> OtherFlow:
    """What comes out, where the capacity is of what goes in."""
    return OtherFlow(port, ratio, lambda load, efficiency: load * efficiency)


def at_part_load(maths: Maths, output: str, other: OtherFlow) -> Maths:
    """The mathematics of a unit whose efficiency may change with its load.

    Args:
        maths: its mathematics at the nominal efficiency.
        output: the variable that its capacity measures.
        other: the flow that is in ratio to it.
    """

    def numbers(unit: Converter, s: Setting) -> dict[str, Any]:
        base = maths.numbers(unit, s)
        line = unit.part_load
        return base if line is None else base | _line(unit, line, base[other.ratio], other, s.ones)

    def variables(unit: Converter) -> tuple[Var, ...]:
        later = range(2, 1 if unit.part_load is None else len(unit.part_load.load_fraction))
        parts = [Var(f"segment_{k}_kw", f"most_segment_{k}_kw") for k in later]
        uses = [Var(f"use_{k}", "most_use", integer=True) for k in later]
        return (*maths.variables(unit), *parts, *uses)

    def equations(p: Any, v: Any, m: Operations) -> Equations:
        stated = maths.equations(p, v, m)
        if not hasattr(p, "idle_kw"):
            return stated
        port = stated.ports[other.port]
        flow = port.flow + m.times(p.idle_kw, v.on)
        for k in _later(v):
            flow = flow + m.times(getattr(p, f"bend_{k}"), getattr(v, f"segment_{k}_kw"))  # (P1)
        ports = {**stated.ports, other.port: replace(port, flow=flow)}
        return replace(
            stated, ports=ports, at_most={**stated.at_most, **_filling(p, v, m, getattr(v, output))}
        )

    return replace(
        maths,
        numbers=numbers,
        variables=variables,
        equations=equations,
        optional=(*maths.optional, "part_load"),
    )


def _line(unit: Converter, line: PartLoad, ratio: Any, other: OtherFlow, ones: Array) -> dict[str, Any]:
    load = np.array(line.load_fraction)
    flow = other.relative(load, np.array(line.relative_efficiency))
    slopes, lengths_kw = np.diff(flow) / np.diff(load), unit.capacity_kw * np.diff(load)
    numbers = {
        other.ratio: ratio * slopes[0],
        "idle_kw": ratio * (unit.capacity_kw * (flow[0] - slopes[0] * load[0])),
        "from_kw": unit.capacity_kw * load[0],
        "length_1_kw": lengths_kw[0],
        "most_use": ones,
    }
    for k, (slope, length_kw) in enumerate(zip(slopes[1:], lengths_kw[1:], strict=True), start=2):
        bend = {f"bend_{k}": ratio * (slope - slopes[0])}
        numbers |= bend | {f"length_{k}_kw": length_kw, f"most_segment_{k}_kw": ones * length_kw}
    return numbers


def _filling(p: Any, v: Any, m: Operations, power: Any) -> dict[str, Any]:
    later = _later(v)
    if not later:
        return {}
    parts = {k: getattr(v, f"segment_{k}_kw") for k in later}
    used = {k: getattr(v, f"use_{k}") for k in later}
    parts[1] = power - m.times(p.from_kw, v.on) - sum(parts.values())
    used[1] = v.on
    rules = {}
    for k in (1, *later):
        length = getattr(p, f"length_{k}_kw")
        rules[f"segment {k} of its part load"] = parts[k] - m.times(length, used[k])  # (P2), (P3)
        if k + 1 in used:
            rules[f"full segment {k} of its part load"] = m.times(length, used[k + 1]) - parts[k]
    return rules


def _later(v: Any) -> list[int]:
    """The segments that have a variable of their own."""
    return list(takewhile(lambda k: hasattr(v, f"use_{k}"), count(2)))
