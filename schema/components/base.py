"""What the components of every field share.

Sign and unit conventions: power in kW (mean over a step), energy in kWh, water in m³ and m³/h,
money in €, CO2 in kg.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, ClassVar, NamedTuple

from pydantic import Field, field_validator, model_validator

from schema.base import Model
from schema.profiles import Fraction, NonNegative, Positive, Profile, ProfileRef, SeriesBound

CARRIERS = ("electricity", "heat", "cooling", "gas", "hydrogen", "water")

PositiveFraction = Annotated[float, Field(gt=0, le=1)]
Series = float | ProfileRef
"""A number, or `{profile: NAME}`."""
NonNegativeSeries = Annotated[NonNegative | ProfileRef, SeriesBound(0.0)]
PositiveSeries = Annotated[Positive | ProfileRef, SeriesBound(0.0, exclusive=True)]
FractionSeries = Annotated[Fraction | ProfileRef, SeriesBound(0.0, maximum=1.0)]
NonNegativeProfile = Annotated[Profile, SeriesBound(0.0)]
FractionProfile = Annotated[Profile, SeriesBound(0.0, maximum=1.0)]


class Component(Model):
    """What every component has."""

    own_carriers: ClassVar[tuple[str, ...]] = ()
    """Where it meets the system: carriers of its type, or attributes that name a node."""
    supplies: ClassVar[tuple[str, ...]] = ()
    """Those of `own_carriers` that it can put something into."""
    node_attributes: ClassVar[tuple[str, ...]] = ()
    """Those of `own_carriers` that are attributes holding a node."""

    carriers: dict[str, str] = Field(default_factory=dict)
    """Other nodes than the type's own, such as `{electricity: electricity@house_2}`."""

    @field_validator("carriers")
    @classmethod
    def _known_carriers(cls, carriers: dict[str, str]) -> dict[str, str]:
        known = [own for own in cls.own_carriers if own not in cls.node_attributes]
        for own, node in carriers.items():
            if own not in known:
                raise ValueError(
                    f"'{own}' is not a carrier of this type, which has {', '.join(known) or 'none'}"
                )
            if node.split("@")[0] != own:
                raise ValueError(f"'{node}' must be '{own}' or '{own}@NODE'")
        return carriers

    def node(self, carrier: str) -> str:
        """The node at which the component meets one of its `own_carriers`."""
        if carrier in self.node_attributes:
            return str(getattr(self, carrier))
        return self.carriers.get(carrier, carrier)

    @property
    def supplied_nodes(self) -> tuple[str, ...]:
        """The nodes that it can put something into."""
        return tuple(map(self.node, self.supplies))


class Size(NamedTuple):
    """What a component's investment goes with, in the unit that its capacity has."""

    capacity: float
    investment_eur: float
    """Investment for each unit of capacity."""
    fixed_cost_eur_per_year: float
    """Fixed cost for each unit of capacity [1/a]."""


class Sized(Component, ABC):
    """A component that is bought."""

    lifetime_years: Positive = 20.0
    """Lifetime over which the investment is spread [a]."""
    subsidy_fraction: Fraction = 0.0
    """Share of the investment that somebody else pays [-]."""

    @property
    @abstractmethod
    def size(self) -> Size:
        """Its capacity, and what each unit of it costs."""


class PowerSized(Sized):
    """A component whose investment goes with its power."""

    capacity_kw: NonNegative
    """Installed power [kW]."""
    investment_eur_per_kw: NonNegative = 0.0
    """Investment [€/kW]."""
    fixed_cost_eur_per_kw_year: NonNegative = 0.0
    """Fixed cost of operation [€/kW/a]."""
    variable_cost_eur_per_kwh: NonNegative = 0.0
    """Cost of operation for each kWh of what `capacity_kw` measures [€/kWh]."""

    @property
    def size(self) -> Size:
        return Size(self.capacity_kw, self.investment_eur_per_kw, self.fixed_cost_eur_per_kw_year)


class EnergySized(Sized):
    """A component whose investment goes with the energy that it holds."""

    capacity_kwh: NonNegative
    """Energy held when full [kWh]."""
    investment_eur_per_kwh: NonNegative = 0.0
    """Investment [€/kWh]."""
    fixed_cost_eur_per_kwh_year: NonNegative = 0.0
    """Fixed cost of operation [€/kWh/a]."""

    @property
    def size(self) -> Size:
        return Size(self.capacity_kwh, self.investment_eur_per_kwh, self.fixed_cost_eur_per_kwh_year)


