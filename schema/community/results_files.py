"""The file that a simulation gives back, and its checksum beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from schema.community.csv_files import sha256_of, write_csv, written_whole
from schema.community.ticks import checksum_name

ENERGY_COLUMNS = (
    "generation_kwh",
    "consumption_kwh",
    "battery_soc_kwh",
    "battery_charge_kwh",
    "battery_discharge_kwh",
    "grid_import_kwh",
    "grid_export_kwh",
    "surplus_kwh",
)
RESULT_COLUMNS = ("user_id", "timestamp", *ENERGY_COLUMNS)
MICRO = 1_000_000
"""Energies are counted in whole millionths of a kWh, so that they add up exactly."""

Array = NDArray[np.float64]
Energies = tuple[int, int, int, int, int, int, int, int]
"""In the order of `ENERGY_COLUMNS` [10⁻⁶ kWh]."""


@dataclass(frozen=True)
class Results:
    """What a results file holds.

    Attributes:
        user_ids: of each row.
        timestamps: of each row, as text.
        energies: column → values of all rows (n,) [kWh].
    """

    user_ids: list[str]
    timestamps: list[str]
    energies: dict[str, Array]

    @classmethod
    def none(cls) -> Results:
        """Of a community without households."""
        return cls([], [], {name: np.zeros(0) for name in ENERGY_COLUMNS})

    def __len__(self) -> int:
        return len(self.user_ids)

    @property
    def totals(self) -> dict[str, float]:
        """Sums over all rows [kWh]; of the levels too, which only makes sense within one tick."""
        return {name: round(float(values.sum()), 6) for name, values in self.energies.items()}

    @property
    def shared_kwh(self) -> float:
        """What neighbours shared: tick by tick the lesser of all export and all import [kWh]."""
        stamps, position = np.unique(np.array(self.timestamps), return_inverse=True)
        sums = [
            np.bincount(position, weights=self.energies[name], minlength=len(stamps))
            for name in ("grid_export_kwh", "grid_import_kwh")
        ]
        return round(float(np.minimum(*sums).sum()), 6)


def write_results(path: Path, rows: Iterable[tuple[str, str, Energies]]) -> str:
    """Write a results file and, after it, its checksum.

    Args:
        path: the file.
        rows: user, time stamp, energies.

    Returns:
        The checksum.
    """
    write_csv(path, RESULT_COLUMNS, map(_line, rows))
    return write_checksum(path)


def write_checksum(path: Path) -> str:
    checksum = sha256_of(path)
    with written_whole(path.with_name(checksum_name(path.name))) as stream:
        stream.write(checksum_line(checksum, path.name))
    return checksum


def _line(row: tuple[str, str, Energies]) -> str:
    user_id, stamp, energies = row
    return f"{user_id},{stamp},{','.join([_decimal(micro) for micro in energies])}\n"


def _decimal(micro: int) -> str:
    """Six decimals, exactly."""
    sign = "-" if micro < 0 else ""
    return f"{sign}{abs(micro) // MICRO}.{abs(micro) % MICRO:06d}"


def checksum_line(checksum: str, name: str) -> str:
    """As `sha256sum` writes it."""
    return f"{checksum}  {name}\n"


def read_checksum(text: str) -> str:
    """The checksum in such a line; "" where there is none."""
    found = re.match(r"[0-9a-f]{64}\b", text.strip().lower())
    return found.group() if found else ""
