"""`ecosystemiser query dispatch`, `duration`, `sankey` and `compare-runs`: single runs, from their time series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ecosystemiser import completing
from ecosystemiser.commands.query import OutputOption, give, query
from ecosystemiser.options import (
    MOST,
    RESULTS_DEFAULT,
    FormatOption,
    JsonOption,
    ResultsOption,
    chosen,
    examples,
)

if TYPE_CHECKING:
    from ecosystemiser.pictures.marks import Picture

RunArgument = Annotated[
    str,
    typer.Argument(
        metavar="RUN_ID", autocompletion=completing.run_ids, help="The run; one that kept its time series."
    ),
]
NodeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--node",
        metavar="NODE",
        help="Draw this node, such as electricity or heat@house_2; can be repeated. "
        "Those with the largest flows unless told.",
    ),
]


@query.command(
    "dispatch",
    epilog=examples(
        "ecosystemiser query dispatch house_front-0000042 --output week.png",
        "ecosystemiser query dispatch house_front-0000042 --from 2019-07-01 --output july.html",
        "ecosystemiser query dispatch house_front-0000042 --week 3 --format csv",
    ),
)
def dispatch(
    run_id: RunArgument,
    week: Annotated[
        int | None,
        typer.Option(
            "--week", metavar="N", min=1, max=MOST, help="Which week of the horizon; the first unless told."
        ),
    ] = None,
    begin: Annotated[
        str | None,
        typer.Option("--from", metavar="DATE", help="Or the week from this day on, such as 2019-07-01."),
    ] = None,
    node: NodeOption = None,
    format_: FormatOption = None,
    output: OutputOption = None,
    results: ResultsOption = RESULTS_DEFAULT,
    json: JsonOption = False,
) -> None:
    """Show a week of a run: who gives and takes, what is held, what energy costs."""
    from ecosystemiser import run_tables
    from ecosystemiser.pictures import of_runs
    from ecosystemiser.results import opened
    from schema.errors import Finding, InputError

    if week is not None and begin is not None:
        message = "--week and --from both say which week: keep one of them"
        raise InputError(Finding("", "--week", str(week), "one of both", message))
    with opened(results) as store:
        whole = of_runs.kept(store, run_id)
    part = of_runs.part_of(whole, week, begin)
    rows = run_tables.steps(part)

    def picture() -> Picture | None:
        return of_runs.week(whole, week, begin, nodes=node or [])

    give(rows, chosen(format_, json), output, lambda: run_tables.table(rows, run_id), "", picture)


@query.command(
    "duration",
    epilog=examples(
        "ecosystemiser query duration house_front-0000042",
        "ecosystemiser query duration house_front-0000042 --node electricity --output duration.svg",
    ),
)
def duration(
    run_id: RunArgument,
    node: NodeOption = None,
    format_: FormatOption = None,
    output: OutputOption = None,
    results: ResultsOption = RESULTS_DEFAULT,
    json: JsonOption = False,
) -> None:
    """Show what every flow of a run carried, and for how many hours; as a picture, load-duration curves."""
    from ecosystemiser import run_tables
    from ecosystemiser.pictures import of_runs
    from ecosystemiser.results import opened

    with opened(results) as store:
        whole = of_runs.kept(store, run_id)
    of_runs.require_nodes(whole, node or [])
    rows = [row for row in run_tables.amounts(whole) if not node or row["node"] in node]

    def picture() -> Picture | None:
        return of_runs.duration(whole, nodes=node or [])

    give(rows, chosen(format_, json), output, lambda: run_tables.table(rows, run_id), "", picture)


@query.command(
    "sankey",
    epilog=examples(
        "ecosystemiser query sankey house_front-0000042",
        "ecosystemiser query sankey house_front-0000042 --output energy.html",
    ),
)
def sankey(
    run_id: RunArgument,
    format_: FormatOption = None,
    output: OutputOption = None,
    results: ResultsOption = RESULTS_DEFAULT,
    json: JsonOption = False,
) -> None:
    """Show where a run's energy comes from, what becomes of it, and where it goes."""
    from ecosystemiser import run_tables
    from ecosystemiser.pictures import of_runs
    from ecosystemiser.pictures.marks import Sankey
    from ecosystemiser.results import opened

    with opened(results) as store:
        drawn = of_runs.sankey(of_runs.kept(store, run_id))
    rows = run_tables.streams(drawn.content) if drawn and isinstance(drawn.content, Sankey) else []
    nothing = f"nothing flows in {run_id}"
    give(rows, chosen(format_, json), output, lambda: run_tables.table(rows, run_id), nothing, lambda: drawn)


@query.command(
    "compare-runs",
    epilog=examples(
        "ecosystemiser query compare-runs house_front-0000042,house_front-0000017",
        "ecosystemiser query compare-runs house_front-0000042,house_front-0000017 --output both.png",
    ),
)
def compare_runs(
    run_ids: Annotated[
        str,
        typer.Argument(
            metavar="RUN_A,RUN_B",
            autocompletion=completing.run_ids,
            help="The runs, two to six, with commas between.",
        ),
    ],
    format_: FormatOption = None,
    output: OutputOption = None,
    results: ResultsOption = RESULTS_DEFAULT,
    json: JsonOption = False,
) -> None:
    """Show runs beside each other: in what their designs differ, and all their KPIs."""
    from ecosystemiser import run_tables
    from ecosystemiser.commands.query_analyses import several
    from ecosystemiser.pictures import of_runs
    from ecosystemiser.results import opened

    ids = several(run_ids, "RUN_A,RUN_B", "runs")
    with opened(results) as store:
        rows, drawn = of_runs.compared(store, ids)
    give(rows, chosen(format_, json), output, lambda: run_tables.beside(rows), "", lambda: drawn)
