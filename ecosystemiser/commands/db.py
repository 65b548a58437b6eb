"""`ecosystemiser db`: care for the results database."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from ecosystemiser.failures import FELL_SHORT
from ecosystemiser.options import RESULTS_DEFAULT, JsonOption, ResultsOption, examples
from ecosystemiser.printing import as_json

db = typer.Typer(
    help="Care for the results database: migrate, check, back up, rebuild and import.",
    rich_markup_mode="rich",
    epilog=examples("ecosystemiser db check", "ecosystemiser db backup results-2025-01-31.sqlite"),
)


def register(app: typer.Typer) -> None:
    app.add_typer(db, name="db")


@db.callback(invoke_without_command=True)
def root(context: typer.Context) -> None:
    """Care for the results database: migrate, check, back up, rebuild and import."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@db.command(epilog=examples("ecosystemiser db migrate", "ecosystemiser db migrate --results old-results"))
def migrate(results: ResultsOption = RESULTS_DEFAULT, json: JsonOption = False) -> None:
    """Bring an older database up to date; a copy of it is set aside first.

    Whatever opens the database to write does this too. An older EcoSystemiser's database moves in place.
    """
    from ecosystemiser.progress import working
    from schema.store.care import bring_up_to_date

    with working("bringing the database up to date"):
        copy, steps = bring_up_to_date(results)
    if json:
        typer.echo(as_json({"copy": None if copy is None else str(copy), "steps": steps}))
        return
    typer.echo(f"Taken: {', '.join(steps)}" if steps else "The database is up to date.")
    if copy is not None:
        typer.echo(f"As it was before: {copy}")


@db.command(epilog=examples("ecosystemiser db check", "ecosystemiser db check --mend"))
def check(
    mend: Annotated[
        bool, typer.Option("--mend", help="Mend what can be mended; no result is deleted.")
    ] = False,
    results: ResultsOption = RESULTS_DEFAULT,
    json: JsonOption = False,
) -> None:
    """Look for what has come apart between the database and its run folders.

    Finds rows without files, files without rows, runs left running, broken files, references that lead nowhere,
    wrong counts and half-written folders. Exit status 1 while there is anything left.
    """
    from ecosystemiser.progress import working
    from ecosystemiser.results import opened
    from schema.store.care import check as look
    from schema.store.store import Store

    with opened(results) as reader, working("checking"):  # nothing is made where there is nothing
        found = [] if mend else look(reader)
    if mend:
        with Store.open(results) as store, working("checking and mending"):
            found = look(store, mend=True)
    left = [trouble for trouble in found if not trouble.mended]
    if json:
        typer.echo(as_json({"sound": not left, "found": [trouble.as_dict() for trouble in found]}))
    else:
        for trouble in found:
            mark = "mended  " if trouble.mended else "can mend" if trouble.mend else "        "
            typer.echo(f"{mark}  {trouble.kind}: {trouble.subject}: {trouble.message}")
        typer.echo(_summary(len(found), len(left), any(trouble.mend for trouble in left)))
    if left:
        raise typer.Exit(FELL_SHORT)


def _summary(found: int, left: int, mendable: bool) -> str:
    if not found:
        return "All is well."
    told = f"{found} found, {found - left} mended, {left} left."
    return f"{told} Mend with: ecosystemiser db check --mend" if mendable else told


@db.command(epilog=examples("ecosystemiser db backup results-2025-01-31.sqlite"))
def backup(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The backup to write; it must not be there yet.")
    ],
    results: ResultsOption = RESULTS_DEFAULT,
    json: JsonOption = False,
) -> None:
    """Copy the database as it is at one moment, while studies go on."""
    from ecosystemiser.printing import size
    from ecosystemiser.progress import working
    from ecosystemiser.results import opened
    from schema.store.care import back_up

    with opened(results) as store, working("copying"):
        back_up(store, file)
    written = file.stat().st_size
    typer.echo(
        as_json({"file": str(file), "bytes": written}) if json else f"Backed up: {file}, {size(written)}"
    )


@db.command(epilog=examples("ecosystemiser db rebuild"))
def rebuild(results: ResultsOption = RESULTS_DEFAULT, json: JsonOption = False) -> None:
    """Make the database anew from the run folders; the one that is there is set aside.

    Evaluations without a folder of their own, generations and analyses cannot come back this way: a backup
    holds them.
    """
    from ecosystemiser.progress import working
    from schema.store.rebuild import rebuild as made_anew

    with working("reading the run folders"):
        told = made_anew(results)
    aside = None if told.set_aside is None else str(told.set_aside)
    if json:
        counts = {"studies": told.studies, "runs": told.runs}
        typer.echo(as_json({**counts, "set_aside": aside, "unreadable": list(told.unreadable)}))
        return
    typer.echo(f"Rebuilt: {told.studies:,} studies, {told.runs:,} runs")
    if aside is not None:
        typer.echo(f"As it was before: {aside}")
    for folder in told.unreadable:
        typer.echo(f"Left out, as it tells no run: {folder}", err=True)


@db.command(
    "import",
    epilog=examples(
        "ecosystemiser db import old/*.json",
        "ecosystemiser db import week.json --study-id winter --start 2019-01-07T00:00 --step-minutes 60",
    ),
)
def import_(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="The older software's JSON results.")
    ],
    study_id: Annotated[
        str, typer.Option("--study-id", metavar="ID", help="The study that takes them; made if need be.")
    ] = "imported",
    start: Annotated[
        datetime | None,
        typer.Option("--start", help="The first step's beginning in UTC; the files do not say."),
    ] = None,
    step_minutes: Annotated[
        int, typer.Option("--step-minutes", metavar="N", min=1, max=1440, help="Length of a step.")
    ] = 60,
    results: ResultsOption = RESULTS_DEFAULT,
    json: JsonOption = False,
) -> None:
    """Take results of the older EcoSystemiser, each file as a run with its time series and KPIs.

    What was imported before is passed over. Cost, CO2 and the renewable fraction stay empty: the files do not
    tell what they take.
    """
    from ecosystemiser.progress import working
    from schema.store.importing import Clock, import_results
    from schema.store.store import Store

    with Store.open(results) as store, working("importing"):
        told = import_results(store, files, study_id=study_id, clock=Clock(start, step_minutes))
    if json:
        typer.echo(as_json([{"file": run.file, "run_id": run.run_id, "new": run.new} for run in told]))
        return
    for run in told:
        typer.echo(f"{run.run_id}  {run.file}" + ("" if run.new else "  (imported before)"))
