"""Words, numbers and colours that all pictures share.

Colours are Okabe and Ito's, which colour-blind readers can tell apart, with darker and lighter ones beside them,
and cividis.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ecosystemiser.printing import unit_of
from schema.kpis import KPI_UNITS

BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY = (
    *("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"),
)
GREY, INK, PALE, FAINT = "#9A9A9A", "#222222", "#E4E4E4", "#555555"
SERIES = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
COLOUR_SCALE = "cividis"


# -- names


def words(name: str) -> str:
    """A KPI or another column in words: `total_co2` is total CO₂."""
    text = (
        name.replace("co2", "CO₂")
        .replace("npv", "NPV")
        .replace("lcoe", "LCOE")
        .replace("self_", "self-")
        .replace("_", " ")
    )
    return re.sub(r" (kwh|kw|seconds|m3|eur per kwh|eur|years)$", "", text)


def unit(name: str) -> str:
    """The unit of a KPI; empty where it has none."""
    return KPI_UNITS.get(name, "").strip("-")


def label(name: str) -> str:
    """What an axis shows, with its unit: of a KPI, or of an attribute at a dotted path."""
    if name in KPI_UNITS:
        shown = "share" if name.endswith(("_rate", "_fraction")) else KPI_UNITS[name]
        return f"{words(name)} [{shown}]"
    if "." in name:
        return _of_attribute(name)
    return words(name)


def _of_attribute(path: str) -> str:
    told = unit_of(path) or ("share" if path.endswith(("_rate", "_fraction")) else "")
    return f"{path} [{told}]" if told else path


def parameter_label(path: str, system: Mapping[str, Any] | None = None) -> str:
    """As `label`; a factor on a profile is told as one.

    Args:
        path: of the parameter.
        system: the reference design as it is recorded.
    """
    of, _, attribute = path.partition(".")
    found = ((system or {}).get("components") or {}).get(of)
    value = (found or {}).get(attribute)
    if isinstance(value, Mapping) or attribute == "profile":
        return f"{path} [factor on the profile]"
    return label(path)


def wrapped(text: str, width: int) -> str:
    """Long names in several lines, broken at spaces, dots and underscores."""
    if len(text) <= width:
        return text
    lines = [""]
    for word in re.findall(r"[^\s._]+[\s._]*|[\s._]+", text):
        if lines[-1] and len((lines[-1] + word).rstrip()) > width:
            lines.append("")
        lines[-1] += word
    return "\n".join(part for line in lines for part in textwrap.wrap(line, width) or [""])


# -- numbers


def tick(value: float, _position: int | None = None) -> str:
    """A number at an axis."""
    return f"{value:,.10g}".replace("-", "−")


def rounded(value: float, spread: float) -> str:
    """As many digits as tell the points of a picture apart."""
    if spread <= 0:
        return tick(float(f"{value:.4g}"))
    places = min(max(2 - math.floor(math.log10(spread)), 0), 6)
    return f"{value:,.{places}f}".replace("-", "−")


def short(value: float) -> str:
    """Three significant digits, thousands told apart."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else "–"
    places = max(2 - math.floor(math.log10(abs(value))), 0)
    return f"{value:,.{min(places, 6)}f}".replace("-", "−")


def told(value: object, name: str = "") -> str:
    """A value of a design with its unit, for words beside a point."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    shown = unit(name) or ("" if name in KPI_UNITS else unit_of(name))
    return f"{short(float(value))} {shown}".strip()


# -- colours of components

_OF_TYPE: Mapping[str, str] = MappingProxyType(
    {
        "grid": "#5B6770",
        "solar_pv": ORANGE,
        "wind_turbine": SKY,
        "battery": GREEN,
        "ev_charger": "#44AA99",
        "power_demand": BLUE,
        "shiftable_demand": "#6FA8DC",
        "heat_pump": PURPLE,
        "electric_boiler": "#882255",
        "gas_boiler": "#AA4499",
        "chp": "#6F3A8C",
        "solar_thermal": "#F0C24B",
        "district_heat": "#7A3B12",
        "heat_buffer": VERMILION,
        "heat_demand": "#8C2D04",
        "gas_grid": "#A08A4B",
        "chiller": "#88CCEE",
        "cooling_demand": "#332288",
        "electrolyser": "#117733",
        "hydrogen_tank": "#999933",
        "fuel_cell": "#DDCC77",
        "water_grid": "#5B6770",
        "water_demand": BLUE,
        "rainwater_source": SKY,
        "water_tank": GREEN,
        "pump": PURPLE,
        "link": "#B0B0B0",
    }
)
_OTHERS = (*SERIES, "#882255", "#332288", "#117733", "#999933")


def component_colours(types: Mapping[str, str]) -> dict[str, str]:
    """A colour for every component of a system, the same in all pictures of it.

    Args:
        types: component → type, in the system's order.
    """
    chosen: dict[str, str] = {}
    seen: dict[str, int] = {}
    for name, type_ in types.items():
        base = _OF_TYPE.get(type_) or _OTHERS[len(chosen) % len(_OTHERS)]
        chosen[name] = _lighter(base, seen.get(base, 0))
        seen[base] = seen.get(base, 0) + 1
    return chosen


def _lighter(colour: str, times: int) -> str:
    """Each further component of a type is lighter, the fourth is as the first."""
    share = (0.0, 0.35, 0.6)[times % 3]
    parts = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(part + (255 - part) * share):02X}" for part in parts)


def colours_for(names: Sequence[str]) -> dict[str, str]:
    """Colours of things that are no components."""
    return {name: SERIES[i % len(SERIES)] for i, name in enumerate(names)}
