"""What a report says, section by section, from a study's record."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from ecosystemiser.design_tables import state
from ecosystemiser.pictures.wording import words
from ecosystemiser.printing import duration, quantity
from ecosystemiser.reporting.asked import asked
from ecosystemiser.reporting.best import best
from ecosystemiser.reporting.designs import SolvedAgain, closer_look
from ecosystemiser.reporting.found import found_section, matters, sure
from ecosystemiser.reporting.outcome import failures, reproduce, solver
from ecosystemiser.reporting.parts import Report
from ecosystemiser.study_results import StudyResults, reasons
from schema.store import queries
from schema.store.store import Store


def report_of(store: Store, study_id: str, *, solve_again: bool = True) -> Report:
    """The report of a study as it stands.

    Args:
        store: open for reading.
        study_id: the study.
        solve_again: whether designs that kept no files, and the baseline, may be dispatched again.

    Raises:
        InputError: there is no such study.
    """
    study = queries.required_study(store.connection, study_id)
    found = StudyResults.read(store, study_id, {})
    again = SolvedAgain(store, study, allowed=solve_again)
    evaluations = queries.evaluations(store.connection, study_id)
    closer = closer_look(store, found, again)
    sections = [
        asked(study),
        found_section(store, found),
        best(found, closer, again),
        sure(store, found),
        matters(store, found),
        failures(evaluations),
        solver(evaluations),
        reproduce(found),
    ]
    return Report(
        study_id,
        str(study["description"] or ""),
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        state(study, store),
        _warnings(store, found),
        _facts(found),
        [section for section in sections if section is not None],
    )


def _warnings(store: Store, found: StudyResults) -> list[str]:
    study, counts = found.study, found.statistics
    now, file = state(study, store), (study["metadata_json"] or {}).get("study_path") or "STUDY.yaml"
    count = f"{counts['evaluations']:,} evaluation{'s' if counts['evaluations'] != 1 else ''}"
    done = f"{study['progress_percent'] or 0:.0f} % done, {count}"
    resume = f"`ecosystemiser run {Path(file).name} --resume` goes on with it"
    lines = {
        "running": [f"The study is being run: {done}. This is what there was when the report was made."],
        "pending": ["The study has not begun yet."],
        "interrupted": [f"The study was interrupted: {done}; {resume}."],
        "cancelled": [f"The study was cancelled: {done}; {resume}."],
        "failed": [f"The study failed: {done}."],
    }.get(now, [])
    if not found.is_answered and now in {"completed", "failed"}:
        # Failures are told below, by reason.
        told = reasons(store, found.study_id)
        lines += [line for line in told if not line.startswith(("failed, ", "infeasible, "))]
    if not counts["successful"] and counts["evaluations"]:
        lines.append("No evaluation has an answer; why, is told under Failures.")
    return lines


def _facts(found: StudyResults) -> list[tuple[str, str]]:
    counts = found.statistics
    facts = [
        ("evaluations", f"{counts['evaluations']:,}"),
        ("solved", f"{counts['successful']:,}"),
        ("infeasible", f"{counts['infeasible']:,}"),
        ("failed", f"{counts['failed']:,}"),
    ]
    if found.front and found.kind in {"genetic_algorithm", "parametric"}:
        facts.append(("on the front", f"{len(found.front):,}"))
    facts += [(f"best {words(name)}", text) for name, text in _best_values(found).items()]
    seconds = found.study["execution_time_seconds"]
    if seconds:
        facts.append(("took", duration(seconds)))
    return facts


def _best_values(found: StudyResults) -> dict[str, str]:
    if found.kind == "monte_carlo":
        return {}
    rows = found.front or [row for row in found.runs if row["simulation_status"] == "success"]
    found_best = {}
    for name, sense in found.objectives.items() if rows else ():
        values = [row["objectives"][name] for row in rows]
        found_best[name] = quantity(name, max(values) if sense == "maximise" else min(values))
    return found_best
