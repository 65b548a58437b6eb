"""Optuna's SQLite storage, with designs that cost nothing to evaluate."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

from benchmarks.database_rows import OBJECTIVES, PARAMETERS, evaluations

TRIALS = 200


def optuna_milliseconds(folder: Path, trials: int = TRIALS) -> tuple[float, float]:
    """A trial's time as a study records it (ask, suggest, tell), and given whole (`add_trials`)."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        storage=f"sqlite:///{folder / 'optuna.db'}",
        directions=["minimize"] * len(OBJECTIVES),
        sampler=optuna.samplers.RandomSampler(1),
    )
    began = perf_counter()
    for number in range(trials):
        trial = study.ask()
        for name, most in PARAMETERS.items():
            trial.suggest_float(name, 0, most)
        study.tell(trial, [float(number), float(-number)])
    recorded = 1e3 * (perf_counter() - began) / trials
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
    return recorded, 1e3 * (perf_counter() - began) / trials
