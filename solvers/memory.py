"""Memory that is freed stays with the process: the next design asks for as much again.

Arrays of a year are large enough that glibc gives each back to the system when it is freed, and the system clears
every page of the next one.
"""

from __future__ import annotations

import ctypes
import os
import platform
from functools import cache

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 512 << 20
"""How much freed memory is kept at most."""
_LARGEST_KEPT_BYTES = 32 << 20
"""Single arrays above this go back at once; glibc allows no more."""


@cache
def keep_freed_memory() -> bool:
    """Have it so, once for the whole process; whether this machine's allocator can be told.

    What the environment says of it (`MALLOC_TRIM_THRESHOLD_`, `MALLOC_MMAP_THRESHOLD_`) is left as it is.
    """
    told = {"MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"} & os.environ.keys()
    if told or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT_BYTES) and mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES))
