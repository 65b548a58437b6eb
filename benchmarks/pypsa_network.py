"""The same house in PyPSA: a network built and optimised for each design."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.figures import Design, Timing
from benchmarks.house import CO2_WEIGHT, House
from benchmarks.pypsa_model import network_of

WAYS: dict[str, dict[str, Any]] = {
    "PyPSA": {},
    "PyPSA, its model handed over in memory": {"io_api": "direct"},
}
"""PyPSA as it comes, which writes the model to a file for the solver, and its quickest way."""


def measure(house: House, count: int) -> list[Timing]:
    """Build and optimise some of the study's designs in each way."""
    logging.getLogger("pypsa").setLevel(logging.ERROR)
    logging.getLogger("linopy").setLevel(logging.ERROR)
    timings = [Timing(name, house.hours) for name in WAYS]
    with _silence(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for options in WAYS.values():  # what only a first call loads is not measured
            _optimum(house, house.designs[0], options)
        for design in house.few(count):
            for timing in timings:
                options = WAYS[timing.name]
                timing.measure(design, lambda design, options=options: _optimum(house, design, options))
    return timings


@contextmanager
def _silence() -> Iterator[None]:
    """Nothing on the standard output, to which HiGHS writes before it can be told not to."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def _optimum(house: House, design: Design, options: dict[str, Any]) -> float:
    network = network_of(house.system_of(design), house.series, design[CO2_WEIGHT])
    status = network.optimize(
        solver_name="highs", solver_options={"output_flag": False}, progress=False, **options
    )
    if status != ("ok", "optimal"):
        raise RuntimeError(f"PyPSA says {status} for {dict(design)}")
    return float(network.objective)
