"""Evaluations whose dispatch was solved before, in this study or in another one of the results folder.

What is taken over is a dispatch; its KPIs are worked out anew with the design's own money, so that they are to the
last bit those of a solve. Only what would be found again is offered to others: solved or proven infeasible, at the
first attempt, no time limit having had a say.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain, repeat
from typing import Any

from schema.loading import LoadedStudy
from schema.store.records import Reusable
from schema.system import System
from solvers.kpis import Operation, kpis_again
from solvers.maths import Ledger
from tasks.dispatch_keys import DispatchKeys
from tasks.evaluate import Design, Result

Recorded = Callable[[Sequence[str]], Mapping[str, Mapping[str, Any]]]

_OF_MONEY = {"total_cost", "total_co2", "lcoe_eur_per_kwh", "npv_eur", "payback_years"}
"""KPIs that are worked out anew."""
_NOT_OF_DISPATCH = {"message", "earlier_attempts"}


@dataclass(frozen=True)
class Sorted:
    """Designs by what is to be done with them.

    Attributes:
        found: results of those whose dispatch is known.
        first: those to be solved, each with another dispatch.
        waiting: those with the dispatch of one of these.
    """

    found: list[Result]
    first: list[Design]
    waiting: list[Design]


class Reuse:
    """What a study under way takes over, and what it offers.

    Args:
        recorded: gives the evaluations whose dispatch may be taken over, by its key.
        loaded: the study.
    """

    def __init__(self, recorded: Recorded, loaded: LoadedStudy) -> None:
        self._recorded, self._system, self._wanted = recorded, loaded.system.system, loaded.study.cache
        self._keys = DispatchKeys(self._system, loaded.system.series, loaded.study.solver)
        self._asked: dict[int, str] = {}

    def sort_out(self, designs: Sequence[Design]) -> Sorted:
        """Look designs up; each of those that are found bears an equal share of the time that it took."""
        if not self._wanted:
            return Sorted([], list(designs), [])
        started_at, began = datetime.now(UTC), time.perf_counter()
        keys = [self._keys.key(design.values) for design in designs]
        known = self._recorded(sorted({key for key in keys if key is not None}))
        told = Sorted([], [], [])
        asked: set[str] = set()
        for design, key in zip(designs, keys, strict=True):
            row = None if key is None else known.get(key)
            result = None if row is None else _taken_over(self._system, design, row, started_at)
            if result is not None:
                told.found.append(result)
            elif key in asked:
                told.waiting.append(design)
            else:
                told.first.append(design)
                if key is not None:
                    asked.add(key)
                    self._asked[design.number] = key
        share = (time.perf_counter() - began) / max(len(designs), 1)
        return replace(told, found=[replace(result, seconds=share) for result in told.found])

    def offered(self, results: Sequence[Result]) -> list[Result]:
        """Results with the keys under which others find them, where they may."""
        if not self._wanted:
            return list(results)
        return [
            replace(result, reusable=Reusable(key, text_of(self._system, result.operation)))
            if _same_anywhere(result) and (key := self._key(result.design)) is not None
            else result
            for result in results
        ]

    def _key(self, design: Design) -> str | None:
        """As it was looked up, if it was."""
        return self._asked.pop(design.number, None) or self._keys.key(design.values)


def _same_anywhere(result: Result) -> bool:
    return (
        result.status in {"success", "infeasible"}
        and result.in_time
        and not result.limited
        and not result.cached_from
        and "earlier_attempts" not in result.details
        and all(map(math.isfinite, result.kpis.values()))
    )


def _taken_over(
    system: System, design: Design, row: Mapping[str, Any], started_at: datetime
) -> Result | None:
    """A dispatch's result for this design; None where its money cannot be worked out: solving it tells why."""
    kpis = dict(row["kpis"])
    if row["sums"] is not None:
        try:
            kpis = kpis_again(system, design.values, operation_of(system, row["sums"], kpis))
        except (ArithmeticError, ValueError, KeyError):
            return None
    metadata = row["metadata_json"] or {}
    return Result(
        design=design,
        status=row["simulation_status"],
        message=str(metadata.get("message", "")),
        started_at=started_at,
        kpis=kpis,
        details={name: value for name, value in metadata.items() if name not in _NOT_OF_DISPATCH},
        cached_from=str(row["run_id"]),
    )


# -- an operation as text


def text_of(system: System, operation: Operation | None) -> str | None:
    """Its sums as JSON: own generation [kWh], then cost [€] and CO2 [kg] of one component after the other.

    Zeros at the end are left out. The baseline's follow as a list of their own. The physical KPIs stand in the
    record anyway.
    """
    if operation is None:
        return None
    parts = [_digits(operation.own_generation_kwh)]
    for ledgers in (operation.ledgers, operation.baseline):
        if ledgers:
            pairs = [(ledgers[name].cost_eur, ledgers[name].co2_kg) for name in system.components]
            digits = [_digits(number) for pair in pairs for number in pair]
            while digits and digits[-1] == "0":
                digits.pop()
            parts.append(f"[{','.join(digits)}]")
    return f"[{','.join(parts)}]"


def operation_of(system: System, text: str, kpis: Mapping[str, float]) -> Operation:
    """The operation that has these sums and, among others, these KPIs."""
    own_generation, *ledgers = json.loads(text)
    physical = {name: value for name, value in kpis.items() if name not in _OF_MONEY}
    own, *baseline = [_ledgers(system, numbers) for numbers in ledgers]
    return Operation(own, physical, float(own_generation), *baseline)


def _ledgers(system: System, numbers: Sequence[float]) -> dict[str, Ledger]:
    told = chain(map(float, numbers), repeat(0.0))
    return {name: Ledger(next(told), next(told)) for name in system.components}


def _digits(number: float) -> str:
    """Every digit; most components cost and emit nothing."""
    text = repr(float(number))
    return "0" if text == "0.0" else text
