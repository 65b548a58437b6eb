"""A study's artifacts in the Prefect UI: made when there is something to show, changed in place from then on.

They are pictures of a study, never its record. Each costs one call to Prefect's server; where that fails, a
warning says so once, the study goes on, and for a while nothing more is tried.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

logger = logging.getLogger(__name__)

_SILENCE_SECONDS = 60.0
"""How long a server that failed is left alone: one that is gone may keep each call waiting."""


class Artifacts:
    """One study's artifacts; make it and use it from within the flow."""

    def __init__(self, study_id: str) -> None:
        self._study_id = study_id
        self._made: dict[str, UUID] = {}
        self._silent_until = 0.0
        self._told: set[str] = set()

    def progress(self, percent: float, told: str) -> None:
        """Show how far the study is [0-100], and in words."""
        from prefect.artifacts import create_progress_artifact

        value = min(max(float(percent), 0.0), 100.0)
        self._show("progress", value, told, lambda **names: create_progress_artifact(value, **names))

    def table(self, what: str, rows: Sequence[Mapping[str, Any]], told: str) -> None:
        """Show rows of values as JSON knows them."""
        from prefect.artifacts import create_table_artifact

        table = [dict(row) for row in rows]
        data = json.dumps(table)
        self._show(what, data, told, lambda **names: create_table_artifact(table, **names))

    def markdown(self, what: str, text: str, told: str) -> None:
        """Show a text, perhaps with a picture in it."""
        from prefect.artifacts import create_markdown_artifact

        self._show(what, text, told, lambda **names: create_markdown_artifact(text, **names))

    def _show(self, what: str, data: Any, told: str, create: Callable[..., Any]) -> None:
        if time.monotonic() < self._silent_until:
            return
        from flows.impatience import no_second_try

        try:
            with no_second_try():
                if what in self._made:
                    _change(self._made[what], data, told)
                else:
                    self._made[what] = create(key=key_of(self._study_id, what), description=told)
        except Exception as error:  # noqa: BLE001 - whatever befalls a picture must not sink the study
            self._silent_until = time.monotonic() + _SILENCE_SECONDS
            if what not in self._told:
                self._told.add(what)
                logger.warning("The %s cannot be shown in the Prefect UI: %s", what, error)


def _change(artifact_id: UUID, data: Any, told: str) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import ArtifactUpdate

    with get_client(sync_client=True) as client:
        client.update_artifact(artifact_id, ArtifactUpdate(data=data, description=told))


def key_of(study_id: str, what: str) -> str:
    """Prefect takes small letters, digits and dashes."""
    return f"{re.sub('[^a-z0-9]+', '-', study_id.lower()).strip('-')}-{what}"
