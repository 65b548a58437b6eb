"""What a run was made with."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import version

_PACKAGES = ("ecosystemiser", "highspy", "cvxpy", "numpy", "scipy", "pymoo", "salib", "prefect")


@cache
def versions() -> dict[str, str]:
    """Versions of Python and of what decides a result."""
    return {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}
