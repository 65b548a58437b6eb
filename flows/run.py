"""Runs a study from beginning to end in this process, with whatever Prefect server there is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from flows.session import prefect_session
from schema.loading import load_study
from schema.store.store import Store
from schema.studies import Study
from tasks.bases import bases_of
from tasks.bookkeeping import look_up

Runner = Literal["threads", "processes"]


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended.

    Attributes:
        study_id: the study.
        status: its status in the record.
        was_finished: nothing was left to do of the same study, and nothing was run.
        notice: what the user should know about the Prefect server, if anything.
    """

    study_id: str
    status: str
    was_finished: bool
    notice: str | None = None


def run_study(
    path: Path,
    results: Path,
    *,
    workers: int,
    runner: Runner = "processes",
    resume: bool = False,
    retry_failed: bool = False,
) -> RunOutcome:
    """Run a study's flow, or find it finished.

    Args:
        path: the study's file.
        results: the results folder, made if there is none.
        workers: how many evaluate at once.
        runner: what the workers are.
        resume: go on with an interrupted study.
        retry_failed: evaluate settled failures again; goes on with an interrupted study too.

    Raises:
        InputError: the study is not valid, its id is taken, it was interrupted and `resume` is not set, or
            another study has not the design that it names.
        StudyAliveError: another process is running it.
        ServerError: no Prefect server could be had, or it was lost.
    """
    loaded = load_study(path)
    study_id = loaded.study.study
    with Store.open(results) as store:
        # Seen before a server is started: nothing to do, or nothing that may be done.
        if look_up(store, loaded, resume=resume, retry_failed=retry_failed) == "completed":
            row = store.study(study_id) or {}
            return RunOutcome(study_id, row["status"], was_finished=True)
        bases_of(store, loaded)
    with prefect_session() as session:
        from prefect.exceptions import FailedRun
        from prefect.task_runners import ThreadPoolTaskRunner

        threads: Any = ThreadPoolTaskRunner(max_workers=workers)
        flow = _flow_of(loaded.study).with_options(task_runner=threads)
        how = {"workers": workers, "runner": runner, "retry_failed": retry_failed}
        try:
            status = flow(path, results, resume=resume or retry_failed, **how)
        except FailedRun:
            status = "failed"  # as the record says: the study ran and found nothing
    return RunOutcome(study_id, str(status), was_finished=False, notice=session.notice)


def _flow_of(study: Study) -> Any:
    from flows.genetic import genetic_study
    from flows.monte_carlo import monte_carlo_study
    from flows.parametric import parametric_study
    from flows.single import single_study

    flows = {
        "genetic_algorithm": genetic_study,
        "monte_carlo": monte_carlo_study,
        "parametric": parametric_study,
        "single": single_study,
    }
    return flows[study.type]
