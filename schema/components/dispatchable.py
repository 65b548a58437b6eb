"""What units that are switched on and off share, and those that turn one carrier into others."""

from __future__ import annotations

from pydantic import Field, model_validator

from schema.base import Model
from schema.components.base import PositiveFraction, PowerSized
from schema.profiles import Fraction, NonNegative, Positive


class Dispatchable(PowerSized):
    """A unit that is switched on and off.

    Rules of commitment stand only where they are told; without them it may run at any output in any step.
    """

    min_load_fraction: Fraction = 0.0
    """Least output while it is on, as a share of `capacity_kw` [-]."""
    start_up_cost_eur: NonNegative = 0.0
    """Cost of each start [€]."""
    min_up_time_hours: NonNegative = 0.0
    """Time for which it stays on once started, rounded up to whole steps [h]."""
    min_down_time_hours: NonNegative = 0.0
    """Time for which it stays off once stopped, rounded up to whole steps [h]."""
    ramp_fraction_per_hour: Positive | None = None
    """Most that its output changes within an hour, as a share of `capacity_kw` [1/h]; unless told it can do
    anything within a step. From and to standstill it can always reach its least output within a step."""
    initial_load_fraction: Fraction | None = None
    """Output before the first step, as a share of `capacity_kw` [-]: 0 is off and free to start, above 0 is on
    and free to stop. Unless told it is off, and no ramp limits its first step."""

    @model_validator(mode="after")
    def _was_off_or_above_its_least(self) -> Dispatchable:
        if 0 < (self.initial_load_fraction or 0.0) < self.min_load_fraction:
            raise ValueError(
                f"initial_load_fraction ({self.initial_load_fraction:g}) is neither 0 nor at least "
                f"min_load_fraction ({self.min_load_fraction:g})"
            )
        return self


class PartLoad(Model):
    """Efficiency by load, as points; between two of them input and output change along a straight line."""

    load_fraction: tuple[PositiveFraction, ...] = Field(min_length=2)
    """Loads in ascending order up to 1, as shares of `capacity_kw` [-]."""
    relative_efficiency: tuple[Positive, ...] = Field(min_length=2)
    """Efficiency (or COP) at each of these loads over the nominal one [-]."""

    @model_validator(mode="after")
    def _is_a_line(self) -> PartLoad:
        load, efficiency = self.load_fraction, self.relative_efficiency
        if len(load) != len(efficiency):
            raise ValueError(
                f"load_fraction has {len(load)} values and relative_efficiency {len(efficiency)}; "
                "each load needs one efficiency"
            )
        if list(load) != sorted(set(load)) or load[-1] != 1:
            raise ValueError("load_fraction must ascend and end at 1")
        flows = [
            [f / r for f, r in zip(load, efficiency, strict=True)],
            [f * r for f, r in zip(load, efficiency, strict=True)],
        ]
        if any(list(flow) != sorted(set(flow)) for flow in flows):
            raise ValueError(
                "relative_efficiency changes so fast that more load goes with less input or output"
            )
        return self


class Converter(Dispatchable):
    """A unit that turns one carrier into others."""

    part_load: PartLoad | None = None
    """Efficiency at part load, such as `{load_fraction: [0.3, 0.6, 1], relative_efficiency: [0.85, 0.95, 1]}`;
    all that comes out goes by it. The same at every load unless told."""

    @property
    def best_relative_efficiency(self) -> float:
        """Highest efficiency at any load over the nominal one [-]."""
        return 1.0 if self.part_load is None else max(self.part_load.relative_efficiency)

    @model_validator(mode="after")
    def _knows_its_efficiency_at_least_load(self) -> Converter:
        if self.part_load is not None and self.min_load_fraction < self.part_load.load_fraction[0]:
            raise ValueError(
                f"min_load_fraction ({self.min_load_fraction:g}) is below the first load_fraction of part_load "
                f"({self.part_load.load_fraction[0]:g}), where no efficiency is told"
            )
        return self

    @model_validator(mode="after")
    def _gives_no_more_than_it_takes(self) -> Converter:
        efficiency = getattr(self, "efficiency_fraction", 0.0)
        if efficiency * self.best_relative_efficiency > 1:
            raise ValueError("efficiency_fraction times relative_efficiency of part_load is above 1")
        return self


class Cogeneration(Converter):
    """A unit that makes electricity and heat from one fuel."""

    electric_efficiency_fraction: PositiveFraction
    """Electricity out per fuel in [-]."""
    thermal_efficiency_fraction: Fraction
    """Heat out per fuel in [-]."""
    min_thermal_efficiency_fraction: Fraction | None = None
    """Heat out per fuel in to which it may be lowered, the rest being thrown away [-]; 0 lets all of it go. The
    ratio is fixed unless told."""

    @model_validator(mode="after")
    def _conserves_energy(self) -> Cogeneration:
        both = self.electric_efficiency_fraction + self.thermal_efficiency_fraction
        if both > 1:
            raise ValueError(
                "electric_efficiency_fraction and thermal_efficiency_fraction add up to more than 1"
            )
        if both * self.best_relative_efficiency > 1:
            raise ValueError(
                "electric_efficiency_fraction and thermal_efficiency_fraction add up to more than 1 where "
                "relative_efficiency of part_load is highest"
            )
        if (self.min_thermal_efficiency_fraction or 0.0) > self.thermal_efficiency_fraction:
            raise ValueError("min_thermal_efficiency_fraction is above thermal_efficiency_fraction")
        return self
