"""`ecosystemiser query`: what was recorded, as tables, JSON, CSV, Excel or pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ecosystemiser import completing
from ecosystemiser.options import (
    MOST,
    RESULTS_DEFAULT,
    Format,
    FormatOption,
    JsonOption,
    ResultsOption,
    chosen,
    examples,
)
from ecosystemiser.printing import Grid, Row, as_csv, as_json, note, show

if TYPE_CHECKING:
    from ecosystemiser.pictures.marks import Picture
    from schema.store.store import Store

query = typer.Typer(
    help="Ask the results database: tables, JSON, CSV, Excel and pictures.",
    rich_markup_mode="rich",
    epilog=examples(
        "ecosystemiser query list-studies",
        "ecosystemiser query pareto-front --study-id house_front --output front.svg",
    ),
)

_STUDY_STATUSES = ("pending", "running", "completed", "failed", "cancelled")
_RUN_STATUSES = ("success", "completed", "failed", "infeasible", "running")
_TYPES = ("ga", "mc", "parametric", "single")

StudyOption = Annotated[
    str | None,
    typer.Option(
        "--study-id",
        metavar="ID",
        autocompletion=completing.study_ids,
        help="The study; may be left out if there is only one.",
    ),
]
StudiesOption = Annotated[
    str | None,
    typer.Option(
        "--study-id",
        metavar="ID",
        autocompletion=completing.study_ids,
        help="Only this study; all of them unless told.",
    ),
]
SeveralOption = Annotated[
    str | None,
    typer.Option(
        "--study-ids",
        metavar="A,B",
        autocompletion=completing.study_ids,
        help="Only these studies, with commas between.",
    ),
]
TypeOption = Annotated[
    str | None,
    typer.Option(
        "--type",
        metavar="TYPE",
        autocompletion=completing.words(*_TYPES),
        help="Only studies of this type: ga, mc, parametric or single.",
    ),
]
SinceOption = Annotated[
    str | None,
    typer.Option(
        "--since", metavar="DATE", help="Only studies begun at or after, such as 2025-01-31; UTC unless told."
    ),
]
GenerationOption = Annotated[
    int | None, typer.Option("--generation", metavar="N", min=0, max=MOST, help="Of this generation.")
]
WhereOption = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="FILTER",
        help="Columns, objectives and parameters compared with values, such as "
        "'renewable_fraction>0.8 and battery.capacity_kwh<=10'; can be repeated.",
    ),
]
LimitOption = Annotated[int, typer.Option("--limit", metavar="N", min=1, max=MOST, help="How many at most.")]
AllOption = Annotated[
    int | None,
    typer.Option("--limit", metavar="N", min=1, max=MOST, help="How many at most; all unless told."),
]
OutputOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        metavar="FILE",
        help="Write a file instead of printing: .csv, .json or .xlsx; where there is a picture, "
        ".png, .svg or .html.",
    ),
]
ColourOption = Annotated[
    str | None,
    typer.Option(
        "--colour", metavar="NAME", help="KPI or parameter that colours the designs of the picture."
    ),
]


class FrontKind(StrEnum):
    """How a front is drawn."""

    FRONT = "front"
    PARALLEL = "parallel"


def register(app: typer.Typer) -> None:
    from ecosystemiser.commands import query_analyses, query_runs  # noqa: F401 - commands add themselves

    app.add_typer(query, name="query")


@query.callback(invoke_without_command=True)
def root(context: typer.Context) -> None:
    """Ask the results database: tables, JSON, CSV, Excel and pictures."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@query.command(
    "list-studies",
    epilog=examples(
        "ecosystemiser query list-studies",
        "ecosystemiser query list-studies --type ga --status completed --since 2025-01-31 --format json",
    ),
)
def list_studies(
    kind: TypeOption = None,
    status: Annotated[
        str | None,
        typer.Option(
            "--status",
            metavar="STATUS",
            autocompletion=completing.words(*_STUDY_STATUSES),
            help=f"Only those that are {', '.join(_STUDY_STATUSES[:-1])} or {_STUDY_STATUSES[-1]}.",
        ),
    ] = None,
    since: SinceOption = None,
    limit: LimitOption = 50,
    format_: FormatOption = None,
    output: OutputOption = None,
    results: ResultsOption = RESULTS_DEFAULT,
    json: JsonOption = False,
) -> None:
    """List the studies, newest first."""
    from ecosystemiser import design_tables
    from ecosystemiser.results import opened
    from schema.store import queries

    with opened(results) as store:
        rows = queries.list_studies(
            store.connection,
            study_type=kind,
            status=_one_of("--status", status, _STUDY_STATUSES),
            since=since,
            limit=limit,
        )
        give(
            rows,
            chosen(format_, json),
            output,
            lambda: design_tables.studies(rows, store),
            "there is no such study",
        )


