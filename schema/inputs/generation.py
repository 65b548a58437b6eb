"""Sun and wind: power per kW installed, from weather."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from schema.inputs.libraries import older_pandas_ways, optional
from schema.inputs.refusals import Fault, Refusal, did_you_mean
from schema.inputs.steps import FloatArray, Steps
from schema.inputs.weather import Site, Weather, refuse_light_at_night
from schema.profiles import PvProfile, WindProfile

if TYPE_CHECKING:
    import pandas as pd
    from pvlib.modelchain import ModelChain

_HORIZONTAL = ("ghi", "dni", "dhi")
_INCLINED = ("poa_direct", "poa_sky_diffuse", "poa_ground_diffuse")
_MOUNTS = {"open_rack": "open_rack_glass_glass", "roof": "close_mount_glass_glass"}
_OTHER_LOSSES = (
    "shading",
    "snow",
    "mismatch",
    "wiring",
    "connections",
    "lid",
    "nameplate_rating",
    "age",
    "availability",
)


def pv(spec: PvProfile, weather: Weather, steps: Steps) -> FloatArray:
    """AC power per kW of installed DC capacity (kWp) [kW/kW], shape (T,).

    pvlib's ModelChain with PVWatts' models (NREL/TP-6A20-62641): Perez transposition, physical incidence
    losses, SAPM cell temperature, system losses off the DC power, an inverter whose DC limit is the installed
    capacity. The sun stands where it is at the middle of each step, or at the moment of a satellite's look.
    Never below 0.

    Raises:
        Refusal: a coordinate, a column or a step is missing, a value cannot be true, or the weather's
            irradiance is on another plane than the modules'.
    """
    site = _site(spec, weather)
    _refuse_other_plane(spec, weather)
    chain = _chain(spec, site)
    columns = (*(_HORIZONTAL if weather.plane is None else _INCLINED), "temp_air", "wind_speed")

    def power(parts: Steps) -> FloatArray:
        import pandas as pd

        data = pd.DataFrame(weather.at(parts, columns, site=site), index=weather.moments_of_sun(parts))
        with older_pandas_ways():
            run = chain.run_model if weather.plane is None else chain.run_model_from_poa
            ac: FloatArray = run(_as_pvlib_has_it(data)).results.ac.to_numpy(dtype=np.float64)
        return np.maximum(ac, 0.0)

    yields = weather.over(steps, power, resample=spec.resample)
    refuse_light_at_night(weather, weather.own_steps(steps), site, columns[0])
    return yields


def _as_pvlib_has_it(data: pd.DataFrame) -> pd.DataFrame:
    if "poa_direct" not in data:
        return data
    diffuse = data["poa_sky_diffuse"] + data["poa_ground_diffuse"]
    return data.assign(poa_diffuse=diffuse, poa_global=data["poa_direct"] + diffuse)


def _chain(spec: PvProfile, site: Site) -> ModelChain:
    from pvlib.location import Location
    from pvlib.modelchain import ModelChain
    from pvlib.pvsystem import Array, FixedMount, PVSystem
    from pvlib.temperature import TEMPERATURE_MODEL_PARAMETERS

    array = Array(
        FixedMount(spec.tilt_deg, spec.azimuth_deg),
        module_parameters={"pdc0": 1.0, "gamma_pdc": spec.temperature_coefficient_per_k},
        temperature_model_parameters=TEMPERATURE_MODEL_PARAMETERS["sapm"][_MOUNTS[spec.mounting]],
    )
    plant = PVSystem(
        [array],
        inverter_parameters={"pdc0": 1.0, "eta_inv_nom": spec.inverter_efficiency_fraction},
        losses_parameters={
            "soiling": 100.0 * spec.system_losses_fraction,
            **dict.fromkeys(_OTHER_LOSSES, 0.0),
        },
    )
    place = Location(site.latitude_deg, site.longitude_deg, altitude=site.altitude_m)
    return ModelChain.with_pvwatts(plant, place)


def _site(spec: PvProfile, weather: Weather) -> Site:
    """The place told in the profile, else the weather file's own."""
    told = {"latitude_deg": spec.latitude_deg, "longitude_deg": spec.longitude_deg}
    missing = [name for name, value in told.items() if value is None]
    if spec.latitude_deg is not None and spec.longitude_deg is not None:
        return Site(spec.latitude_deg, spec.longitude_deg)
    if len(missing) == 2 and weather.site is not None:
        return weather.site
    raise Refusal(
        Fault(
            name,
            "nothing",
            "degrees, north and east positive",
            f"{name} is missing: {weather.name} does not say where it was measured"
            if weather.site is None
            else f"{name} is missing: give both coordinates, or none to take the weather station's",
        )
        for name in missing
    )


