"""Coefficients of performance of heat pumps, from weather."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np

from schema.inputs.libraries import optional
from schema.inputs.refusals import Fault, Refusal, did_you_mean
from schema.inputs.steps import FloatArray, Steps
from schema.inputs.weather import Weather
from schema.profiles import HeatPumpCop

_GENERIC = MappingProxyType(
    {
        "Generic air/water": 1,
        "Generic brine/water": 2,
        "Generic air/water on-off": 4,
        "Generic brine/water on-off": 5,
        "Generic water/water on-off": 6,
    }
)
"""hplib's groups by our names; its group 3 has no mean heat pump."""
_AIR = (1, 4)
_SOURCE_C = MappingProxyType({1: -7, 2: 0, 4: -7, 5: 0, 6: 10})
_FLOW_HEATED_K = 5.0
"""hplib is asked by the temperature of the water that comes back, 5 K below the supply."""


def heat_pump_cop(spec: HeatPumpCop, weather: Weather, steps: Steps) -> FloatArray:
    """Coefficient of performance of a heat pump [-], shape (T,).

    Without a named heat pump, for an air-source one:

    COP = 6.81 − 0.121 ΔT + 0.000630 ΔT², ΔT from outdoor air to supply, fitted over 15 to 60 K: Staffell,
    Brett, Brandon and Hawkes 2012, Energy & Environmental Science 5, 9291, doi:10.1039/c2ee22653g. Below 15 K
    the COP at 15 K holds; above 60 K the fit goes on to its least value, 1.0 at 96 K, and stays there.

    Raises:
        Refusal: hplib is not installed or does not know the heat pump, the temperature of its source is
            missing or out of place, a column or a step is missing, or a value cannot be true.
    """
    pump = _hplib(spec)

    def cop(parts: Steps) -> FloatArray:
        outdoor_c = weather.at(parts, ("temp_air",))["temp_air"]
        if pump is None:
            lift_k = np.clip(spec.supply_temperature_c - outdoor_c, 15.0, 0.121 / (2 * 0.000630))
            return 6.81 - 0.121 * lift_k + 0.000630 * lift_k**2
        told_c = spec.source_temperature_c
        source_c = outdoor_c if told_c is None else np.full_like(outdoor_c, told_c)
        back_c = spec.supply_temperature_c - _FLOW_HEATED_K
        return np.asarray(pump.simulate(source_c, back_c, outdoor_c)["COP"], dtype=np.float64)

    return weather.over(steps, cop, resample=spec.resample)


def _hplib(spec: HeatPumpCop) -> Any:
    """The heat pump of that name in hplib; None where none is named."""
    if spec.heat_pump is None:
        return None
    hplib = optional("hplib.hplib", "heat-pumps", "heat_pump")
    group = _GENERIC.get(spec.heat_pump)
    if group is not None:
        # COP does not depend on the size, which hplib wants as well [W].
        parameters = hplib.get_parameters(
            "Generic", group_id=group, t_in=_SOURCE_C[group], t_out=52, p_th=10_000
        )
    else:
        known = [*_GENERIC, *(name for name in hplib.load_database()["Model"] if name != "Generic")]
        if spec.heat_pump not in known:
            raise Refusal(
                Fault(
                    "heat_pump",
                    spec.heat_pump,
                    "a model in hplib's database, or a generic one",
                    f"hplib has no heat pump '{spec.heat_pump}'{did_you_mean(spec.heat_pump, known, 3)}",
                )
            )
        parameters = hplib.get_parameters(spec.heat_pump)
    _refuse_source(spec, int(parameters["Group"].iloc[0]))
    return hplib.HeatPump(parameters)


def _refuse_source(spec: HeatPumpCop, group: int) -> None:
    """Brine and water have a temperature of their own; air has the weather's."""
    draws_on_air = group in _AIR
    if draws_on_air == (spec.source_temperature_c is None):
        return
    raise Refusal(
        Fault(
            "source_temperature_c",
            f"{spec.source_temperature_c:g} °C" if draws_on_air else "nothing",
            "nothing" if draws_on_air else "the temperature of its brine or water [°C]",
            f"{spec.heat_pump} draws on outdoor air; leave source_temperature_c out"
            if draws_on_air
            else f"{spec.heat_pump} draws on brine or water; state source_temperature_c",
        )
    )