class VolumeSized(Sized):
    """A component whose investment goes with the volume that it holds."""

    capacity_m3: NonNegative
    """Volume held when full [m³]."""
    investment_eur_per_m3: NonNegative = 0.0
    """Investment [€/m³]."""
    fixed_cost_eur_per_m3_year: NonNegative = 0.0
    """Fixed cost of operation [€/m³/a]."""

    @property
    def size(self) -> Size:
        return Size(self.capacity_m3, self.investment_eur_per_m3, self.fixed_cost_eur_per_m3_year)


class FlowSized(Sized):
    """A component whose investment goes with the volume that it moves."""

    capacity_m3_per_hour: NonNegative
    """Most that it moves [m³/h]."""
    investment_eur_per_m3_per_hour: NonNegative = 0.0
    """Investment [€/(m³/h)]."""
    fixed_cost_eur_per_m3_per_hour_year: NonNegative = 0.0
    """Fixed cost of operation [€/(m³/h)/a]."""

    @property
    def size(self) -> Size:
        return Size(
            self.capacity_m3_per_hour,
            self.investment_eur_per_m3_per_hour,
            self.fixed_cost_eur_per_m3_per_hour_year,
        )


class Storage(EnergySized):
    """Energy storage with losses; never charges and discharges at once."""

    power_kw: NonNegative | None = None
    """Charging and discharging power where the two are equal [kW]."""
    charge_power_kw: NonNegative | None = None
    """Charging power [kW]; `power_kw` unless told."""
    discharge_power_kw: NonNegative | None = None
    """Discharging power [kW]; `power_kw` unless told."""
    charge_efficiency_fraction: PositiveFraction = 1.0
    """Share of the charged energy that is stored [-]."""
    discharge_efficiency_fraction: PositiveFraction = 1.0
    """Share of the released energy that is delivered [-]."""
    self_discharge_fraction_per_hour: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the level lost in an hour [1/h]."""
    initial_level_fraction: Fraction = 0.5
    """Level before the first step, as a share of the capacity [-]."""
    cyclic: bool = True
    """Whether the level after the last step equals the one before the first."""
    min_level_fraction: Fraction = 0.0
    """Lowest level after any step, as a share of the capacity [-]."""
    throughput_cost_eur_per_kwh: NonNegative = 0.0
    """Cost of wear for each kWh discharged [€/kWh]."""
    holding_cost_eur_per_kwh_hour: NonNegative = 0.0
    """Cost of holding a kWh for an hour, counted by the level after each step [€/kWh/h]."""

    @model_validator(mode="after")
    def _powers_are_told(self) -> Storage:
        for name in ("charge_power_kw", "discharge_power_kw"):
            if self.power_kw is None and getattr(self, name) is None:
                raise ValueError(f"power_kw (or {name}) is missing")
        return self

    @model_validator(mode="after")
    def _starts_above_its_floor(self) -> Storage:
        if self.cyclic and self.initial_level_fraction < self.min_level_fraction:
            raise ValueError(
                "initial_level_fraction is below min_level_fraction, so the level cannot end there"
            )
        return self

    @property
    def max_charge_kw(self) -> float:
        return self.power_kw if self.charge_power_kw is None else self.charge_power_kw  # type: ignore[return-value]

    @property
    def max_discharge_kw(self) -> float:
        return self.power_kw if self.discharge_power_kw is None else self.discharge_power_kw  # type: ignore[return-value]


class Demand(Component):
    """Energy that must be delivered in every step; what may stay unserved is part of the total cost."""

    profile: NonNegativeProfile
    """Demand [kW]."""
    scale: NonNegative = 1.0
    """The demand is multiplied by this [-]."""
    unserved_price_eur_per_kwh: NonNegative | None = None
    """Price at which demand may stay unserved [€/kWh]; all must be served unless told."""


class EnergyImport(Component):
    """Connection to a public grid from which a carrier other than electricity is bought."""

    import_limit_kw: NonNegative | None = None
    """Most that can be drawn [kW]; no limit unless told."""
    import_price_eur_per_kwh: Series
    """Price [€/kWh]."""
    import_co2_kg_per_kwh: NonNegativeSeries = 0.0
    """CO2 intensity [kg/kWh]."""
    renewable_fraction: Fraction = 0.0
    """Renewable share of what is drawn [-]."""
