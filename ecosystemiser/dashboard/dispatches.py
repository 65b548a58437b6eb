"""Dispatches for the pages: from the files that a run kept, else solved again on the spot, and kept in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import streamlit as st

from ecosystemiser.dashboard.sources import reading
from ecosystemiser.pictures import of_runs
from ecosystemiser.pictures.running import Running, running_of
from schema.errors import Finding, InputError
from schema.store import queries
from schema.store.statements import Row

KEPT_IN_MEMORY: Final = 16
LONG_SECONDS: Final = 20.0


@dataclass(frozen=True)
class Shown:
    """A dispatch, and how it was come by."""

    running: Running
    how: str


def dispatch_of(run: Row) -> Shown:
    """A run's dispatch.

    Args:
        run: its row of `simulation_runs`.

    Raises:
        InputError: nothing is left to solve it from, or it has no answer.
    """
    with st.spinner("The dispatch is read, or solved again where no files were kept …"):
        shown: Shown = _dispatch(str(run["run_id"]), str(run["updated_at"]), str(run["results_path"]))
    return shown


def takes_long(run: Row) -> float | None:
    """About how many seconds it takes to solve the run again, where that is long; None where it is not."""
    if run["results_path"] is not None:
        return None
    with reading() as store:
        seconds = queries.evaluation(store.connection, str(run["run_id"]))["evaluation_time_seconds"]
    return seconds if seconds is not None and seconds > LONG_SECONDS else None


@st.cache_data(max_entries=KEPT_IN_MEMORY, show_spinner=False)
def _dispatch(run_id: str, _changed: str, results_path: str) -> Shown:
    with reading() as store:
        if results_path != "None":
            try:
                return Shown(of_runs.kept(store, run_id), "from the files that the run kept")
            except InputError:
                pass  # gone or damaged: it is solved again
        from ecosystemiser.dashboard.sources import results_folder
        from ecosystemiser.results import opened

    from tasks.replay import solve_again

    with opened(results_folder()) as store:  # without a limit of time: the solver has its own
        found = solve_again(store, run_id)
    if not found.dispatch.status.has_solution:
        message = f"{run_id} has no dispatch ({found.status}): {found.dispatch.solution.message}"
        raise InputError(Finding("", "run", run_id, "a run that can be solved", message))
    how = "solved again just now, as no files were kept"
    if found.differences:
        names = ", ".join(found.differences)
        how += f"; it comes out otherwise than it was recorded ({names}): see `ecosystemiser replay {run_id}`"
    return Shown(running_of(run_id, found.dispatch, found.series), how)
