"""The designs that a report looks at more closely: their figures, their components' cost and CO2, what they save.

What a run's files tell is taken from there; the rest is dispatched again on the spot, a second or so for a year.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ecosystemiser.pictures.of_runs import kept
from ecosystemiser.pictures.running import Running, running_of
from ecosystemiser.pictures.wording import words
from ecosystemiser.study_results import StudyResults, gap_of
from schema.errors import InputError
from schema.kpis import KPI_UNITS
from schema.store import queries
from schema.store.store import Store
from schema.store.timeseries import place_of, read_details

if TYPE_CHECKING:
    from solvers.dispatch import Dispatcher
    from solvers.judging import Dispatch
    from tasks.evaluate import Assignment

Row = Mapping[str, Any]
Accounts = Mapping[str, Mapping[str, float]]
_MOST = 5


@dataclass(frozen=True)
class Closer:
    """A design that is looked at more closely.

    Attributes:
        name: what it is, such as the knee.
        run_id: of its evaluation; None for one that was none.
        parameters: what differs from the system, by dotted path.
        kpis: its figures.
        gap: to which it was solved [-].
        accounts: component → its `cost_eur` and `co2_kg`; empty where they cannot be told.
        running: its dispatch, where there is one.
        baseline: the figures of what it is compared with; empty where there is nothing.
    """

    name: str
    run_id: str | None
    parameters: Row
    kpis: Mapping[str, float]
    gap: float | None = None
    accounts: Accounts = field(default_factory=dict)
    running: Running | None = None
    baseline: Mapping[str, float] = field(default_factory=dict)


class SolvedAgain:
    """Dispatches designs of a recorded study; `trouble` tells why it cannot."""

    def __init__(self, store: Store, study: Row, *, allowed: bool) -> None:
        self._store, self._study = store, study
        self.trouble = "" if allowed else "nothing was solved again, as was asked for"
        self._known: dict[tuple[tuple[str, Any], ...], Dispatch | None] = {}

    @cached_property
    def _assignment(self) -> Assignment | None:
        from tasks.replay import assignment_of

        try:
            return assignment_of(self._store, self._study)
        except InputError as error:
            self.trouble = str(error.findings[0].message)
            return None

    @cached_property
    def _dispatcher(self) -> Dispatcher | None:
        from solvers.dispatch import Dispatcher

        found = self._assignment
        return None if found is None else Dispatcher(found.system, found.series, found.solver)

    def dispatch(self, values: Row) -> Dispatch | None:
        """The design's dispatch; None where there is none."""
        if self.trouble:
            return None
        key = tuple(sorted(values.items()))
        if key not in self._known:
            self._known[key] = self._dispatched(values)
        return self._known[key]

    def _dispatched(self, values: Row) -> Dispatch | None:
        dispatcher = self._dispatcher
        if dispatcher is None:
            return None
        try:
            found = dispatcher.dispatch(values)
        except ValueError:  # a value that the system's file as it is now does not take
            return None
        return found if found.status.has_solution else None

    def running(self, name: str, dispatch: Dispatch) -> Running | None:
        """The dispatch as pictures take it."""
        found = self._assignment
        return None if found is None else running_of(name, dispatch, found.series)

    @property
    def stated_baseline(self) -> Mapping[str, float] | None:
        """`economics.baseline` of the system; None where it states none."""
        reference = (self._study["metadata_json"] or {}).get("reference_design") or {}
        return (reference.get("economics") or {}).get("baseline") or None


def closer_look(store: Store, found: StudyResults, again: SolvedAgain) -> list[Closer]:
    """The knee and each objective's best; of a study of given designs, those."""
    designs = [_completed(store, found.study_id, design, again) for design in _chosen(store, found)[:_MOST]]
    return [design for design in designs if design.kpis]


def _chosen(store: Store, found: StudyResults) -> list[Closer]:
    if found.kind == "monte_carlo":
        given = (found.study["metadata_json"] or {}).get("designs") or []
        names = (
            ["the design"]
            if len(given) == 1
            else [one["run_id"] or f"design {i + 1}" for i, one in enumerate(given)]
        )
        return [Closer(name, None, one["values"], {}) for name, one in zip(names, given, strict=True)]
    if found.kind == "single":
        return [
            _of_row(store, "the design", row) for row in found.runs if row["simulation_status"] == "success"
        ]
    named: dict[int, list[str]] = {}
    if found.knee is not None:
        named[found.knee] = ["knee"]
    for name, sense in found.objectives.items() if found.front else ():
        sign = -1.0 if sense == "maximise" else 1.0
        values = [sign * row["objectives"][name] for row in found.front]
        way = "highest" if sense == "maximise" else "lowest"
        named.setdefault(values.index(min(values)), []).append(f"{way} {words(name)}")
    return [_of_row(store, ", ".join(told), found.front[position]) for position, told in named.items()]


def _of_row(store: Store, name: str, row: Row) -> Closer:
    """A recorded evaluation with all its KPIs."""
    run = queries.simulation_run(store.connection, row["simulation_run_id"] or row["run_id"]) or {}
    others = (run.get("metadata_json") or {}).get("kpis") or {}
    told = {kpi: run.get(kpi, others.get(kpi)) for kpi in KPI_UNITS}
    kpis = {**{kpi: value for kpi, value in told.items() if value is not None}, **(row["objectives"] or {})}
    return Closer(name, row["run_id"], row["parameters"], kpis, gap_of(row))


def _completed(store: Store, study_id: str, design: Closer, again: SolvedAgain) -> Closer:
    """With what its components cost and emit, its dispatch, and what it is compared with."""
    accounts, running = _from_files(store, study_id, design.run_id)
    kpis, gap = design.kpis, design.gap
    if not accounts or running is None:
        dispatch = again.dispatch(design.parameters)
        if dispatch is not None:
            accounts = accounts or _accounts({n: asdict(a) for n, a in dispatch.accounts.items()})
            running = running or again.running(design.run_id or design.name, dispatch)
            kpis = kpis or dict(dispatch.kpis)
            gap = dispatch.solution.gap_fraction if gap is None else gap
    return Closer(
        design.name, design.run_id, design.parameters, kpis, gap, accounts, running, _baseline(design, again)
    )


def _from_files(store: Store, study_id: str, run_id: str | None) -> tuple[Accounts, Running | None]:
    if run_id is None:
        return {}, None
    run = queries.simulation_run(store.connection, run_id)
    if run is None or run["results_path"] is None:
        return {}, None
    try:
        place = place_of(store.results_dir, study_id, run_id, run["results_path"])
        _, kpis = read_details(place, study_id, run_id)
        return _accounts(kpis.get("by_component") or {}), kept(store, run_id)
    except (InputError, OSError, ValueError):
        return {}, None


def _accounts(told: Mapping[str, Mapping[str, float]]) -> Accounts:
    return {
        name: {
            "cost_eur": one["yearly_cost_eur"] + one["operation_cost_eur"] + one["co2_cost_eur"],
            "co2_kg": one["co2_kg"],
        }
        for name, one in told.items()
    }


def _baseline(design: Closer, again: SolvedAgain) -> Mapping[str, float]:
    """The stated baseline's figures for this design; where none is stated, those of the system as its file is."""
    stated = again.stated_baseline
    dispatch = again.dispatch({} if stated is None else {**design.parameters, **stated})
    return {} if dispatch is None else dict(dispatch.kpis)


def component_types(study: Row) -> dict[str, str]:
    """Component → type, of the recorded system."""
    reference = (study["metadata_json"] or {}).get("reference_design") or {}
    return {name: str(told.get("type", "")) for name, told in (reference.get("components") or {}).items()}
