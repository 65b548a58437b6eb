"""The application: routes over the store's questions, each asked of a connection of its own that only reads."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.security import HTTPBearer

from ecosystemiser.installation import version_of_this
from ecosystemiser.rest import problems
from ecosystemiser.rest.asked import (
    BestAsked,
    FrontAsked,
    Page,
    Rows,
    RunsAsked,
    SensitivityAsked,
    SeriesAsked,
    StudiesAsked,
    cut,
    page_of,
)
from ecosystemiser.rest.guard import Guard
from ecosystemiser.rest.page import described
from schema.errors import Finding, InputError
from schema.store import queries
from schema.store.limits import time_limit
from schema.store.runs import best_designs, runs
from schema.store.statements import Row
from schema.store.store import Store

SECONDS_PER_QUESTION = 20.0
MOST_STEPS = 200_000

_DESCRIPTION = """What studies recorded, read-only. Lists come in pages: `next` leads to the following one.
Errors are JSON problem details (RFC 9457) whose `findings` tell what to change."""


def make_app(
    results: Path,
    token: str | None = None,
    hosts: Collection[str] | None = None,
) -> FastAPI:
    """The application over a results folder.

    Args:
        results: the folder.
        token: what callers must show; None where nothing must be shown.
        hosts: names by which the server may be called; None for any.
    """
    # The usual pages load their scripts from elsewhere: /docs is ours and works without a network.
    app = FastAPI(
        title="EcoSystemiser results",
        version=version_of_this(),
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
    )
    app.state.results = results
    problems.register(app, results)
    app.include_router(_pages)
    app.include_router(_tables)
    app.include_router(_series)
    app.add_middleware(Guard, token=token, hosts=hosts)
    return app


def _reader(request: Request) -> Iterator[Store]:
    """The results, opened for this question alone and no longer than it may take."""
    state = request.app.state
    with (
        Store.open(state.results, read_only=True) as store,
        time_limit(store.connection, SECONDS_PER_QUESTION),
    ):
        yield store


Reader = Annotated[Store, Depends(_reader)]
_pages = APIRouter(include_in_schema=False)
# Told in the description only: the guard stands before all routes.
_token = Depends(HTTPBearer(auto_error=False, description="Where the server was given a token."))
_tables = APIRouter(tags=["tables"], dependencies=[_token], responses=problems.RESPONSES)
_series = APIRouter(tags=["time series"], dependencies=[_token], responses=problems.RESPONSES)


@_pages.get("/")
def root() -> RedirectResponse:
    return RedirectResponse("/docs")


@_pages.get("/docs")
def docs(request: Request) -> HTMLResponse:
    return HTMLResponse(described(request.app.openapi()))


@_pages.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok", "version": version_of_this()}


@_tables.get("/studies")
def studies(request: Request, store: Reader, asked: Annotated[StudiesAsked, Query()]) -> Rows:
    """List the studies, newest first."""
    rows = queries.list_studies(
        store.connection,
        study_type=asked.type,
        status=asked.status,
        since=asked.since,
        limit=asked.limit + 1,
        offset=asked.offset,
    )
    return page_of(request, asked, rows)


@_tables.get("/studies/{study_id}")
def study(store: Reader, study_id: str) -> Row:
    """One study, and its evaluations in numbers."""
    found = queries.required_study(store.connection, study_id)
    return {**found, "statistics": queries.statistics(store.connection, study_id)[0]}


@_tables.get("/studies/{study_id}/front")
def front(request: Request, store: Reader, study_id: str, asked: Annotated[FrontAsked, Query()]) -> Rows:
    """The designs on a study's front, by their first objective."""
    rows = queries.pareto_front(store.connection, study_id, asked.generation)
    return page_of(request, asked, cut(asked, rows))


@_tables.get("/studies/{study_id}/fronts")
def fronts(request: Request, store: Reader, study_id: str, asked: Annotated[Page, Query()]) -> Rows:
    """Every recorded front of a study (size, hypervolume, run ids), by generation, the final one last."""
    return page_of(request, asked, cut(asked, queries.fronts(store.connection, study_id)))


@_tables.get("/studies/{study_id}/convergence")
def convergence(request: Request, store: Reader, study_id: str, asked: Annotated[Page, Query()]) -> Rows:
    """How a study came along, by generation."""
    return page_of(request, asked, cut(asked, queries.convergence(store.connection, study_id)))


