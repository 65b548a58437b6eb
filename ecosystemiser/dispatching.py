"""One dispatch of a system from a file, with some of its numbers changed."""

from __future__ import annotations

import os
import re
import secrets
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from schema.bounds import Series
from schema.errors import Finding, InputError
from schema.findings import findings_of
from schema.kpis import KPI_UNITS
from schema.loading import LoadedSystem, load_system
from schema.paths import check_path, check_values
from schema.study import SolverSettings
from schema.system import sizing_findings
from solvers.dispatch import Dispatcher
from solvers.judging import Dispatch

if TYPE_CHECKING:
    from schema.store.records import EvaluationStatus


@dataclass(frozen=True)
class Solved:
    """A dispatch and what was asked for.

    Attributes:
        name: the system's.
        horizon: its horizon in words.
        method: how it was solved.
        values: the numbers that were changed, by dotted path.
        dispatch: the answer.
        seconds: time for building and solving it.
        path: the system's file.
        begun: when.
        flows_file: where the series were written, if anywhere.
        profiles: the system's, each (T,).
    """

    name: str
    horizon: str
    method: str
    values: Mapping[str, float]
    dispatch: Dispatch
    seconds: float
    path: Path
    begun: datetime
    flows_file: Path | None = None
    profiles: Series = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        solution, checks = self.dispatch.solution, self.dispatch.checks
        return {
            "system": self.name,
            "status": str(solution.status),
            "message": solution.message,
            "objective": solution.objective_eur,
            "gap_fraction": solution.gap_fraction,
            "missed": dict(solution.missed),
            "solver": self.method,
            "solve_seconds": self.seconds,
            "solver_seconds": solution.solver_seconds,
            "values": dict(self.values),
            "sizes": dict(self.dispatch.sizes),
            "kpis": dict(self.dispatch.kpis),
            "units": {name: KPI_UNITS[name] for name in self.dispatch.kpis if name in KPI_UNITS},
            "components": {
                name: {**asdict(account), "cost_eur": account.cost_eur}
                for name, account in self.dispatch.accounts.items()
            },
            "checks": {} if checks is None else checks.as_dict(),
            "conflict": list(solution.conflict),
            "flows": None if self.flows_file is None else str(self.flows_file),
        }


def solve_system(
    path: Path, assignments: Sequence[str], *, method: str = "milp", flows_file: Path | None = None
) -> Solved:
    """Dispatch the system in a file.

    Args:
        path: the system's file.
        assignments: numbers to change, each `component.attribute=value`.
        method: how to solve it.
        flows_file: where to write power [kW] and storage levels [kWh] over time; only where there is a solution.

    Raises:
        InputError: with everything that is wrong; nothing was solved.
    """
    values, findings = parsed(assignments)
    return solve_design(path, values, method=method, flows_file=flows_file, findings=findings)


def solve_design(
    path: Path,
    values: Mapping[str, float],
    *,
    method: str = "milp",
    flows_file: Path | None = None,
    findings: Sequence[Finding] = (),
) -> Solved:
    """As `solve_system`, with numbers by dotted path; `findings` is what is wrong with them already."""
    told = [*([] if flows_file is None else _unwritable(flows_file))]
    solver, wrong = _solver(method)
    told += [*wrong, *findings]
    loaded = None
    try:
        loaded = load_system(path)
        told += check(loaded, solver, values)
        told += sizing_findings(loaded.system, solver.method, file=str(path), place="--solver")
    except InputError as error:
        told += error.findings
    if told or loaded is None:
        raise InputError(told)
    begun, began = datetime.now(UTC), time.perf_counter()
    dispatch = Dispatcher(loaded.system, loaded.series, solver).dispatch(values, explain=True)
    seconds = time.perf_counter() - began
    written = None
    if flows_file is not None and dispatch.status.has_solution:
        write_flows(flows_file, loaded, dispatch)
        written = flows_file
    horizon = loaded.system.horizon
    words = f"{horizon.steps:,} steps of {horizon.step_minutes} min from {horizon.start:%Y-%m-%d %H:%M}"
    name, series = loaded.system.system, loaded.series
    return Solved(name, words, method, values, dispatch, seconds, path, begun, written, series)


