"""One writer per study: a lock of the operating system, which dies with its process, even by kill -9."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from schema.store.errors import StudyAliveError

# Whoever asks whether a study is alive holds its lock for microseconds: a claim tries more than once.
_TRIES, _PAUSE_SECONDS = 5, 0.02

_held: set[int] = set()


def _close_inherited() -> None:
    """A forked child must not keep its parent's locks alive."""
    for descriptor in _held:
        with suppress(OSError):
            os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_close_inherited)


@dataclass(frozen=True)
class Holder:
    """The process that writes a study; pid None where it could not be read."""

    pid: int | None
    host: str


@contextmanager
def claimed(file: Path, study_id: str) -> Iterator[None]:
    """Hold the study's lock file.

    Raises:
        StudyAliveError: somebody else holds it.
        OSError: the file cannot be written.
    """
    for attempt in range(_TRIES):
        descriptor = _take(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if descriptor is not None:
            break
        if attempt < _TRIES - 1:
            time.sleep(_PAUSE_SECONDS)
    else:
        found = _read_holder(file)
        raise StudyAliveError(study_id, found.pid, found.host)
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode(), 0)
        yield
    finally:
        _release(descriptor)


@contextmanager
def waited_for(file: Path) -> Iterator[None]:
    """Hold the lock file, waiting for whoever has it.

    Raises:
        OSError: the file cannot be written.
    """
    descriptor = _take(file, fcntl.LOCK_EX)
    while descriptor is None:
        descriptor = _take(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        _release(descriptor)


def holder(file: Path) -> Holder | None:
    """Who holds the lock file now; None where nobody does."""
    try:
        descriptor = os.open(file, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read_holder(file)
    finally:
        os.close(descriptor)
    return None


def _take(file: Path, how: int) -> int | None:
    """The locked file's descriptor; None where it is held, or was deleted while we waited."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, how)
        if os.path.samestat(os.fstat(descriptor), file.stat()):
            _held.add(descriptor)
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _release(descriptor: int) -> None:
    # Not held (already closed) in a child that was forked inside the block.
    if descriptor in _held:
        _held.discard(descriptor)
        os.close(descriptor)


def _read_holder(file: Path) -> Holder:
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        return Holder(int(told["pid"]), str(told["host"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Holder(None, "")
