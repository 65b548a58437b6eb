"""`ecosystemiser replay`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ecosystemiser import completing
from ecosystemiser.failures import FELL_SHORT
from ecosystemiser.options import RESULTS_DEFAULT, JsonOption, QuietOption, ResultsOption, examples
from ecosystemiser.printing import Grid, as_json, note, number, show, shown_unit_of

if TYPE_CHECKING:
    from tasks.replay import Replay


def register(app: typer.Typer) -> None:
    app.command(
        epilog=examples(
            "ecosystemiser replay house_front-0000042",
            "ecosystemiser replay house_front-0000042 --json",
        )
    )(replay)


def replay(
    run_id: Annotated[
        str,
        typer.Argument(
            metavar="RUN_ID", autocompletion=completing.run_ids, help="The run, as queries name it."
        ),
    ],
    results: ResultsOption = RESULTS_DEFAULT,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Solve a recorded run again, write its time series, and compare with the record.

    Exit status 1 where it comes out otherwise.
    """
    from ecosystemiser.progress import working
    from ecosystemiser.results import opened
    from schema.store import queries
    from schema.store.store import Store
    from tasks import replay as replaying

    with opened(results) as store:
        queries.required_run(store.connection, run_id)
    with working(f"solving {run_id} again", quiet=quiet), Store.open(results) as store:
        found = replaying.replay(store, run_id)
    if json:
        typer.echo(as_json(_as_dict(found)))
    else:
        _print(found)
    if not found.agrees:
        note(f"Error: {run_id} comes out otherwise than it was recorded{_versions(found)}")
        raise typer.Exit(FELL_SHORT)


def _as_dict(found: Replay) -> dict[str, Any]:
    return {
        "run_id": found.run_id,
        "agrees": found.agrees,
        "recorded_status": found.recorded_status,
        "status": found.status,
        "message": found.dispatch.solution.message,
        "recorded": dict(found.recorded),
        "kpis": dict(found.dispatch.kpis),
        "differences": found.differences,
        "other_versions": {name: list(both) for name, both in found.other_versions.items()},
        "results_path": None if found.files is None else found.files.results_path,
    }


def _print(found: Replay) -> None:
    kpis, recorded = found.dispatch.kpis, found.recorded
    verdict = "as it was recorded" if found.agrees else f"recorded as {found.recorded_status}"
    typer.echo(f"{found.run_id}: {found.status}, {verdict}\n")
    if kpis and recorded:
        columns = {
            "KPI": list(recorded),
            "recorded": [number(value) for value in recorded.values()],
            "now": [number(kpis[name]) for name in recorded],
            "difference": [f"{kpis[name] - value:.1e}" for name, value in recorded.items()],
            "unit": [shown_unit_of(name) for name in recorded],
        }
        show(Grid("Record and replay", columns, right=["recorded", "now", "difference"]))
    if found.files is not None:
        typer.echo(f"\nWritten: {found.files.results_path}")


def _versions(found: Replay) -> str:
    if not found.other_versions:
        return ""
    told = ", ".join(f"{name} {old} (now {new})" for name, (old, new) in found.other_versions.items())
    return f"; it was made with {told}"