@query.command(
    "statistics",
    epilog=examples(
        "ecosystemiser query statistics",
        "ecosystemiser query statistics --study-id house_front --format json",
        "ecosystemiser query statistics --type ga --since 2025-01-31",
    ),
)
def statistics(
    study_id: StudiesOption = None,
    study_ids: SeveralOption = None,
    kind: TypeOption = None,
    since: SinceOption = None,
    format_: FormatOption = None,
    output: OutputOption = None,
    results: ResultsOption = RESULTS_DEFAULT,
    json: JsonOption = False,
) -> None:
    """Count a study's evaluations, or all that the database holds."""
    from ecosystemiser import design_tables
    from ecosystemiser.results import opened
    from schema.store import queries

    with opened(results) as store:
        ids = selected(store, study_id, study_ids, kind, since)
        if ids is None:
            rows = queries.statistics(store.connection)
        else:
            rows = [row for one in ids for row in queries.statistics(store.connection, one)]

        def made() -> Grid:
            if len(rows) > 1:
                return design_tables.counts(rows)
            title = f"Study {rows[0]['study_id']}" if ids else f"All results in {results}"
            return design_tables.facts(rows[0], title)

        give(rows, chosen(format_, json), output, made, "there is no such study")


@query.command(
    "runs",
    epilog=examples(
        "ecosystemiser query runs --study-id house_front --generation 3",
        "ecosystemiser query runs --where 'renewable_fraction>0.8' --order-by 'total_cost desc' --limit 20",
        "ecosystemiser query runs --status failed --format csv --output failed.csv",
        "ecosystemiser query runs --study-id house_front --axes pv.capacity_kw,total_cost --limit 1000 "
        "--output runs.html",
    ),
)
def runs(
    study_id: StudiesOption = None,
    study_ids: SeveralOption = None,
    kind: TypeOption = None,
    since: SinceOption = None,
    status: Annotated[
        str | None,
        typer.Option(
            "--status",
            metavar="STATUS",
            autocompletion=completing.words(*_RUN_STATUSES),
            help="Only those that are success (or completed), failed, infeasible or running.",
        ),
    ] = None,
    generation: GenerationOption = None,
    where: WhereOption = None,
    order_by: Annotated[
        str | None,
        typer.Option(
            "--order-by",
            metavar="NAME",
            help="Column, objective or parameter; 'NAME desc' for the largest first.",
        ),
    ] = None,
    limit: LimitOption = 100,
    axes: Annotated[
        str | None,
        typer.Option(
            "--axes",
            metavar="X,Y",
            help="Of the picture: objectives, KPIs or parameters; the first two objectives unless told.",
        ),
    ] = None,
    colour: ColourOption = None,
    format_: FormatOption = None,
    output: OutputOption = None,
    results: ResultsOption = RESULTS_DEFAULT,
    json: JsonOption = False,
) -> None:
    """List evaluations, whatever became of them."""
    from ecosystemiser import design_tables
    from ecosystemiser.results import opened
    from schema.store.runs import runs as found_runs

    with opened(results) as store:
        ids = selected(store, study_id, study_ids, kind, since)
        rows = (
            []
            if ids == []
            else found_runs(
                store.connection,
                study_ids=ids or [],
                status=_one_of("--status", status, _RUN_STATUSES),
                generation=generation,
                where=where or [],
                order_by=order_by,
                limit=limit,
            )
        )

    def made() -> Grid:
        before = ("run_id", "simulation_status")
        extra = [] if order_by is None else [order_by.split()[0]]
        cached = [(row["metadata_json"] or {}).get("cached_from") for row in rows]
        if any(cached):
            extra.append("cached_from")
        told = [{**row, "cached_from": origin} for row, origin in zip(rows, cached, strict=True)]
        return design_tables.designs(told, None, before=before, extra=extra)

    def picture() -> Picture | None:
        from ecosystemiser.commands.query_analyses import several
        from ecosystemiser.pictures.designs import scatter

        pair = [] if axes is None else several(axes, "--axes", "numbers")
        title = f"{study_id or 'All studies'}: evaluations"
        return scatter(rows, axes=pair, colour=colour, title=title) if rows else None

    give(rows, chosen(format_, json), output, made, "no run fits", picture)
    if len(rows) == limit and output is None and chosen(format_, json) in {None, Format.TABLE}:
        note(f"The first {limit:,} runs; --limit shows more.")


