"""Time series as users state them. What a statement means in numbers is worked out in `schema.inputs`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Discriminator, Field, Tag

from schema.base import Model

Fraction = Annotated[float, Field(ge=0, le=1)]
NonNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]


class ProfileRef(Model):
    """A series named in the system's `profiles`, times a number."""

    profile: str
    """Name of an entry of the system's `profiles`."""
    scale: float = 1.0
    """The series is multiplied by this [-]."""


@dataclass(frozen=True)
class SeriesBound:
    """What every value of a series must satisfy; annotates the attribute that takes the series."""

    minimum: float
    exclusive: bool = False
    maximum: float = math.inf

    def holds(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        above = values > self.minimum if self.exclusive else values >= self.minimum
        return above & (values <= self.maximum)

    def __str__(self) -> str:
        least = f"above {self.minimum:g}" if self.exclusive else f"at least {self.minimum:g}"
        return least if math.isinf(self.maximum) else f"{least}, at most {self.maximum:g}"


def _named(value: Any) -> Any:
    return {"profile": value} if isinstance(value, str) else value


Profile = Annotated[ProfileRef, BeforeValidator(_named)]
"""A series by its name alone, or `{profile: NAME, scale: NUMBER}`."""


class Constant(Model):
    """The same number in every step."""

    value: float
    """The number, in the unit of whatever uses the profile."""


class FileProfile(Model):
    """A column of a CSV or Parquet file."""

    file: str
    """Path of the file, relative to the system file (or `package:NAME/path`); `.csv` or `.parquet`."""
    column: str
    """Name of the column that holds the values."""
    time_column: str = "time"
    """Column of time stamps at the start of each step: a stamp with a UTC offset is taken as it is, one
    without is local time of the horizon's timezone. Each of the horizon's steps must stand in it once. A
    file that has no such column must have exactly one row for each step."""


class TimeOfUse(Model):
    """A daily pattern by the local hour."""

    time_of_use: dict[Annotated[int, Field(ge=0, le=23)], float] = Field(min_length=1)
    """Value from the local hour on, until the next hour named; the last one lasts over midnight."""


class PvProfile(Model):
    """AC power of a photovoltaic system in kW per kW of DC capacity (kWp), by pvlib's PVWatts model chain."""

    weather: str
    """Weather file relative to the system file, or `package:NAME/path` for one that an installed package
    ships: TMY3, or CSV/Parquet with time (as in files), ghi, dni, dhi [W/m²], temp_air [°C] and
    wind_speed [m/s]."""
    model: Literal["pv"]
    """The PV model chain."""
    tilt_deg: Annotated[float, Field(ge=0, le=90)] = 35.0
    """Tilt of the modules from horizontal [°]."""
    azimuth_deg: Annotated[float, Field(ge=0, lt=360)] = 180.0
    """Azimuth of the modules, clockwise from north [°]; 180 faces south."""
    mounting: Literal["open_rack", "roof"] = "open_rack"
    """How air cools the modules: on an `open_rack`, or close to a `roof`."""
    latitude_deg: Annotated[float, Field(ge=-90, le=90)] | None = None
    """Latitude [°]; a TMY3 file brings its own."""
    longitude_deg: Annotated[float, Field(ge=-180, le=180)] | None = None
    """Longitude [°], east positive; a TMY3 file brings its own."""
    temperature_coefficient_per_k: Annotated[float, Field(ge=-0.02, le=0)] = -0.0037
    """Change of DC power with cell temperature [1/K]; PVWatts 5, NREL/TP-6A20-62641, standard module -0.0047,
    premium -0.0035; -0.0037 is a present-day monocrystalline module."""
    system_losses_fraction: Fraction = 0.14
    """Losses of soiling, mismatch, wiring and availability [-]; PVWatts 5, NREL/TP-6A20-62641, table 6."""
    inverter_efficiency_fraction: Annotated[float, Field(gt=0, le=1)] = 0.96
    """Nominal efficiency of the inverter [-]; PVWatts 5, NREL/TP-6A20-62641, section 10."""


class HeatPumpCop(Model):
    """Coefficient of performance of an air-source heat pump from the outdoor temperature."""

    weather: str
    """Weather file with the outdoor temperature (`temp_air`) [°C]."""
    model: Literal["heat_pump_cop"]
    """Quadratic fit over the temperature lift; Staffell et al. 2012, doi:10.1039/c2ee22653g."""
    supply_temperature_c: Annotated[float, Field(ge=20, le=75)] = 40.0
    """Temperature of the heat delivered [°C]."""


class HeatDemandProfile(Model):
    """Heat demand of buildings in kW from the outdoor temperature, by BDEW's sigmoid through demandlib."""

    weather: str
    """Weather file with the outdoor temperature (`temp_air`) [°C]."""
    model: Literal["heat_demand"]
    """BDEW standard heat profile."""
    annual_kwh: Positive
    """Heat over a whole year of this weather [kWh]."""
    kind: Literal["efh", "mfh"] = "efh"
    """Building: `efh` single-family, `mfh` multi-family."""
    building_class: Annotated[int, Field(ge=1, le=11)] = 5
    """Age class of the building as demandlib counts it (1 old to 10 new, 11 mixed)."""
    hot_water: bool = True
    """Whether hot water is part of the demand."""


class StandardLoad(Model):
    """Electric standard load profile in kW, by BDEW through demandlib."""

    model: Literal["standard_load"]
    """BDEW standard load profile."""
    kind: Literal[
        "h0", "h0_dyn", "g0", "g1", "g2", "g3", "g4", "g5", "g6", "l0", "l1", "l2", "h25", "g25", "l25"
    ]
    """Profile: h0 (h0_dyn with its seasonal factor) and h25 households, g trade, l farms."""
    annual_kwh: Positive
    """Energy over the calendar year [kWh]."""


_MODELS: dict[str, str] = {
    "pv": "pv",
    "heat_pump_cop": "heat_pump_cop",
    "heat_demand": "heat_demand",
    "standard_load": "standard_load",
}


def kind_of_profile(value: Any) -> str | None:
    """The tag of a profile's statement; None where it is none of the known."""
    if isinstance(value, Model):
        value = value.model_dump()
    if not isinstance(value, dict):
        return None
    if "model" in value:
        return _MODELS.get(str(value["model"]))
    return next((tag for tag in ("file", "time_of_use", "value") if tag in value), None)


def _constant(value: Any) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return {"value": value} if is_number else value


ProfileSpec = Annotated[
    Annotated[Constant, Tag("value")]
    | Annotated[FileProfile, Tag("file")]
    | Annotated[TimeOfUse, Tag("time_of_use")]
    | Annotated[PvProfile, Tag("pv")]
    | Annotated[HeatPumpCop, Tag("heat_pump_cop")]
    | Annotated[HeatDemandProfile, Tag("heat_demand")]
    | Annotated[StandardLoad, Tag("standard_load")],
    Discriminator(
        kind_of_profile,
        custom_error_type="profile_kind",
        custom_error_message=(
            "a profile is a number, {file, column}, {time_of_use}, or {model: pv | heat_pump_cop | "
            "heat_demand | standard_load, ...}"
        ),
    ),
    BeforeValidator(_constant),
]
