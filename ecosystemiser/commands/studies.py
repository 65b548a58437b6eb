"""`ecosystemiser status`, `ecosystemiser cancel` and `ecosystemiser delete`."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ecosystemiser import completing
from ecosystemiser.failures import FELL_SHORT
from ecosystemiser.options import RESULTS_DEFAULT, JsonOption, ResultsOption, examples, results_flag
from ecosystemiser.printing import as_json, duration, note

if TYPE_CHECKING:
    from schema.store.locks import Holder

_PATIENCE_SECONDS, _POLL_SECONDS = 300.0, 0.1

StudyArgument = Annotated[
    str, typer.Argument(metavar="STUDY_ID", autocompletion=completing.study_ids, help="The study.")
]


def register(app: typer.Typer) -> None:
    app.command(
        epilog=examples("ecosystemiser status house_front", "ecosystemiser status house_front --json")
    )(status)
    app.command(epilog=examples("ecosystemiser cancel house_front"))(cancel)
    app.command(
        epilog=examples("ecosystemiser delete house_front", "ecosystemiser delete house_front --yes")
    )(delete)


def status(
    study_id: StudyArgument, results: ResultsOption = RESULTS_DEFAULT, json: JsonOption = False
) -> None:
    """Tell how far a study is, and whether it is being run."""
    from ecosystemiser.design_tables import best, known_before, moment, state
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
        f"{counts['infeasible']:,} infeasible, {counts['failed']:,} failed{known_before(counts)}"
    )
    typer.echo(f"  best         {best(study)}")
    took = study["execution_time_seconds"]
    typer.echo(f"  begun        {moment(study['created_at'])}" + (f", took {duration(took)}" if took else ""))
    for line in _next(study, told, counts["failed"]):
        typer.echo(f"  next         {line}{results_flag(results)}")


def _next(study: dict[str, Any], told: str, failed: int) -> list[str]:
    metadata = study["metadata_json"] or {}
    file = shlex.quote(metadata.get("study_path") or "STUDY.yaml")
    if told == "failed" and metadata.get("ended"):
        return [f"ecosystemiser run {file} --retry-failed"] if failed else []
    if told in {"interrupted", "cancelled", "failed"}:
        return [f"ecosystemiser run {file} --resume"]
    if told == "completed":
        return [f"ecosystemiser query pareto-front --study-id {study['study_id']}"]
    return []


def cancel(
    study_id: StudyArgument, results: ResultsOption = RESULTS_DEFAULT, json: JsonOption = False
) -> None:
    """End a study that is being run, as Ctrl-C would: what was evaluated is kept, and it can go on later."""
    from ecosystemiser.design_tables import state
    from ecosystemiser.results import opened
    from schema.errors import Finding, InputError
    from schema.store import queries

    with opened(results) as store:
        study = queries.required_study(store.connection, study_id)
        holder, told = store.holder(study_id), state(study, store)
    if holder is None:
        again = "".join(f"; next: {line}{results_flag(results)}" for line in _next(study, told, 0))
        message = f"no process is running {study_id}, which is {told}{again}"
        raise InputError(Finding("", "STUDY_ID", told, "a study that is being run", message))
    pid = _process_here(study_id, holder)
    try:
        os.kill(pid, signal.SIGTERM)
    except PermissionError:
        message = f"process {pid}, which runs {study_id}, is another user's: ask them, or become them"
        raise InputError(Finding("", "STUDY_ID", study_id, "a study of your own", message)) from None
    except ProcessLookupError:
        pass  # it has just ended by itself
    note(f"Process {pid} was told to end {study_id}; it settles what it is at")
    if not _ended(results, study_id, pid):
        note(f"Error: it is still at it after {_PATIENCE_SECONDS:g} s: see `ecosystemiser status {study_id}`")
        raise typer.Exit(FELL_SHORT)
    status(study_id, results, json)


def _process_here(study_id: str, holder: Holder) -> int:
    """The process that runs the study, where it can be told from here to end."""
    from schema.errors import Finding, InputError

    if holder.pid is not None and holder.host == socket.gethostname():
        return holder.pid
    process = f"process {holder.pid or 'unknown'} on {holder.host or 'another machine'}"
    message = (
        f"{study_id} is run by {process}, which cannot be reached from here: repeat the command on that machine, "
        "or cancel its flow run in Prefect"
    )
    raise InputError(Finding("", "STUDY_ID", process, "a process on this machine", message))


def _ended(results: Path, study_id: str, pid: int) -> bool:
    """Wait until the process has let the study go."""
    from ecosystemiser.results import opened

    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with opened(results) as store:
            holder = store.holder(study_id)
        if holder is None or holder.pid != pid:
            return True
        time.sleep(_POLL_SECONDS)
    return False


def delete(
    study_id: StudyArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    results: ResultsOption = RESULTS_DEFAULT,
    json: JsonOption = False,
) -> None:
    """Delete a study with its evaluations, time series, pictures and report."""
    from ecosystemiser.reporting.files import usual_file
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
    usual_file(results, study_id).unlink(missing_ok=True)
    if json:
        typer.echo(as_json({"deleted": study_id, "evaluations": count}))
        return
    note(f"Deleted: {study_id}, {count:,} evaluations")
