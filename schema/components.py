"""The components of a system: frozen data, units in the names. Their equations stand in `solvers.components`.

Sign and unit conventions: power in kW (mean over a step), energy in kWh, money in €, CO2 in kg.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field, field_validator, model_validator

from schema.base import Model
from schema.profiles import Fraction, NonNegative, Positive, Profile, ProfileRef, SeriesBound

CARRIERS = ("electricity", "heat", "cooling", "gas", "hydrogen", "water")

PositiveFraction = Annotated[float, Field(gt=0, le=1)]
Series = float | ProfileRef
"""A number, or `{profile: NAME}`."""
NonNegativeSeries = Annotated[NonNegative | ProfileRef, SeriesBound(0.0)]
PositiveSeries = Annotated[Positive | ProfileRef, SeriesBound(0.0, exclusive=True)]
NonNegativeProfile = Annotated[Profile, SeriesBound(0.0)]


class Component(Model):
    """What every component has."""

    own_carriers: ClassVar[tuple[str, ...]] = ()
    supplies: ClassVar[tuple[str, ...]] = ()
    """Those of its own carriers that it can put energy into."""

    carriers: dict[str, str] = Field(default_factory=dict)
    """Other nodes than the type's own, such as `{electricity: electricity@house_2}`."""

    @field_validator("carriers")
    @classmethod
    def _known_carriers(cls, carriers: dict[str, str]) -> dict[str, str]:
        for own, node in carriers.items():
            if own not in cls.own_carriers:
                raise ValueError(
                    f"'{own}' is not a carrier of this type, which has {', '.join(cls.own_carriers)}"
                )
            if node.split("@")[0] != own:
                raise ValueError(f"'{node}' must be '{own}' or '{own}@NODE'")
        return carriers

    def node(self, carrier: str) -> str:
        """The node at which the component meets a carrier of its type."""
        return self.carriers.get(carrier, carrier)


class PowerSized(Component):
    """A component whose investment goes with its power."""

    capacity_kw: NonNegative
    """Installed power [kW]."""
    investment_eur_per_kw: NonNegative = 0.0
    """Investment [€/kW]."""
    fixed_cost_eur_per_kw_year: NonNegative = 0.0
    """Fixed cost of operation [€/kW/a]."""
    lifetime_years: Positive = 20.0
    """Lifetime over which the investment is spread [a]."""
    subsidy_fraction: Fraction = 0.0
    """Share of the investment that somebody else pays [-]."""


class EnergySized(Component):
    """A component whose investment goes with the energy that it holds."""

    capacity_kwh: NonNegative
    """Energy held when full [kWh]."""
    investment_eur_per_kwh: NonNegative = 0.0
    """Investment [€/kWh]."""
    fixed_cost_eur_per_kwh_year: NonNegative = 0.0
    """Fixed cost of operation [€/kWh/a]."""
    lifetime_years: Positive = 20.0
    """Lifetime over which the investment is spread [a]."""
    subsidy_fraction: Fraction = 0.0
    """Share of the investment that somebody else pays [-]."""


class Grid(Component):
    """Connection to the public electricity grid; never imports and exports at once."""

    own_carriers = ("electricity",)
    supplies = ("electricity",)

    type: Literal["grid"]
    """Kind of component."""
    import_limit_kw: NonNegative | None = None
    """Most that can be drawn [kW]; no limit unless told."""
    export_limit_kw: NonNegative | None = None
    """Most that can be fed in [kW]; no limit unless told."""
    import_price_eur_per_kwh: Series
    """Price of imports [€/kWh]."""
    export_price_eur_per_kwh: Series = 0.0
    """Revenue of exports [€/kWh]."""
    import_co2_kg_per_kwh: NonNegativeSeries = 0.0
    """CO2 intensity of imports [kg/kWh]."""
    export_co2_credit_kg_per_kwh: NonNegativeSeries = 0.0
    """CO2 credited for exports [kg/kWh]."""
    demand_charge_eur_per_kw_month: NonNegative = 0.0
    """Price of each calendar month's highest import [€/kW/month]."""
    renewable_fraction: Fraction = 0.0
    """Renewable share of imports [-]."""


class SolarPv(PowerSized):
    """Photovoltaic generator; its output may be curtailed."""

    own_carriers = ("electricity",)
    supplies = ("electricity",)

    type: Literal["solar_pv"]
    """Kind of component."""
    profile: NonNegativeProfile
    """Available power [kW per kW installed]."""


