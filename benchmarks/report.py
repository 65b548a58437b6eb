"""docs/benchmarks.md: what was measured, under which conditions, and what it must reach."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.figures import Section, Target, Timing, Workers, spread

PACKAGES = ("ecosystemiser", "highspy", "cvxpy", "numpy", "scipy", "pypsa", "linopy")

_ABOUT = """\
# Benchmarks

The house of `examples/house`, with the designs that its study asks for first, dispatched over a week (168 h) and
over a year (8,760 h), beside peers that solve the same linear programs. `make bench` measures all of it in one
run of about half an hour and writes this page; it fails only where two ways disagree about an optimum. Figures of
time hold for one machine; the ratios travel better.
"""

_HOW = """\
## How it is measured

- **EcoSystemiser, warm**: one evaluation in a worker that has compiled its model: new values, bounds and costs,
  HiGHS from the reference design's basis, checks, KPIs, flows. Its own share is all but HiGHS' own run.
- **PyPSA**: a network built from the same arrays and optimised with HiGHS, as its users do for each design; once
  as it comes, and once with the model handed to HiGHS in memory, its quickest way. The storages are storage units
  (fewer rows than links and stores); checks and KPIs are left out. The first calls are not counted.
- **HiGHS alone, cold**: the finished program passed to a new solver object with default options.
- **Other parameters**: designs that change efficiencies, COP, prices and scales of demands all at once, so that
  the matrix and the costs differ, not bounds alone; warm as above, and the same program built from its parameters,
  passed to a new solver object and solved.
- **CVXPY, stated and solved anew**: the same equations built, compiled and solved for each design.
- No side has binaries: on this house the relaxation keeps import and export, and charge and discharge, apart.
- Ratios are of medians. A year is solved by the peers for some of the designs only, evenly spread among them.
- PyPSA lets the first step's standing loss out; it is given what is left of the initial level after that loss.
- Peak memory is the kernel's high-water mark of a worker process after a generation of the year's study.
"""


@dataclass(frozen=True)
class Findings:
    """All that the report tells.

    Attributes:
        targets: figures that must be reached.
        timings: ours first, then its peers, for each horizon.
        shares: our own share of each warm evaluation, by horizon.
        difference: worst relative difference between ours and a peer's optimum.
        workers: processes on the year.
        sections: whatever else was measured.
        noise: share of the machine's processors that other programs took; None where unknown.
    """

    targets: Sequence[Target]
    timings: Sequence[Sequence[Timing]]
    shares: dict[int, list[float]]
    difference: float
    workers: Workers
    sections: Sequence[Section]
    noise: float | None


def page(findings: Findings) -> str:
    """The whole page."""
    parts = [
        _ABOUT,
        _targets(findings),
        _times(findings),
        _workers(findings.workers),
        *map(_section, findings.sections),
        _HOW,
        machine(findings.noise, PACKAGES),
    ]
    return "\n".join(parts)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def alone(section: Section) -> str:
    """One section with its targets, as it is printed where only it is measured."""
    return f"{_section(section)}\n{_target_table(section.targets)}"


def _target_table(targets: Sequence[Target]) -> str:
    rows = [
        (
            target.name,
            _amount(target.value, target.unit),
            f"{'at least' if target.at_least else 'below'} {_amount(target.limit, target.unit)}",
            "yes" if target.met else "no",
        )
        for target in targets
    ]
    return _table(("figure", "measured", "target", "met"), rows)


def _targets(findings: Findings) -> str:
    return (
        f"## Targets\n\n{_target_table(findings.targets)}\nThe largest relative difference between two optima "
        f"of a design is {findings.difference:.1e}.\n"
    )


def _amount(value: float, unit: str) -> str:
    return f"{value:,.1f} {unit}" if abs(value) < 100 and unit != "MB" else f"{value:,.0f} {unit}"


def _times(findings: Findings) -> str:
    rows = [
        (
            timing.name,
            f"{timing.hours:,} h",
            str(len(timing.seconds)),
            *(_milliseconds(value) for value in spread(timing.seconds)),
            f"{timing.median / timings[0].median:,.1f}",
        )
        for timings in findings.timings
        for timing in timings
    ]
    table = _table(("one design", "horizon", "runs", "median", "min", "max", "ratio to ours"), rows)
    shares = [
        (f"{hours:,} h", *(f"{value:.0%}".replace("%", " %") for value in spread(values)))
        for hours, values in findings.shares.items()
    ]
    return (
        f"## Times\n\n{table}\n{_table(('our own share of an evaluation', 'median', 'min', 'max'), shares)}"
    )


def _section(section: Section) -> str:
    return f"## {section.title}\n\n{section.about}\n\n{_table(section.header, section.rows)}"


def _milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:,.2f} ms" if seconds < 0.1 else f"{1e3 * seconds:,.0f} ms"


def _workers(workers: Workers) -> str:
    rows = [
        (str(count), f"{rate:.1f}", f"{workers.bare[count]:.1f}")
        for count, rate in workers.per_second.items()
    ]
    head = (
        "processes",
        "evaluations of the year per second",
        "of bare loops that know nothing of each other",
    )
    return f"## Workers\n\n{_table(head, rows)}"


def machine(noise: float | None, packages: Sequence[str]) -> str:
    """Under which conditions something was measured."""
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    taken = "an unknown share" if noise is None else f"{noise:.0%}".replace("%", " %")
    return (
        f"## Conditions\n\n"
        f"- {datetime.now(UTC):%Y-%m-%d}; {os.cpu_count()} cores, {_cpu()}; other programs took {taken} of them\n"
        f"- {platform.system()}, Python {platform.python_version()}; {versions}\n"
    )


def _cpu() -> str:
    """The processor's name as the machine tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
