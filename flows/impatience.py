"""Calls to Prefect's server that are not tried again: nobody is to wait for what a study merely tells."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prefect.context import SettingsContext
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, Settings

_worked_out: list[tuple[Settings, Settings]] = []
"""Settings seen last, and the same without second tries."""


@contextmanager
def no_second_try() -> Iterator[None]:
    """Within it Prefect's client gives up at the first failure; else it tries for a minute.

    As Prefect's `temporary_settings`, which works out all settings anew at each call: a tenth of a second.
    """
    now = SettingsContext.get()
    if now is None:
        yield
        return
    with SettingsContext(profile=now.profile, settings=_impatient(now.settings)):
        yield


def _impatient(settings: Settings) -> Settings:
    for known, impatient in _worked_out:
        if known is settings:
            return impatient
    impatient = settings.copy_with_update(updates={PREFECT_CLIENT_MAX_RETRIES: 0})
    _worked_out[:] = [(settings, impatient)]
    return impatient