def _refuse_other_plane(spec: PvProfile, weather: Weather) -> None:
    """An inclined plane's irradiance serves only modules on that plane."""
    plane, columns = weather.plane, weather.table.columns
    if "poa_global" in columns and "poa_direct" not in columns:
        raise Refusal(
            Fault(
                "weather",
                "the sum of irradiance alone",
                "direct and diffuse irradiance",
                f"{weather.name} holds the sum of irradiance alone; download it with radiation components",
            )
        )
    if plane is None and "poa_direct" in columns and "ghi" not in columns:
        raise Refusal(
            Fault(
                "weather",
                "irradiance on a plane that follows the sun",
                "irradiance on a fixed plane",
                f"{weather.name} is of a plane that follows the sun; download it for a fixed one, best at slope 0",
            )
        )
    if plane is None:
        return
    turn = abs((plane.azimuth_deg - spec.azimuth_deg + 180.0) % 360.0 - 180.0)
    if abs(plane.tilt_deg - spec.tilt_deg) <= 0.5 and turn <= 0.5:
        return
    raise Refusal(
        Fault(
            "weather",
            f"irradiance on a plane of {plane.tilt_deg:g}° tilt and {plane.azimuth_deg:g}° azimuth",
            f"modules on that plane (not {spec.tilt_deg:g}° and {spec.azimuth_deg:g}°), or slope 0",
            f"{weather.name} holds irradiance on a plane of {plane.tilt_deg:g}° tilt and {plane.azimuth_deg:g}° "
            "azimuth; set tilt_deg and azimuth_deg to these, or download it for slope 0, which serves all",
        )
    )


def wind(spec: WindProfile, weather: Weather, steps: Steps) -> FloatArray:
    """Power of a turbine per kW of its nominal power [kW/kW], shape (T,), by windpowerlib's ModelChain.

    Wind at hub height by the logarithmic profile over the roughness length; the power curve as it stands, or
    corrected for the density of air (temperature by its gradient, pressure by the barometric formula).

    Raises:
        Refusal: windpowerlib is not installed or does not know the turbine, the hub is below the rotor's
            radius, a column or a step is missing, or a value cannot be true.
    """
    turbine = _turbine(spec)
    chain = optional("windpowerlib", "wind", "model").ModelChain(
        turbine, density_correction=spec.density_correction
    )

    def power(parts: Steps) -> FloatArray:
        # Where the air's density does not count, neither do its temperature and pressure.
        columns = ("wind_speed", *(("temp_air", "pressure") if spec.density_correction else ()))
        data = _as_windpowerlib_has_it(spec, weather.at(parts, columns))
        watts = chain.run_model(data).power_output.to_numpy(dtype=np.float64)
        return np.asarray(watts / turbine.nominal_power, dtype=np.float64)

    return weather.over(steps, power, resample=spec.resample)


def _turbine(spec: WindProfile) -> Any:
    """The turbine in windpowerlib's library."""
    library = optional("windpowerlib", "wind", "model")
    table = library.get_turbine_types(print_out=False)
    known = [str(name) for name in table.loc[table["has_power_curve"], "turbine_type"]]
    if spec.turbine not in known:
        raise Refusal(
            Fault(
                "turbine",
                spec.turbine,
                "a turbine with a power curve in windpowerlib's library",
                f"windpowerlib has no power curve of '{spec.turbine}'{did_you_mean(spec.turbine, known, 3)}",
            )
        )
    try:
        with older_pandas_ways():
            return library.WindTurbine(hub_height=spec.hub_height_m, turbine_type=spec.turbine)
    except ValueError:
        raise Refusal(
            Fault(
                "hub_height_m",
                f"{spec.hub_height_m:g} m",
                "more than the rotor's radius",
                f"hub_height_m is {spec.hub_height_m:g}, which is less than the radius of the rotor of "
                f"{spec.turbine}; raise it",
            )
        ) from None


def _as_windpowerlib_has_it(spec: WindProfile, data: dict[str, FloatArray]) -> pd.DataFrame:
    """Weather by variable and height above ground [m, K, Pa]."""
    import pandas as pd

    height = spec.wind_measured_at_m
    wind_speed = data["wind_speed"]
    columns = {
        ("wind_speed", height): wind_speed,
        ("roughness_length", 0.0): np.full_like(wind_speed, spec.roughness_length_m),
    }
    if spec.density_correction:
        # Temperature is measured at 2 m, pressure at the ground.
        columns[("temperature", 2.0)] = data["temp_air"] + 273.15
        columns[("pressure", 0.0)] = data["pressure"]
    return pd.DataFrame(columns)
