"""What a cycle writes into the backend, each verb one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from schema.community.backend import Backend
from schema.community.errors import BackendError
from schema.community.results_files import ENERGY_COLUMNS, Results
from schema.community.tables import CYCLES, ENERGY_DATA, HEALTH, REFUSALS, TRANSFERS, Moment
from schema.community.ticks import run_id_of
from schema.community.users import previous_tick

RUNNING, COMPLETED, FAILED = "running", "completed", "failed"
SOURCE = "simulation"
_BATCH = 50_000


@dataclass(frozen=True)
class Transfer:
    """A file on its way, or a notification.

    Attributes:
        transport: embedded, folder, http or webhook.
        direction: out or back.
        file: its name.
        place: where it lies or went, without secrets.
        outcome: ok or failed.
        message: what went wrong.
    """

    transport: str
    direction: str
    file: str
    place: str
    outcome: str
    size_bytes: int | None = None
    sha256: str | None = None
    message: str | None = None


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def begin_cycle(backend: Backend, tick: datetime) -> bool:
    """Log a cycle as running, also after it was broken off.

    Returns:
        Whether there is anything to do; False where the tick is recorded.
    """
    with backend.writing() as connection:
        row = connection.execute(select(CYCLES).where(CYCLES.c.timestamp == tick)).mappings().first()
        if row is not None and row["status"] == COMPLETED:
            return False
        begun = {"status": RUNNING, "started_at": now(), "finished_at": None, "message": None}
        if row is None:
            values = {"simulation_run_id": run_id_of(tick), "timestamp": tick, "attempts": 1, **begun}
            connection.execute(insert(CYCLES).values(**values))
        else:
            connection.execute(
                update(CYCLES).where(CYCLES.c.timestamp == tick).values(attempts=row["attempts"] + 1, **begun)
            )
    return True


def is_recorded(backend: Backend, tick: datetime) -> bool:
    with backend.reading() as connection:
        return _status(connection, tick) == COMPLETED


def _status(connection: Connection, tick: datetime) -> str | None:
    found: str | None = connection.execute(select(CYCLES.c.status).where(CYCLES.c.timestamp == tick)).scalar()
    return found


def last_recorded(backend: Backend) -> datetime | None:
    """The newest tick whose cycle is completed."""
    with backend.reading() as connection:
        found: datetime | None = connection.execute(
            select(CYCLES.c.timestamp)
            .where(CYCLES.c.status == COMPLETED)
            .order_by(CYCLES.c.timestamp.desc())
            .limit(1)
        ).scalar()
        return found


def record_results(
    backend: Backend, tick: datetime, results: Results, previous: datetime | None, facts: Mapping[str, Any]
) -> int:
    """Take a tick's results and settle its cycle, in one transaction; once, however often it is called.

    Args:
        backend: where to.
        tick: the quarter hour.
        results: validated.
        previous: the tick from which the batteries' levels came.
        facts: more columns of the cycle.

    Returns:
        The number of rows inserted.

    Raises:
        BackendError: the database did not take them, or another cycle moved the batteries meanwhile.
    """
    with backend.writing() as connection:
        if _status(connection, tick) == COMPLETED:
            return 0
        if previous_tick(connection, tick) != previous:
            raise BackendError(
                "another cycle was recorded meanwhile, from which the batteries' levels must be taken: "
                "run this one again"
            )
        inserted = _insert(connection, tick, results)
        totals = {name: results.totals.get(name, 0.0) for name in ENERGY_COLUMNS if name in CYCLES.c}
        settled = {"status": COMPLETED, "finished_at": now(), "records": inserted, **totals, **facts}
        connection.execute(update(CYCLES).where(CYCLES.c.timestamp == tick).values(**settled))
    return inserted


def _insert(connection: Connection, tick: datetime, results: Results) -> int:
    """Insert what is not there, in the order of the table."""
    there = set(
        connection.execute(select(ENERGY_DATA.c.user_id).where(ENERGY_DATA.c.timestamp == tick)).scalars()
    )
    columns = [results.energies[name].tolist() for name in ENERGY_COLUMNS]
    run_id = run_id_of(tick)
    stamp = Moment().process_bind_param(tick, connection.dialect)
    rows = sorted(
        (stamp, user_id, *energies, SOURCE, run_id)
        for user_id, *energies in zip(results.user_ids, *columns, strict=True)
        if user_id not in there
    )
    for first in range(0, len(rows), _BATCH):
        _insert_rows(connection, rows[first : first + _BATCH])
    return len(rows)


def _insert_rows(connection: Connection, rows: list[tuple[Any, ...]]) -> None:
    names = ("timestamp", "user_id", *ENERGY_COLUMNS, "source", "simulation_run_id")
    if connection.dialect.paramstyle == "qmark":
        # Past SQLAlchemy's handling of each value, which takes longer than SQLite itself.
        marks = ", ".join("?" * len(names))
        statement = f"INSERT INTO {ENERGY_DATA.name} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608
        connection.exec_driver_sql(statement, rows)
    else:
        connection.execute(insert(ENERGY_DATA), [dict(zip(names, row, strict=True)) for row in rows])


def update_cycle(backend: Backend, tick: datetime, **facts: Any) -> None:
    """Add what is known of a cycle after it was settled, such as how long it took."""
    with backend.writing() as connection:
        connection.execute(update(CYCLES).where(CYCLES.c.timestamp == tick).values(**facts))


def fail_cycle(backend: Backend, tick: datetime, message: str) -> None:
    """Settle a cycle as failed, unless it is recorded."""
    with backend.writing() as connection:
        connection.execute(
            update(CYCLES)
            .where(CYCLES.c.timestamp == tick, CYCLES.c.status != COMPLETED)
            .values(status=FAILED, finished_at=now(), message=message[:2_000])
        )


def record_transfer(backend: Backend, tick: datetime, transfer: Transfer) -> None:
    """A line of the audit; what was tried and failed too."""
    with backend.writing() as connection:
        values = {"simulation_run_id": run_id_of(tick), "happened_at": now(), **asdict(transfer)}
        connection.execute(insert(TRANSFERS).values(**values))


def record_refusal(backend: Backend, tick: datetime, file: str, errors: int) -> None:
    """Results that were put into quarantine."""
    with backend.writing() as connection:
        values = {"simulation_run_id": run_id_of(tick), "happened_at": now(), "file": file, "errors": errors}
        connection.execute(insert(REFUSALS).values(**values))


def record_health(backend: Backend, at: datetime, *, healthy: bool, reasons: str) -> bool:
    """Keep a change of health.

    Returns:
        Whether it is one: a community begins healthy.
    """
    with backend.writing() as connection:
        before = connection.execute(
            select(HEALTH.c.healthy).order_by(HEALTH.c.change_id.desc()).limit(1)
        ).scalar()
        if healthy == (True if before is None else before):
            return False
        connection.execute(insert(HEALTH).values(happened_at=at, healthy=healthy, reasons=reasons))
    return True


def forget_audit(backend: Backend, before: datetime) -> None:
    """Delete old lines of the audit and of refusals."""
    with backend.writing() as connection:
        for table in (TRANSFERS, REFUSALS):
            connection.execute(delete(table).where(table.c.happened_at < before))
