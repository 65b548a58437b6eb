"""Freed memory stays with the process, unless the environment says otherwise."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FAULTS = """
import resource, sys
import numpy as np
from solvers.memory import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory()
for _ in range(20):  # whatever the allocator learns by itself it has learnt by then
    np.ones(500_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    kept = [np.ones(500_000) for _ in range(4)]
    del kept
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
TOLD = {"MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"}


def run(code, *words, **told):
    environment = {name: value for name, value in os.environ.items() if name not in TOLD}
    environment |= {"PYTHONPATH": str(ROOT), **told}
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators than glibc's are left alone")
def test_arrays_of_a_year_are_not_cleared_anew_by_the_system_each_time():
    assert int(run(FAULTS, "kept")) * 4 < int(run(FAULTS, "as it comes"))


def test_what_the_environment_says_of_memory_is_left_as_it_is():
    code = "from solvers.memory import keep_freed_memory; print(keep_freed_memory())"
    assert run(code, MALLOC_TRIM_THRESHOLD_="100000") == "False"
