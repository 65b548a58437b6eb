"""Households as the simulation takes them, and the file that carries them there."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from schema.community.csv_files import Table, read_csv, shown, write_csv
from schema.errors import Finding, InputError

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)
MAX_HOUSEHOLDS = 1_000_000
START_LEVEL_FRACTION = 0.5
"""How full a battery is before its household's first tick."""
POWER_PER_CAPACITY = 0.5
"""Power of a battery for its capacity [kW/kWh], where nothing else is stated."""


@dataclass(frozen=True, slots=True)
class Household:
    """One user's system, with the state of its battery before the tick.

    Attributes:
        user_id: a UUID.
        panel_wattage: power of a panel [W].
        panel_count: number of panels.
        battery_capacity_kwh: 0 without a battery [kWh].
        inverter_capacity_kw: most that panels and battery give together [kW].
        household_size: people.
        battery_soc_kwh: energy in the battery before the tick [kWh].
        battery_power_kw: most that goes in or out of the battery [kW]; 0 where it must rest.
    """

    user_id: str
    panel_wattage: float = 350.0
    panel_count: int = 0
    battery_capacity_kwh: float = 0.0
    inverter_capacity_kw: float = 5.0
    household_size: int = 3
    battery_soc_kwh: float = 0.0
    battery_power_kw: float = 0.0

    @property
    def pv_kw(self) -> float:
        """Power of all panels [kW]."""
        return self.panel_count * self.panel_wattage / 1000.0


@dataclass(frozen=True)
class _Column:
    """What a number may be, and what stands for a missing one."""

    whole: bool
    low: float
    high: float
    default: Callable[[Mapping[str, Any]], float] | float

    @property
    def expected(self) -> str:
        return f"a {'whole ' if self.whole else ''}number from {self.low:g} to {self.high:g}"


_COLUMNS: dict[str, _Column] = {
    "panel_wattage": _Column(whole=False, low=1, high=2_000, default=350.0),
    "panel_count": _Column(whole=True, low=0, high=100_000, default=0),
    "battery_capacity_kwh": _Column(whole=False, low=0, high=100_000, default=0.0),
    "inverter_capacity_kw": _Column(whole=False, low=0, high=100_000, default=5.0),
    "household_size": _Column(whole=True, low=1, high=1_000, default=3),
    "battery_soc_kwh": _Column(
        whole=False,
        low=0,
        high=100_000,
        default=lambda row: START_LEVEL_FRACTION * row["battery_capacity_kwh"],
    ),
    "battery_power_kw": _Column(
        whole=False, low=0, high=100_000, default=lambda row: POWER_PER_CAPACITY * row["battery_capacity_kwh"]
    ),
}
REQUIRED_COLUMNS = ("user_id", "panel_wattage", "panel_count", "battery_capacity_kwh",
                    "inverter_capacity_kw", "household_size")  # fmt: skip
STATE_COLUMNS = ("battery_soc_kwh", "battery_power_kw")
INPUT_COLUMNS = (*REQUIRED_COLUMNS, *STATE_COLUMNS)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?", re.ASCII)


def checked(
    row: Mapping[str, Any], file: str, line: int | None = None
) -> tuple[Household | None, list[Finding]]:
    """A household from raw values; a value that is missing (None or "") gets its default."""
    user_id = str(row["user_id"]).lower()
    findings = []
    if not UUID.fullmatch(user_id):
        found = shown(str(row["user_id"]))
        findings.append(
            Finding(file, "user_id", found, "a UUID", f"user_id must be a UUID, not {found}", line)
        )
    values: dict[str, Any] = {}
    for name, column in _COLUMNS.items():
        value = _number(row.get(name), column, values)
        if value is None:
            found = shown(str(row.get(name)))
            message = f"{name} must be {column.expected}, not {found}"
            findings.append(Finding(file, name, found, column.expected, message, line))
        values[name] = 0 if value is None else value
    if findings:
        return None, findings
    capacity = values["battery_capacity_kwh"]
    return Household(user_id, **values | {"battery_soc_kwh": min(values["battery_soc_kwh"], capacity)}), []


