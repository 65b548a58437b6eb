"""The libraries that work profiles out: those that are optional, and what they say to newer ones."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from schema.inputs.refusals import Fault, Refusal


def optional(module: str, extra: str, field: str) -> Any:
    """A library that comes with one of the project's extras.

    Raises:
        Refusal: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError:
        package = module.partition(".")[0]
        raise Refusal(
            Fault(
                field,
                f"{package} is not installed",
                f"the extra {extra}",
                f"this needs {package}: install the extra `{extra}`",
            )
        ) from None


@contextmanager
def older_pandas_ways() -> Iterator[None]:
    """Silences what pandas 3.1 says to pvlib 0.16, demandlib 0.2 and windpowerlib 0.2 about pandas 4."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"DatetimeIndex\.\w+ is deprecated")
        warnings.filterwarnings("ignore", message="The inplace keyword")
        yield