class WindTurbine(PowerSized):
    """Wind generator; its output may be curtailed."""

    own_carriers = ("electricity",)
    supplies = ("electricity",)

    type: Literal["wind_turbine"]
    """Kind of component."""
    profile: NonNegativeProfile
    """Available power [kW per kW installed]."""


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


class Battery(Storage):
    """Electric battery."""

    own_carriers = ("electricity",)
    supplies = ("electricity",)

    type: Literal["battery"]
    """Kind of component."""


class HeatBuffer(Storage):
    """Hot-water tank."""

    own_carriers = ("heat",)
    supplies = ("heat",)

    type: Literal["heat_buffer"]
    """Kind of component."""


class HeatPump(PowerSized):
    """Heat pump: electricity to heat."""

    own_carriers = ("electricity", "heat")
    supplies = ("heat",)

    type: Literal["heat_pump"]
    """Kind of component. `capacity_kw` is heat out."""
    cop: PositiveSeries
    """Coefficient of performance: heat out per electricity in [-]."""


class ElectricBoiler(PowerSized):
    """Resistance heater."""

    own_carriers = ("electricity", "heat")
    supplies = ("heat",)

    type: Literal["electric_boiler"]
    """Kind of component. `capacity_kw` is heat out."""
    efficiency_fraction: PositiveFraction = 1.0
    """Heat out per electricity in [-]."""


class GasBoiler(PowerSized):
    """Gas boiler."""

    own_carriers = ("gas", "heat")
    supplies = ("heat",)

    type: Literal["gas_boiler"]
    """Kind of component. `capacity_kw` is heat out."""
    efficiency_fraction: PositiveFraction = 0.95
    """Heat out per gas in, lower heating value [-]; a condensing boiler as by EU 813/2013."""


class Chp(PowerSized):
    """Combined heat and power: gas to electricity and heat in a fixed ratio."""

    own_carriers = ("gas", "electricity", "heat")
    supplies = ("electricity", "heat")

    type: Literal["chp"]
    """Kind of component. `capacity_kw` is electricity out."""
    electric_efficiency_fraction: PositiveFraction
    """Electricity out per gas in [-]."""
    thermal_efficiency_fraction: Fraction
    """Heat out per gas in [-]."""

    @model_validator(mode="after")
    def _conserves_energy(self) -> Chp:
        if self.electric_efficiency_fraction + self.thermal_efficiency_fraction > 1:
            raise ValueError(
                "electric_efficiency_fraction and thermal_efficiency_fraction add up to more than 1"
            )
        return self


class GasGrid(Component):
    """Connection to the gas grid."""

    own_carriers = ("gas",)
    supplies = ("gas",)

    type: Literal["gas_grid"]
    """Kind of component."""
    import_limit_kw: NonNegative | None = None
    """Most that can be drawn [kW]; no limit unless told."""
    import_price_eur_per_kwh: Series
    """Price of gas, lower heating value [€/kWh]."""
    import_co2_kg_per_kwh: NonNegativeSeries = 0.202
    """CO2 intensity of natural gas by lower heating value [kg/kWh]; IPCC 2006, vol. 2, table 2.2: 56.1 kg/GJ."""


class Demand(Component):
    """Energy that must be delivered in every step."""

    profile: NonNegativeProfile
    """Demand [kW]."""
    scale: NonNegative = 1.0
    """The demand is multiplied by this [-]."""


class PowerDemand(Demand):
    """Electric demand."""

    own_carriers = ("electricity",)

    type: Literal["power_demand"]
    """Kind of component."""


class HeatDemand(Demand):
    """Heat demand."""

    own_carriers = ("heat",)

    type: Literal["heat_demand"]
    """Kind of component."""


AnyComponent = Annotated[
    Grid
    | SolarPv
    | WindTurbine
    | Battery
    | HeatBuffer
    | HeatPump
    | ElectricBoiler
    | GasBoiler
    | Chp
    | GasGrid
    | PowerDemand
    | HeatDemand,
    Field(discriminator="type"),
]

COMPONENT_TYPES = MappingProxyType(
    {get_args(cls.model_fields["type"].annotation)[0]: cls for cls in get_args(get_args(AnyComponent)[0])}
)
"""Every component's class by the name of its type."""
