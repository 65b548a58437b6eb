"""Where a community keeps its files, and who may work on them."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from schema.community.errors import BusyError

FOLDER = "community"


@dataclass(frozen=True)
class Places:
    """The community's part of a results folder."""

    root: Path

    @classmethod
    def of(cls, results: Path) -> Places:
        return cls(results / FOLDER)

    @property
    def work(self) -> Path:
        """What a cycle needs while it runs."""
        return self.root / "work"

    @property
    def results(self) -> Path:
        return self.root / "results"

    @property
    def quarantine(self) -> Path:
        return self.root / "quarantine"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def backups(self) -> Path:
        return self.root / "backups"

    def clear_work(self) -> None:
        """Remove what is left of this cycle, or of one that was killed."""
        shutil.rmtree(self.work, ignore_errors=True)

    def forget(self, days: int) -> list[str]:
        """Remove results, quarantined files, logs and backups that are older than this; returns their names."""
        oldest = time.time() - timedelta(days=days).total_seconds()
        old = [
            file
            for folder in (self.results, self.quarantine, self.logs, self.backups)
            if folder.is_dir()
            for file in folder.iterdir()
            if file.is_file() and file.stat().st_mtime < oldest
        ]
        for file in old:
            file.unlink(missing_ok=True)
        return sorted(file.name for file in old)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the community for a cycle; the lock dies with its process.

        Raises:
            BusyError: another process holds it.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.root / ".cycle.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BusyError(
                    f"another process is in a cycle of {self.root}: what is due is done by it or by the next cycle"
                ) from None
            yield
        finally:
            os.close(descriptor)
