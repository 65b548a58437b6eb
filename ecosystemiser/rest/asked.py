"""What may be asked, and how much at once."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field

Id = Annotated[str, Field(min_length=1, max_length=100)]
Filter = Annotated[str, Field(max_length=500)]
Studies = Annotated[list[Id], Field(max_length=20, description="Only of these studies; of all unless told.")]
Where = Annotated[
    list[Filter],
    Field(
        max_length=10,
        description="Columns, objectives and parameters compared with values, such as "
        "`renewable_fraction>0.8 and battery.capacity_kwh<=10`; all of them must hold.",
    ),
]
# SQLite's integers end at 2^63.
_MOST = 10_000_000


class Asked(BaseModel):
    """A misspelt parameter is refused: it would silently ask for something else."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Page(Asked):
    """A part of a list."""

    limit: Annotated[int, Field(ge=1, le=1000, description="How many rows at most.")] = 100
    offset: Annotated[int, Field(ge=0, le=_MOST, description="How many rows to leave out first.")] = 0


class StudiesAsked(Page):
    """Which studies."""

    type: Annotated[str | None, Field(max_length=40, description="ga, mc, parametric or single.")] = None
    status: Literal["pending", "running", "completed", "failed", "cancelled"] | None = None
    since: Annotated[
        str | None, Field(max_length=40, description="Begun at or after, such as 2025-01-31.")
    ] = None


class RunsAsked(Page):
    """Which runs, and in which order."""

    study_id: Studies = []
    status: Literal["success", "completed", "failed", "infeasible", "running"] | None = None
    generation: Annotated[int | None, Field(ge=0, le=_MOST)] = None
    where: Where = []
    order_by: Annotated[
        str | None, Field(max_length=200, description="NAME, or `NAME desc` for the largest first.")
    ] = None


class BestAsked(Asked):
    """Best by what."""

    study_id: Studies = []
    by: Annotated[
        str | None, Field(max_length=200, description="An objective or KPI; the fitness unless told.")
    ] = None
    direction: Annotated[
        Literal["minimise", "maximise"] | None, Field(description="The name's own unless told.")
    ] = None
    where: Where = []
    limit: Annotated[int, Field(ge=1, le=1000, description="How many at most.")] = 10


class FrontAsked(Page):
    """Which front."""

    generation: Annotated[
        int | None, Field(ge=0, le=_MOST, description="The final or latest front unless told.")
    ] = None


class SensitivityAsked(Page):
    """Of which output."""

    objective: Annotated[
        str | None, Field(max_length=200, description="Only of this output; of all unless told.")
    ] = None


class SeriesAsked(Asked):
    """Which columns, and which part of time."""

    column: Annotated[list[Id], Field(min_length=1, max_length=20, description="Columns, one or several.")]
    start: Annotated[
        datetime | None, Field(description="The first step, in the series' zone unless told.")
    ] = None
    end: Annotated[datetime | None, Field(description="The step to stop before.")] = None


class Rows(BaseModel):
    """A page of rows.

    Attributes:
        items: rows with the tables' column names, JSON columns decoded.
        next: where the following rows are; null where there are none.
    """

    items: list[dict[str, Any]]
    limit: int
    offset: int
    next: str | None


def page_of(request: Request, asked: Page, rows: list[dict[str, Any]]) -> Rows:
    """A page, and the way to the next; one row more than the page holds tells that there is one."""
    following = None
    if len(rows) > asked.limit and asked.offset + asked.limit <= _MOST:
        url = request.url.include_query_params(offset=asked.offset + asked.limit, limit=asked.limit)
        following = f"{url.path}?{url.query}"
    return Rows(items=rows[: asked.limit], limit=asked.limit, offset=asked.offset, next=following)


def cut(asked: Page, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The page of a short list, and one row more."""
    return rows[asked.offset : asked.offset + asked.limit + 1]
