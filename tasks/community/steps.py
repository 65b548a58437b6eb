"""The steps of a cycle as Prefect tasks: thin wrappers that add names and retries; the logic stands elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, ParamSpec, TypeVar

from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect.tasks import exponential_backoff

from schema.community.errors import NoAnswerError, RefusedError, SimulationError
from schema.community.settings import Settings
from schema.errors import InputError
from tasks.community.cycle import Outcome, TickCycle
from tasks.community.transports.base import Way
from tasks.community.upkeep import keep_house

_FINAL = (InputError, NoAnswerError, RefusedError, SimulationError)


def may_pass(_task: Any, _run: Any, state: Any) -> bool:
    """Whether trying again may help: not where the same would come out, or was waited for in vain."""
    return not isinstance(state.result(raise_on_failure=False), _FINAL)


_P = ParamSpec("_P")
_R = TypeVar("_R")


def _step(name: str) -> Callable[[Callable[_P, _R]], Task[_P, _R]]:
    return task(
        name=name,
        task_run_name=name + " {cycle.run_id}",
        cache_policy=NO_CACHE,
        persist_result=False,
        retry_condition_fn=may_pass,
    )


@_step("export")
def export(cycle: TickCycle) -> None:
    cycle.export()


@_step("hand over")
def hand_over(cycle: TickCycle, way: Way) -> None:
    cycle.hand_over(way)


@_step("simulate")
def simulate(cycle: TickCycle, way: Way) -> None:
    cycle.simulate(way)


@_step("return")
def bring_back(cycle: TickCycle, way: Way) -> None:
    cycle.bring_back(way)


@_step("validate")
def validate(cycle: TickCycle) -> None:
    cycle.validate()


@_step("insert")
def insert(cycle: TickCycle, way: Way | None) -> Outcome:
    return cycle.insert(way)


@_step("clean up")
def clean_up(cycle: TickCycle, way: Way | None) -> None:
    cycle.clean_up(way)
    keep_house(cycle.service, cycle.tick)


@dataclass(frozen=True)
class Steps:
    """The steps as a flow calls them."""

    export: Callable[[TickCycle], None] = export
    hand_over: Callable[[TickCycle, Way], None] = hand_over
    simulate: Callable[[TickCycle, Way], None] = simulate
    bring_back: Callable[[TickCycle, Way], None] = bring_back
    validate: Callable[[TickCycle], None] = validate
    insert: Callable[[TickCycle, Way | None], Outcome] = insert
    clean_up: Callable[[TickCycle, Way | None], None] = clean_up

    @classmethod
    def patient(cls, settings: Settings) -> Steps:
        """Tried again as often and as patiently as the settings say."""
        if not settings.retries:
            return cls()
        return cls(
            **{
                step.name: step.default.with_options(  # type: ignore[union-attr]
                    retries=settings.retries,
                    retry_delay_seconds=exponential_backoff(settings.retry_seconds),
                    retry_jitter_factor=0.2,
                )
                for step in fields(cls)
            }
        )
