"""Optuna's SQLite storage, given designs that are evaluated already."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

from benchmarks.database_rows import OBJECTIVES, PARAMETERS, evaluations

TRIALS = 200


def optuna_milliseconds(folder: Path, trials: int = TRIALS) -> float:
    """A trial's time by the quicker of Optuna's ways: whole trials added, in place of ask, suggest and tell."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        storage=f"sqlite:///{folder / 'optuna.db'}", directions=["minimize"] * len(OBJECTIVES)
    )
    distributions = {
        name: optuna.distributions.FloatDistribution(0, most) for name, most in PARAMETERS.items()
    }
    made = [
        optuna.trial.create_trial(
            params=dict(evaluation.parameters),
            distributions=distributions,
            values=list(evaluation.objectives.values()),
        )
        for chunk in evaluations("peer", 2 * trials, 1)
        for evaluation in chunk
        if evaluation.objectives
    ][:trials]
    began = perf_counter()
    study.add_trials(made)
    return 1e3 * (perf_counter() - began) / trials
