"""Components of electricity."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from schema.components.base import (
    Component,
    Demand,
    EnergySized,
    FractionProfile,
    FractionSeries,
    NonNegativeProfile,
    NonNegativeSeries,
    PositiveFraction,
    PowerSized,
    Series,
    Storage,
)
from schema.profiles import Fraction, NonNegative, Positive


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
    demand_charge_eur_per_kw_month: NonNegativeSeries = 0.0
    """Price of each calendar month's highest import [€/kW/month]; of a profile, its mean over the month."""
    demand_ratchet_fraction: Fraction = 0.0
    """Share of the horizon's highest import below which no calendar month's billed peak falls [-]."""
    demand_charge_eur_per_kw_year: NonNegative = 0.0
    """Price of the horizon's highest import [€/kW/a]; counts by the share of a year that the horizon covers."""
    availability_fraction: FractionSeries = 1.0
    """Share of both limits that can be used [-]; 0 in an outage."""
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


class Battery(Storage):
    """Electric battery."""

    own_carriers = ("electricity",)
    supplies = ("electricity",)

    type: Literal["battery"]
    """Kind of component."""


class PowerDemand(Demand):
    """Electric demand."""

    own_carriers = ("electricity",)

    type: Literal["power_demand"]
    """Kind of component."""


class ShiftableDemand(Component):
    """Electric demand that may run earlier or later, with the same energy in each window."""

    own_carriers = ("electricity",)

    type: Literal["shiftable_demand"]
    """Kind of component."""
    profile: NonNegativeProfile
    """Demand as it would run by itself [kW]."""
    scale: NonNegative = 1.0
    """The demand is multiplied by this [-]."""
    window_hours: Positive
    """Length of the consecutive windows within which energy may move [h], from the start of the horizon, in
    whole steps; the last one ends with the horizon."""
    max_power_kw: NonNegative | None = None
    """Most power that it may take [kW]; no limit unless told."""


class EvCharger(EnergySized):
    """An electric car at its charger: a storage that leaves. Never charges and discharges at once.

    While it is away it can be neither charged nor discharged. What it drives is told in one of two ways. With
    `driving`, its level falls by that profile. With `arrival_level_fraction`, it comes back with that level
    from every trip, whatever it left with; until then the level at which it left stands.
    """

    own_carriers = ("electricity",)

    type: Literal["ev_charger"]
    """Kind of component. `capacity_kwh` is the car's battery."""
    presence: FractionProfile
    """Share of the step in which the car is connected [-], 1 or 0 as a rule; both powers go with it."""
    power_kw: NonNegative
    """Charging power [kW]."""
    discharge_power_kw: NonNegative | None = None
    """Power that the car may give back to the house [kW]; none unless told."""
    charge_efficiency_fraction: PositiveFraction = 1.0
    """Share of the charged energy that is stored [-]."""
    discharge_efficiency_fraction: PositiveFraction = 1.0
    """Share of the released energy that is delivered [-]."""
    driving: NonNegativeProfile | None = None
    """Power drawn from the car's battery on its trips [kW]."""
    arrival_level_fraction: Fraction | None = None
    """Level on return from a trip, as a share of the capacity [-]."""
    departure_level_fraction: Fraction
    """Lowest level at the end of the last step before a trip, as a share of the capacity [-]."""
    initial_level_fraction: Fraction | None = None
    """Level before the first step, as a share of the capacity [-]; `arrival_level_fraction` unless told, else 0.5.
    After the last step it is at least this."""
    throughput_cost_eur_per_kwh: NonNegative = 0.0
    """Cost of wear for each kWh discharged to the house [€/kWh]."""

    @model_validator(mode="after")
    def _drives_in_one_way(self) -> EvCharger:
        if (self.driving is None) == (self.arrival_level_fraction is None):
            raise ValueError("give either driving or arrival_level_fraction: what a trip takes is told once")
        if self.departure_level_fraction < (self.arrival_level_fraction or 0.0):
            raise ValueError("departure_level_fraction is below arrival_level_fraction: trips would charge")
        return self

    @property
    def begin_level_fraction(self) -> float:
        """Level before the first step, as a share of the capacity [-]."""
        told = (self.initial_level_fraction, self.arrival_level_fraction, 0.5)
        return next(level for level in told if level is not None)
