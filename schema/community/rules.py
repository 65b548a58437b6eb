"""What must hold of results before any of them is taken.

Symbols, of one household and one tick, in kWh: g generation, c consumption, s surplus, b⁺ and b⁻ into and out of
the battery, i import, x export, e and e' its level before and after, η the battery's efficiency each way.

(V1) the columns, each once; every cell short; UTF-8             (V6) |s - (g - c)| ≤ 0.001
(V2) user_id is a UUID                                           (V7) |g + i + b⁻ - (c + x + b⁺)| ≤ 0.001
(V3) timestamp is a quarter hour in UTC, and one of the job's     (V8) |e' - (e + η b⁺ - b⁻/η)| ≤ 0.001
(V4) energies are decimal numbers                                (V9) e' ≤ the battery's capacity
(V5) none but s is negative                                      (V10) each user of the job once in each tick
                                                                 (V11) the community's balance: the sum of (V7)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from schema.community.csv_files import Table, read_csv, shown
from schema.community.households import UUID, Household
from schema.community.job import Job
from schema.community.results_files import ENERGY_COLUMNS, RESULT_COLUMNS, Array, Results
from schema.community.ticks import as_text, parse_tick
from schema.errors import Finding

TOLERANCE_KWH = 0.001
ROUNDING_KWH = 3e-6
"""Six numbers of a balance, each rounded to six decimals."""
_NUMBER = re.compile(r"-?\d{1,12}(?:\.\d{1,15})?", re.ASCII)


@dataclass(frozen=True)
class Verdict:
    """What became of a results file.

    Attributes:
        results: its rows; only to be taken where there is no finding.
        findings: everything that is wrong.
    """

    results: Results
    findings: Sequence[Finding]


def judge_file(path: Path, job: Job, households: Sequence[Household]) -> Verdict:
    """Hold a results file to all rules, as far as its form lets them be looked at."""
    table, findings = read_csv(path, RESULT_COLUMNS, max_rows=len(households) * len(job.ticks))
    if not table.columns or set(RESULT_COLUMNS) - set(table.columns):
        return Verdict(Results([], [], {}), findings)
    checks = _Checks(path.name, table, job, households)
    return Verdict(checks.results, [*findings, *checks.findings()])


class _Checks:
    def __init__(self, file: str, table: Table, job: Job, households: Sequence[Household]) -> None:
        self.file, self.table, self.job = file, table, job
        self.households = {household.user_id: household for household in households}
        self.user_ids = [text.lower() for text in table.column("user_id")]
        self.stamps = table.column("timestamp")
        self.number_findings: list[Finding] = []
        self.results = Results(
            self.user_ids, self.stamps, {name: self._numbers(name) for name in ENERGY_COLUMNS}
        )

    def findings(self) -> Iterator[Finding]:
        yield from self._bad_ids()
        yield from self._bad_stamps()
        yield from self.number_findings
        with np.errstate(invalid="ignore"):  # NaN stands for a number that was told already
            yield from self._negatives()
            yield from self._balances()
            yield from self._levels()
        yield from self._presence()
        yield from self._community()

    def _numbers(self, name: str) -> Array:
        # (V4)
        texts = self.table.column(name)
        numbers = np.full(len(texts), np.nan)
        for row, text in enumerate(texts):
            if _NUMBER.fullmatch(text):
                numbers[row] = float(text)
            else:
                self.number_findings.append(
                    self._finding(row, name, shown(text), "a decimal number", "must be a decimal number")
                )
        return numbers

    def _bad_ids(self) -> Iterator[Finding]:
        # (V2)
        for row, user_id in enumerate(self.user_ids):
            if not UUID.fullmatch(user_id):
                yield self._finding(row, "user_id", shown(user_id), "a UUID", "must be a UUID")

    def _bad_stamps(self) -> Iterator[Finding]:
        # (V3)
        due = [as_text(tick) for tick in self.job.ticks]
        expected = due[0] if len(due) == 1 else f"a tick from {due[0]} to {due[-1]}"
        wrong = {stamp: _stamp_fault(stamp, expected) for stamp in set(self.stamps) - set(due)}
        for row, stamp in enumerate(self.stamps):
            if stamp in wrong:
                yield self._finding(row, "timestamp", shown(stamp), expected, wrong[stamp])

    def _negatives(self) -> Iterator[Finding]:
        # (V5)
        for name in ENERGY_COLUMNS[:-1]:
            values = self.results.energies[name]
            yield from self._where(values < 0, name, values, "at least 0", "must not be negative")

    def _balances(self) -> Iterator[Finding]:
        # (V6), (V7)
        e = self.results.energies
        off = e["surplus_kwh"] - (e["generation_kwh"] - e["consumption_kwh"])
        yield from self._off(off, "surplus_kwh", "must be generation less consumption")
        yield from self._off(
            self._imbalance(), "grid_import_kwh",
            "breaks the balance: generation + import + discharge must be consumption + export + charge",
        )  # fmt: skip

    def _imbalance(self) -> Array:
        e = self.results.energies
        came = e["generation_kwh"] + e["grid_import_kwh"] + e["battery_discharge_kwh"]
        return came - (e["consumption_kwh"] + e["grid_export_kwh"] + e["battery_charge_kwh"])

    def _levels(self) -> Iterator[Finding]:
        # (V8), (V9)
        e, eta = self.results.energies, self.job.battery_efficiency_fraction
        level = e["battery_soc_kwh"]
        moved = eta * e["battery_charge_kwh"] - e["battery_discharge_kwh"] / eta
        yield from self._off(
            level - (self._levels_before() + moved), "battery_soc_kwh",
            "must be the level before, and what was charged and discharged since",
        )  # fmt: skip
        capacity = self._of_household(lambda household: household.battery_capacity_kwh)
        too_full = level > capacity + ROUNDING_KWH
        expected, message = "at most the battery's capacity", "is more than the battery holds"
        yield from self._where(too_full, "battery_soc_kwh", level, expected, message)

    def _levels_before(self) -> Array:
        """Level before each row's tick: the job's own, or the one after the tick before."""
        level = self.results.energies["battery_soc_kwh"]
        before = self._of_household(lambda household: household.battery_soc_kwh)
        ticks = [as_text(tick) for tick in self.job.ticks]
        if len(ticks) > 1:
            earlier = dict(zip(ticks[1:], ticks[:-1], strict=True))
            at = {key: row for row, key in enumerate(zip(self.user_ids, self.stamps, strict=True))}
            for row, (user_id, stamp) in enumerate(zip(self.user_ids, self.stamps, strict=True)):
                if stamp in earlier:
                    found = at.get((user_id, earlier[stamp]))
                    before[row] = np.nan if found is None else level[found]
        return before

    def _presence(self) -> Iterator[Finding]:
        # (V10)
        due = {as_text(tick) for tick in self.job.ticks}
        first: dict[tuple[str, str], int] = {}
        for row, key in enumerate(zip(self.user_ids, self.stamps, strict=True)):
            user_id, stamp = key
            if UUID.fullmatch(user_id) and user_id not in self.households:
                yield self._finding(row, "user_id", user_id, "a user of this job", "is no user of this job")
            elif stamp in due and first.setdefault(key, row) != row:
                line = self.table.lines[first[key]]
                yield self._finding(
                    row, "user_id", user_id, "each user once", f"stands twice, first in line {line}"
                )
        for stamp in sorted(due):
            for user_id in self.households:
                if (user_id, stamp) not in first:
                    message = f"user {user_id} is missing at {stamp}"
                    yield Finding(self.file, "user_id", "nothing", f"a row for {user_id}", message)

    def _community(self) -> Iterator[Finding]:
        # (V11)
        imbalance = self._imbalance()
        if not len(imbalance) or np.isnan(imbalance).any():
            return
        off, tolerance = abs(float(imbalance.sum())), TOLERANCE_KWH + ROUNDING_KWH * len(imbalance)
        if off > tolerance:
            message = f"the community's balance is off by {off:.6f} kWh"
            yield Finding(self.file, "", f"{off:.6f} kWh", f"at most {tolerance:.6f} kWh", message)

    # -- what they share

    def _of_household(self, attribute: Callable[[Household], float]) -> Array:
        """A number of each row's household; NaN where there is no such household."""
        numbers = {user_id: attribute(household) for user_id, household in self.households.items()}
        return np.array([numbers.get(user_id, np.nan) for user_id in self.user_ids], dtype=float)

    def _off(self, off: Array, name: str, message: str) -> Iterator[Finding]:
        wrong = np.abs(off) > TOLERANCE_KWH + 1e-9
        return self._where(wrong, name, off, f"within {TOLERANCE_KWH} kWh", message, "off by ")

    def _where(
        self, wrong: NDArray[np.bool_], name: str, values: Array, expected: str, message: str, by: str = ""
    ) -> Iterator[Finding]:
        rows: Iterable[int] = np.flatnonzero(wrong).tolist()
        return (self._finding(row, name, f"{by}{values[row]:.6f}", expected, message) for row in rows)

    def _finding(self, row: int, column: str, found: str, expected: str, message: str) -> Finding:
        line = self.table.lines[row]
        return Finding(self.file, column, found, expected, f"{column} {message} ({found})", line)


def _stamp_fault(stamp: str, expected: str) -> str:
    try:
        parse_tick(stamp)
    except ValueError as error:
        return f"must be {error}"
    return f"must be {expected}, which was asked for"