@query.command(
    "best-designs",
    epilog=examples(
        "ecosystemiser query best-designs --study-id house_front --limit 5",
        "ecosystemiser query best-designs --order-by self_sufficiency_rate --where 'total_cost<3000'",
    ),
)
def best_designs(
    study_id: StudiesOption = None,
    study_ids: SeveralOption = None,
    kind: TypeOption = None,
    since: SinceOption = None,
    where: WhereOption = None,
    order_by: Annotated[
        str | None,
        typer.Option(
            "--order-by",
            metavar="NAME",
            help="Objective or KPI; its better end comes first, unless asc or desc stands behind it. "
            "The study's first objective unless told.",
        ),
    ] = None,
    limit: LimitOption = 10,
    format_: FormatOption = None,
    output: OutputOption = None,
    results: ResultsOption = RESULTS_DEFAULT,
    json: JsonOption = False,
) -> None:
    """List the best designs that were solved and keep their study's constraints."""
    from ecosystemiser import design_tables
    from ecosystemiser.results import opened
    from schema.store.runs import best_designs as found_designs

    by, direction = _order(order_by)
    with opened(results) as store:
        ids = selected(store, study_id, study_ids, kind, since)
        rows = (
            []
            if ids == []
            else found_designs(
                store.connection,
                study_ids=ids or [],
                by=by,
                n=limit,
                direction=direction,
                where=where or [],
            )
        )

    def made() -> Grid:
        return design_tables.designs(rows, None, extra=[] if by is None else [by])

    give(
        rows,
        chosen(format_, json),
        output,
        made,
        "no design was solved and keeps its study's constraints and the filter",
    )


@query.command(
    "pareto-front",
    epilog=examples(
        "ecosystemiser query pareto-front --study-id house_front",
        "ecosystemiser query pareto-front --generation 5 --format csv",
        "ecosystemiser query pareto-front --where 'total_cost<3000' --order-by total_co2 --limit 5",
        "ecosystemiser query pareto-front --output front.png",
        "ecosystemiser query pareto-front --output front.html --colour renewable_fraction",
        "ecosystemiser query pareto-front --kind parallel --output designs.svg",
    ),
)
def pareto_front(
    study_id: StudyOption = None,
    generation: GenerationOption = None,
    where: WhereOption = None,
    order_by: Annotated[
        str | None,
        typer.Option(
            "--order-by",
            metavar="NAME",
            help="Column, objective or parameter; 'NAME desc' for the largest first. "
            "The study's first objective unless told.",
        ),
    ] = None,
    limit: AllOption = None,
    kind: Annotated[
        FrontKind,
        typer.Option("--kind", help="The picture: objectives against each other, or parallel coordinates."),
    ] = FrontKind.FRONT,
    colour: ColourOption = None,
    format_: FormatOption = None,
    output: OutputOption = None,
    results: ResultsOption = RESULTS_DEFAULT,
    json: JsonOption = False,
) -> None:
    """List the designs that no other one dominates, by the first objective; the knee is marked."""
    from ecosystemiser import design_tables
    from ecosystemiser.results import chosen_study, opened
    from ecosystemiser.study_results import front_of, knee_of
    from schema.store.queries import required_study

    with opened(results) as store:
        study = chosen_study(store, study_id)
        front = front_of(store, study, generation)
        rows = _among(front, store, study, where or [], order_by)[:limit]
        objectives = required_study(store.connection, study)["optimization_objective"] or {}

        def made() -> Grid:
            knee = knee_of(front, objectives)
            marks = ["knee" if knee is not None and row is front[knee] else "" for row in rows]
            when = "" if generation is None else f" after generation {generation}"
            count = f"{len(rows)} of {len(front)}" if len(rows) < len(front) else f"{len(front)}"
            return design_tables.designs(rows, f"Front of {study}{when}: {count} designs", marks=marks)

        def picture() -> Picture | None:
            from ecosystemiser.pictures import of_studies

            drawn = of_studies.parallel if kind is FrontKind.PARALLEL else of_studies.front
            return drawn(store, study, generation, colour=colour)

        give(rows, chosen(format_, json), output, made, f"study {study} has no such front", picture)


