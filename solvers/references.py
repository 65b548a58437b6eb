"""Where the simplex method starts: a few reference designs, the same for every study of a system.

The system as its file states it, and the same with all of its sun and wind at other sizes: of what designs differ
in, these move a year's dispatch most. A design starts from the reference that is nearest to it; which one that is
depends on the design alone, so no result depends on what was solved before.
"""

from __future__ import annotations

import math

from schema.components import SolarPv, SolarThermal, WindTurbine
from schema.system import System

SHARES = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
"""Sizes of sun and wind in the references, relative to the file's."""

_OFFSET = 0.05
"""Added to shares, so that nothing at all is not infinitely far from a little."""


def nearest_share(reference: System, design: System) -> float:
    """The share of sun and wind of the reference that is nearest to a design, on a scale of ratios."""
    installed = sun_and_wind_kw(reference)
    if installed == 0 or reference.sizing:
        return 1.0
    share = sun_and_wind_kw(design) / installed
    return min(SHARES, key=lambda other: abs(math.log((share + _OFFSET) / (other + _OFFSET))))


def sun_and_wind_kw(system: System) -> float:
    """What is installed of sun and wind [kW]."""
    return sum(_capacities_kw(system).values())


def values_of(reference: System, share: float) -> dict[str, float]:
    """What distinguishes a reference from the file's: capacities by dotted path."""
    return {f"{name}.capacity_kw": share * kw for name, kw in _capacities_kw(reference).items()}


def _capacities_kw(system: System) -> dict[str, float]:
    return {
        name: component.capacity_kw
        for name, component in system.components.items()
        if isinstance(component, SolarPv | SolarThermal | WindTurbine)
    }
