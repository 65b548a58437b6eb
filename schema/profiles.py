"""Time series as users state them. What a statement means in numbers is worked out in `schema.inputs`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from schema.base import Model

Fraction = Annotated[float, Field(ge=0, le=1)]
NonNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]


def _known_timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("not an IANA time zone such as UTC or Europe/Berlin") from None
    return name


Timezone = Annotated[str, AfterValidator(_known_timezone)]
"""Name of a time zone in IANA's database."""


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
    """Name of the column that holds the values, each the mean over its step."""
    time_column: str = "time"
    """Column of time stamps at the start of each step: a stamp with a UTC offset is taken as it is, one
    without is local time. Each of the horizon's steps must stand in it once. A file that has no such column
    must have exactly one row for each step."""
    timezone: Timezone | None = None
    """Time zone of stamps without a UTC offset; the horizon's unless told."""
    resample: bool = False
    """Whether a file of another step may serve: longer steps are means of its rows, shorter ones hold the row
    in which they lie, so that energy is kept. Unless asked for, such a file is refused."""


class TimeOfUse(Model):
    """A daily pattern by the local hour."""

    time_of_use: dict[Annotated[int, Field(ge=0, le=23)], float] = Field(min_length=1)
    """Value from the local hour on, until the next hour named; the last one lasts over midnight."""


class FromWeather(Model):
    """What is worked out from a weather file."""

    weather: str
    """Weather file relative to the system file, or `package:NAME/path` for one that an installed package
    ships: TMY3, EPW, PVGIS (typical year or hourly, CSV or JSON), or CSV/Parquet with `time` (as in files)
    and what the model needs of ghi, dni, dhi [W/m²], temp_air [°C], wind_speed [m/s], pressure [Pa]."""
    timezone: Timezone | None = None
    """Time zone of a CSV or Parquet file's stamps without a UTC offset; the horizon's unless told."""
    resample: bool = False
    """Whether weather of another step may serve: finer weather is worked out at its own step and averaged;
    coarser weather is interpolated, radiation with the sun's height so that its means are kept. Unless asked
    for, such weather is refused."""


class PvProfile(FromWeather):
    """AC power of a photovoltaic system in kW per kW of DC capacity (kWp), by pvlib's PVWatts model chain."""

    model: Literal["pv"]
    """The PV model chain."""
    tilt_deg: Annotated[float, Field(ge=0, le=90)] = 35.0
    """Tilt of the modules from horizontal [°]."""
    azimuth_deg: Annotated[float, Field(ge=0, lt=360)] = 180.0
    """Azimuth of the modules, clockwise from north [°]; 180 faces south."""
    mounting: Literal["open_rack", "roof"] = "open_rack"
    """How air cools the modules: on an `open_rack`, or close to a `roof`."""
    latitude_deg: Annotated[float, Field(ge=-90, le=90)] | None = None
    """Latitude [°]; TMY3, EPW and PVGIS files bring their own."""
    longitude_deg: Annotated[float, Field(ge=-180, le=180)] | None = None
    """Longitude [°], east positive; TMY3, EPW and PVGIS files bring their own."""
    temperature_coefficient_per_k: Annotated[float, Field(ge=-0.02, le=0)] = -0.0037
    """Change of DC power with cell temperature [1/K]; PVWatts 5, NREL/TP-6A20-62641, standard module -0.0047,
    premium -0.0035; -0.0037 is a present-day monocrystalline module."""
    system_losses_fraction: Fraction = 0.14
    """Losses of soiling, mismatch, wiring and availability [-]; PVWatts 5, NREL/TP-6A20-62641, table 6."""
    inverter_efficiency_fraction: Annotated[float, Field(gt=0, le=1)] = 0.96
    """Nominal efficiency of the inverter [-]; PVWatts 5, NREL/TP-6A20-62641, section 10."""


