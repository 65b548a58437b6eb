"""From what a user states about time series to numbers over the horizon.

Everything that is not certain is refused with what to do about it; nothing is filled in or guessed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from schema.errors import Finding, InputError
from schema.inputs.places import locate
from schema.inputs.refusals import Fault, Refusal
from schema.inputs.tables import FloatArray, Rows, Table, read_table, rows_of_steps
from schema.inputs.weather import Weather, read_weather
from schema.profiles import (
    Constant,
    FileProfile,
    HeatDemandProfile,
    HeatPumpCop,
    PvProfile,
    StandardLoad,
    TimeOfUse,
)
from schema.system import Horizon, System

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["resolve_profiles"]

_Kept = TypeVar("_Kept", Table, Weather, Rows)


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
    Constant | FileProfile | TimeOfUse | PvProfile | HeatPumpCop | HeatDemandProfile | StandardLoad
)


def _resolve(spec: ResolvableSpec, sources: _Sources) -> FloatArray:  # noqa: PLR0911 - one for each kind
    from schema.inputs import derived

    index, minutes = sources.index, sources.horizon.step_minutes
    match spec:
        case Constant():
            return np.full(len(index), spec.value)
        case FileProfile():
            return _column(spec, sources)
        case TimeOfUse():
            return derived.time_of_use(spec, index, minutes)
        case PvProfile():
            return derived.pv(spec, sources.weather(spec.weather), index, minutes)
        case HeatPumpCop():
            return derived.heat_pump_cop(spec, sources.weather(spec.weather), index)
        case HeatDemandProfile():
            return derived.heat_demand(spec, sources.weather(spec.weather), index, minutes)
        case StandardLoad():
            return derived.standard_load(spec, index, minutes)


def _column(spec: FileProfile, sources: _Sources) -> FloatArray:
    """A file's column; what is wrong with it and with the file's times is told together."""
    table = sources.table(spec.file)
    faults: list[Fault] = []
    try:
        table.require(spec.column, "column")
    except Refusal as refusal:
        faults.extend(refusal.faults)
    try:
        rows = sources.rows(spec)
    except Refusal as refusal:
        faults.extend(refusal.faults)
    if faults:
        raise Refusal(faults)
    return table.numbers(spec.column, rows, "column")


class _Sources:
    """The files that profiles draw on; each is read once."""

    def __init__(self, horizon: Horizon, folder: Path) -> None:
        self.horizon = horizon
        self.index: pd.DatetimeIndex = horizon.index
        self._folder = folder
        self._tables: dict[str, Table | Refusal] = {}
        self._weather: dict[str, Weather | Refusal] = {}
        self._rows: dict[tuple[str, str, bool], Rows | Refusal] = {}

    def table(self, name: str) -> Table:
        if name not in self._tables:
            try:
                self._tables[name] = read_table(locate(name, self._folder, "file"), name, "file")
            except Refusal as refusal:
                self._tables[name] = refusal
        return _or_refuse(self._tables[name])

    def weather(self, name: str) -> Weather:
        if name not in self._weather:
            try:
                path = locate(name, self._folder, "weather")
                self._weather[name] = read_weather(path, name, self.index)
            except Refusal as refusal:
                self._weather[name] = refusal
        return _or_refuse(self._weather[name])

    def rows(self, spec: FileProfile) -> Rows:
        asked_for = "time_column" in spec.model_fields_set
        key = (spec.file, spec.time_column, asked_for)
        if key not in self._rows:
            try:
                self._rows[key] = rows_of_steps(
                    self.table(spec.file), self.index, spec.time_column, asked_for=asked_for, field="file"
                )
            except Refusal as refusal:
                self._rows[key] = refusal
        return _or_refuse(self._rows[key])


def _or_refuse(kept: _Kept | Refusal) -> _Kept:
    if isinstance(kept, Refusal):
        raise Refusal(kept.faults)
    return kept
