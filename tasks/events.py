"""What Prefect's automations can react to: a study started, a step of it is done, evaluations failed, it ended.

The resource of a study's events is `ecosystemiser.study.STUDY_ID`; the flow run is related to it. Events leave in
the background. One that cannot be sent is lost, and sinks nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tasks.evaluate import Result
    from tasks.progress import Progress

logger = logging.getLogger(__name__)

STUDY_STARTED = "ecosystemiser.study.started"
GENERATION_FINISHED = "ecosystemiser.generation.finished"
EVALUATION_FAILED = "ecosystemiser.evaluation.failed"
STUDY_ENDED = "ecosystemiser.study."
"""With the status: completed, failed or cancelled."""
COMMUNITY = "ecosystemiser.community"

_NAMED = 10
_REASON_LENGTH = 300


class StudyEvents:
    """The events of one study.

    Args:
        study_id: the study.
        study_type: its kind.
        results: the results folder.
    """

    def __init__(self, study_id: str, study_type: str, results: Path) -> None:
        self._study_id = study_id
        self._resource = {
            "prefect.resource.id": f"ecosystemiser.study.{study_id}",
            "prefect.resource.name": study_id,
            "ecosystemiser.study.type": study_type,
            "ecosystemiser.results": str(results.absolute()),
        }

    def started(self, planned: int, known: int) -> None:
        """Begun, or taken up again.

        Args:
            planned: evaluations in all, at most.
            known: those settled before an interruption.
        """
        self._emit(STUDY_STARTED, planned=planned, evaluations=known, resumed=known > 0)

    def step_finished(self, progress: Progress) -> None:
        """A generation, a round or a whole sweep is recorded; `unit` tells which."""
        self._emit(GENERATION_FINISHED, **_numbers(progress), seconds=round(progress.seconds, 3))

    def failed(self, run_ids: Sequence[str], results: Sequence[Result]) -> None:
        """Evaluations of a chunk for which there is no further attempt: one event for all of them."""
        if results:
            self._emit(
                EVALUATION_FAILED,
                count=len(results),
                run_id=run_ids[0],
                run_ids=list(run_ids[:_NAMED]),
                reason=results[0].message[:_REASON_LENGTH],
            )

    def ended(self, status: str, progress: Progress | None, reason: str = "") -> None:
        """Settled as completed, failed or cancelled."""
        numbers = {} if progress is None else _numbers(progress)
        self._emit(STUDY_ENDED + status, **numbers, **({"reason": reason[:_REASON_LENGTH]} if reason else {}))

    def _emit(self, event: str, **payload: Any) -> None:
        emit(event, self._resource, {"study_id": self._study_id, **payload})


def emit(event: str, resource: Mapping[str, str], payload: Mapping[str, Any]) -> None:
    """Send an event to the Prefect server in use; without one there is nobody to tell."""
    from prefect.events import emit_event
    from prefect.settings import PREFECT_API_URL

    if PREFECT_API_URL.value() is None:
        return
    try:
        emit_event(event, resource=dict(resource), payload=dict(payload))
    except Exception as error:  # noqa: BLE001 - whoever is told of a study must not sink it
        logger.warning("Prefect was not told of %s: %s", event, error)


def _numbers(progress: Progress) -> dict[str, Any]:
    return {
        "step": progress.step,
        "steps": progress.steps,
        "unit": progress.unit,
        "evaluations": progress.evaluations,
        "planned": progress.planned,
        "failed": progress.failed,
        "infeasible": progress.infeasible,
        "best": progress.best,
        "hypervolume": progress.hypervolume,
    }
