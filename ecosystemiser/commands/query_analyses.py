"""`ecosystemiser query compare`, `uncertainty`, `sensitivity`, `interactions` and `history`."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
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
    from ecosystemiser.pictures.marks import Picture
    from schema.store.store import Store

ObjectiveOption = Annotated[
    str | None, typer.Option("--objective", metavar="NAME", help="Only of this output.")
]


class EffectKind(StrEnum):
    """How effects are drawn."""

    BARS = "bars"
    MORRIS = "morris"
    TORNADO = "tornado"
    SWEEP = "sweep"


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
        rows = compared(queries.side_by_side(store.connection, several(study_ids)))
    give(rows, chosen(format_, json), output, lambda: comparison_tables.comparison(rows))


@query.command(
    "uncertainty",
    epilog=examples(
        "ecosystemiser query uncertainty --study-id house_risk",
        "ecosystemiser query uncertainty --study-id house_risk --output uncertainty.xlsx",
        "ecosystemiser query uncertainty --study-id house_risk --output uncertainty.png",
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

        def picture() -> Picture | None:
            from ecosystemiser.pictures import of_studies

            return of_studies.distribution(store, _drawn(ids), objective)

        nothing = f"{title}: no analysis of uncertainty" + (" of one design" if rows else "")
        shown = chosen(format_, json)
        give(rows, shown, output, lambda: comparison_tables.uncertainty(rows, title), nothing, picture)


@query.command(
    "sensitivity",
    epilog=examples(
        "ecosystemiser query sensitivity --study-id house_risk",
        "ecosystemiser query sensitivity --study-id house_risk --objective total_cost --format csv",
        "ecosystemiser query sensitivity --study-id house_risk --output sobol.svg",
        "ecosystemiser query sensitivity --study-id house_sweep --kind tornado --output tornado.png",
    ),
)
def sensitivity(
    study_id: StudyOption = None,
    study_ids: SeveralOption = None,
    objective: ObjectiveOption = None,
    kind: Annotated[
        EffectKind,
        typer.Option(
            "--kind",
            help="The picture: bars of indices, Morris' plane, or, of a sweep, a tornado or lines.",
        ),
    ] = EffectKind.BARS,
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

        def picture() -> Picture | None:
            from ecosystemiser.pictures import of_studies

            drawn = {
                EffectKind.BARS: of_studies.sensitivities,
                EffectKind.MORRIS: of_studies.morris,
                EffectKind.TORNADO: of_studies.tornado,
                EffectKind.SWEEP: of_studies.sweep,
            }[kind]
            return drawn(store, _drawn(ids), objective)

        nothing = f"{title}: no analysis of sensitivity"
        if output is not None and rows:
            nothing = f"{title}: no effects of one design that can be drawn as {kind}"
        shown = chosen(format_, json)
        give(rows, shown, output, lambda: comparison_tables.sensitivity(rows, title), nothing, picture)


@query.command(
    "interactions",
    epilog=examples(
        "ecosystemiser query interactions --study-id house_sweep",
        "ecosystemiser query interactions --study-id house_sweep --objective total_co2 "
        "--parameters pv.capacity_kw,battery.capacity_kwh --format csv",
        "ecosystemiser query interactions --study-id house_sweep --output heat_map.png",
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

    pair = None if parameters is None else several(parameters, "--parameters", "parameters")
    with opened(results) as store:
        study = chosen_study(store, study_id)
        rows = interaction_rows(store, study, objective, pair)

        def picture() -> Picture | None:
            from ecosystemiser.pictures import of_studies

            return of_studies.interactions(store, study, objective, pair)

        nothing = f"study {study} sweeps no two parameters against each other"
        shown = chosen(format_, json)
        give(rows, shown, output, lambda: comparison_tables.interactions(rows), nothing, picture)


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


def _drawn(ids: Sequence[str]) -> str:
    """The study to draw.

    Raises:
        InputError: there are several.
    """
    from schema.errors import Finding, InputError

    if len(ids) > 1:
        message = f"a picture is of one study, and {len(ids)} were named: say which with --study-id"
        raise InputError(Finding("", "--study-ids", ", ".join(ids), "one study", message))
    return ids[0]


def several(told: str, option: str = "--study-ids", what: str = "studies") -> list[str]:
    """What stands between the commas, each once.

    Args:
        told: by the user.
        option: where.
        what: it names.

    Raises:
        InputError: there are fewer than two.
    """
    from schema.errors import Finding, InputError

    ids = list(dict.fromkeys(part.strip() for part in told.split(",") if part.strip()))
    if len(ids) < 2:
        write = f"{option} A,B" if option.startswith("--") else option
        message = f"'{told}' names fewer than two {what}: write {write}"
        raise InputError(Finding("", option, told, f"two {what} or more", message))
    return ids
