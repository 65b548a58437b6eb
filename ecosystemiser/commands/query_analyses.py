"""`ecosystemiser query compare`, `uncertainty`, `sensitivity`, `interactions` and `history`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ecosystemiser import completing
from ecosystemiser.commands.query import (
    AllOption,
    OutputOption,
    SeveralOption,
    StudyOption,
    give,
    query,
    selected,
)
from ecosystemiser.options import (
    RESULTS_DEFAULT,
    FormatOption,
    JsonOption,
    ResultsOption,
    chosen,
    examples,
)

if TYPE_CHECKING:
    from schema.store.store import Store

ObjectiveOption = Annotated[
    str | None, typer.Option("--objective", metavar="NAME", help="Only of this output.")
]


@query.command(
    "compare",
    epilog=examples(
        "ecosystemiser query compare --study-ids house_front,house_hybrid",
        "ecosystemiser query compare --study-ids a,b,c --format json",
        "ecosystemiser query compare --study-ids a,b --output compared.xlsx",
    ),
)
def compare(
    study_ids: Annotated[
        str,
        typer.Option(
            "--study-ids",
            metavar="A,B",
            autocompletion=completing.study_ids,
            help="The studies, two or more, with commas between.",
        ),
    ],
    format_: FormatOption = None,
    output: OutputOption = None,
    results: ResultsOption = RESULTS_DEFAULT,
    json: JsonOption = False,
) -> None:
    """Compare studies: best values, hypervolumes to one common point, and what each front covers of the others."""
    from ecosystemiser import comparison_tables
    from ecosystemiser.results import opened
    from schema.store import queries
    from tasks.comparing import compared

    with opened(results) as store:
        rows = compared(queries.side_by_side(store.connection, _several(study_ids)))
    give(rows, chosen(format_, json), output, lambda: comparison_tables.comparison(rows))


@query.command(
    "uncertainty",
    epilog=examples(
        "ecosystemiser query uncertainty --study-id house_risk",
        "ecosystemiser query uncertainty --study-id house_risk --output uncertainty.xlsx",
    ),
)
def uncertainty(
    study_id: StudyOption = None,
    study_ids: SeveralOption = None,
    objective: ObjectiveOption = None,
    limit: AllOption = None,
    format_: FormatOption = None,
    output: OutputOption = None,
    results: ResultsOption = RESULTS_DEFAULT,
    json: JsonOption = False,
) -> None:
    """Show how a study's outputs spread: mean, percentiles, value at risk."""
    from ecosystemiser import comparison_tables
    from ecosystemiser.results import opened
    from schema.store import queries

    with opened(results) as store:
        ids = _asked(store, study_id, study_ids)
        rows = [row for one in ids for row in queries.uncertainty(store.connection, one, objective)][:limit]
    title = ", ".join(ids)
    nothing = f"{title}: no analysis of uncertainty"
    give(rows, chosen(format_, json), output, lambda: comparison_tables.uncertainty(rows, title), nothing)


@query.command(
    "sensitivity",
    epilog=examples(
        "ecosystemiser query sensitivity --study-id house_risk",
        "ecosystemiser query sensitivity --study-id house_risk --objective total_cost --format csv",
    ),
)
def sensitivity(
    study_id: StudyOption = None,
    study_ids: SeveralOption = None,
    objective: ObjectiveOption = None,
    limit: AllOption = None,
    format_: FormatOption = None,
    output: OutputOption = None,
    results: ResultsOption = RESULTS_DEFAULT,
    json: JsonOption = False,
) -> None:
    """Show what each parameter does to a study's outputs, the most important first."""
    from ecosystemiser import comparison_tables
    from ecosystemiser.results import opened
    from schema.store import queries

    with opened(results) as store:
        ids = _asked(store, study_id, study_ids)
        rows = [row for one in ids for row in queries.sensitivity(store.connection, one, objective)][:limit]
    title = ", ".join(ids)
    nothing = f"{title}: no analysis of sensitivity"
    give(rows, chosen(format_, json), output, lambda: comparison_tables.sensitivity(rows, title), nothing)


@query.command(
    "interactions",
    epilog=examples(
        "ecosystemiser query interactions --study-id house_sweep",
        "ecosystemiser query interactions --study-id house_sweep --objective total_co2 "
        "--parameters pv.capacity_kw,battery.capacity_kwh --format csv",
    ),
)
def interactions(
    study_id: StudyOption = None,
    objective: Annotated[
        str | None, typer.Option("--objective", metavar="NAME", help="The output; the first unless told.")
    ] = None,
    parameters: Annotated[
        str | None,
        typer.Option(
            "--parameters", metavar="A,B", help="Two parameters; those that interact most unless told."
        ),
    ] = None,
    format_: FormatOption = None,
    output: OutputOption = None,
    results: ResultsOption = RESULTS_DEFAULT,
    json: JsonOption = False,
) -> None:
    """Show an output's mean for every pair of values of two swept parameters."""
    from ecosystemiser import comparison_tables
    from ecosystemiser.interactions import interaction_rows
    from ecosystemiser.results import chosen_study, opened

    pair = None if parameters is None else _several(parameters, "--parameters", "parameters")
    with opened(results) as store:
        study = chosen_study(store, study_id)
        rows = interaction_rows(store, study, objective, pair)
    nothing = f"study {study} sweeps no two parameters against each other"
    give(rows, chosen(format_, json), output, lambda: comparison_tables.interactions(rows), nothing)


@query.command(
    "history",
    epilog=examples(
        "ecosystemiser query history house_front-0000017",
        "ecosystemiser query history house_front-0000017 --format json",
    ),
)
def history(
    run_id: Annotated[
        str, typer.Argument(metavar="RUN_ID", autocompletion=completing.run_ids, help="The run.")
    ],
    format_: FormatOption = None,
    output: OutputOption = None,
    results: ResultsOption = RESULTS_DEFAULT,
    json: JsonOption = False,
) -> None:
    """Show how often a run was tried, when, and what became of it each time."""
    from ecosystemiser import comparison_tables
    from ecosystemiser.results import opened
    from schema.store import queries

    with opened(results) as store:
        rows = queries.run_history(store.connection, run_id)
    give(rows, chosen(format_, json), output, lambda: comparison_tables.history(rows))


def _asked(store: Store, study_id: str | None, study_ids: str | None) -> list[str]:
    """The studies that are named, or the only one there is."""
    from ecosystemiser.results import chosen_study

    return selected(store, study_id, study_ids, None, None) or [chosen_study(store, None)]


def _several(told: str, option: str = "--study-ids", what: str = "studies") -> list[str]:
    """What stands between the commas, each once.

    Raises:
        InputError: there are fewer than two.
    """
    from schema.errors import Finding, InputError

    ids = list(dict.fromkeys(part.strip() for part in told.split(",") if part.strip()))
    if len(ids) < 2:
        message = f"'{told}' names fewer than two {what}: write {option} A,B"
        raise InputError(Finding("", option, told, f"two {what} or more", message))
    return ids
