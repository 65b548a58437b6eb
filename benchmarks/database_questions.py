"""What is asked of the generated database, and how long an answer may take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from statistics import median
from time import perf_counter

from schema.store import queries
from schema.store.runs import best_designs, runs
from schema.store.store import Store
from tasks.comparing import compared

ROUNDS = 21


@dataclass(frozen=True)
class Question:
    """One question, asked of other studies each time.

    Attributes:
        limit: ms that the median may take; None where nothing is promised.
        rows: of its last answer.
    """

    name: str
    limit: float | None
    milliseconds: Sequence[float]
    rows: int

    @property
    def median(self) -> float:
        return median(self.milliseconds)


def asked(store: Store, study_ids: Sequence[str], rounds: int = ROUNDS) -> list[Question]:
    """Ask everything; the first answer of each is not counted."""
    return [_asked(name, limit, ask, rounds) for name, limit, ask in _questions(store, study_ids)]


def _asked(name: str, limit: float | None, ask: Callable[[], list[object]], rounds: int) -> Question:
    spent, answer = [], ask()
    for _ in range(rounds):
        began = perf_counter()
        answer = ask()
        spent.append(1e3 * (perf_counter() - began))
    return Question(name, limit, spent, len(answer))


def _questions(
    store: Store, study_ids: Sequence[str]
) -> list[tuple[str, float | None, Callable[[], list[object]]]]:
    connection, rng = store.connection, Random(1)

    def one() -> str:
        return rng.choice(list(study_ids))

    def best(by: str | None = None, *, whole: bool = False, **asked: object) -> list[object]:
        return best_designs(connection, study_ids=[] if whole else [one()], by=by, **asked)

    def page(where: str | None = None, *, whole: bool = False, **asked: object) -> list[object]:
        chosen = [] if whole else [one()]
        return runs(connection, study_ids=chosen, where=[where] if where else [], limit=100, **asked)

    return [
        ("ten best designs of a study, by its first objective", 5, best),
        ("ten best designs of a study, by its second objective", 5, lambda: best("total_co2")),
        ("ten best designs of a study, by another KPI", 5, lambda: best("self_consumption_rate")),
        ("ten best designs of all studies, by fitness", 5, lambda: best(whole=True)),
        ("ten best designs of all studies, by cost", 5, lambda: best("total_cost", whole=True)),
        ("ten best designs of all studies, by CO2", 5, lambda: best("total_co2", whole=True)),
        (
            "ten best designs of all studies, by another KPI",
            5,
            lambda: best("self_consumption_rate", whole=True),
        ),
        (
            "ten best designs of a study by a KPI, filtered by a parameter",
            None,
            lambda: best("total_co2", where=["battery.capacity_kwh<=3"]),
        ),
        ("the final front of a study", 10, lambda: queries.pareto_front(connection, one())),
        ("the front of a generation", 10, lambda: queries.pareto_front(connection, one(), 50)),
        ("convergence of a study", 5, lambda: queries.convergence(connection, one())),
        (
            "five studies compared",
            25,
            lambda: compared(queries.side_by_side(connection, rng.sample(list(study_ids), 5))),
        ),
        ("100 runs of all, renewable_fraction>0.8", 20, lambda: page("renewable_fraction>0.8", whole=True)),
        ("100 runs of all, renewable_fraction>0.99", 20, lambda: page("renewable_fraction>0.99", whole=True)),
        (
            "100 runs of all, renewable_fraction>0.9999 (100 in a million)",
            20,
            lambda: page("renewable_fraction>0.9999", whole=True),
        ),
        (
            "100 runs of all, self_consumption_rate>0.9999 (a KPI without an index)",
            20,
            lambda: page("self_consumption_rate>0.9999", whole=True),
        ),
        (
            "100 runs of all, renewable_fraction>2 (none)",
            20,
            lambda: page("renewable_fraction>2", whole=True),
        ),
        ("100 runs of a study, total_cost<2010", 20, lambda: page("total_cost<2010")),
        ("100 runs of a study, battery.capacity_kwh<=10", 50, lambda: page("battery.capacity_kwh<=10")),
        (
            "100 runs of a study, battery.capacity_kwh<=0.003 (one in 10,000)",
            50,
            lambda: page("battery.capacity_kwh<=0.003"),
        ),
        ("100 runs of a study, dearest first", None, lambda: page(order_by="total_cost desc")),
        ("the first 100 runs of all", None, lambda: page(whole=True)),
        ("the studies listed", None, lambda: queries.list_studies(connection)),
        ("statistics of a study", None, lambda: queries.statistics(connection, one())),
        ("statistics of the whole database", None, lambda: queries.statistics(connection)),
        ("uncertainty of a study", None, lambda: queries.uncertainty(connection, one())),
        ("sensitivity of a study", None, lambda: queries.sensitivity(connection, one())),
        (
            "the history of a run",
            None,
            lambda: queries.run_history(connection, f"{one()}-{rng.randrange(10_000):07d}"),
        ),
    ]
