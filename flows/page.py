"""What a study's flow run shows in the Prefect UI: how far it is, its front, what failed, where its report is."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flows.artifacts import Artifacts
from schema.kpis import KPI_UNITS
from schema.studies import Study
from tasks.evaluate import Result, run_id
from tasks.front_picture import as_address, front_picture
from tasks.progress import Progress
from tasks.scoring import Scored

_ROWS = 200
"""Rows that a table shows: the record has them all, and Prefect's database is none."""
_PROGRESS_SECONDS = 2.0
"""How often progress is shown at most: a call to Prefect takes longer than many a generation."""
_LIVE_SECONDS = 30.0
"""How often a front that is still sought is shown."""
_FAILURES_SECONDS = 2.0


class StudyPage:
    """The artifacts of one study under way; use it from within the flow.

    Args:
        study: the study.
        results: the results folder.
    """

    def __init__(self, study: Study, results: Path) -> None:
        self._study = study
        self._results = results
        self._artifacts = Artifacts(study.study)
        self._failures: list[dict[str, Any]] = []
        self._failed = 0
        self._failures_shown = 0.0
        self._front_shown = self._progress_shown = time.monotonic()
        self._artifacts.progress(0.0, f"{study.study}: getting ready")

    def progress(self, percent: float, progress: Progress | None) -> None:
        """Show how far the study is [0-100], now and then."""
        if time.monotonic() - self._progress_shown < _PROGRESS_SECONDS:
            return
        self._progress_shown = time.monotonic()
        told = self._study.study if progress is None else f"{self._study.study}: {in_words(progress)}"
        self._artifacts.progress(percent, told)

    def front_so_far(self, front: Sequence[Scored]) -> None:
        """Show a front that is still sought, now and then."""
        if time.monotonic() - self._front_shown >= _LIVE_SECONDS:
            self.front(front, "so far")

    def front(self, front: Sequence[Scored], when: str = "in the end") -> None:
        """Show the designs that none dominates, as a table and, with two objectives, as a picture."""
        self._front_shown = time.monotonic()
        if not front:
            return
        name, count = self._study.study, _counted(len(front), "design")
        rows = [self._row(scored) for scored in front[:_ROWS]]
        told = f"{name}: {count} that none dominates, {when}{_cut(len(front))}"
        self._artifacts.table("front", rows, told)
        if len(self._study.objectives) >= 2:
            self._draw(front, f"{name}: the front {when}")

    def rows(self, what: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Show rows as a table, such as how outputs spread."""
        told = f"{self._study.study}: {what}, {_counted(len(rows), 'row')}{_cut(len(rows))}"
        self._artifacts.table(what, rows[:_ROWS], told)

    def failed(self, results: Sequence[Result]) -> None:
        """Show evaluations without an answer, with their reasons."""
        for result in results[: max(_ROWS - len(self._failures), 0)]:
            row = {"run_id": run_id(self._study.study, result.design), "reason": result.message}
            self._failures.append(row | _rounded(result.design.values))
        self._failed += len(results)
        if results and time.monotonic() - self._failures_shown >= _FAILURES_SECONDS:
            self._show_failures()

    def finish(self, status: str, progress: Progress | None, *, percent: float) -> None:
        """Show how the study ended, how far it came [0-100], and where more is told."""
        if self._failures:
            self._show_failures()
        name = self._study.study
        self._artifacts.progress(
            percent, f"{name}: {status}{'' if progress is None else f', {in_words(progress)}'}"
        )
        numbers = "" if progress is None else f"\n\n{_settled(progress)}{_best(progress)}"
        folder = self._results.absolute()
        where = f"--results {shlex.quote(str(folder))}"
        report = folder / "reports" / f"{name}.html"
        lines = [
            f"# {name}: {status}{numbers}",
            "Its report, one page to read or to send, is written by",
            f"    ecosystemiser report {name} {where}",
            f"and is then [reports/{name}.html]({report.as_uri()}) on the machine that ran the study.",
            "Its best designs:",
            f"    ecosystemiser query best-designs --study-id {name} {where}",
        ]
        self._artifacts.markdown("report", "\n\n".join(lines), f"{name}: {status}, and where its report is")

    def _show_failures(self) -> None:
        self._failures_shown = time.monotonic()
        count = _counted(self._failed, "evaluation")
        told = f"{self._study.study}: {count} failed in this flow run{_cut(self._failed)}"
        self._artifacts.table("failures", self._failures, told)

    def _row(self, scored: Scored) -> dict[str, Any]:
        objectives = {_with_unit(name): round(value, 2) for name, value in scored.objectives.items()}
        name = run_id(self._study.study, scored.design)
        return {"run_id": name, **objectives, **_rounded(scored.design.values)}

    def _draw(self, front: Sequence[Scored], told: str) -> None:
        first, second = list(self._study.objectives)[:2]
        points = [(scored.objectives[first], scored.objectives[second]) for scored in front]
        picture = front_picture(points, (_with_unit(first), _with_unit(second)), told)
        self._artifacts.markdown("front-picture", f"![{told}]({as_address(picture)})", told)


def in_words(progress: Progress) -> str:
    """How far a study is, in a line."""
    return f"{progress.unit} {progress.step:,} of {progress.steps:,}, {_settled(progress)}{_best(progress)}"


def _settled(progress: Progress) -> str:
    told = f"{progress.evaluations:,} of {progress.planned:,} evaluations"
    if progress.infeasible:
        told += f", {progress.infeasible:,} infeasible"
    if progress.failed:
        told += f", **{progress.failed:,} failed**"
    return told


def _best(progress: Progress) -> str:
    return "".join(
        f", best {name} {value:,.6g} {_unit(name)}".rstrip() for name, value in progress.best.items()
    )


def _with_unit(kpi: str) -> str:
    unit = _unit(kpi)
    return f"{kpi} [{unit}]" if unit else kpi


def _unit(kpi: str) -> str:
    return KPI_UNITS.get(kpi, "").strip("-")


def _rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value if isinstance(value, str) else round(value, 3) for name, value in values.items()}


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' if count != 1 else ''}"


def _cut(count: int) -> str:
    return f"; the first {_ROWS} are shown" if count > _ROWS else ""