@_tables.get("/studies/{study_id}/uncertainty")
def uncertainty(request: Request, store: Reader, study_id: str, asked: Annotated[Page, Query()]) -> Rows:
    """How a study's outputs spread."""
    return page_of(request, asked, cut(asked, queries.uncertainty(store.connection, study_id)))


@_tables.get("/studies/{study_id}/sensitivity")
def sensitivity(
    request: Request, store: Reader, study_id: str, asked: Annotated[SensitivityAsked, Query()]
) -> Rows:
    """What a study's parameters do to its outputs, the most important first."""
    rows = queries.sensitivity(store.connection, study_id, asked.objective)
    return page_of(request, asked, cut(asked, rows))


@_tables.get("/statistics")
def statistics(store: Reader) -> Row:
    """The whole database in numbers."""
    return queries.statistics(store.connection)[0]


@_tables.get("/runs")
def list_runs(request: Request, store: Reader, asked: Annotated[RunsAsked, Query()]) -> Rows:
    """List evaluations with their dispatches' KPIs, whatever became of them."""
    rows = runs(
        store.connection,
        study_ids=asked.study_id,
        status=asked.status,
        generation=asked.generation,
        where=asked.where,
        order_by=asked.order_by,
        limit=asked.limit + 1,
        offset=asked.offset,
    )
    return page_of(request, asked, rows)


@_tables.get("/best-designs")
def best(request: Request, store: Reader, asked: Annotated[BestAsked, Query()]) -> Rows:
    """The best designs that were solved and keep their study's constraints."""
    rows = best_designs(
        store.connection,
        study_ids=asked.study_id,
        by=asked.by,
        n=asked.limit,
        direction=asked.direction,
        where=asked.where,
    )
    return page_of(request, Page(limit=asked.limit), rows)


@_tables.get("/runs/{run_id}")
def run(store: Reader, run_id: str) -> Row:
    """One dispatch: its KPIs and where its files lie."""
    return _required_run(store, run_id)


@_tables.get("/runs/{run_id}/history")
def history(request: Request, store: Reader, run_id: str, asked: Annotated[Page, Query()]) -> Rows:
    """How often a run was tried, and what became of it, the latest last."""
    _required_run(store, run_id)
    return page_of(request, asked, cut(asked, queries.run_history(store.connection, run_id)))


Series = Literal["flows", "components"]


@_series.get("/runs/{run_id}/series/{series}/columns")
def columns(store: Reader, run_id: str, series: Series) -> dict[str, Any]:
    """The columns of a run's flows or component states, with their units."""
    from schema.store.timeseries import read_units  # these load pandas: a server starts without

    return {"run_id": run_id, "series": series, "units": read_units(*_files(store, run_id), series)}


@_series.get("/runs/{run_id}/series/{series}")
def values(
    store: Reader, run_id: str, series: Series, asked: Annotated[SeriesAsked, Query()]
) -> dict[str, Any]:
    """Columns of a run's flows or component states over time; no more of the file is read."""
    from schema.store.timeseries import read_series, read_units

    place = _files(store, run_id)
    frame = read_series(*place, series, columns=asked.column, start=asked.start, end=asked.end)
    if len(frame) > MOST_STEPS:
        message = f"{len(frame):,} steps at once are too many: ask for a part of time with start and end"
        raise InputError(Finding("", "start", f"{len(frame)}", f"{MOST_STEPS} at most", message))
    units = read_units(*place, series)
    return {
        "run_id": run_id,
        "series": series,
        "units": {name: units[name] for name in asked.column},
        "time": [moment.isoformat() for moment in frame.index],
        "values": {name: [_known(v) for v in frame[name].tolist()] for name in asked.column},
    }


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _required_run(store: Store, run_id: str) -> Row:
    row = queries.simulation_run(store.connection, run_id)
    if row is None:
        message = f"there is no run {run_id!r}: /runs lists those there are"
        raise problems.NothingThereError(Finding("", "run_id", run_id, "the id of a run", message))
    return row


def _files(store: Store, run_id: str) -> tuple[Any, str, str]:
    """What the time series' functions take: the place, the study and the run."""
    from schema.store.timeseries import place_of

    row = _required_run(store, run_id)
    if row["results_path"] is None:
        message = f"{run_id} kept no time series: `ecosystemiser replay {run_id}` solves it again"
        raise problems.NothingThereError(Finding("", "run_id", run_id, "a run with time series", message))
    study_id = str(row["study_id"])
    return place_of(store.results_dir, study_id, run_id, row["results_path"]), study_id, run_id
