"""What becomes of evaluations that fail, hang, run into the solver's time limit, or cannot be recorded."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schema.base import Model
from schema.profiles import NonNegative, Positive


class FailureRules(Model):
    """What becomes of evaluations that fail, hang, run into the solver's time limit, or cannot be recorded."""

    retries: Annotated[int, Field(ge=0, le=10)] = 1
    """How often a failed evaluation is tried again; an infeasible design is a result and is not [-]."""
    pause_seconds: NonNegative = 1.0
    """Before the first retry [s]; each later one waits twice as long as the one before."""
    at_time_limit: Literal["accept", "fail", "retry"] = "accept"
    """When `solver.time_limit_seconds` is reached: `accept` the best dispatch found so far, whose gap is told
    (without one the evaluation is failed); `fail` in any case; `retry` with twice the time, as often as `retries`
    says, and then accept."""
    hang_margin_seconds: Positive = 60.0
    """How long after its time limit an evaluation in a worker process counts as hung, and the process is ended
    [s]."""

    storage_patience_seconds: NonNegative = 300.0
    """How long what is solved is held while it cannot be recorded, as the disk is full or the database locked, or
    its time series cannot be written; then the study stops, and can be resumed [s]."""

    def pause_before(self, attempt: int) -> float:
        """Seconds to wait before an attempt, of which the second is the first retry."""
        return float(self.pause_seconds * 2.0 ** (attempt - 2))
