"""What a study shows in the Prefect UI beside its runs: how far it is, its front, how outputs spread.

These are pictures of a study, never its record: if Prefect cannot take one, a warning says so once and
the study goes on.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

logger = logging.getLogger(__name__)


class ProgressArtifact:
    """A study's progress bar in the UI; make it and update it from within the flow."""

    def __init__(self, study_id: str) -> None:
        from prefect.artifacts import create_progress_artifact

        self._id: UUID | None = _attempt(
            "progress",
            lambda: create_progress_artifact(0.0, key=_key(study_id, "progress"), description=study_id),
        )

    def update(self, percent: float) -> None:
        """Show this many per cent; after a failure nothing more is tried."""
        from prefect.artifacts import update_progress_artifact

        if artifact_id := self._id:
            self._id = _attempt("progress", lambda: update_progress_artifact(artifact_id, float(percent)))


def table_artifact(study_id: str, what: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Show rows as a table: a front, or how outputs spread; with values as JSON knows them."""
    from prefect.artifacts import create_table_artifact

    table = [dict(row) for row in rows]
    description = f"{study_id}: {what}, {len(rows)} row{'s' if len(rows) != 1 else ''}"
    _attempt(what, lambda: create_table_artifact(table, key=_key(study_id, what), description=description))


def _attempt(what: str, make: Callable[[], Any]) -> Any:
    try:
        return make()
    except Exception as error:  # noqa: BLE001 - whatever befalls a picture must not sink the study
        logger.warning("The %s cannot be shown in the Prefect UI: %s", what, error)
        return None


def _key(study_id: str, what: str) -> str:
    """Prefect takes small letters, digits and dashes."""
    return f"{re.sub('[^a-z0-9]+', '-', study_id.lower()).strip('-')}-{what}"
