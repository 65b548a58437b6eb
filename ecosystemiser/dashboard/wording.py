"""What the results hold, made harmless and readable on a page.

Streamlit reads most texts as Markdown. Whatever comes from a record, a file or the address bar goes through
`plain`, stands in `st.text`, or in a table, which draws texts as they are; nothing is ever put in as HTML.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import streamlit as st

from ecosystemiser.printing import decimals
from schema.community.errors import CommunityError
from schema.errors import InputError
from schema.store.errors import StoreError, StudyAliveError

# A backslash before any of them makes it a sign like others.
_SIGNS: Final = re.compile(r"([!-/:-@\[-`{-~])")

_STATES: Final = {
    "running": "▶ running",
    "pending": "▶ pending",
    "completed": "✓ completed",
    "success": "✓ success",
    "failed": "✗ failed",
    "infeasible": "△ infeasible",
    "cancelled": "■ cancelled",
    "interrupted": "‖ interrupted",
}


def plain(text: object) -> str:
    """The text as Markdown that shows nothing but itself."""
    return _SIGNS.sub(r"\\\1", " ".join(str(text).split()))


def state_words(state: str) -> str:
    """A state with a sign that is seen from afar."""
    return _STATES.get(state, state)


def guarded(show: Callable[..., None]) -> Callable[..., None]:
    """What a user can do something about is told in words on the page."""

    @functools.wraps(show)
    def page(*arguments: Any, **named: Any) -> None:
        try:
            show(*arguments, **named)
        except InputError as error:
            told(error)
        except (StoreError, StudyAliveError, CommunityError) as error:
            st.error(plain(error))

    return page


def told(error: InputError) -> None:
    """Everything that is wrong, one box each."""
    for finding in error.findings:
        st.error(plain(finding))


def table(
    rows: Sequence[Mapping[str, Any]],
    headings: Mapping[str, str] | None = None,
    *,
    formats: Mapping[str, Any] | None = None,
    **options: Any,
) -> Any:
    """Rows as a table that scrolls within itself; numbers of a column share their decimals.

    Args:
        rows: name → value.
        headings: name → what stands above; the name unless told.
        formats: name → a column of `st.column_config`, where it is no text or number.
        options: of `st.dataframe`.
    """
    import pandas as pd

    headings, shown = headings or {}, dict(formats or {})
    columns = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        values, above = [row.get(name) for row in rows], headings.get(name, name)
        if name in shown:
            columns[name] = values
        elif _are_numbers(values):
            places = _places(values)
            columns[name] = (
                values if places else [None if value is None else round(value) for value in values]
            )
            format_ = f"%.{places}f" if places else "localized"
            shown[name] = st.column_config.NumberColumn(above, format=format_)
        else:
            columns[name] = [None if value is None else str(value) for value in values]
            shown[name] = st.column_config.TextColumn(above)
    return st.dataframe(
        pd.DataFrame(columns), hide_index=True, column_config=shown, placeholder="–", **options
    )


def _are_numbers(values: Iterable[Any]) -> bool:
    there = [value for value in values if value is not None]
    return bool(there) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in there)


def _places(values: Iterable[float | None]) -> int:
    """As many decimals as the largest calls for; none where all are whole."""
    there = [value for value in values if value is not None]
    return 0 if all(isinstance(value, int) for value in there) else decimals(there)
