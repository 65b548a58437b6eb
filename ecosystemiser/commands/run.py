"""`ecosystemiser run`."""

from __future__ import annotations

import shlex
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ecosystemiser.failures import FELL_SHORT, Interrupted
from ecosystemiser.options import (
    RESULTS_DEFAULT,
    Format,
    FormatOption,
    JsonOption,
    QuietOption,
    ResultsOption,
    examples,
    results_flag,
)
from ecosystemiser.printing import as_csv, as_json, duration, note, size

if TYPE_CHECKING:
    from flows.run import RunOutcome
    from schema.loading import LoadedStudy


class Runner(StrEnum):
    """What evaluates designs side by side."""

    PROCESSES = "processes"
    THREADS = "threads"
    DASK = "dask"


def register(app: typer.Typer) -> None:
    app.command(
        epilog=examples(
            "ecosystemiser run examples/house/study_week.yaml",
            "ecosystemiser run examples/house/study.yaml --workers 4 --results house_results",
            "ecosystemiser run examples/house/study.yaml --resume",
            "ecosystemiser run examples/house/study.yaml --retry-failed",
            "ecosystemiser run examples/house/study_week.yaml --format csv",
            "ecosystemiser run examples/house/study.yaml --runner dask --dask-address tcp://127.0.0.1:8786",
        )
    )(run)


def run(
    study: Annotated[Path, typer.Argument(metavar="STUDY.yaml", help="The study.")],
    results: ResultsOption = RESULTS_DEFAULT,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            metavar="N",
            min=1,
            help="Evaluations at once; unless told one a core, or as many as the Dask cluster has.",
        ),
    ] = None,
    runner: Annotated[
        Runner, typer.Option("--runner", help="What evaluates designs side by side.")
    ] = Runner.PROCESSES,
    dask_address: Annotated[
        str | None,
        typer.Option(
            "--dask-address",
            metavar="URL",
            help="Scheduler of the Dask cluster, tls://HOST:8786; one on this machine unless told.",
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted study.")] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Evaluate again what failed; infeasible is no failure.")
    ] = False,
    format_: FormatOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run a study: evaluate its designs, record them, and show what was found.

    A study that is finished shows its results again. Exit status 1 where nothing was found.
    """
    from schema.loading import load_study
    from tasks.workers import require_dask

    require_dask(runner.value, dask_address)
    _refuse_system(study)
    loaded = load_study(study)
    format_ = Format.JSON if json else format_ or Format.TABLE
    silent = quiet or format_ is not Format.TABLE
    if not silent:
        _announce(loaded, results, workers or _available(dask_address))
    try:
        with _ended_as_by_ctrl_c():
            outcome = _run(
                study,
                results,
                workers,
                runner,
                dask_address,
                resume=resume,
                retry_failed=retry_failed,
                silent=silent,
            )
    except KeyboardInterrupt:
        by = f" --runner dask --dask-address {shlex.quote(dask_address)}" if dask_address else ""
        again = f"ecosystemiser run {shlex.quote(str(study))} --resume{results_flag(results)}{by}"
        raise Interrupted(f"what was evaluated is kept; go on with `{again}`") from None
    _show(outcome, results, format_, quiet=quiet)


@contextmanager
def _ended_as_by_ctrl_c() -> Iterator[None]:
    """SIGTERM, by which `cancel`, systemd and batch systems end a process, ends the study as Ctrl-C does."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _refuse_system(file: Path) -> None:
    from schema.errors import Finding, InputError
    from schema.yaml_files import read_yaml

    raw, _ = read_yaml(file)
    if "components" in raw and "study" not in raw:
        message = f"this is a system, and a study is needed; `ecosystemiser solve {file}` dispatches a system"
        raise InputError(Finding(str(file), "", "a system", "a study", message))


def _announce(loaded: LoadedStudy, results: Path, workers: int) -> None:
    """What is about to be done, unless the study is there already."""
    from schema.store.store import Store
    from tasks.bases import bases_of

    study = loaded.study
    # Opened to write: a folder that cannot be used is told before anything is measured.
    with Store.open(results) as store:
        known = store.study(study.study)
        bases = bases_of(store, loaded)
    if known is not None:
        if known["status"] != "completed":
            note(
                f"{study.study}: {known['run_count']:,} of {known['max_evaluations']:,} evaluations are there"
            )
        return
    from tasks.estimate import estimate

    told = estimate(loaded, bases, workers)
    count = f"{told.evaluations:,} evaluation{'s' if told.evaluations != 1 else ''}"
    note(
        f"{study.study}: {count} by {workers} workers, about {duration(told.seconds)}, "
        f"{size(told.disk_bytes)} in {results}"
    )


def _run(
    study: Path,
    results: Path,
    workers: int | None,
    runner: Runner,
    dask_address: str | None,
    *,
    resume: bool,
    retry_failed: bool,
    silent: bool,
) -> RunOutcome:
    from ecosystemiser.progress import shown
    from flows.run import run_study
    from tasks.progress import listening

    with shown(quiet=silent) as listener, listening(listener):
        outcome = run_study(
            study,
            results,
            workers=workers,
            runner=runner.value,
            dask_address=dask_address,
            resume=resume,
            retry_failed=retry_failed,
        )
    if outcome.notice and not silent:
        note(outcome.notice)
    return outcome


def _show(outcome: RunOutcome, results: Path, format_: Format, *, quiet: bool) -> None:
    from ecosystemiser.results import opened
    from ecosystemiser.study_results import StudyResults, draw, drawn_before, reasons
    from ecosystemiser.study_tables import print_study, rows_of

    with opened(results) as store:
        # A finished study's pictures are as they were, unless somebody removed them.
        before = drawn_before(results, outcome.study_id) if outcome.was_finished else {}
        found = StudyResults.read(store, outcome.study_id, before or draw(store, outcome.study_id))
        why = [] if found.is_answered else reasons(store, outcome.study_id)
    if format_ is Format.JSON:
        typer.echo(as_json({**found.as_dict(), "reasons": why}))
    elif format_ is Format.CSV:
        typer.echo(as_csv(rows_of(found)), nl=False)
    elif found.is_answered:
        if outcome.was_finished and not quiet:
            note(f"{outcome.study_id} is finished: nothing was run")
        print_study(found)
    if not found.is_answered:
        note(f"Error: study {outcome.study_id} {_NOTHING[found.kind]}")
        for line in why:
            note(f"  {line}")
        if outcome.was_finished and found.statistics["failed"]:
            note("Nothing was run: it had ended so; --retry-failed evaluates again what failed")
        raise typer.Exit(FELL_SHORT)


_NOTHING = {
    "genetic_algorithm": "found no design that can be dispatched and keeps its constraints",
    "monte_carlo": "has no sample that can be dispatched",
    "parametric": "has no design that can be dispatched",
    "single": "has a design that cannot be dispatched",
}


def _available(dask_address: str | None) -> int:
    """How many evaluate at once unless told."""
    from tasks.workers import usable_cores

    if dask_address is None:
        return usable_cores()
    from tasks.dask_workers import cluster_size

    return cluster_size(dask_address)
