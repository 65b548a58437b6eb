"""Pictures of single runs, from the files that they kept, and of runs beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ecosystemiser.pictures import comparing, dispatch
from ecosystemiser.pictures.marks import Picture
from ecosystemiser.pictures.running import Running, running
from schema.errors import Finding, InputError
from schema.kpis import KPI_UNITS
from schema.store import queries
from schema.store.store import Store
from schema.store.timeseries import place_of, read_details, read_series
from schema.system import System


def kept(store: Store, run_id: str) -> Running:
    """A run's dispatch from its files.

    Raises:
        InputError: there is no such run, or it kept no files.
    """
    run = queries.required_run(store.connection, run_id)
    study_id = str(run["study_id"])
    if run["results_path"] is None:
        message = (
            f"{run_id} kept no time series: `ecosystemiser replay {run_id}` solves it again and writes them"
        )
        raise InputError(Finding("", "RUN_ID", run_id, "a run with time series", message))
    place = place_of(store.results_dir, study_id, run_id, run["results_path"])
    flows, levels, profiles = (
        _columns(read_series(place, study_id, run_id, which)) for which in ("flows", "components", "profiles")
    )
    try:
        config, _ = read_details(place, study_id, run_id)
        return running(run_id, System.model_validate(config["system"]), profiles, flows, levels)
    except (FileNotFoundError, KeyError, ValueError) as error:
        message = f"the files of {run_id} cannot be read: `ecosystemiser replay {run_id}` writes them anew"
        raise InputError(Finding("", "RUN_ID", str(error), "a run's files", message)) from error


def _columns(frame: pd.DataFrame) -> dict[str, Any]:
    return {str(name): frame[name].to_numpy(dtype=float) for name in frame.columns}


def week(
    run: Running,
    number: int | None = None,
    begin: str | None = None,
    *,
    nodes: Sequence[str] = (),
) -> Picture:
    """A week of a dispatch.

    Args:
        run: the whole dispatch.
        number: which week of the horizon, from 1.
        begin: or its first day, as the system's clock tells it.
        nodes: which to show; those with the largest flows unless told.

    Raises:
        InputError: the horizon has no such week or node.
    """
    require_nodes(run, nodes)
    return dispatch.week(part_of(run, number, begin), nodes=nodes)


def part_of(run: Running, number: int | None = None, begin: str | None = None) -> Running:
    """A week of a dispatch, or what is left of it at the horizon's end; see `week`."""
    length = max(round(dispatch.HOURS_PER_WEEK / run.step_hours), 1)
    first = _first_step(run, number, begin, length)
    return run.between(first, min(first + length, len(run.index)))


def _first_step(run: Running, number: int | None, begin: str | None, length: int) -> int:
    first, last = run.index[0], run.index[-1]
    horizon = f"{first:%Y-%m-%d} to {last:%Y-%m-%d}"
    if begin is not None:
        try:
            moment = pd.Timestamp(begin)
        except ValueError:
            message = f"'{begin}' is no date: write one such as {first:%Y-%m-%d}"
            raise InputError(Finding("", "--from", begin, "a date", message)) from None
        local = moment.tz_convert(run.index.tz) if moment.tzinfo else moment
        found = int(run.index.tz_localize(None).searchsorted(local.tz_localize(None)))
        if local.tz_localize(None) < first.tz_localize(None).normalize() or found == len(run.index):
            message = f"{begin} is outside the horizon, which goes from {horizon}"
            raise InputError(Finding("", "--from", begin, horizon, message))
        return found
    weeks = -(-len(run.index) // length)
    if number is not None and number > weeks:
        message = f"there is no week {number}: the horizon has {weeks}, from {horizon}"
        raise InputError(Finding("", "--week", str(number), f"1 to {weeks}", message))
    return ((number or 1) - 1) * length


def duration(run: Running, *, nodes: Sequence[str] = ()) -> Picture:
    """Its load-duration curves.

    Raises:
        InputError: the system has no such node.
    """
    require_nodes(run, nodes)
    return dispatch.duration(run, nodes=nodes)


def sankey(run: Running) -> Picture | None:
    """Where its energy goes; None where nothing flows."""
    return dispatch.sankey(run) if any(port.flow.any() for port in run.ports) else None


def require_nodes(run: Running, nodes: Sequence[str]) -> None:
    """See that the system has these nodes.

    Raises:
        InputError: it has not.
    """
    from schema.store.where import unknown_name

    for node in nodes:
        if node not in run.nodes:
            raise InputError(unknown_name("--node", node, run.nodes))


def compared(store: Store, run_ids: Sequence[str]) -> tuple[list[dict[str, Any]], Picture]:
    """Runs beside each other: their rows, and a picture.

    Raises:
        InputError: there is no such run, one was never solved, or they are too many.
    """
    if len(run_ids) > comparing.MOST_RUNS:
        message = f"{len(run_ids)} runs were named, and {comparing.MOST_RUNS} can stand beside each other"
        raise InputError(Finding("", "RUN_A,RUN_B", ",".join(run_ids), "two to six runs", message))
    rows = [_row(store, run_id) for run_id in run_ids]
    return rows, comparing.run_against_run(rows, list(KPI_UNITS), title="Runs beside each other")


def _row(store: Store, run_id: str) -> dict[str, Any]:
    """A run with its parameters and all its KPIs."""
    run = queries.required_run(store.connection, run_id)
    others: Mapping[str, Any] = (run["metadata_json"] or {}).get("kpis") or {}
    kpis = {name: run[name] if name in run else others.get(name) for name in KPI_UNITS}
    if all(value is None for value in kpis.values()):
        message = f"{run_id} has no answer ({run['simulation_status']}): compare runs that were solved"
        raise InputError(Finding("", "RUN_A,RUN_B", run_id, "a run that was solved", message))
    parameters: Mapping[str, Any] = {}
    if run["study_run_id"] is not None:
        parameters = queries.evaluation(store.connection, run_id)["parameters"]
    return {
        "run_id": run_id,
        "study_id": run["study_id"],
        "solver_type": run["solver_type"],
        **{name: value for name, value in kpis.items() if value is not None},
        "parameters": dict(parameters),
    }
