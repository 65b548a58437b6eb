"""After a cycle: backups, and what is too old to be kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from schema.community.backup import backup_name, is_complete, write_backup
from schema.community.records import forget_audit
from schema.community.ticks import TICK
from tasks.community.service import Service


def keep_house(service: Service, tick: datetime) -> None:
    """Back up the energy data of the tick's day and remove what is too old.

    A day's backup is written by its first cycle and again, complete, by its last; one that the last cycle did not
    come to is completed by the next day's first.
    """
    day, folder = tick.date(), service.places.backups
    is_last = (tick + TICK).date() != day
    before = day - timedelta(days=1)
    if (folder / backup_name(before)).exists() and not is_complete(folder / backup_name(before)):
        write_backup(service.backend, before, folder, complete=True)
    if is_last or not (folder / backup_name(day)).exists():
        path = write_backup(service.backend, day, folder, complete=is_last)
        service.journal.info("backup", f"{path.name} written")
        _forget(service)


def _forget(service: Service) -> None:
    days = service.settings.keep_days
    for name in service.places.forget(days):
        service.journal.info("clean-up", f"{name} removed after {days} days")
    forget_audit(service.backend, datetime.now(UTC) - timedelta(days=max(days, 30)))
