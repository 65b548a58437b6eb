"""What every transport does, and what it is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from schema.community.csv_files import MAX_ROW_BYTES, sha256_of
from schema.community.errors import TransferError
from schema.community.job import Job
from schema.community.records import Transfer
from schema.community.results_files import write_checksum
from schema.community.ticks import results_name


@dataclass(frozen=True)
class Errand:
    """A job on its way.

    Attributes:
        job: what to simulate.
        input_file: the households.
        users: how many they are.
        folder: for what is needed on the way; removed afterwards.
        audit: takes down every transfer, the failed ones too.
    """

    job: Job
    input_file: Path
    users: int
    folder: Path
    audit: Callable[[Transfer], None]

    @property
    def results_name(self) -> str:
        return results_name(self.job.timestamp)

    @property
    def arrived(self) -> Path:
        """The results on this machine, before they are looked at."""
        return self.folder / "arrived" / self.results_name

    @property
    def max_bytes(self) -> int:
        """More than this cannot be results of this job."""
        return (self.users * len(self.job.ticks) + 10) * MAX_ROW_BYTES


class Way(Protocol):
    """A transport. Each verb may be tried again after it failed."""

    name: str

    def hand_over(self, errand: Errand) -> None:
        """Take the households to where they are simulated."""

    def simulate(self, errand: Errand) -> None:
        """Simulate there, or wait until it was done."""

    def bring_back(self, errand: Errand) -> Path:
        """Fetch the results; they are whole when they are here."""

    def clean_up(self, errand: Errand) -> None:
        """Remove what is left elsewhere, once the results are recorded."""


def require_same(path: Path, stated: str, place: str) -> str:
    """The checksum of a file that arrived.

    Raises:
        TransferError: it is not the one that was stated.
    """
    found = sha256_of(path)
    if stated and found != stated:
        raise TransferError(f"{path.name} from {place} did not arrive whole: its checksum differs")
    return found


def arrival(way: str, path: Path, place: str, checksum: str) -> Transfer:
    """The audit's line of results that arrived; writes the checksum beside them."""
    write_checksum(path)
    return Transfer(way, "back", path.name, place, "ok", path.stat().st_size, checksum)


def departure(way: str, path: Path, place: str) -> Transfer:
    """The audit's line of households that were handed over."""
    return Transfer(way, "out", path.name, place, "ok", path.stat().st_size, sha256_of(path))
