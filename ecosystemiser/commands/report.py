"""`ecosystemiser report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ecosystemiser import completing
from ecosystemiser.options import RESULTS_DEFAULT, JsonOption, QuietOption, ResultsOption, examples
from ecosystemiser.printing import as_json


def register(app: typer.Typer) -> None:
    app.command(
        epilog=examples(
            "ecosystemiser report house_front",
            "ecosystemiser report house_front --output house.html",
            "ecosystemiser report house_front --quick --json",
        )
    )(report)


def report(
    study_id: Annotated[
        str, typer.Argument(metavar="STUDY_ID", autocompletion=completing.study_ids, help="The study.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="FILE.html",
            help="Where to; reports/STUDY_ID.html in the results folder unless told.",
        ),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="Solve nothing again: no baseline, and no costs by component without files."
        ),
    ] = False,
    results: ResultsOption = RESULTS_DEFAULT,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write a study's report: one HTML file that tells what was asked and found, and works offline."""
    from ecosystemiser.progress import working
    from ecosystemiser.reporting.files import check_name, usual_file, write_report
    from ecosystemiser.results import opened
    from schema.store import queries

    if output is not None:
        check_name(output)
    with opened(results) as store:
        queries.required_study(store.connection, study_id)
        file = output or usual_file(results, study_id)
        with working(f"writing the report of {study_id}", quiet=quiet or json):
            write_report(store, study_id, file, solve_again=not quick)
    typer.echo(as_json({"study_id": study_id, "path": str(file)}) if json else f"Written: {file}")
