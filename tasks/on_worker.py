"""What a Dask worker does for a study: plain functions, which need neither Dask nor Prefect.

A worker's process is sent a study's assignment once and keeps it under a token, with the models that it compiled
for it. It holds a few studies at most: one that it forgot, or never heard of, is sent again when it says so.
"""

from __future__ import annotations

import hashlib
import pickle
import platform
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tasks.evaluate import Assignment, Design, Evaluator, Result

_DECIDING = ("ecosystemiser", "highspy", "cvxpy", "numpy", "scipy", "pandas", "pydantic")
"""Packages that decide a result, or whether it can be sent."""

_MOST_STUDIES = 4


class UnknownStudyError(Exception):
    """This process was never sent the study, or has forgotten it."""


@cache
def facts() -> dict[str, str]:
    """What must be the same wherever a study is evaluated: packages, Python, machine and our own source."""
    return {
        "Python": ".".join(platform.python_version_tuple()[:2]),
        "machine": platform.machine(),
        **{name: _version(name) for name in _DECIDING},
        "source of ecosystemiser": _source(),
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def _source() -> str:
    """A digest of what evaluates: two installations of one version may still differ."""
    root, digest = Path(__file__).parents[1], hashlib.sha256()
    for room in ("schema", "solvers", "tasks"):
        for file in sorted((root / room).rglob("*.py")):
            digest.update(f"{file.relative_to(root)}\n".encode() + file.read_bytes())
    return digest.hexdigest()[:12]


class _Study:
    """A study's evaluators in this process, as many as threads have asked for at once."""

    def __init__(self, assignment: Assignment) -> None:
        self.assignment = assignment
        self._idle: list[Evaluator] = []

    def make_ready(self) -> None:
        evaluator = Evaluator(self.assignment, writes=False)
        evaluator.make_ready()
        self._idle.append(evaluator)

    @contextmanager
    def evaluator(self) -> Iterator[Evaluator]:
        try:
            evaluator = self._idle.pop()
        except IndexError:
            evaluator = Evaluator(self.assignment, writes=False)
        try:
            yield evaluator
        finally:
            self._idle.append(evaluator)


_studies: OrderedDict[str, _Study] = OrderedDict()
_begun: dict[str, float] = {}
_lock = threading.Lock()


def learn(token: str, assignment: bytes) -> None:
    """Keep a study's assignment, pickled; of too many the one that was used least recently is forgotten."""
    with _lock:
        if token in _studies:
            _studies.move_to_end(token)
            return
        _studies[token] = _Study(pickle.loads(assignment))  # noqa: S301 - Dask itself trusts who sends it
        while len(_studies) > _MOST_STUDIES:
            _studies.popitem(last=False)


def forget(token: str) -> None:
    """Let go of a study's models."""
    with _lock:
        _studies.pop(token, None)


def make_ready(token: str, question: str) -> None:
    """Compile the study's model for one thread more.

    Raises:
        UnknownStudyError: it has to be sent first.
    """
    with _at_work(question):
        _known(token).make_ready()


def evaluate(token: str, question: str, designs: Sequence[Design], keep_series: bool) -> list[Result]:
    """One result for each design; kept time series come along.

    Raises:
        UnknownStudyError: the study has to be sent first.
    """
    with _at_work(question), _known(token).evaluator() as evaluator:
        return evaluator.evaluate(designs, keep_series=keep_series)


def explain(token: str, question: str, design: Design) -> tuple[str, ...]:
    """Why a design cannot be dispatched, in a few lines.

    Raises:
        UnknownStudyError: the study has to be sent first.
    """
    with _at_work(question), _known(token).evaluator() as evaluator:
        return evaluator.explain(design)


def seconds_at(question: str) -> float | None:
    """How long this process has been at a question [s]; None where it is not."""
    began = _begun.get(question)
    return None if began is None else time.monotonic() - began


def _known(token: str) -> _Study:
    with _lock:
        if token not in _studies:
            raise UnknownStudyError(token)
        _studies.move_to_end(token)
        return _studies[token]


@contextmanager
def _at_work(question: str) -> Iterator[None]:
    _begun[question] = time.monotonic()
    try:
        yield
    finally:
        _begun.pop(question, None)
