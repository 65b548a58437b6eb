"""What a run was made with."""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from importlib.metadata import version
from pathlib import Path

import schema
import solvers

_PACKAGES = ("ecosystemiser", "highspy", "cvxpy", "numpy", "scipy", "pymoo", "salib", "prefect")
_ASIDE = {"pymoo", "salib", "prefect"}  # they choose designs and order steps
_APART = ("store/", "community/", "inputs/")  # beside the way from numbers to a solution


@cache
def versions() -> dict[str, str]:
    """Versions of Python and of what decides a result."""
    return {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}


@cache
def deciding() -> dict[str, str]:
    """What a dispatch is worked out with: another machine or library may round its last digit otherwise."""
    libraries = {name: number for name, number in versions().items() if name not in _ASIDE}
    return {**libraries, "machine": f"{platform.system()} {platform.machine()}", "equations": _equations()}


def _equations() -> str:
    """A hash of our own code from the system to the solution: the version may stand still while it changes."""
    digest = hashlib.sha256()
    for package in (schema, solvers):
        root = Path(package.__file__ or "").parent
        for file in sorted(root.rglob("*.py")):
            place = file.relative_to(root).as_posix()
            if not place.startswith(_APART):
                digest.update(f"{package.__name__}/{place}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()
