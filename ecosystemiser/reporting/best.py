"""The best designs: their figures, what their components cost and emit, what they save."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ecosystemiser.pictures import comparing, dispatch, of_runs
from ecosystemiser.pictures.marks import Picture
from ecosystemiser.pictures.wording import component_colours, label, unit, words
from ecosystemiser.printing import number
from ecosystemiser.reporting.designs import Closer, SolvedAgain, component_types
from ecosystemiser.reporting.parts import Section, Table, told
from ecosystemiser.study_results import StudyResults
from schema.kpis import KPI_UNITS


def best(found: StudyResults, closer: Sequence[Closer], again: SolvedAgain) -> Section | None:
    if not closer:
        return None
    names = [design.name for design in closer]
    kpis = [kpi for kpi in KPI_UNITS if any(kpi in design.kpis for design in closer)]
    parameters = list(dict.fromkeys(name for design in closer for name in design.parameters))
    rows = [["run", *(design.run_id or "–" for design in closer)]]
    rows += [[label(name), *(told(d.parameters.get(name)) for d in closer)] for name in parameters]
    rows += [[label(kpi), *(number(d.kpis.get(kpi)) for d in closer)] for kpi in kpis]
    rows.append(["gap [-]", *("–" if d.gap is None else f"{d.gap:.2g}" for d in closer)])
    every = frozenset(range(1, len(names) + 1))
    tables = [Table(["", *names], rows, "Figures", every)]
    tables += [
        table for table in (_savings(closer, again, every), *_accounts(closer, every)) if table is not None
    ]
    sentences = ["Costs and CO₂ are of the horizon; investments count with their annuities."]
    trouble = again.trouble
    if trouble and not all(design.accounts for design in closer):
        sentences.append(f"Cost and CO₂ by component are not told of designs that kept no files: {trouble}.")
    elif trouble:
        sentences.append(f"There is no baseline to compare with: {trouble}.")
    pictures = _pictures_of(closer, component_types(found.study))
    return Section(
        "Best designs" if found.kind != "monte_carlo" else "The design", sentences, tables, pictures
    )


def _savings(closer: Sequence[Closer], again: SolvedAgain, right: frozenset[int]) -> Table | None:
    if not any(design.baseline for design in closer):
        return None
    stated = again.stated_baseline
    rows = []
    for kpi in ("total_cost", "total_co2"):
        base = [design.baseline.get(kpi) for design in closer]
        saved = [None if b is None else b - design.kpis[kpi] for design, b in zip(closer, base, strict=True)]
        rows.append([f"{label(kpi)} of the baseline", *map(number, base)])
        rows.append([f"{words(kpi)} saved [{unit(kpi)}]", *map(number, saved)])
        rows.append(
            [
                f"{words(kpi)} saved [%]",
                *(
                    "–" if b is None or s is None or not b else f"{100 * s / abs(b):.1f}"
                    for s, b in zip(saved, base, strict=True)
                ),
            ]
        )
    if stated is None:
        what = "the system as its file states it, as economics.baseline is not stated"
    else:
        what = f"the same but for {told(stated)}"
    return Table(
        ["", *(design.name for design in closer)],
        rows,
        "Savings against the baseline",
        right,
        f"Baseline: {what}.",
    )


def _accounts(closer: Sequence[Closer], right: frozenset[int]) -> list[Table]:
    designs = [design for design in closer if design.accounts]
    if not designs:
        return []
    tables = []
    for key, kpi in (("cost_eur", "total_cost"), ("co2_kg", "total_co2")):
        components = list(dict.fromkeys(name for design in designs for name in design.accounts))
        rows = [
            [name, *(number(design.accounts.get(name, {}).get(key, 0.0)) for design in designs)]
            for name in components
            if any(design.accounts.get(name, {}).get(key) for design in designs)
        ]
        sums = [sum(one[key] for one in design.accounts.values()) for design in designs]
        rows.append(["total", *map(number, sums)])
        columns = ["component", *(design.name for design in designs)]
        tables.append(Table(columns, rows, f"{label(kpi)} by component", right))
    return tables


def _pictures_of(closer: Sequence[Closer], types: Mapping[str, str]) -> list[Picture]:
    pictures = []
    accounts = {design.name: design.accounts for design in closer if design.accounts}
    if accounts:
        pictures.append(
            comparing.by_component(
                accounts,
                component_colours(types),
                title="Cost and CO₂ by component",
                below="over the horizon",
            )
        )
    first = next((design for design in closer if design.running is not None), None)
    if first is not None and first.running is not None:
        pictures.append(of_runs.week(first.running))
        pictures.append(dispatch.sankey(first.running))
    return pictures
