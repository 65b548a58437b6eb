"""What failed and why, how exactly the rest was solved, and how to get it again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ecosystemiser.pictures.wording import label
from ecosystemiser.printing import number
from ecosystemiser.reporting.parts import Section, Table, facts_table
from ecosystemiser.study_results import StudyResults, gap_of
from schema.store.statements import Row

_FIRST_RUNS = 10


def failures(evaluations: Sequence[Row]) -> Section:
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in evaluations:
        if row["simulation_status"] != "success":
            message = str((row["metadata_json"] or {}).get("message") or "no reason was told")
            # The same reason with other numbers is the same reason.
            alike = re.sub(r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?", "#", message)
            groups.setdefault((row["simulation_status"], alike), []).append(row)
    tables = []
    if groups:
        ordered = sorted(groups.items(), key=lambda item: -len(item[1]))
        lines = [
            [
                status,
                f"{len(rows):,}",
                str((rows[0]["metadata_json"] or {}).get("message") or "no reason was told"),
                ", ".join(row["run_id"] for row in rows[:_FIRST_RUNS])
                + (" …" if len(rows) > _FIRST_RUNS else ""),
            ]
            for (status, _), rows in ordered
        ]
        columns = ["status", "count", "reason, in the words of the first", "first runs"]
        note = "`ecosystemiser query history RUN_ID` tells every attempt at a run."
        tables.append(Table(columns, lines, "Without an answer", frozenset({1}), note))
    broken = _broken(evaluations)
    if broken is not None:
        tables.append(broken)
    sentences = [] if tables else ["Every evaluation has an answer that keeps the study's constraints."]
    if not evaluations:
        sentences = ["Nothing has been evaluated yet."]
    return Section("Failures", sentences, tables)


def _broken(evaluations: Sequence[Row]) -> Table | None:
    """By how much constraints are broken."""
    amounts: dict[str, list[tuple[float, str]]] = {}
    for row in evaluations:
        for name, amount in (row["constraint_violations"] or {}).items():
            amounts.setdefault(name, []).append((amount, row["run_id"]))
    if not amounts:
        return None
    lines = [
        [label(name), f"{len(told_of):,}", number(min(told_of)[0]), number(max(told_of)[0]), min(told_of)[1]]
        for name, told_of in amounts.items()
    ]
    columns = ["constraint", "broken", "by at least", "by at most", "nearest to keeping it"]
    return Table(columns, lines, "Constraints that are broken", frozenset({1, 2, 3}))


def solver(evaluations: Sequence[Row]) -> Section | None:
    solved = [row for row in evaluations if row["simulation_status"] == "success"]
    if not solved:
        return None
    by_status: dict[str, list[Row]] = {}
    for row in solved:
        status = str((row["metadata_json"] or {}).get("solver_status") or "solved")
        by_status.setdefault(status, []).append(row)
    lines = []
    for status, rows in by_status.items():
        gaps = [gap for gap in map(gap_of, rows) if gap is not None]
        seconds = [
            row["evaluation_time_seconds"] for row in rows if row["evaluation_time_seconds"] is not None
        ]
        lines.append(
            [
                status,
                f"{len(rows):,}",
                f"{len(gaps):,}",
                *(_gap(f(gaps)) if gaps else "–" for f in (np.median, max)),
                *(number(float(f(seconds))) if seconds else "–" for f in (np.median, max, sum)),
            ]
        )
    columns = ["solver's status", "evaluations", "with a gap", "median gap [-]", "largest gap [-]"]
    columns += ["median time [s]", "longest [s]", "all together [s]"]
    table = Table(columns, lines, "", frozenset(range(1, len(columns))))
    sentence = (
        "A gap is the certified distance to the optimum, relative; `feasible` means that a limit was reached. "
        "Every answer was checked outside the solver: balances, storages, limits, exclusivity and cost."
    )
    return Section("Solver and gaps", [sentence], [table])


def _gap(gap: Any) -> str:
    return "0" if gap == 0 else f"{float(gap):.2g}"


def reproduce(found: StudyResults) -> Section:
    import yaml

    metadata = found.study["metadata_json"] or {}
    content = metadata.get("content") or {}
    recorded = metadata.get("versions") or {}
    facts = {
        "study's file": metadata.get("study_path"),
        "system's file": found.study["base_system_config_path"],
        "hash of system and profiles": content.get("system_hash"),
        "seed": (content.get("algorithm") or content.get("sampling") or {}).get("seed"),
        "results": str(found.results),
    }
    tables = [facts_table({k: str(v) for k, v in facts.items() if v is not None})]
    if recorded:
        tables.append(Table(["package", "version"], [[n, str(v)] for n, v in recorded.items()], "Made with"))
    file = Path(metadata.get("study_path") or "STUDY.yaml").name
    sentence = (
        f"`ecosystemiser run {file} --results OTHER` runs it again, and `ecosystemiser replay RUN_ID` solves one "
        "run again and compares it with its record."
    )
    folded = {}
    if content:
        folded["The study as it was recorded"] = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    if metadata.get("reference_design"):
        folded["The system as it was recorded"] = yaml.safe_dump(
            metadata["reference_design"], sort_keys=False, allow_unicode=True
        )
    return Section("To reproduce it", [sentence], tables, folded=folded)
