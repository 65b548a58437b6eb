"""One tick's way from the backend to the simulation and back: the steps, each of which may be tried again."""

from __future__ import annotations

import json
import secrets
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from schema.community.csv_files import copy_whole, written_whole
from schema.community.errors import CommunityError, RefusedError
from schema.community.households import read_households, write_households
from schema.community.job import Job
from schema.community.records import (
    Transfer,
    begin_cycle,
    fail_cycle,
    record_refusal,
    record_results,
    record_transfer,
    update_cycle,
)
from schema.community.results_files import Results, read_checksum
from schema.community.rules import judge_file
from schema.community.ticks import as_text, checksum_name, input_name, results_name, run_id_of
from schema.community.users import Export, export
from schema.errors import Finding
from tasks.community.service import Service
from tasks.community.transports import way_of
from tasks.community.transports.base import Errand, Way

_MAX_LISTED = 10_000


@dataclass(frozen=True)
class Outcome:
    """How a tick's cycle ended.

    Attributes:
        timestamp: of the tick, as text.
        status: `recorded`, or `recorded before` where nothing was left to do.
        records: rows inserted.
        users_left_out: users whose systems are not valid.
        transport: the way that brought the results.
        seconds: how long it took.
        shared_kwh: what neighbours shared.
        totals_kwh: sums over all households.
        file: the results.
    """

    timestamp: str
    status: str
    records: int = 0
    users_left_out: int = 0
    transport: str | None = None
    seconds: float = 0.0
    shared_kwh: float = 0.0
    totals_kwh: dict[str, float] = field(default_factory=dict)
    file: str | None = None