class WindProfile(FromWeather):
    """Power of a wind turbine in kW per kW installed, by windpowerlib's power curves; needs the extra `wind`."""

    model: Literal["wind"]
    """The wind model chain."""
    turbine: str
    """Type of turbine in windpowerlib's library, such as `E-126/4200`."""
    hub_height_m: Positive
    """Height of the hub above ground [m]."""
    roughness_length_m: Positive = 0.15
    """Roughness of the surroundings, by which wind grows with height [m]; 0.03 open grass, 0.1 to 0.2 farmland
    with hedges, 0.4 villages, 1.6 cities (Hau 2008, Windkraftanlagen)."""
    wind_measured_at_m: Positive = 10.0
    """Height above ground at which the weather's wind was measured [m]; 10 m in TMY3, EPW and PVGIS."""
    density_correction: bool = False
    """Whether the power curve is corrected for the density of air, from temp_air and pressure."""

    @model_validator(mode="after")
    def _heights_are_above_the_roughness(self) -> WindProfile:
        if self.roughness_length_m >= min(self.hub_height_m, self.wind_measured_at_m):
            raise ValueError("roughness_length_m must be below hub_height_m and wind_measured_at_m")
        return self


class HeatPumpCop(FromWeather):
    """Coefficient of performance of a heat pump, by a published fit or, where one is named, by hplib.

    The fit is for air-source heat pumps, quadratic in the lift: Staffell et al. 2012,
    doi:10.1039/c2ee22653g. A named `heat_pump` needs the extra `heat-pumps`.
    """

    model: Literal["heat_pump_cop"]
    """The coefficient of performance."""
    supply_temperature_c: Annotated[float, Field(ge=20, le=75)] = 40.0
    """Temperature of the heat delivered [°C]."""
    heat_pump: str | None = None
    """Model in hplib's database, or the mean of a kind: `Generic air/water`, `Generic brine/water`, or with
    ` on-off` behind, which `Generic water/water on-off` always has."""
    source_temperature_c: Annotated[float, Field(ge=-20, le=40)] | None = None
    """Temperature of the brine or water that the named heat pump draws on [°C]; air is the weather's."""

    @model_validator(mode="after")
    def _source_has_its_heat_pump(self) -> HeatPumpCop:
        if self.source_temperature_c is not None and self.heat_pump is None:
            raise ValueError("source_temperature_c needs a heat_pump; without one, the source is outdoor air")
        return self


class HeatDemandProfile(FromWeather):
    """Heat demand of buildings in kW from the outdoor temperature, by BDEW's sigmoid through demandlib.

    The profile is hourly; other steps are its means or hold its hours, if `resample` asks for it.
    """

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


PROFILE_KINDS: Mapping[str, type[Model]] = MappingProxyType(
    {
        "value": Constant,
        "file": FileProfile,
        "time_of_use": TimeOfUse,
        "pv": PvProfile,
        "wind": WindProfile,
        "heat_pump_cop": HeatPumpCop,
        "heat_demand": HeatDemandProfile,
        "standard_load": StandardLoad,
    }
)
"""What a profile may be: by the key that tells, or by its `model`."""


def kind_of_profile(value: Any) -> str | None:
    """The tag of a profile's statement; None where it is none of the known."""
    if isinstance(value, Model):
        value = value.model_dump()
    if not isinstance(value, dict):
        return None
    if "model" in value:
        known = PROFILE_KINDS.get(str(value["model"]))
        return str(value["model"]) if known is not None and "model" in known.model_fields else None
    return next((tag for tag in ("file", "time_of_use", "value") if tag in value), None)


def _constant(value: Any) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return {"value": value} if is_number else value


ProfileSpec = Annotated[
    Annotated[Constant, Tag("value")]
    | Annotated[FileProfile, Tag("file")]
    | Annotated[TimeOfUse, Tag("time_of_use")]
    | Annotated[PvProfile, Tag("pv")]
    | Annotated[WindProfile, Tag("wind")]
    | Annotated[HeatPumpCop, Tag("heat_pump_cop")]
    | Annotated[HeatDemandProfile, Tag("heat_demand")]
    | Annotated[StandardLoad, Tag("standard_load")],
    Discriminator(
        kind_of_profile,
        custom_error_type="profile_kind",
        custom_error_message=(
            "a profile is a number, {file, column}, {time_of_use}, or {model: pv | wind | heat_pump_cop | "
            "heat_demand | standard_load, ...}"
        ),
    ),
    BeforeValidator(_constant),
]
