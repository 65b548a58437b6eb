"""From what a user states about time series to numbers over the horizon.

Everything that is not certain is refused with what to do about it; nothing is filled in or guessed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from schema.errors import Finding, InputError
from schema.inputs.columns import column
from schema.inputs.places import locate
from schema.inputs.refusals import Fault, Refusal
from schema.inputs.steps import FloatArray, Steps
from schema.inputs.tables import Table, read_table
from schema.inputs.times import stamps
from schema.inputs.weather import Weather
from schema.inputs.weather_files import read_weather
from schema.profiles import (
    Constant,
    FileProfile,
    HeatDemandProfile,
    HeatPumpCop,
    PvProfile,
    StandardLoad,
    TimeOfUse,
    WindProfile,
)
from schema.system import Horizon, System

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["resolve_profiles"]

_Key = TypeVar("_Key")
_Kept = TypeVar("_Kept")


def resolve_profiles(system: System, folder: Path, file: str = "") -> dict[str, FloatArray]:
    """Every profile of a system over its horizon.

    Args:
        system: the system.
        folder: where the system file lies; the files it names are relative to it.
        file: the system file's name, for messages.

    Returns:
        By name, an array of shape (T,) with the mean over each step; always finite.

    Raises:
        InputError: profiles cannot be worked out; every finding of every profile.
    """
    sources = _Sources(system.horizon, folder)
    values: dict[str, FloatArray] = {}
    findings: list[Finding] = []
    for name, spec in system.profiles.items():
        try:
            values[name] = _finite(_resolve(spec, sources))
        except Refusal as refusal:
            findings.extend(_finding(fault, name, file) for fault in refusal.faults)
    if findings:
        raise InputError(findings)
    return values


def _finding(fault: Fault, name: str, file: str) -> Finding:
    path = f"profiles.{name}" + (f".{fault.field}" if fault.field else "")
    return Finding(file, path, fault.found, fault.expected, fault.message)


def _finite(values: FloatArray) -> FloatArray:
    """Raises Refusal where an extreme number has outgrown what a float can hold."""
    if not np.isfinite(values).all():
        step = int(np.argmin(np.isfinite(values)))
        raise Refusal(
            Fault(
                "",
                f"{values[step]} in step {step + 1}",
                "a finite number in every step",
                f"this comes to {values[step]} in step {step + 1}; check the numbers it is made of",
            )
        )
    return values


ResolvableSpec = (
    Constant
    | FileProfile
    | TimeOfUse
    | PvProfile
    | WindProfile
    | HeatPumpCop
    | HeatDemandProfile
    | StandardLoad
)


def _resolve(spec: ResolvableSpec, sources: _Sources) -> FloatArray:  # noqa: PLR0911 - one for each kind
    from schema.inputs import derived, generation, heat_pumps

    steps = sources.steps
    match spec:
        case Constant():
            return np.full(len(steps), spec.value)
        case FileProfile():
            return _column(spec, sources)
        case TimeOfUse():
            return derived.time_of_use(spec, steps)
        case PvProfile():
            return generation.pv(spec, sources.weather(spec.weather, spec.timezone), steps)
        case WindProfile():
            return generation.wind(spec, sources.weather(spec.weather, spec.timezone), steps)
        case HeatPumpCop():
            return heat_pumps.heat_pump_cop(spec, sources.weather(spec.weather, spec.timezone), steps)
        case HeatDemandProfile():
            return derived.heat_demand(spec, sources.weather(spec.weather, spec.timezone), steps)
        case StandardLoad():
            return derived.standard_load(spec, steps)


def _column(spec: FileProfile, sources: _Sources) -> FloatArray:
    """A file's column; what is wrong with its name and with the file's times is told together."""
    table = sources.table(spec.file)
    faults: list[Fault] = []
    values: FloatArray | None = None
    try:
        table.require(spec.column, "column")
    except Refusal as refusal:
        faults.extend(refusal.faults)
    try:
        values = column(spec, table, sources.times(spec), sources.steps)
    except Refusal as refusal:
        faults.extend(fault for fault in refusal.faults if fault not in faults)
    if values is None:
        raise Refusal(faults)
    return values


class _Sources:
    """The files that profiles draw on; each is read once."""

    def __init__(self, horizon: Horizon, folder: Path) -> None:
        self.steps = Steps(horizon.index, horizon.step_minutes)
        self._timezone = horizon.timezone
        self._folder = folder
        self._tables: dict[str, Table | Refusal] = {}
        self._weather: dict[tuple[str, str | None], Weather | Refusal] = {}
        self._times: dict[tuple[str, str, str], pd.DatetimeIndex | Refusal] = {}

    def table(self, name: str) -> Table:
        return _kept(self._tables, name, lambda: read_table(locate(name, self._folder, "file"), name, "file"))

    def weather(self, name: str, timezone: str | None) -> Weather:
        def read() -> Weather:
            return read_weather(locate(name, self._folder, "weather"), name, self.steps, timezone)

        return _kept(self._weather, (name, timezone), read)

    def times(self, spec: FileProfile) -> pd.DatetimeIndex | None:
        """A file's time stamps in the horizon's time zone; None if it has none and none were asked for."""
        table = self.table(spec.file)
        if spec.time_column not in table.columns and "time_column" not in spec.model_fields_set:
            return None
        timezone = spec.timezone or self._timezone

        def read() -> pd.DatetimeIndex:
            return stamps(table, spec.time_column, timezone).tz_convert(self._timezone)

        return _kept(self._times, (spec.file, spec.time_column, timezone), read)


def _kept(known: dict[_Key, _Kept | Refusal], key: _Key, read: Callable[[], _Kept]) -> _Kept:
    """What was read under a key, or was refused; read once."""
    if key not in known:
        try:
            known[key] = read()
        except Refusal as refusal:
            known[key] = refusal
    found = known[key]
    if isinstance(found, Refusal):
        raise Refusal(found.faults)
    return found
