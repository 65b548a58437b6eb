"""A study's results on the screen: what each kind shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer

from ecosystemiser import comparison_tables
from ecosystemiser.design_tables import designs, facts, known_before
from ecosystemiser.options import results_flag
from ecosystemiser.printing import Grid, Row, duration, heading, number, show
from ecosystemiser.study_results import StudyResults, gap_of, spread_of
from schema.store.records import KPI_COLUMNS

_FRONT_SHOWN = 15
_SWEEP_SHOWN = 40


def rows_of(found: StudyResults) -> list[Row]:
    """What a study found as rows: its front, its uncertainty, or its evaluations."""
    by_kind = {"monte_carlo": found.uncertainty, "parametric": found.runs, "single": found.runs}
    return list(by_kind.get(found.kind, found.front))


def print_study(found: StudyResults) -> None:
    """Print what a study found, where its files lie, and what to ask next."""
    told = found.statistics
    count = f"{told['evaluations']:,} evaluation{'s' if told['evaluations'] != 1 else ''}"
    took = duration(found.study["execution_time_seconds"] or 0.0)
    typer.echo(
        f"{found.study_id}: {found.study['status']}, {count} ({told['infeasible']:,} infeasible, "
        f"{told['failed']:,} failed{known_before(told)}) in {took}\n"
    )
    shown = {"monte_carlo": _monte_carlo, "parametric": _parametric, "single": _single}
    shown.get(found.kind, _front)(found)
    typer.echo()
    for name, path in found.paths.items():
        typer.echo(f"{name.replace('_', ' ')}: {path}")
    where = results_flag(found.results)
    typer.echo("Next:")
    for line in _NEXT[found.kind]:
        typer.echo(f"  ecosystemiser query {line.format(found.study_id)}{where}")
    typer.echo(f"  ecosystemiser report {found.study_id}{where}")


_NEXT = {
    "genetic_algorithm": (
        "best-designs --study-id {}",
        "pareto-front --study-id {} --format csv --output front.csv",
        "convergence --study-id {}",
    ),
    "monte_carlo": (
        "uncertainty --study-id {} --format json",
        "sensitivity --study-id {}",
        "runs --study-id {} --format csv --output samples.csv",
    ),
    "parametric": (
        "runs --study-id {} --format csv --output sweep.csv",
        "sensitivity --study-id {}",
        "interactions --study-id {}",
    ),
    "single": ("runs --study-id {}",),
}


def _front(found: StudyResults) -> None:
    chosen = spread_of(found.front, found.objectives, _FRONT_SHOWN)
    marks = ["knee" if index == found.knee else "" for index in chosen]
    count = len(found.front)
    part = "" if len(chosen) == count else f", {len(chosen)} of them shown"
    extra = [name for name in ("self_sufficiency_rate",) if name not in found.objectives]
    rows = [found.front[index] for index in chosen]
    show(designs(rows, f"Front: {count} designs{part}", extra=extra, marks=marks))
    for line in search_lines(found.told, found.study["population_size"]):
        typer.echo(f"\n{line}")


def search_lines(told: Row, population_size: int) -> list[str]:
    """How the designs were sought, in sentences."""
    lines = []
    if told.get("stopped_by"):
        lines.append(
            f"Sought by {told['search']} with {population_size:,} designs in a generation, until "
            f"{_ENDS[told['stopped_by']]}."
        )
    if start := told.get("start"):
        lines.append(
            f"It started from {len(start['designs']):,} of {start['found']:,} designs of an earlier front, "
            f"{start['clipped']:,} of them moved to the nearest possible values."
        )
    return lines


_ENDS = {
    "max_generations": "max_generations was reached",
    "max_evaluations": "max_evaluations left no room for another",
    "max_hours": "max_hours were over",
    "stagnation": "it stood still (stagnation)",
    "no_new_designs": "there were no designs left to try",
}


def _monte_carlo(found: StudyResults) -> None:
    if found.uncertainty:
        show(comparison_tables.uncertainty(found.uncertainty, found.study_id))
        typer.echo()
    else:
        typer.echo("Morris' grid screens parameters: it tells no percentiles.\n")
    show(comparison_tables.sensitivity(found.sensitivity, found.study_id))
    for line in sampling_lines(found.told):
        typer.echo(f"\n{line}")


def sampling_lines(told: Row) -> list[str]:
    """What to know of the samples, in sentences."""
    lines = []
    left_out, sampling = told.get("left_out") or {}, told.get("sampling") or {}
    if left_out.get("count"):
        count = f"{left_out['count']:,} sample{'s have' if left_out['count'] != 1 else ' has'}"
        lines.append(
            f"{count} no answer ({100 * left_out['share']:.2g} %: {left_out['infeasible']:,} infeasible, "
            f"{left_out['failed']:,} failed): left out of the indices that they touch, and of the percentiles."
        )
        lines += [
            f"They lie at {cluster['parameter']} {_range(cluster['unsolved'])}, the others at "
            f"{_range(cluster['solved'])} (the middle 90 % of each)."
            for cluster in left_out["clusters"]
        ]
    if sampling.get("reached_target") is not None:
        widest = sampling["rounds"][-1]["widest_interval"]
        width = "there is no interval" if widest is None else f"the widest interval is {number(widest)} wide"
        end = "" if sampling["reached_target"] else ", more than was asked for: raise max_samples"
        lines.append(f"N = {sampling['samples']:,} after {len(sampling['rounds'])} rounds: {width}{end}.")
    return lines


def _range(ends: Sequence[float]) -> str:
    return f"{number(ends[0])} to {number(ends[1])}"


def _parametric(found: StudyResults) -> None:
    rows = found.runs[:_SWEEP_SHOWN]
    part = "" if len(rows) == len(found.runs) else f", the first {len(rows)} shown"
    compares = any("solver.method" in row["parameters"] for row in rows)
    show(_side_by_side(rows) if compares else designs(rows, f"Sweep: {len(found.runs)} designs{part}"))
    if any(row["importance_rank"] is not None for row in found.sensitivity):
        typer.echo()
        show(comparison_tables.sensitivity(found.sensitivity, found.study_id))


def _side_by_side(rows: Sequence[Row]) -> Grid:
    """Solvers beside each other: what they found, to which gap, in what time."""
    told: list[dict[str, Any]] = [
        {
            **row,
            "status": row["simulation_status"],
            "gap": gap_of(row),
            "seconds": None if _is_cached(row) else row["evaluation_time_seconds"],
            "of them solving": None if _is_cached(row) else row["solver_time_seconds"],
        }
        for row in rows
    ]
    extra = ["self_sufficiency_rate", "renewable_fraction", "status", "gap", "seconds", "of them solving"]
    return designs(told, "Solvers side by side", extra=extra)


def _is_cached(row: Row) -> bool:
    """Whether its dispatch was known: what the look-up took says nothing of a solver."""
    return "cached_from" in (row["metadata_json"] or {})


def _single(found: StudyResults) -> None:
    row = found.runs[0]
    kpis = {heading(name): row.get(name) for name in KPI_COLUMNS}
    gap = gap_of(row)
    show(facts({**row["parameters"], **kpis, "gap": gap}, f"Run {row['run_id']}"))
