"""What can go wrong with the store other than wrong input."""

from __future__ import annotations


class StoreError(Exception):
    """The database could not take or give what was asked; the message says what to do."""


class StudyAliveError(StoreError):
    """Another process (or another part of this one) is writing the study.

    Attributes:
        study_id: the study.
        pid: the process that holds it, None where it could not be read.
        host: the machine that process runs on.
    """

    def __init__(self, study_id: str, pid: int | None, host: str) -> None:
        self.study_id, self.pid, self.host = study_id, pid, host
        process = f"process {pid}" if pid else "another process"
        place = f" on {host}" if host else ""
        super().__init__(
            f"study {study_id} is being run by {process}{place}: wait until it ends, or cancel it first"
        )
