"""Who writes a study: one writer at a time, told by the database's own kind of lock."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from schema.store import locks


class Claims(Protocol):
    """Locks of studies, each held by one process at a time and let go when that dies."""

    def claimed(self, study_id: str) -> AbstractContextManager[None]:
        """Hold the study.

        Raises:
            StudyAliveError: somebody else holds it.
        """

    def holder(self, study_id: str) -> locks.Holder | None:
        """Who holds the study now; None where nobody does."""

    def forget(self, study_id: str) -> None:
        """Leave nothing of a deleted study's lock behind; call it while holding the study."""


class FileClaims:
    """Lock files in the results folder: all writers are on machines that share it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def claimed(self, study_id: str) -> AbstractContextManager[None]:
        return locks.claimed(self._file(study_id), study_id)

    def holder(self, study_id: str) -> locks.Holder | None:
        return locks.holder(self._file(study_id))

    def forget(self, study_id: str) -> None:
        self._file(study_id).unlink(missing_ok=True)

    def _file(self, study_id: str) -> Path:
        return self._folder / f"study-{study_id}.lock"
