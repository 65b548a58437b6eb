"""This installation: its version, what it asks for, and whether it is sound."""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

DISTRIBUTION = "ecosystemiser"
ROOMS = ("ecosystemiser", "flows", "tasks", "solvers", "schema")
HOME = Path(__file__).resolve().parents[1]
OLDEST_PYTHON = (3, 11)
KNOWN_OPTIMUM_EUR = 4.0


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what.
        sound: whether it is as it should be.
        found: what is there.
        advice: what to do where it is not.
    """

    name: str
    sound: bool
    found: str
    advice: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def version_of_this() -> str:
    """Of the installed distribution, else of the source tree."""
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return str(_project().get("version", "unknown"))


def requirements() -> list[str]:
    """What every user needs, as the project states it."""
    # The source tree first: what is installed may be older than it.
    stated = _project().get("dependencies")
    if stated is not None:
        return list(stated)
    try:
        return metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return []


def checks(results: Path) -> Iterator[Check]:
    """Look at everything, one after the other; none stops the others."""
    looks: list[Callable[[], Check]] = [_python, _packages, _rooms, _highs, _prefect]
    for look in looks:
        yield _looked(look)
    yield _looked(lambda: _results(results))
    yield _looked(_small_solve)


def _looked(look: Callable[[], Check]) -> Check:
    try:
        return look()
    except Exception as error:  # noqa: BLE001 - whatever is broken here is what the user asks about
        name = getattr(look, "__name__", "").strip("_").replace("_", " ")
        return Check(name, False, f"{type(error).__name__}: {error}", "install the project anew: make setup")


def _project() -> dict[str, Any]:
    """The project table of the source tree that this runs from; empty where it is installed without."""
    file = HOME / "pyproject.toml"
    if not file.is_file():
        return {}
    project: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8")).get("project", {})
    return project if project.get("name") == DISTRIBUTION else {}


def _python() -> Check:
    oldest = ".".join(map(str, OLDEST_PYTHON))
    return Check(
        "Python",
        sys.version_info[:2] >= OLDEST_PYTHON,
        platform.python_version(),
        f"use Python {oldest} or newer",
    )


def _packages() -> Check:
    from packaging.requirements import Requirement

    wrong = []
    count = 0
    for requirement in map(Requirement, requirements()):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        count += 1
        try:
            found = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(found, prereleases=True):
            wrong.append(f"{requirement.name} is {found}, not {requirement.specifier}")
    found_words = "; ".join(wrong) or f"{count} packages in the versions asked for"
    return Check("packages", not wrong and count > 0, found_words, "install what is asked for: make setup")


def _rooms() -> Check:
    """Names such as `schema` may belong to a stranger's package too."""
    folders = {name: Path(str(importlib.import_module(name).__file__)).parent for name in ROOMS}
    strangers = [f"{name} is {folder}" for name, folder in folders.items() if folder.parent != HOME]
    return Check(
        "own packages",
        not strangers,
        "; ".join(strangers) or str(HOME),
        "another package has taken the name: use a virtual environment of its own",
    )


def _highs() -> Check:
    import highspy
    from packaging.requirements import Requirement
    from packaging.version import Version

    version = highspy.Highs().version()
    wanted = next(r for r in map(Requirement, requirements()) if r.name == "highspy").specifier
    sound = wanted.contains(Version(version))
    return Check("HiGHS", sound, version, f"install highspy{wanted}: older ones returned wrong optima")


def _prefect() -> Check:
    """Whether the server can be imported, in a process of its own: it takes long and says much."""
    found = f"prefect {metadata.version('prefect')} with fastapi {metadata.version('fastapi')}"
    environment = {**os.environ, "DO_NOT_TRACK": "1"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", "import prefect.server.api.server"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    if done.returncode == 0:
        return Check("Prefect", True, f"{found}: its server imports")
    last = (done.stderr.strip().splitlines() or ["no message"])[-1]
    advice = "install the versions that the project asks for: make setup"
    return Check("Prefect", False, f"{found}: its server does not import ({last})", advice)


def _results(results: Path) -> Check:
    from schema.errors import InputError
    from schema.store.database import is_there
    from schema.store.store import Store

    advice = "name another folder with --results or ECOSYSTEMISER_RESULTS"
    if is_there(results):
        try:
            with Store.open(results, read_only=True) as store:
                count = store.connection.execute("SELECT count(*) FROM studies").fetchone()[0]
        except InputError as error:
            return Check("results", False, str(error), advice)
        found = f"{results}, {count} studies"
    else:
        found = f"{results}, nothing in it yet"
    place = next(folder for folder in (results, *results.resolve().parents) if folder.exists())
    if not place.is_dir() or not os.access(place, os.W_OK):
        return Check("results", False, f"{place} cannot be written", advice)
    free = shutil.disk_usage(place).free
    return Check("results", free > 1e9, f"{found}, {free / 1e9:.0f} GB free", f"make space, or {advice}")


def _small_solve() -> Check:
    """A day whose optimum can be worked out by hand.

    1 kW all day, 0.10 €/kWh before noon and 0.30 after: 4.80 €. A lossless battery of 4 kWh moves that much to
    the cheap half and saves 4 · 0.20 €.
    """
    import numpy as np

    from schema.system import System
    from solvers.dispatch import Dispatcher

    system = System.model_validate(
        {
            "system": "doctor",
            "horizon": {"start": "2019-01-01T00:00", "steps": 24},
            "profiles": {"load": 1.0, "price": {"time_of_use": {0: 0.1, 12: 0.3}}},
            "components": {
                "grid": {"type": "grid", "import_price_eur_per_kwh": {"profile": "price"}},
                "battery": {
                    "type": "battery",
                    "capacity_kwh": 4,
                    "power_kw": 4,
                    "charge_efficiency_fraction": 1,
                    "discharge_efficiency_fraction": 1,
                    "self_discharge_fraction_per_hour": 0,
                    "initial_level_fraction": 0,
                },
                "lights": {"type": "power_demand", "profile": "load"},
            },
        }
    )
    series = {"load": np.ones(24), "price": np.repeat([0.1, 0.3], 12)}
    dispatch = Dispatcher(system, series).dispatch()
    cost = dispatch.kpis.get("total_cost", float("nan"))
    return Check(
        "small solve",
        abs(cost - KNOWN_OPTIMUM_EUR) < 1e-6,
        f"{dispatch.status}, {cost:.2f} € where {KNOWN_OPTIMUM_EUR:.2f} € is right",
        "the solver is not to be trusted: install the project anew with make setup",
    )
