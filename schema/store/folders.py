"""Folders of runs: on a disk by default, or at any URL that fsspec knows, such as S3-compatible storage.

On a disk a folder is written beside and renamed into place: one that exists is whole. An object store has no
renaming of folders; each file there appears whole, and the commit mark is written last and removed first. A
folder without its mark is no run. What a store cannot promise: somebody who reads while the same run is written
again may find its files gone for that moment.

Credentials come from the environment, where the storage's own library finds them; none is taken from a URL.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Protocol
from urllib.parse import unquote, urlsplit

from schema.errors import Finding, InputError

SERIES_VARIABLE: Final = "ECOSYSTEMISER_SERIES"
COMMIT_MARK: Final = "kpis.json"

# The results folder, or a URL.
Place = Path | str
# These have no folders to make, and some would make a bucket instead.
_WITHOUT_FOLDERS: Final = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az"})


def series_place(results_dir: Path) -> Place:
    """Where time series go: the setting's URL or folder, else the results folder.

    Raises:
        InputError: the setting names no place that can be used.
    """
    told = os.environ.get(SERIES_VARIABLE, "").strip()
    if not told:
        return results_dir
    return checked_url(told) if "://" in told else Path(told).resolve().as_uri()


def checked_url(url: str) -> str:
    """The URL without a slash at its end, once it is known to be plain.

    Raises:
        InputError: it carries credentials or options, chains file systems, or names none.
    """
    parts = urlsplit(url)
    shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    expected = "a URL such as s3://bucket/folder"
    if "@" in parts.netloc:
        message = (
            "credentials belong in the environment, where the storage's library finds them; not in a URL"
        )
    elif "::" in url or parts.query or parts.fragment:
        message = f"{shown} is taken as it is: leave out options and chained file systems"
    elif any(sign in parts.path for sign in "*[]"):
        message = f"{shown} stands for several places: name one folder"
    elif ".." in unquote(parts.path).split("/"):
        message = f"{shown} leads back up: name the folder itself"
    elif not parts.scheme or not (parts.netloc or parts.path.strip("/")):
        message = f"{shown} names no place for time series: write {expected}"
    else:
        return url.rstrip("/")
    raise InputError(Finding("", SERIES_VARIABLE, shown, expected, message))


class Folder(Protocol):
    """A run's folder: written whole, read file by file."""

    def write(self, files: Mapping[str, bytes]) -> None:
        """Replace the folder by these files; the commit mark must be the last of them."""

    def open(self, name: str) -> IO[bytes]:
        """A file, of which no more is fetched than is read.

        Raises:
            FileNotFoundError: there is no such file, or the folder was never written to its end.
        """

    def folders(self) -> list[str]:
        """The names of the folders in it, sorted; none where it is not there."""

    def remove(self) -> None:
        """Remove the folder and all that lies below it, if it is there."""


def folder_at(place: Place, *parts: str) -> Folder:
    """The folder below a place; the parts are slugs.

    Raises:
        InputError: the place cannot be reached with what is installed.
    """
    if isinstance(place, Path):
        return DiskFolder(place.joinpath(*parts))
    url = checked_url(place)
    if url.startswith("file://"):
        return DiskFolder(Path(unquote(urlsplit(url).path)).joinpath(*parts))
    return _remote("/".join([url, *parts]))


def _remote(url: str) -> RemoteFolder:
    from fsspec.core import url_to_fs  # type: ignore[import-untyped]

    try:
        files, path = url_to_fs(url, use_listings_cache=False)
    except (ImportError, ValueError) as error:
        hint = "install the extra s3" if url.startswith("s3") else "install the file system that fsspec names"
        message = f"{url} cannot be reached ({error}): {hint}"
        raise InputError(Finding("", SERIES_VARIABLE, url, "a file system that is there", message)) from error
    return RemoteFolder(url, files, path)


@dataclass(frozen=True)
class DiskFolder:
    """A folder on a disk."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def write(self, files: Mapping[str, bytes]) -> None:
        # The leading dot cannot begin an id: what a kill leaves behind is never taken for a run.
        half = self._beside()
        try:
            half.mkdir(parents=True)
            for name, content in files.items():
                (half / name).write_bytes(content)
                # To the disk, so that a name never outlives its content after a power cut.
                _sync(half / name)
            _sync(half)
            self._move_into_place(half)
        except BaseException:
            shutil.rmtree(half, ignore_errors=True)
            raise

    def open(self, name: str) -> IO[bytes]:
        return (self.path / name).open("rb", buffering=0)

    def folders(self) -> list[str]:
        if not self.path.is_dir() or self.path.is_symlink():
            return []
        return sorted(
            inner.name for inner in self.path.iterdir() if inner.is_dir() and not inner.is_symlink()
        )

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    def _beside(self) -> Path:
        return self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}")

    def _move_into_place(self, half: Path) -> None:
        if self.path.exists():
            old = self._beside()
            self.path.rename(old)
            half.rename(self.path)
            shutil.rmtree(old, ignore_errors=True)
        else:
            half.rename(self.path)
        _sync(self.path.parent)


@dataclass(frozen=True)
class RemoteFolder:
    """A folder of an object store, or whatever else fsspec reaches."""

    url: str
    files: Any
    path: str

    def __str__(self) -> str:
        return self.url

    def write(self, files: Mapping[str, bytes]) -> None:
        with _as_os_errors():
            if urlsplit(self.url).scheme not in _WITHOUT_FOLDERS:
                self.files.makedirs(self.path, exist_ok=True)
            with suppress(FileNotFoundError):
                self.files.rm_file(f"{self.path}/{COMMIT_MARK}")
            for name, content in files.items():
                self.files.pipe_file(f"{self.path}/{name}", content)

    def open(self, name: str) -> IO[bytes]:
        with _as_os_errors():
            if name != COMMIT_MARK and not self.files.exists(f"{self.path}/{COMMIT_MARK}"):
                raise FileNotFoundError(f"{self.url} was never written to its end")
            # No read-ahead: a week of one column would fetch the whole file.
            opened: IO[bytes] = self.files.open(f"{self.path}/{name}", "rb", cache_type="none")
            return opened

    def folders(self) -> list[str]:
        with _as_os_errors():
            try:
                found = self.files.ls(self.path, detail=True)
            except FileNotFoundError:
                return []
        return sorted(
            inner["name"].rstrip("/").rpartition("/")[2] for inner in found if inner["type"] == "directory"
        )

    def remove(self) -> None:
        with _as_os_errors(), suppress(FileNotFoundError):
            self.files.rm(self.path, recursive=True)


@contextmanager
def _as_os_errors() -> Iterator[None]:
    """Storage libraries have errors of their own, for credentials that lack and hosts that do not answer."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(f"{type(error).__name__}: {error}") from error


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
