"""What cannot be written is held and tried again, and the last failure is told."""

from __future__ import annotations

import pytest

from schema.store.errors import StoreError
from tasks import patience
from tasks.patience import patiently


@pytest.fixture
def pauses(monkeypatch):
    """How long it paused, without waiting for it: time passes by the pauses alone."""
    told, now = [], [100.0]

    def sleep(seconds):
        told.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(patience.time, "sleep", sleep)
    monkeypatch.setattr(patience.time, "monotonic", lambda: now[0])
    return told


def failing(times, error=StoreError):
    """A write that fails so often, then says how often it was tried."""
    tried = []

    def write():
        tried.append(None)
        if len(tried) <= times:
            raise error(f"full {len(tried)}")
        return len(tried)

    return write


def test_what_can_be_written_is_written_once_and_nothing_is_said(pauses, caplog):
    assert patiently(failing(0), 10, what="The record", passing=(StoreError,)) == 1
    assert (pauses, caplog.messages) == ([], [])


def test_pauses_grow_and_one_warning_tells_what_waits_and_why(pauses, caplog):
    assert patiently(failing(7), 300, what="The record of front", passing=(StoreError,)) == 8
    assert pauses == [0.5, 1, 2, 4, 8, 10, 10]
    assert caplog.messages == ["The record of front cannot be written (full 1); trying again for 300 s"]


def test_it_is_tried_once_more_at_the_very_end_and_the_last_failure_is_raised(pauses):
    with pytest.raises(StoreError, match="full 4"):
        patiently(failing(99), 3, what="The record", passing=(StoreError,))
    assert pauses == [0.5, 1, 1.5]


def test_without_patience_a_failure_is_final_at_once(pauses, caplog):
    with pytest.raises(StoreError, match="full 1"):
        patiently(failing(99), 0, what="The record", passing=(StoreError,))
    assert (pauses, caplog.messages) == ([], [])


def test_what_does_not_pass_is_raised_at_once(pauses):
    with pytest.raises(ValueError, match="full 1"):
        patiently(failing(1, ValueError), 10, what="The record", passing=(StoreError, OSError))
    assert pauses == []
