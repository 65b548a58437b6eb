"""The results folder as commands see it: opened to read, and which study is meant."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schema.errors import Finding, InputError
from schema.store import queries
from schema.store.store import Store

PICTURES_FOLDER = "pictures"


@contextmanager
def opened(results: Path) -> Iterator[Store]:
    """The results to read.

    Raises:
        InputError: there are none, or they cannot be read.
    """
    with Store.open(results, read_only=True) as store:
        yield store


def chosen_study(store: Store, study_id: str | None) -> str:
    """The study that is meant: the one named, or the only one there is.

    Raises:
        InputError: there is no such study, or none was named and there are several or none.
    """
    if study_id is not None:
        return str(queries.required_study(store.connection, study_id)["study_id"])
    studies = queries.list_studies(store.connection, limit=21)
    if len(studies) == 1:
        return str(studies[0]["study_id"])
    if not studies:
        message = "there is no study yet: run one with `ecosystemiser run STUDY.yaml`"
        raise InputError(Finding("", "--study-id", "nothing", "the id of a study", message))
    ids = [str(row["study_id"]) for row in studies]
    listed = ", ".join(ids[:20]) + (" and more" if len(ids) > 20 else "")
    message = f"there are several studies, so say which with --study-id: {listed}"
    raise InputError(Finding("", "--study-id", "nothing", f"one of: {listed}", message))


def picture_folder(results: Path, study_id: str) -> Path:
    """Where a study's pictures lie."""
    return results / PICTURES_FOLDER / study_id