def record(solved: Solved, results: Path) -> str:
    """Record a dispatch as a run of its own, which belongs to no study; its id.

    Raises:
        InputError, StoreError: it cannot be recorded.
    """
    from schema.store.records import Kpis, SingleRun, check_run_id
    from schema.store.store import Store
    from tasks.versions import versions

    solution = solved.dispatch.solution
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", solved.name)[:40]
    run_id = check_run_id(f"solve-{name}-{solved.begun:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}")
    status: EvaluationStatus = "success" if solution.status.has_solution else "failed"
    run = SingleRun(
        run_id=run_id,
        system_id=solved.name,
        timesteps=solved.dispatch.system.horizon.steps,
        solver_type=solved.method,
        status="infeasible" if solution.status == "infeasible" else status,
        started_at=solved.begun,
        kpis=Kpis.of(solved.dispatch.kpis),
        metadata={
            "system_path": str(solved.path.resolve()),
            "parameters": dict(solved.values),
            "message": solution.message,
            "solver_status": str(solution.status),
            "gap_fraction": solution.gap_fraction,
            "seconds": solved.seconds,
            "versions": versions(),
        },
    )
    with Store.open(results) as store:
        store.record_single(run)
    return run_id


def parsed(assignments: Sequence[str]) -> tuple[dict[str, float], list[Finding]]:
    """The numbers by path, and what cannot be read."""
    values: dict[str, float] = {}
    findings = []
    for text in assignments:
        path, equals, value = (part.strip() for part in text.partition("="))
        expected = "component.attribute=number"
        if not equals or not path:
            message = f"'{text}' cannot be read; write {expected}, such as pv.capacity_kw=5"
            findings.append(Finding("", "--set", text, expected, message))
        elif path in values:
            findings.append(Finding("", "--set", text, "each path once", f"'{path}' stands twice; keep one"))
        else:
            try:
                values[path] = float(value)
            except ValueError:
                message = f"'{value}' is no number; write {expected}"
                findings.append(Finding("", f"--set {path}", value, "a number", message))
    return values, findings


def check(loaded: LoadedSystem, solver: SolverSettings, values: Mapping[str, float]) -> list[Finding]:
    """What is wrong with numbers at paths."""
    findings = []
    good = {}
    for path, value in values.items():
        wrong = check_path(loaded.system, solver, path, place=f"--set {path}")
        if wrong is None:
            good[path] = value
        else:
            findings.append(wrong)
    return findings + check_values(loaded.system, solver, good, place="--set")


def write_flows(file: Path, loaded: LoadedSystem, dispatch: Dispatch) -> None:
    """Write flows and storage levels into one Parquet file, whole or not at all.

    Raises:
        InputError: the file cannot be written.
    """
    import pandas as pd

    from schema.store.timeseries import write_run

    index = loaded.system.horizon.index
    flows, states = pd.DataFrame(dispatch.flows, index), pd.DataFrame(dispatch.states, index)
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".ecosystemiser-") as folder:
        # The store writes all Parquet files: these look like those of a study's runs.
        write_run(
            Path(folder),
            "solve",
            "solve",
            flows=pd.concat([flows, states], axis=1),
            components=states,
            units=dispatch.units,
            system_hash=loaded.content_hash,
            config={},
            kpis=dispatch.kpis,
        )
        (Path(folder) / "simulation_runs" / "solve" / "solve" / "flows.parquet").replace(file)


def _unwritable(file: Path) -> list[Finding]:
    """What stands against writing the file, before anything is solved."""
    folder = file.parent
    if file.suffix != ".parquet":
        return [
            Finding(str(file), "--flows", file.suffix, ".parquet", "the file's name must end in .parquet")
        ]
    if file.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        message = "cannot be written; name a file in a folder that exists and that you may write to"
        return [Finding(str(file), "--flows", str(folder), "a writable folder", message)]
    return []


def _solver(method: str) -> tuple[SolverSettings, list[Finding]]:
    try:
        return SolverSettings.model_validate({"method": method}), []
    except ValidationError as error:
        findings = findings_of(error, {"method": method})
        return SolverSettings(), [
            Finding("", "--solver", f.found, f.expected, f.message.replace("method", "the solver", 1))
            for f in findings
        ]
