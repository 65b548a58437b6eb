"""The simulation on this machine, in this process."""

from __future__ import annotations

from pathlib import Path

from schema.community.results_files import read_checksum
from schema.community.ticks import checksum_name
from tasks.community.simulation import simulate_file
from tasks.community.transports.base import Errand, arrival, departure, require_same


class EmbeddedWay:
    """Needs nothing but this machine."""

    name = "embedded"

    def hand_over(self, errand: Errand) -> None:
        errand.audit(departure(self.name, errand.input_file, "this machine"))

    def simulate(self, errand: Errand) -> None:
        errand.arrived.parent.mkdir(parents=True, exist_ok=True)
        simulate_file(errand.input_file, errand.job, errand.arrived)

    def bring_back(self, errand: Errand) -> Path:
        path = errand.arrived
        stated = path.with_name(checksum_name(path.name)).read_text(encoding="utf-8")
        checksum = require_same(path, read_checksum(stated), "this machine")
        errand.audit(arrival(self.name, path, "this machine", checksum))
        return path

    def clean_up(self, errand: Errand) -> None:
        """Nothing is anywhere else."""
