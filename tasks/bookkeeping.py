"""A study's record from beginning to end: created or taken up again, filled, settled."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Literal, ParamSpec, TypeVar

from schema.errors import Finding, InputError
from schema.loading import LoadedStudy
from schema.store import queries
from schema.store.errors import StoreError, StudyAliveError
from schema.store.records import (
    Generation,
    NewStudy,
    RunFiles,
    RunStart,
    Sensitivity,
    Uncertainty,
    run_id_of,
)
from schema.store.store import Store
from schema.study import GeneticStudy
from tasks.bases import Base, recorded
from tasks.contents import differences, prolongs
from tasks.convergence import Convergence
from tasks.evaluate import Design, Result
from tasks.patience import patiently
from tasks.scoring import Scored, evaluation_of, score, scored_from_row, solver_of
from tasks.versions import versions

P = ParamSpec("P")
T = TypeVar("T")
FinalStatus = Literal["completed", "failed", "cancelled"]
TOLD_AS_FAILED = "told_as_failed"
"""Marks an evaluation that had failed when a search was told of it: a replay tells the same."""


@dataclass(frozen=True)
class Begun:
    """A study that may go on.

    Attributes:
        finished: it had been completed before; nothing is left to do.
        known: evaluations settled before an interruption, by number.
        generations: seconds that each took which was recorded whole before it, by number.
        failed: of a search, failures that are to be evaluated again once it is through, by generation.
        late: of a search, answers to evaluations that it was told of as failed.
    """

    finished: bool = False
    known: Mapping[int, Scored] = field(default_factory=dict)
    generations: Mapping[int, float] = field(default_factory=dict)
    failed: Mapping[int, Sequence[Design]] = field(default_factory=dict)
    late: Sequence[Scored] = ()


def look_up(store: Store, loaded: LoadedStudy, *, resume: bool, retry_failed: bool = False) -> str | None:
    """Status of this very study in the store; None where it is new.

    `completed` where nothing is left to do, also where that was in vain; `prolonged` where something is again: its
    limits are wider now, or failures are to be evaluated again.

    Raises:
        InputError: the id belongs to another study, or to an interrupted one and `resume` is not wanted.
        StudyAliveError: another process is running it.
    """
    study_id = loaded.study.study
    row = store.study(study_id)
    if row is None:
        return None
    recorded = row["metadata_json"].get("content", {})
    _require_same(loaded, recorded)
    status = str(row["status"])
    ended = status == "completed" or bool(status == "failed" and row["metadata_json"].get("ended"))
    again = retry_failed and queries.statistics(store.connection, study_id)[0]["failed"] > 0
    if ended and not again and not differences(recorded, loaded.content):
        return "completed"
    holder = store.holder(study_id)
    if holder is not None and holder.pid != os.getpid():
        raise StudyAliveError(study_id, holder.pid, holder.host)
    if resume or again:
        return "prolonged" if ended else status
    message = (
        f"study '{study_id}' was begun before and has {row['run_count']} evaluations: add --resume to go on "
        f"with it, or remove it with `ecosystemiser delete {study_id}`"
    )
    raise InputError(
        Finding(str(loaded.path), "study", f"{study_id}, {status}", "a new id, or --resume", message)
    )


def begin(
    store: Store,
    loaded: LoadedStudy,
    *,
    resume: bool,
    retry_failed: bool = False,
    bases: Sequence[Base] = (Base({}),),
) -> Begun:
    """Record a new study, or take up the one that was interrupted. Call it under the study's claim.

    Args:
        store: open for writing.
        loaded: the study.
        resume: go on with an interrupted one.
        retry_failed: evaluate settled failures again; a search goes on as if they were failures still.
        bases: the designs that it looks at, as `tasks.bases` found them.

    Raises:
        InputError: the id belongs to another study, or to an interrupted one and `resume` is not wanted.
    """
    study_id = loaded.study.study
    status = look_up(store, loaded, resume=resume, retry_failed=retry_failed)
    if status == "completed":
        return Begun(finished=True)
    searches = isinstance(loaded.study, GeneticStudy)
    if status is None:
        store.create_study(_new_study(loaded, bases))
    store.settle_interrupted(study_id)
    if status is not None and retry_failed:
        store.reopen_failed(study_id, forget=not searches)
    if status is not None:
        store.update_study(study_id, metadata={"ended": False})
    store.update_study(study_id, status="running")
    if status is not None:
        _take_limits_over(store, loaded, bases)
    rows = queries.evaluations(store.connection, study_id)
    told = queries.convergence(store.connection, study_id)
    generations = {int(row["generation_number"]): row["generation_time_seconds"] or 0.0 for row in told}
    known = {row["evaluation_number"]: scored_from_row(row) for row in rows}
    if not searches:
        return Begun(known=known, generations=generations)
    late = [row["evaluation_number"] for row in rows if (row["metadata_json"] or {}).get(TOLD_AS_FAILED)]
    failed: dict[int, list[Design]] = {}
    for row in rows if retry_failed else ():
        if row["simulation_status"] == "failed":
            failed.setdefault(row["generation_number"], []).append(known[row["evaluation_number"]].design)
    return Begun(
        known=known | {number: Scored(known[number].design, "failed") for number in late},
        generations=generations,
        failed=failed,
        late=[known[number] for number in late],
    )


def _new_study(loaded: LoadedStudy, bases: Sequence[Base]) -> NewStudy:
    study = loaded.study
    search = study.algorithm if isinstance(study, GeneticStudy) else None
    return NewStudy(
        study_id=study.study,
        study_type=study.type,
        description=study.description,
        base_system_config_path=str(loaded.system.path.resolve()),
        objectives=study.objectives,
        constraints={name: bound.model_dump(exclude_none=True) for name, bound in study.constraints.items()},
        population_size=study.population_size if isinstance(study, GeneticStudy) else None,
        max_generations=None if search is None else search.max_generations,
        max_evaluations=study.planned * len(bases),
        metadata={
            "content": loaded.content,
            "ended": False,
            "study_path": str(loaded.path.resolve()),
            "versions": versions(),
            "reference_design": loaded.system.system.model_dump(mode="json"),
            **({} if search else recorded(bases)),
        },
    )


def _take_limits_over(store: Store, loaded: LoadedStudy, bases: Sequence[Base]) -> None:
    """Record the limits of a study that is prolonged; the same again where it is not."""
    stated = _new_study(loaded, bases)
    store.update_study(
        stated.study_id,
        max_generations=stated.max_generations,
        max_evaluations=stated.max_evaluations,
        metadata={"content": loaded.content},
    )


def _require_same(loaded: LoadedStudy, recorded: Mapping[str, Any]) -> None:
    different = differences(recorded, loaded.content)
    if different and not prolongs(recorded, loaded.content):
        study_id = loaded.study.study
        what = "; ".join(different)
        message = (
            f"'{study_id}' is the id of another study in this results folder, which differs in {what}. Give this "
            "one another id, or delete the other"
        )
        raise InputError(Finding(str(loaded.path), "study", study_id, "an id that is not taken", message))


@dataclass(frozen=True)
class Analysis:
    """What was found of one output (of one design).

    Attributes:
        uncertainty: how it spreads, where that was asked.
        sensitivities: what each parameter does to it.
    """

    uncertainty: Uncertainty | None = None
    sensitivities: Sequence[Sensitivity] = ()


class StudyRecord:
    """Writes what a study's evaluations and generations tell.

    Args:
        store: open for writing, the study claimed.
        loaded: the study.
    """

    def __init__(self, store: Store, loaded: LoadedStudy) -> None:
        self._store = store
        self._study = loaded.study
        self._system_id = loaded.system.system.system
        self._timesteps = loaded.system.system.horizon.steps

    def _write(self, verb: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """A verb of the store, with the study's patience: what is solved is held until it is recorded."""
        return patiently(
            lambda: verb(*args, **kwargs),
            self._study.failures.storage_patience_seconds,
            what=f"The record of {self._study.study}",
            passing=(StoreError,),
        )

    def recall(self, known: Mapping[int, Scored], designs: Sequence[Design]) -> dict[int, Scored]:
        """What is known of these designs, by number.

        Raises:
            InputError: the record tells of other designs; its search was made with other versions.
        """
        found = {design.number: known[design.number] for design in designs if design.number in known}
        for design in designs:
            if design.number in found and found[design.number].design.values != design.values:
                raise InputError(self._other_search(design))
        return found

    def _other_search(self, design: Design) -> Finding:
        study_id = self._study.study
        row = self._store.study(study_id) or {}
        changed = differences((row.get("metadata_json") or {}).get("versions", {}), versions())
        message = (
            f"'{study_id}' cannot be continued: evaluation {design.number} of its record is not the design that "
            f"the search asks for now (what has changed: {'; '.join(changed) or 'nothing that was recorded'}). "
            "Install the versions it was begun with, or run it anew under another id"
        )
        return Finding("", "study", study_id, "the versions that the study was begun with", message)

    def start(self, designs: Sequence[Design]) -> None:
        """Log designs as running before they are solved."""
        study = self._study
        self._write(
            self._store.start_runs,
            [
                RunStart(
                    study.study, design.number, self._system_id, self._timesteps, solver_of(study, design)
                )
                for design in designs
            ],
        )

    def settle_late(self, generation: int, results: Sequence[Result]) -> list[Scored]:
        """As `settle`, for answers to evaluations that a search was told of as failed."""
        marked = [replace(one, details={**one.details, TOLD_AS_FAILED: True}) for one in results]
        return self.settle(generation, marked)

    def settle(self, generation: int | None, results: Sequence[Result]) -> list[Scored]:
        """Record a chunk's results in one transaction and say how each scores."""
        scored = [score(self._study, result) for result in results]
        self._write(
            self._store.record,
            [
                evaluation_of(self._study, self._system_id, self._timesteps, generation, result, judged)
                for result, judged in zip(results, scored, strict=True)
            ],
        )
        return scored

    def dispatches(self, keys: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """Recorded evaluations whose dispatch may be taken over, by its key."""
        return self._write(self._store.dispatches, keys)

    def generation(self, told: Generation) -> None:
        """Record a generation's convergence and front."""
        self._write(self._store.record_generation, told)

    def progress(self, percent: float) -> None:
        """Record how far the study is [0-100]."""
        self._write(self._store.set_progress, self._study.study, percent)

    def front(self, convergence: Convergence) -> None:
        """Record the final front."""
        front = convergence.final_front()
        self._write(self._store.record_final_front, self._study.study, front, convergence.domination_counts())
        reference = convergence.reference
        point = None if reference is None else reference.tolist()
        self.tell(reference_point=point, front_size=len(front.run_ids))

    def analyses(self, analyses: Sequence[Analysis]) -> None:
        """Record how outputs spread and what parameters do to them."""
        for analysis in analyses:
            analysis_id = None
            if analysis.uncertainty is not None:
                (analysis_id,) = self._write(self._store.record_uncertainty, [analysis.uncertainty])
            self._write(
                self._store.record_sensitivity,
                [replace(told, analysis_id=analysis_id) for told in analysis.sensitivities],
            )

    def tell(self, **metadata: Any) -> None:
        """Keep something about the study beside its record."""
        self._write(self._store.update_study, self._study.study, metadata=metadata)

    def finish(self, status: FinalStatus, files: Mapping[str, RunFiles], seconds: float) -> None:
        """Settle the study, with the time series that were written in the end."""
        self._write(self._store.attach_files, files)
        if status == "failed":
            self.tell(ended=True)  # told apart from one that was broken off
        self._write(self._store.finish_study, self._study.study, status, execution_time_seconds=seconds)

    def abandon(self, status: FinalStatus, seconds: float) -> None:
        """Settle a study that was broken off; what it has is kept and can be taken up again.

        A store that takes nothing any more is left as it is: the next run settles it.
        """
        with suppress(StoreError, InputError):
            self._store.settle_interrupted(self._study.study)
            self._store.finish_study(self._study.study, status, execution_time_seconds=seconds)


def files_by_run(study_id: str, results: Sequence[Result]) -> dict[str, RunFiles]:
    """Where kept time series lie, by run id."""
    return {
        run_id_of(study_id, result.design.number): result.files
        for result in results
        if result.files is not None
    }