class TickCycle:
    """The cycle of one tick.

    Args:
        service: the community.
        tick: the quarter hour.
        input_file: households to take instead of the backend's.
        output_file: where a copy of the results goes.
    """

    def __init__(
        self,
        service: Service,
        tick: datetime,
        input_file: Path | None = None,
        output_file: Path | None = None,
    ) -> None:
        self.service, self.tick = service, tick
        self.run_id = run_id_of(tick)
        self.input_file, self.output_file = input_file, output_file
        self.began = time.perf_counter()
        self.ways: Sequence[Way] = [way_of(transport) for transport in service.settings.transports]
        self.job: Job
        self.exported: Export
        self.errand: Errand
        self.results: Results
        self.checksum = ""

    def begin(self) -> bool:
        """Log the cycle as running; False where its tick is recorded."""
        self.service.places.clear_work()
        return begin_cycle(self.service.backend, self.tick)

    def export(self) -> None:
        """Write the households as the tick finds them."""
        self.job = self.service.job_at(self.tick)
        instead = read_households(self.input_file) if self.input_file else None
        self.exported = export(self.service.backend, self.tick, instead)
        path = self.service.places.work / input_name(self.tick)
        write_households(path, self.exported.households)
        users = len(self.exported.households)
        self.errand = Errand(self.job, path, users, self.service.places.work, self._audit)
        for finding in self.exported.left_out[:100]:
            self._warn(f"a user was left out: {finding}")
        self._log(f"{users} households exported to {path.name}, {len(self.exported.left_out)} faults")

    @property
    def is_empty(self) -> bool:
        return not self.exported.households

    def hand_over(self, way: Way) -> None:
        with self._failures_audited(way, "out"):
            way.hand_over(self.errand)
        self._log(f"handed over by {way.name}")

    def simulate(self, way: Way) -> None:
        with self._failures_audited(way, "back"):
            way.simulate(self.errand)

    def bring_back(self, way: Way) -> None:
        """Fetch the results, keep them with their checksum, and tell of them."""
        with self._failures_audited(way, "back"):
            arrived = way.bring_back(self.errand)
        kept = self.service.places.results / results_name(self.tick)
        for name in (arrived.name, checksum_name(arrived.name)):
            copy_whole(arrived.with_name(name), kept.with_name(name))
        self.checksum = read_checksum(kept.with_name(checksum_name(kept.name)).read_text(encoding="ascii"))
        with kept.open("rb") as stream:
            records = sum(1 for _ in stream) - 1
        self._log(f"{kept.name} is back by {way.name}: {records} records")
        self.service.tell(
            self.tick, "results", "returned", file=kept.name, records=records, sha256=self.checksum
        )

    def validate(self) -> None:
        """Hold the results to the rules.

        Raises:
            RefusedError: they break one; the file is in quarantine, with a report of all errors.
        """
        path = self.service.places.results / results_name(self.tick)
        verdict = judge_file(path, self.job, self.exported.households)
        if verdict.findings:
            self._refuse(path, verdict.findings)
        self.results = verdict.results
        self._log(f"{len(self.results)} records are valid")

    def insert(self, way: Way | None) -> Outcome:
        """Take the results into the backend's database, once."""
        self.results = self.results if way else Results.none()
        facts = self._facts(way)
        inserted = record_results(
            self.service.backend, self.tick, self.results, self.exported.previous, facts
        )
        self._log(f"{inserted} rows inserted")
        if way and self.output_file is not None:
            copy_whole(self.service.places.results / results_name(self.tick), self.output_file)
        totals = {name: value for name, value in self.results.totals.items() if name != "battery_soc_kwh"}
        return Outcome(
            as_text(self.tick), "recorded", inserted, facts["users_left_out"], facts["transport"],
            facts["cycle_seconds"], facts["shared_kwh"], totals, facts["results_file"],
        )  # fmt: skip

    def clean_up(self, way: Way | None) -> None:
        """Remove what the cycle needed on its way, here and elsewhere."""
        if way is not None:
            way.clean_up(self.errand)
        self.service.places.clear_work()
        update_cycle(self.service.backend, self.tick, cycle_seconds=time.perf_counter() - self.began)

    def fail(self, error: BaseException) -> None:
        """Settle the cycle as failed; the error itself matters more than what this meets."""
        words = str(error) or type(error).__name__
        self.service.journal.error(self.run_id, words)
        self.service.places.clear_work()
        try:
            fail_cycle(self.service.backend, self.tick, words)
            self.service.tell(
                self.tick, "cycle", "failed", file=results_name(self.tick), records=0, reason=words[:500]
            )
        except CommunityError as another:
            self._warn(f"the failure could not be recorded: {another}")

    # -- what they share

    def _facts(self, way: Way | None) -> dict[str, Any]:
        left_out = {finding.found for finding in self.exported.left_out}
        return {
            "cycle_seconds": time.perf_counter() - self.began,
            "users": len(self.exported.households),
            "users_left_out": len(left_out),
            "shared_kwh": self.results.shared_kwh,
            "transport": way.name if way else None,
            "seed": str(self.job.seed),
            "weather_factor": self.job.weather_factors[0],
            "dispatch": self.job.dispatch,
            "results_file": results_name(self.tick) if way else None,
            "results_sha256": self.checksum or None,
        }

    def _refuse(self, path: Path, findings: Sequence[Finding]) -> None:
        """Put a results file into quarantine, with its report."""
        folder = self.service.places.quarantine
        folder.mkdir(parents=True, exist_ok=True)
        kept = folder / f"{path.stem}_{secrets.token_hex(3)}.csv"
        path.replace(kept)
        path.with_name(checksum_name(path.name)).unlink(missing_ok=True)
        report = {
            "file": path.name,
            "simulation_run_id": self.run_id,
            "errors": len(findings),
            "errors_by_column": Counter(finding.path or "file" for finding in findings),
            "listed": min(len(findings), _MAX_LISTED),
            "findings": [finding.as_dict() for finding in findings[:_MAX_LISTED]],
        }
        with written_whole(kept.with_suffix(".json")) as stream:
            json.dump(report, stream, indent=1)
        record_refusal(self.service.backend, self.tick, kept.name, len(findings))
        message = (
            f"{path.name} breaks the rules {len(findings):,} times and is in quarantine as {kept.name}: "
            f"{findings[0]}"
        )
        self.service.tell(self.tick, "results", "refused", file=kept.name, records=0, errors=len(findings))
        raise RefusedError(message, len(findings))

    @contextmanager
    def _failures_audited(self, way: Way, direction: str) -> Iterator[None]:
        try:
            yield
        except CommunityError as error:
            file = input_name(self.tick) if direction == "out" else results_name(self.tick)
            self._warn(f"{way.name} failed: {error}")
            self._audit(Transfer(way.name, direction, file, way.name, "failed", message=str(error)))
            raise

    def _audit(self, transfer: Transfer) -> None:
        record_transfer(self.service.backend, self.tick, transfer)

    def _log(self, message: str) -> None:
        self.service.journal.info(self.run_id, message)

    def _warn(self, message: str) -> None:
        self.service.journal.warning(self.run_id, message)
