"""Capacities that are left to the solver: `capacity_kw: {optimise: {min: 0, max: 20}}`."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError, model_validator

from schema.base import Model
from schema.profiles import NonNegative, Positive

CAPACITIES = (
    "capacity_kw",
    "capacity_kwh",
    "capacity_m3",
    "capacity_m3_per_hour",
    "power_kw",
    "charge_power_kw",
    "discharge_power_kw",
)
"""Attributes that may be left to the solver."""

ON_OFF = ("min_load_fraction", "start_up_cost_eur", "min_up_time_hours", "min_down_time_hours", "part_load")
"""Attributes by which a unit is on or off as a whole: its capacity times that is no linear equation."""

HOW = "a number, or {optimise: {min: NUMBER, max: NUMBER}} to leave it to the solver"


class Sizing(Model):
    """The range from which the solver chooses a capacity."""

    min: NonNegative = 0.0
    """Least capacity."""
    max: Positive
    """Largest capacity."""
    integer: bool = False
    """Whole numbers only."""

    @model_validator(mode="after")
    def _in_order(self) -> Sizing:
        if self.min > self.max:
            raise ValueError(f"min ({self.min:g}) is above max ({self.max:g})")
        return self


def told_apart(raw: dict[str, Any]) -> dict[str, Any]:
    """A system with its sizings in a section of their own; a capacity stands at the most it may be meanwhile.

    What cannot be read stays where it is: there it is told.
    """
    components = raw.get("components")
    sizing = dict(raw["sizing"]) if isinstance(raw.get("sizing"), dict) else {}
    if not isinstance(components, dict):
        return raw
    plain = {}
    for name, component in components.items():
        plain[name] = component
        for attribute, range_ in _ranges_in(component).items():
            plain[name] = {**plain[name], attribute: range_.max}
            sizing[f"{name}.{attribute}"] = range_
    return {**raw, "components": plain, **({"sizing": sizing} if sizing else {})}


def _ranges_in(component: Any) -> dict[str, Sizing]:
    found = {}
    for attribute, value in component.items() if isinstance(component, dict) else ():
        if attribute in CAPACITIES and isinstance(value, dict) and set(value) == {"optimise"}:
            try:
                found[attribute] = Sizing.model_validate(value["optimise"])
            except ValidationError:
                continue
    return found
