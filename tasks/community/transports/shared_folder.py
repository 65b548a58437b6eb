"""A folder that both sides see: a disk, a bucket, a drive, through fsspec.

    inbox/users_input_….csv, inbox/job_….json          we write these, the job last
    outbox/results_….csv, outbox/results_….csv.sha256   the other side writes these, the checksum last

What is written last says that the rest is whole. Names are made of the tick on both sides, not taken from files.
"""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from schema.community.addresses import without_secrets
from schema.community.csv_files import sha256_of
from schema.community.errors import NoAnswerError, TransferError
from schema.community.job import Job
from schema.community.results_files import read_checksum
from schema.community.settings import SharedFolder
from schema.community.ticks import checksum_name, input_name, job_name, results_name
from schema.errors import InputError
from tasks.community.simulation import simulate_file
from tasks.community.transports.base import Errand, arrival, departure, require_same

_JOB_NAME = re.compile(r"job_\d{8}_\d{4}\.json", re.ASCII)
_MAX_JOB_BYTES = 1_000_000


class Folder:
    """Files by name in a folder that fsspec can reach.

    Args:
        url: a path, or fsspec's URL.
        options: fsspec's.
    """

    def __init__(self, url: str, options: dict[str, Any] | None = None) -> None:
        from fsspec.core import url_to_fs  # type: ignore[import-untyped]

        self.place = without_secrets(url)
        with self._told("opened"):
            self._fs, self._root = url_to_fs(url, **(options or {}))

    def write(self, name: str, data: bytes) -> None:
        with self._told("written"):
            path = self._path(name)
            self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._fs.pipe_file(path, data)

    def read(self, name: str, max_bytes: int) -> bytes:
        with self._told("read"):
            path = self._path(name)
            if self._fs.size(path) > max_bytes:
                raise TransferError(f"{name} in {self.place} is larger than {max_bytes:,} bytes")
            return bytes(self._fs.cat_file(path))

    def has(self, name: str) -> bool:
        with self._told("read"):
            self._fs.invalidate_cache()
            return bool(self._fs.exists(self._path(name)))

    def names(self, folder: str) -> list[str]:
        with self._told("read"):
            self._fs.invalidate_cache()
            path = self._path(folder)
            found = self._fs.ls(path, detail=False) if self._fs.exists(path) else []
            return sorted(str(name).rpartition("/")[2] for name in found)

    def remove(self, name: str) -> None:
        with self._told("removed"):
            path = self._path(name)
            if self._fs.exists(path):
                self._fs.rm_file(path)

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Whatever a file system raises, as a transfer that failed."""
        try:
            yield
        except TransferError:
            raise
        except Exception as error:
            # The kind alone: what storage services say may hold keys and signed addresses.
            raise TransferError(f"{self.place} cannot be {what}: {type(error).__name__}") from error


class SharedFolderWay:
    """Hands over through a folder and waits for what comes back."""

    name = "folder"

    def __init__(self, settings: SharedFolder) -> None:
        self._settings = settings

    def hand_over(self, errand: Errand) -> None:
        folder = self._folder()
        tick = errand.job.timestamp
        for old in _outbox(errand.job):  # an answer to an earlier try may be of other households
            folder.remove(old)
        folder.write(f"inbox/{input_name(tick)}", errand.input_file.read_bytes())
        order = errand.job.model_dump(mode="json") | {"input_sha256": sha256_of(errand.input_file)}
        folder.write(f"inbox/{job_name(tick)}", json.dumps(order).encode())
        errand.audit(departure(self.name, errand.input_file, folder.place))

    def simulate(self, errand: Errand) -> None:
        folder = self._folder()
        marker = _outbox(errand.job)[-1]
        deadline = time.monotonic() + self._settings.wait_seconds
        while not folder.has(marker):
            if time.monotonic() >= deadline:
                seconds = self._settings.wait_seconds
                raise NoAnswerError(f"nobody answered in {folder.place} within {seconds:g} s")
            time.sleep(self._settings.poll_seconds)

    def bring_back(self, errand: Errand) -> Path:
        folder = self._folder()
        results, marker = _outbox(errand.job)
        stated = read_checksum(folder.read(marker, 1_000).decode("ascii", errors="replace"))
        if not stated:
            raise TransferError(f"{marker} in {folder.place} holds no checksum")
        errand.arrived.parent.mkdir(parents=True, exist_ok=True)
        errand.arrived.write_bytes(folder.read(results, errand.max_bytes))
        checksum = require_same(errand.arrived, stated, folder.place)
        errand.audit(arrival(self.name, errand.arrived, folder.place, checksum))
        return errand.arrived

    def clean_up(self, errand: Errand) -> None:
        folder = self._folder()
        tick = errand.job.timestamp
        for name in (f"inbox/{job_name(tick)}", f"inbox/{input_name(tick)}", *_outbox(errand.job)):
            folder.remove(name)

    def _folder(self) -> Folder:
        return Folder(self._settings.url, self._settings.options)


def _outbox(job: Job) -> tuple[str, str]:
    name = f"outbox/{results_name(job.timestamp)}"
    return name, checksum_name(name)


# -- the other side


def work(url: str, options: dict[str, Any] | None = None) -> list[str]:
    """Simulate every job of a shared folder that has no answer yet: the step that runs in a notebook.

    Args:
        url: the folder, as the community's settings name it.
        options: fsspec's.

    Returns:
        The names of the results written.

    Raises:
        TransferError: the folder cannot be read or written.
    """
    folder = Folder(url, options)
    return [
        done for name in folder.names("inbox") if _JOB_NAME.fullmatch(name) if (done := _do(folder, name))
    ]


def _do(folder: Folder, name: str) -> str | None:
    """Simulate one job; None where it has an answer, or is none that can be done."""
    try:
        order = json.loads(folder.read(f"inbox/{name}", _MAX_JOB_BYTES))
        stated = order.pop("input_sha256")
        job = Job(**order)
    except (ValueError, KeyError, TypeError, AttributeError, ValidationError):
        return None
    results, marker = _outbox(job)
    if job_name(job.timestamp) != name or folder.has(marker):
        return None
    with tempfile.TemporaryDirectory() as scratch:
        households = Path(scratch) / input_name(job.timestamp)
        households.write_bytes(folder.read(f"inbox/{households.name}", 2**30))
        if sha256_of(households) != stated:
            return None  # being written anew
        answer = Path(scratch) / results_name(job.timestamp)
        try:
            simulate_file(households, job, answer)
        except InputError:
            return None
        folder.write(results, answer.read_bytes())
        folder.write(marker, answer.with_name(checksum_name(answer.name)).read_bytes())
    return answer.name
