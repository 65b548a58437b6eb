"""The face: command line, pictures, and the Python API for notebooks.

    import ecosystemiser as eco

    eco.validate("study.yaml")
    eco.solve("house.yaml", set={"battery.capacity_kwh": 12}).kpis
    study = eco.run("study.yaml", results="results")
    study.front()
    eco.plot.front(study)

Importing it is quick: what is heavy is imported where it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ecosystemiser import plot
    from ecosystemiser.api import Results, SolvedSystem, Study, open, run, solve, validate  # noqa: A004
    from flows.session import ServerError
    from schema.errors import Finding, InputError
    from schema.store.errors import StudyAliveError
    from tasks.workers import WorkersError

__all__ = [
    "Finding",
    "InputError",
    "Results",
    "ServerError",
    "SolvedSystem",
    "Study",
    "StudyAliveError",
    "WorkersError",
    "open",
    "plot",
    "run",
    "solve",
    "validate",
]
_ELSEWHERE = {
    "Finding": "schema.errors",
    "InputError": "schema.errors",
    "ServerError": "flows.session",
    "StudyAliveError": "schema.store.errors",
    "WorkersError": "tasks.workers",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "plot":
        return import_module("ecosystemiser.plot")
    return getattr(import_module(_ELSEWHERE.get(name, "ecosystemiser.api")), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
