"""What a study tells Prefect on its way: its page in the UI, events for automations, failed task runs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import State
from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext
from prefect.logging import get_run_logger
from prefect.states import Cancelled, Completed, Failed

from flows.impatience import no_second_try
from flows.page import StudyPage, in_words
from schema.studies import Study
from tasks.evaluate import Result, run_id
from tasks.events import StudyEvents
from tasks.progress import Progress, Tally
from tasks.steps import tell_failure

_FAILED_TASKS = 50
"""Failed evaluations that become task runs: each takes milliseconds, and a page of red says no more than some."""


_HEED_SECONDS = 5.0
"""How often a run asks Prefect whether it is to be cancelled."""


class CancelledInPrefect(KeyboardInterrupt):
    """Somebody cancelled the flow run in Prefect."""


class Telling:
    """Tells of one study under way; use it from within the flow. Nothing that befalls it sinks the study.

    Args:
        study: the study.
        results: the results folder.
        tally: how far it is.
    """

    def __init__(self, study: Study, results: Path, tally: Tally) -> None:
        self._study_id = study.study
        self._tally = tally
        self._failed_tasks = 0
        context = FlowRunContext.get()
        run = None if context is None else context.flow_run
        self._own_run = None if run is None or run.deployment_id is not None else run.id
        self._heeded = time.monotonic()
        self._logger = get_run_logger()
        self.page = StudyPage(study, results)
        self.events = StudyEvents(study.study, study.type, results)

    def started(self, known: int) -> None:
        """Begun, or taken up again with what is known."""
        went_on = f", of which {known:,} are there already" if known else ""
        self._logger.info("%s: %s evaluations%s", self._study_id, f"{self._tally.planned:,}", went_on)
        self.events.started(self._tally.planned, known)

    def settled(self, results: Sequence[Result]) -> None:
        """Evaluations that are settled: those without an answer are shown.

        Raises:
            CancelledInPrefect: there, the run was cancelled meanwhile.
        """
        self._failed(results)
        self._heed()

    def _heed(self) -> None:
        """A worker of Prefect ends the runs that it started; one that was started here has to ask."""
        if self._own_run is None or time.monotonic() - self._heeded < _HEED_SECONDS:
            return
        self._heeded = time.monotonic()
        try:
            with no_second_try(), get_client(sync_client=True) as client:
                state = client.read_flow_run(self._own_run).state
        except Exception:  # noqa: BLE001 - a server that does not answer cancels nothing
            return
        if state is not None and state.is_cancelling():
            raise CancelledInPrefect(self._own_run)

    def _failed(self, results: Sequence[Result]) -> None:
        failed = [result for result in results if result.status == "failed"]
        self.events.failed([run_id(self._study_id, result.design) for result in failed], failed)
        self.page.failed(failed)
        for result in failed:
            # The last attempt of those that were tried again is a failed task run already.
            if "earlier_attempts" not in result.details and self._failed_tasks < _FAILED_TASKS:
                self._failed_tasks += 1
                number = result.design.number
                tell_failure(
                    self._study_id, number, result.message, dict(result.design.values), return_state=True
                )

    def progress(self, percent: float) -> None:
        """How far the study is [0-100]."""
        self.page.progress(percent, self._tally.last)

    def step_finished(self) -> None:
        """A generation, a round or a whole sweep is recorded."""
        if self._tally.last is not None:
            self._logger.info("%s", in_words(self._tally.last).replace("**", ""))
            self.events.step_finished(self._tally.last)

    def ended(self, status: str, reason: str = "") -> None:
        """The study is settled as completed, failed or cancelled."""
        ended = status == "completed" or self._tally.is_through
        self.page.finish(status, self._tally.last, percent=100.0 if ended else self._tally.percent)
        self.events.ended(status, self._tally.last, reason)


def state_of(status: str, progress: Progress | None, reasons: Sequence[str] = ()) -> State[Any]:
    """The flow run's state for a study that ended: one that found nothing has failed, with why."""
    told = status if progress is None else in_words(progress).replace("**", "")
    if status == "failed":
        why = "".join(f"; {reason}" for reason in reasons[:1])
        return Failed(message=f"No design could be dispatched: {told}{why}", data=status)
    return Completed(message=told, data=status)


def settle_as_cancelled(flow_run_id: str) -> None:
    """Let a run that heeded Prefect be `Cancelled` there, where the engine takes it for crashed."""
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(
            UUID(flow_run_id), Cancelled(message="The study was cancelled."), force=True
        )
