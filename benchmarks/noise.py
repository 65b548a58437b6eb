"""How much of the machine other programs took while we measured."""

from __future__ import annotations

import os
from time import perf_counter

import psutil


class Noise:
    """Watches from its making on."""

    def __init__(self) -> None:
        self._began = perf_counter()
        self._busy, self._own = _busy_seconds(), _own_seconds()

    def share(self) -> float | None:
        """Share of all cores' time that went to others, 0 to 1; None where the machine does not tell."""
        cores = os.cpu_count()
        if cores is None:
            return None
        others = (_busy_seconds() - self._busy) - (_own_seconds() - self._own)
        return min(max(others / (cores * (perf_counter() - self._began)), 0.0), 1.0)


def _busy_seconds() -> float:
    times = psutil.cpu_times()
    return times.user + times.system + getattr(times, "nice", 0.0)


def _own_seconds() -> float:
    """Of this process and of those it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