def _number(raw: Any, column: _Column, known: Mapping[str, Any]) -> float | None:
    """The number, the default where there is none, or None where it is not valid."""
    if raw is None or raw == "":
        return column.default(known) if callable(column.default) else column.default
    if isinstance(raw, str) and not _NUMBER.fullmatch(raw):
        return None
    try:
        value = float(raw)
    except (TypeError, ValueError, OverflowError):
        return None
    if not math.isfinite(value) or not column.low <= value <= column.high:
        return None
    if column.whole:
        return int(value) if value == int(value) else None
    return value


def with_state(household: Household, level_kwh: float | None, *, rests: bool) -> Household:
    """The household with its battery's level; without a recorded one it keeps its own.

    Args:
        household: as its user states it.
        level_kwh: the level after the tick before, None where none is recorded.
        rests: its later ticks are recorded already, so that its battery must not move.
    """
    level = household.battery_soc_kwh if level_kwh is None else level_kwh
    power = 0.0 if rests else household.battery_power_kw
    return replace(
        household, battery_soc_kwh=min(level, household.battery_capacity_kwh), battery_power_kw=power
    )


def write_households(path: Path, households: Iterable[Household]) -> None:
    """Write the file that the simulation takes."""
    write_csv(path, INPUT_COLUMNS, (_line(household) for household in households))


def _line(h: Household) -> str:
    return (
        f"{h.user_id},{h.panel_wattage:.6f},{h.panel_count},{h.battery_capacity_kwh:.6f},"
        f"{h.inverter_capacity_kw:.6f},{h.household_size},{h.battery_soc_kwh:.6f},{h.battery_power_kw:.6f}\n"
    )


def read_households(path: Path) -> list[Household]:
    """Read such a file.

    Raises:
        InputError: with everything that is wrong with it.
    """
    table, findings = read_csv(path, REQUIRED_COLUMNS, optional=STATE_COLUMNS, max_rows=MAX_HOUSEHOLDS)
    households = []
    for row, line in zip(table.rows, table.lines, strict=True):
        household, wrong = checked(dict(zip(table.columns, row, strict=True)), path.name, line)
        findings += wrong
        if household is not None:
            households.append(household)
    findings += _repeated(table, path.name)
    if not findings and not households:
        findings = [
            Finding(path.name, "", "no rows", "a row for each household", "there is no household in it")
        ]
    if findings:
        raise InputError(findings)
    return households


def _repeated(table: Table, file: str) -> list[Finding]:
    if not table.rows:
        return []
    first: dict[str, int] = {}
    findings = []
    for user_id, line in zip(map(str.lower, table.column("user_id")), table.lines, strict=True):
        if first.setdefault(user_id, line) != line:
            message = f"the user of line {first[user_id]} stands here again; keep one row a user"
            findings.append(Finding(file, "user_id", shown(user_id), "each user once", message, line))
    return findings


def one_each(rows: Sequence[Mapping[str, Any]], source: str) -> tuple[list[Household], list[Finding]]:
    """Households of the backend's rows; a user with wrong or several systems is left out and told."""
    counts: dict[str, int] = {}
    for row in rows:
        user_id = str(row["user_id"]).lower()
        counts[user_id] = counts.get(user_id, 0) + 1
    households: list[Household] = []
    findings: list[Finding] = []
    for row in rows:
        user_id = str(row["user_id"]).lower()
        household, wrong = checked(row, source)
        if counts[user_id] > 1:
            wrong = [Finding(source, "user_id", f"{counts[user_id]} systems", "one system",
                             f"user {shown(user_id)} has {counts[user_id]} systems; keep one")]  # fmt: skip
        if wrong:
            findings += [finding for finding in wrong if finding not in findings[-1:]]
        elif household is not None:
            households.append(household)
    return households, findings
