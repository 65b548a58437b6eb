"""`ecosystemiser status` and `ecosystemiser delete`."""

from __future__ import annotations

import shlex
import shutil
import sys
from typing import Annotated, Any

import typer

from ecosystemiser.options import RESULTS_DEFAULT, JsonOption, ResultsOption, examples, results_flag
from ecosystemiser.printing import as_json, duration, note

StudyArgument = Annotated[str, typer.Argument(metavar="STUDY_ID", help="The study.")]


def register(app: typer.Typer) -> None:
    app.command(
        epilog=examples("ecosystemiser status house_front", "ecosystemiser status house_front --json")
    )(status)
    app.command(
        epilog=examples("ecosystemiser delete house_front", "ecosystemiser delete house_front --yes")
    )(delete)


def status(
    study_id: StudyArgument, results: ResultsOption = RESULTS_DEFAULT, json: JsonOption = False
) -> None:
    """Tell how far a study is, and whether it is being run."""
    from ecosystemiser.design_tables import best, moment, state
    from ecosystemiser.results import opened
    from schema.store import queries

    with opened(results) as store:
        study = queries.required_study(store.connection, study_id)
        counts = queries.statistics(store.connection, study_id)[0]
        holder = store.holder(study_id)
        told = state(study, store)
    if json:
        process = None if holder is None else {"pid": holder.pid, "host": holder.host}
        typer.echo(as_json({**counts, "state": told, "process": process}))
        return
    by = "" if holder is None else f" (process {holder.pid or 'unknown'} on {holder.host or 'this machine'})"
    typer.echo(f"{study_id}: {told}{by}, {study['progress_percent']:.0f} % done")
    planned = study["max_evaluations"]
    of = f" of {planned:,}" if planned else ""
    typer.echo(
        f"  evaluations  {counts['evaluations']:,}{of}: {counts['successful']:,} solved, "
        f"{counts['infeasible']:,} infeasible, {counts['failed']:,} failed"
    )
    typer.echo(f"  best         {best(study)}")
    took = study["execution_time_seconds"]
    typer.echo(f"  begun        {moment(study['created_at'])}" + (f", took {duration(took)}" if took else ""))
    for line in _next(study, told):
        typer.echo(f"  next         {line}{results_flag(results)}")


def _next(study: dict[str, Any], told: str) -> list[str]:
    file = (study["metadata_json"] or {}).get("study_path") or "STUDY.yaml"
    if told in {"interrupted", "cancelled", "failed"}:
        return [f"ecosystemiser run {shlex.quote(file)} --resume"]
    if told == "completed":
        return [f"ecosystemiser query pareto-front --study-id {study['study_id']}"]
    return []


def delete(
    study_id: StudyArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    results: ResultsOption = RESULTS_DEFAULT,
) -> None:
    """Delete a study with its evaluations, time series and pictures."""
    from ecosystemiser.results import opened, picture_folder
    from schema.errors import Finding, InputError
    from schema.store import queries
    from schema.store.store import Store

    with opened(results) as store:
        count = queries.required_study(store.connection, study_id)["run_count"]
    if not yes:
        if not sys.stdin.isatty():
            message = "this cannot be undone: add --yes to delete without being asked"
            raise InputError(Finding("", "--yes", "nothing", "--yes", message))
        typer.confirm(f"Delete {study_id} with its {count:,} evaluations?", abort=True, err=True)
    with Store.open(results) as store:
        store.delete_study(study_id)
    shutil.rmtree(picture_folder(results, study_id), ignore_errors=True)
    note(f"Deleted: {study_id}, {count:,} evaluations")
