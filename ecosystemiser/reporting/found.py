"""What a study found, how sure that is, and what matters."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ecosystemiser.pictures import of_studies
from ecosystemiser.pictures.marks import Picture
from ecosystemiser.pictures.wording import label, parameter_label, unit, words
from ecosystemiser.printing import number, quantity
from ecosystemiser.reporting.parts import Section, Table, told
from ecosystemiser.study_results import StudyResults, spread_of
from ecosystemiser.study_tables import sampling_lines, search_lines
from schema.store.statements import Row
from schema.store.store import Store

_FRONT_SHOWN, _RUNS_SHOWN, _BEHIND = 20, 40, 1_000


def found_section(store: Store, found: StudyResults) -> Section | None:
    if not found.statistics["successful"]:
        return None
    study_id = found.study_id
    pictures: list[Picture | None] = []
    tables: list[Table] = []
    sentences = [_counted(found)]
    if found.kind == "genetic_algorithm":
        pictures = [
            of_studies.front(store, study_id, behind=_BEHIND),
            of_studies.parallel(store, study_id),
            of_studies.convergence(store, study_id),
        ]
        sentences += search_lines(found.told, found.study["population_size"] or 0)
    if found.kind == "parametric":
        pictures = [
            of_studies.sweep(store, study_id),
            of_studies.interactions(store, study_id),
            of_studies.front(store, study_id, behind=_BEHIND) if len(found.front) > 1 else None,
        ]
        shown = found.runs[:_RUNS_SHOWN]
        part = (
            ""
            if len(shown) == len(found.runs)
            else f"the first {len(shown)} of {len(found.runs):,} evaluations"
        )
        tables.append(_designs_table(shown, "Evaluations", extra=("simulation_status",), note=part))
    if found.front and found.kind in {"genetic_algorithm", "parametric"}:
        sentences += _front_sentences(found)
        chosen = spread_of(found.front, found.objectives, _FRONT_SHOWN)
        part = (
            ""
            if len(chosen) == len(found.front)
            else f"{len(chosen)} of {len(found.front):,}, spread over all of it"
        )
        marks = ["knee" if position == found.knee else "" for position in chosen]
        table = _designs_table([found.front[i] for i in chosen], "The front", marks=marks, note=part)
        tables.insert(0, table)
    if found.kind == "monte_carlo":
        sentences += sampling_lines(found.told)
    return Section("What was found", sentences, tables, _there(pictures))


def _counted(found: StudyResults) -> str:
    counts = found.statistics
    broken, several = counts["breaking_constraints"], counts["evaluations"] != 1
    return (
        f"{counts['successful']:,} of {counts['evaluations']:,} evaluation{'s' if several else ''} "
        f"{'have' if several else 'has'} an answer"
        + (f" ({broken:,} of them break{'s' if broken == 1 else ''} a constraint)" if broken else "")
        + f"; {counts['infeasible']:,} cannot be dispatched, {counts['failed']:,} failed."
        + (
            f" {counts['cached']:,} were taken from evaluations of the same content."
            if counts.get("cached")
            else ""
        )
    )


def _front_sentences(found: StudyResults) -> list[str]:
    count = len(found.front)
    lines = [f"{count:,} design{'s are' if count != 1 else ' is'} dominated by no other."]
    if found.hypervolume is not None:
        dimension = "·".join(filter(None, map(unit, found.objectives)))
        reference = (found.study["metadata_json"] or {}).get("reference_point") or []
        point = ", ".join(map(number, reference))
        upto = f" up to the reference point ({point})" if point else ""
        lines.append(f"The hypervolume of the front is {number(found.hypervolume)} {dimension}{upto}.")
    if found.knee is not None:
        row = found.front[found.knee]
        values = " and ".join(quantity(name, row["objectives"][name]) for name in found.objectives)
        lines.append(
            f"Its knee, the design farthest from the line between the extremes, is {row['run_id']} with {values}."
        )
    return lines


def _designs_table(
    rows: Sequence[Row], title: str, *, extra: Sequence[str] = (), marks: Sequence[str] = (), note: str = ""
) -> Table:
    objectives = list(dict.fromkeys(name for row in rows for name in row.get("objectives") or {}))
    parameters = list(dict.fromkeys(name for row in rows for name in row.get("parameters") or {}))
    more = [n for n in ("self_sufficiency_rate", "renewable_fraction") if n not in objectives]
    more = [name for name in more if any(row.get(name) is not None for row in rows)]
    columns = ["run", *extra, *map(label, objectives), *map(label, more), *map(label, parameters)]
    lines = [
        [
            row["run_id"],
            *(told(row.get(name)) for name in extra),
            *(told((row.get("objectives") or {}).get(name)) for name in objectives),
            *(told(row.get(name)) for name in more),
            *(told((row.get("parameters") or {}).get(name)) for name in parameters),
        ]
        for row in rows
    ]
    columns = [name.replace("simulation_status", "status") for name in columns]
    if any(marks):
        columns.append("")
        lines = [[*line, mark] for line, mark in zip(lines, marks, strict=True)]
    first = 1 + len(extra)
    right = frozenset(range(first, first + len(objectives) + len(more) + len(parameters)))
    return Table(columns, lines, title, right, note)


def _there(pictures: Sequence[Picture | None]) -> list[Picture]:
    return [picture for picture in pictures if picture is not None]


def sure(store: Store, found: StudyResults) -> Section | None:
    if not found.uncertainty:
        return None
    figures = ["mean_value", "std_dev", *(f"percentile_{p}" for p in (5, 50, 95)), "var_95", "cvar_95"]
    several = len({row["target_solution_id"] for row in found.uncertainty}) > 1
    rows = [
        [
            *([str(row["target_solution_id"] or "the design")] if several else []),
            label(row["objective_name"]),
            *(number(row[name]) for name in figures),
        ]
        for row in found.uncertainty
    ]
    columns = [*(["of run"] if several else []), "output", *(name.replace("_", " ") for name in figures)]
    first = 2 if several else 1
    table = Table(columns, rows, "", frozenset(range(first, first + len(figures))))
    sentence = (
        "VaR is the 95 % quantile towards the adverse side, CVaR the mean of what lies at it and beyond."
    )
    pictures = _there([of_studies.distribution(store, found.study_id)])
    return Section("How sure that is", [sentence], [table], pictures)


_EFFECTS = {
    "sobol_first_order": "alone (S1)",
    "sobol_first_order_confidence": "± 95 %",
    "sobol_total": "total (ST)",
    "sobol_total_confidence": "± 95 %",
    "mu_star": "μ*",
    "sigma": "σ",
    "correlation_coefficient": "correlation",
    "rank_correlation": "rank correlation",
}


def matters(store: Store, found: StudyResults) -> Section | None:
    rows = [row for row in found.sensitivity if row["importance_rank"] is not None]
    if not rows:
        return None
    names = [name for name in _EFFECTS if any(row[name] is not None for row in rows)]
    targets = {(row["metadata_json"] or {}).get("target_solution_id") for row in rows}
    several = len(targets) > 1
    reference = of_studies.reference_of(found.study)
    lines = [
        [
            *(
                [str((row["metadata_json"] or {}).get("target_solution_id") or "the design")]
                if several
                else []
            ),
            words(row["objective_name"]),
            f"{row['importance_rank']}",
            parameter_label(row["parameter_name"], reference),
            *(number(row[name]) for name in names),
        ]
        for row in rows
    ]
    columns = [*(["of run"] if several else []), "output", "rank", "number", *(_EFFECTS[n] for n in names)]
    first = len(columns) - len(names)
    table = Table(columns, lines, "", frozenset(range(first, len(columns))))
    made: tuple[Callable[[Store, str], Picture | None], ...] = (
        *(of_studies.sensitivities, of_studies.morris, of_studies.tornado),
    )
    pictures = _there([picture(store, found.study_id) for picture in made])
    return Section("What matters", [], [table], pictures)
