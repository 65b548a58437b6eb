"""The Python API: results as pandas frames, a study or one dispatch from a notebook.

What the command line tells as an error is an `InputError` here, with the same words; its `findings` hold them one
by one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from ecosystemiser.printing import flat_row
from ecosystemiser.results import chosen_study, opened
from schema.errors import Finding, InputError
from schema.store import queries
from schema.store.runs import best_designs, runs
from schema.store.store import Store

if TYPE_CHECKING:
    from ecosystemiser.dispatching import Solved

PathLike = str | os.PathLike[str]
Rows = Sequence[Mapping[str, Any]]
_MOMENTS = ("created_at", "updated_at", "completed_at", "timestamp", "begun", "settled")


def open(results: PathLike | None = None) -> Results:  # noqa: A001 - `eco.open`
    """Open a results folder to read.

    Args:
        results: the folder; `ECOSYSTEMISER_RESULTS`, else `results`, unless told.

    Raises:
        InputError: there are no results, or they cannot be read.
    """
    found = Results(_folder(results))
    with found.store():
        return found


def run(
    study: PathLike,
    results: PathLike | None = None,
    *,
    workers: int | None = None,
    runner: Literal["threads", "processes", "dask"] = "processes",
    dask_address: str | None = None,
    resume: bool = False,
    retry_failed: bool = False,
    quiet: bool = False,
) -> Study:
    """Run a study, or find it finished, as `ecosystemiser run` does.

    Args:
        study: the study's file.
        results: the results folder, made if there is none; as in `open` unless told.
        workers: evaluations at once; unless told one a core, or as many as the Dask cluster has.
        runner: what evaluates designs side by side, `processes`, `threads` or `dask`.
        dask_address: the scheduler of a Dask cluster, `tls://HOST:8786`.
        resume: go on with a study that was interrupted.
        retry_failed: evaluate again what failed.
        quiet: show no progress.

    Returns:
        The study; its `status` is `completed` or `failed`.

    Raises:
        InputError: the study is not valid, its id is taken, it was interrupted and `resume` is not set, or the
            Dask cluster cannot be used.
        WorkersError: there is nobody to evaluate.
        StudyAliveError: another process is running it.
    """
    from ecosystemiser.progress import shown
    from flows.run import run_study
    from tasks.progress import listening

    folder = _folder(results)
    with shown(quiet=quiet) as listener, listening(listener):
        outcome = run_study(
            Path(study),
            folder,
            workers=workers,
            runner=runner,
            dask_address=dask_address,
            resume=resume,
            retry_failed=retry_failed,
        )
    return Study(Results(folder), outcome.study_id)


def solve(
    system: PathLike,
    set: Mapping[str, float] | None = None,  # noqa: A002 - as `--set`
    *,
    method: str = "milp",
) -> SolvedSystem:
    """Dispatch one system, as `ecosystemiser solve` does.

    Args:
        system: the system's file.
        set: numbers to change, by dotted path, such as `{"battery.capacity_kwh": 12}`.
        method: `milp`, `rule_based`, `rolling_horizon` or `hybrid`.

    Raises:
        InputError: the system, a path or a number is wrong; nothing was solved.
    """
    from ecosystemiser.dispatching import solve_design

    values: dict[str, float] = {}
    wrong = []
    for path, value in (set or {}).items():
        try:
            values[path] = float(value)
        except (TypeError, ValueError):
            message = f"{value!r} is no number"
            wrong.append(Finding("", f"set {path}", str(value), "a number", message))
    return SolvedSystem(solve_design(Path(system), values, method=method, findings=wrong))


def validate(*files: PathLike) -> list[Finding]:
    """Everything that is wrong with systems and studies, as `ecosystemiser validate` tells it; nothing is run.

    Returns:
        The findings, each once; none where all is well.
    """
    from schema.loading import load

    findings: dict[Finding, None] = {}
    for file in files:
        try:
            load(Path(file))
        except InputError as error:
            findings |= dict.fromkeys(error.findings)
    return list(findings)


@dataclass(frozen=True)
class Results:
    """A results folder. Every question opens it anew, so that a study may go on beside a notebook.

    Where a question is about one study, it may be left out if there is only one. Parameters and objectives have
    columns of their own; times are in UTC.

    Attributes:
        folder: where it is.
    """

    folder: Path

    @contextmanager
    def store(self) -> Iterator[Store]:
        """The record beneath, open to read, for what `schema.store.queries` can ask."""
        with opened(self.folder) as store:
            yield store

    def study(self, study: str | None = None) -> Study:
        """One study.

        Raises:
            InputError: there is no such study, or none was named and there are several.
        """
        with self.store() as store:
            return Study(self, chosen_study(store, study))

    def studies(
        self,
        *,
        type: str | None = None,  # noqa: A002 - as `--type`
        status: str | None = None,
        since: str | None = None,
        limit: int | None = None,
    ) -> pd.DataFrame:
        """The studies, newest first.

        Args:
            type: `ga`, `mc`, `parametric` or `single`.
            status: `pending`, `running`, `completed`, `failed` or `cancelled`.
            since: begun at or after, such as `2025-01-31`.
            limit: how many at most.
        """
        with self.store() as store:
            rows = queries.list_studies(
                store.connection, study_type=type, status=status, since=since, limit=limit
            )
        return frame(rows)

    def statistics(self, study: str | None = None) -> pd.DataFrame:
        """A study's evaluations in numbers, or those of the whole folder: one row."""
        with self.store() as store:
            return frame(queries.statistics(store.connection, study))

    def runs(
        self,
        study: str | Sequence[str] | None = None,
        *,
        where: str | Sequence[str] = (),
        order_by: str | None = None,
        status: str | None = None,
        generation: int | None = None,
        limit: int | None = None,
    ) -> pd.DataFrame:
        """Evaluations, whatever became of them.

        Args:
            study: one study or several; all of them unless told.
            where: filters such as `renewable_fraction>0.8 and battery.capacity_kwh<=10`.
            order_by: a column, KPI, objective or parameter; ` desc` behind it for the largest first.
            status: `success`, `failed`, `infeasible` or `running`.
            generation: of which generation.
            limit: how many at most; all unless told.
        """
        with self.store() as store:
            rows = runs(
                store.connection,
                study_ids=_several(study),
                status=status,
                generation=generation,
                where=_several(where),
                order_by=order_by,
                limit=limit,
            )
        return frame(rows)

    def best(
        self,
        study: str | Sequence[str] | None = None,
        *,
        by: str | None = None,
        where: str | Sequence[str] = (),
        limit: int = 10,
    ) -> pd.DataFrame:
        """The best designs that were solved and keep their study's constraints.

        Args:
            study: one study or several; all of them unless told.
            by: an objective, KPI or parameter, its better end first; the first objective unless told.
            where: as in `runs`.
            limit: how many at most.
        """
        with self.store() as store:
            rows = best_designs(
                store.connection, study_ids=_several(study), by=by, n=limit, where=_several(where)
            )
        return frame(rows)

    def front(self, study: str | None = None, *, generation: int | None = None) -> pd.DataFrame:
        """The designs that no other one dominates, with their KPIs, by the first objective; `knee` marks one."""
        from ecosystemiser.study_results import front_of, knee_of

        with self.store() as store:
            one = chosen_study(store, study)
            rows = front_of(store, one, generation)
            objectives = queries.required_study(store.connection, one)["optimization_objective"] or {}
        knee = knee_of(rows, objectives)
        return frame([{**row, "knee": index == knee} for index, row in enumerate(rows)])

    def convergence(self, study: str | None = None) -> pd.DataFrame:
        """Fitness, front and hypervolume, generation by generation."""
        with self.store() as store:
            return frame(queries.convergence(store.connection, chosen_study(store, study)))

    def uncertainty(self, study: str | None = None, *, objective: str | None = None) -> pd.DataFrame:
        """How a Monte Carlo study's outputs spread: mean, percentiles, VaR and CVaR."""
        with self.store() as store:
            return frame(queries.uncertainty(store.connection, chosen_study(store, study), objective))

    def sensitivity(self, study: str | None = None, *, objective: str | None = None) -> pd.DataFrame:
        """What each parameter does to a study's outputs, the most important first."""
        with self.store() as store:
            return frame(queries.sensitivity(store.connection, chosen_study(store, study), objective))

    def compare(self, studies: Sequence[str]) -> pd.DataFrame:
        """Two studies or more side by side: what each found best, hypervolumes, and what each front covers."""
        from tasks.comparing import compared

        with self.store() as store:
            return frame(compared(queries.side_by_side(store.connection, list(studies))))

    def flows(self, run_id: str, *, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """A run's power over time [kW; water in m³/h] and storage levels [kWh, m³], indexed by time.

        Where the run kept no files it is solved again; nothing is written.

        Args:
            run_id: the run.
            columns: which, such as `grid.import_kw`; all unless told.

        Raises:
            InputError: there is no such run or column, or nothing is left to solve it from.
        """
        from schema.store.timeseries import place_of, read_series
        from tasks.replay import solve_again

        with self.store() as store:
            run = queries.required_run(store.connection, run_id)
            if run["results_path"] is None:
                made = _over_time(solve_again(store, run_id).dispatch)
            else:
                study_id = str(run["study_id"])
                place = place_of(store.results_dir, study_id, run_id, run["results_path"])
                made = read_series(place, study_id, run_id, "flows")
        return made if columns is None else _chosen(made, columns, run_id)


@dataclass(frozen=True)
class Study:
    """One study of a results folder; its questions are those of `Results`.

    Attributes:
        results: the folder.
        id: the study's id.
    """

    results: Results
    id: str

    @property
    def row(self) -> dict[str, Any]:
        """Its record, as the table `studies` has it."""
        with self.results.store() as store:
            return dict(queries.required_study(store.connection, self.id))

    @property
    def status(self) -> str:
        """`completed`, `failed`, `running`, ..."""
        return str(self.row["status"])

    @property
    def objectives(self) -> dict[str, str]:
        """Name → `minimise` or `maximise`."""
        return dict(self.row["optimization_objective"] or {})

    def runs(
        self, *, where: str | Sequence[str] = (), order_by: str | None = None, limit: int | None = None
    ) -> pd.DataFrame:
        """As `Results.runs`."""
        return self.results.runs(self.id, where=where, order_by=order_by, limit=limit)

    def best(
        self, *, by: str | None = None, where: str | Sequence[str] = (), limit: int = 10
    ) -> pd.DataFrame:
        """As `Results.best`."""
        return self.results.best(self.id, by=by, where=where, limit=limit)

    def front(self, *, generation: int | None = None) -> pd.DataFrame:
        """As `Results.front`."""
        return self.results.front(self.id, generation=generation)

    def convergence(self) -> pd.DataFrame:
        """As `Results.convergence`."""
        return self.results.convergence(self.id)

    def uncertainty(self, *, objective: str | None = None) -> pd.DataFrame:
        """As `Results.uncertainty`."""
        return self.results.uncertainty(self.id, objective=objective)

    def sensitivity(self, *, objective: str | None = None) -> pd.DataFrame:
        """As `Results.sensitivity`."""
        return self.results.sensitivity(self.id, objective=objective)

    def flows(self, run_id: str, *, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """As `Results.flows`."""
        return self.results.flows(run_id, columns=columns)


@dataclass(frozen=True)
class SolvedSystem:
    """One dispatch. Without a solution (`status` is `infeasible` or `failed`) its KPIs and frames are empty.

    Attributes:
        solved: what the command line prints.
    """

    solved: Solved

    def __repr__(self) -> str:
        gap = "" if self.gap is None else f", gap {self.gap:.2g}"
        return f"<{self.solved.name}: {self.status} by {self.solved.method}{gap}>"

    @property
    def status(self) -> str:
        """`optimal`, `feasible` (a limit was reached), `infeasible` or `failed`."""
        return str(self.solved.dispatch.status)

    @property
    def message(self) -> str:
        """The solver's words."""
        return self.solved.dispatch.solution.message

    @property
    def kpis(self) -> dict[str, float]:
        """The KPIs by name; their names end in their units, costs are in € and CO2 in kg over the horizon."""
        return dict(self.solved.dispatch.kpis)

    @property
    def gap(self) -> float | None:
        """Certified distance to the optimum, relative [-]; None where it is not known."""
        return self.solved.dispatch.solution.gap_fraction

    @property
    def checks(self) -> dict[str, Any]:
        """Largest residual of each check outside the solver, and whether all passed."""
        checks = self.solved.dispatch.checks
        return {} if checks is None else checks.as_dict()

    @property
    def conflict(self) -> list[str]:
        """What contradicts each other, where no dispatch is possible."""
        return list(self.solved.dispatch.solution.conflict)

    @property
    def sizes(self) -> dict[str, float]:
        """Capacities that were left to the solver, by dotted path."""
        return dict(self.solved.dispatch.sizes)

    @property
    def flows(self) -> pd.DataFrame:
        """Power over time [kW; water in m³/h] and storage levels [kWh, m³], indexed by time."""
        return _over_time(self.solved.dispatch)

    @property
    def accounts(self) -> pd.DataFrame:
        """Cost [€] and CO2 [kg] by component."""
        told = self.solved.as_dict()["components"]
        return pd.DataFrame.from_dict(told, orient="index").rename_axis("component")


def frame(rows: Rows) -> pd.DataFrame:
    """Rows of the record as a frame: a column for each parameter and objective, times as times."""
    made = pd.DataFrame([flat_row(row) for row in rows])
    for name in _MOMENTS:
        if name in made:
            made[name] = pd.to_datetime(made[name], utc=True, format="ISO8601")
    return made


def _chosen(made: pd.DataFrame, columns: Sequence[str], run_id: str) -> pd.DataFrame:
    from schema.findings import nearest

    known = [str(name) for name in made.columns]
    wrong = [
        Finding(
            "", "columns", name, ", ".join(known), f"{run_id} has no column '{name}'{nearest(name, known)}"
        )
        for name in columns
        if name not in known
    ]
    if wrong:
        raise InputError(wrong)
    return made[list(columns)]


def _over_time(dispatch: Any) -> pd.DataFrame:
    index = dispatch.system.horizon.index if dispatch.flows else None
    made = pd.DataFrame({**dispatch.flows, **dispatch.states}, index)
    made.attrs["units"] = dispatch.units
    return made


def _several(told: str | Sequence[str] | None) -> list[str]:
    return [] if told is None else [told] if isinstance(told, str) else list(told)


def _folder(results: PathLike | None) -> Path:
    told = results if results is not None else os.environ.get("ECOSYSTEMISER_RESULTS") or "results"
    return Path(told).absolute()  # a notebook may move to another folder