@query.command(
    "convergence",
    epilog=examples(
        "ecosystemiser query convergence --study-id house_front",
        "ecosystemiser query convergence --output convergence.svg",
        "ecosystemiser query convergence --output convergence.html",
    ),
)
def convergence(
    study_id: StudyOption = None,
    generation: GenerationOption = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", metavar="N", min=1, max=MOST, help="Only the last so many; all unless told."),
    ] = None,
    format_: FormatOption = None,
    output: OutputOption = None,
    results: ResultsOption = RESULTS_DEFAULT,
    json: JsonOption = False,
) -> None:
    """Show how a study came along: fitness and hypervolume, generation by generation."""
    from ecosystemiser.results import chosen_study, opened
    from schema.store import queries

    with opened(results) as store:
        study = chosen_study(store, study_id)
        rows = queries.convergence(store.connection, study)
        rows = [row for row in rows if generation in {None, row["generation_number"]}][-(limit or 0) :]

        def made() -> Grid:
            names = [
                *("generation_number", "evaluations_in_generation", "best_fitness", "average_fitness"),
                *("worst_fitness", "front_size", "hypervolume", "stagnation_count"),
                "generation_time_seconds",
            ]
            shown = {_short(name): [row[name] for row in rows] for name in names}
            return Grid(f"Convergence of {study}", shown)

        def picture() -> Picture | None:
            from ecosystemiser.pictures import of_studies

            return of_studies.convergence(store, study)

        give(rows, chosen(format_, json), output, made, f"study {study} has no generations", picture)


# -- what they share


def selected(
    store: Store, study_id: str | None, study_ids: str | None, kind: str | None, since: str | None
) -> list[str] | None:
    """The studies that options pick out, in the order named, else the newest first; None where none picks.

    Raises:
        InputError: there is no such study or type, or the date is none.
    """
    from schema.store import queries

    parts = [*([study_id] if study_id is not None else []), *(study_ids or "").split(",")]
    named = list(dict.fromkeys(part.strip() for part in parts if part.strip()))
    if study_id is not None and not named:
        named = [study_id]  # empty: told as what it is
    queries.required_studies(store.connection, named)
    if kind is None and since is None:
        return named or None
    found = [
        str(row["study_id"])
        for row in queries.list_studies(store.connection, study_type=kind, since=since, limit=None)
    ]
    return [one for one in named if one in set(found)] if named else found


def _among(
    front: Sequence[Row], store: Store, study: str, where: Sequence[str], order_by: str | None
) -> list[Row]:
    """Those of a front that a filter lets through, ordered."""
    if not where and order_by is None:
        return list(front)
    from schema.store.runs import runs as found_runs

    by_id = {row["run_id"]: row for row in front}
    fitting = found_runs(store.connection, study_ids=[study], where=where, order_by=order_by, limit=None)
    return [by_id[row["run_id"]] for row in fitting if row["run_id"] in by_id]


def give(
    rows: Sequence[Row],
    format_: Format | None,
    output: Path | None,
    made: Callable[[], Grid],
    nothing: str = "",
    picture: Callable[[], Picture | None] | None = None,
) -> None:
    """Write the rows to a file, print them, or both where a format is asked for too."""
    if output is not None:
        from ecosystemiser.files import write_rows

        write_rows(rows, output, nothing, picture)
        note(f"Written: {output}")
        if format_ is None:
            return
    if format_ is Format.JSON:
        typer.echo(as_json(rows))
    elif format_ is Format.CSV:
        typer.echo(as_csv(rows), nl=False)
    elif rows:
        show(made())
    else:
        note(f"Nothing to show: {nothing}.")


def _one_of(option: str, value: str | None, known: Sequence[str]) -> str | None:
    """The value, if it is one of the words known.

    Raises:
        InputError: it is not.
    """
    from schema.errors import InputError
    from schema.store.where import unknown_name

    if value is not None and value not in known:
        raise InputError(unknown_name(option, value, known))
    return value


def _order(order_by: str | None) -> tuple[str | None, Any]:
    """What designs are ordered by, and the direction where one is told."""
    if order_by is None:
        return None, None
    name, _, way = order_by.strip().partition(" ")
    ways = {"": None, "asc": "minimise", "desc": "maximise"}
    way = way.strip().lower()
    if way not in ways:
        from schema.errors import Finding, InputError

        message = f"'{order_by}' cannot be read: write a name, and asc or desc behind it"
        raise InputError(Finding("", "--order-by", order_by, "NAME, NAME asc or NAME desc", message))
    return name, ways[way]


def _short(name: str) -> str:
    short = {
        "generation_number": "generation",
        "evaluations_in_generation": "evaluations",
        "front_size": "front",
        "stagnation_count": "stagnant for",
        "generation_time_seconds": "seconds",
    }
    return short.get(name, name.replace("_", " "))
