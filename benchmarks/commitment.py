"""The block of flats with an engine that is switched on and off: how long its commitment takes to solve."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from schema.loading import load_system
from schema.system import System
from solvers.maths import Array

APARTMENTS = Path(__file__).parents[1] / "examples/apartments/apartments.yaml"

FIRST_HOUR = 24 * 90
"""The first of April: the engine is neither always on nor always off."""


def chp_house(hours: int, first_hour: int | None = None) -> tuple[System, Mapping[str, Array]]:
    """The block of flats over some hours of its year.

    Args:
        hours: how many, 8760 for all of it.
        first_hour: the first of them; in spring unless told, where they are fewer than 8760.

    Returns:
        The system and its profiles, each (hours,).
    """
    import pandas as pd

    loaded = load_system(APARTMENTS)
    year = loaded.system.horizon
    first = (0 if hours == year.steps else FIRST_HOUR) if first_hour is None else first_hour
    start = pd.Timestamp(year.index[first]).tz_localize(None).to_pydatetime()
    system = loaded.system.model_copy(update={"horizon": year.with_changes(start=start, steps=hours)})
    return system, {name: values[first : first + hours] for name, values in loaded.series.items()}
