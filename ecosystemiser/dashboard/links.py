"""Ways between the pages, which the address bar shows: a link can be shared, and Back works."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import streamlit as st

Params = Mapping[str, str | Sequence[str]]


class Pages:
    """The pages by the last part of their address."""

    _known: dict[str, Any] = {}  # noqa: RUF012 - filled anew by every run of the app, with the same

    @classmethod
    def add(cls, name: str, show: Callable[[], None], title: str, icon: str, **options: Any) -> Any:
        """Name a page."""
        page = st.Page(show, title=title, icon=icon, url_path=name, **options)
        cls._known[name] = page
        return page

    @classmethod
    def get(cls, name: str) -> Any:
        return cls._known[name]


def go(name: str, **params: str | Sequence[str]) -> NoReturn:
    """Leave for another page."""
    st.switch_page(Pages.get(name), query_params=dict(params))


def link(name: str, label: str, icon: str | None = None, **params: str | Sequence[str]) -> None:
    """A link to another page; its label is ours, not of a record."""
    st.page_link(Pages.get(name), label=label, icon=icon, query_params=dict(params))


def asked(name: str) -> str | None:
    """What the address bar says, None where it says nothing."""
    return st.query_params.get(name) or None


def all_asked(name: str) -> list[str]:
    """All that the address bar says, each once."""
    return list(dict.fromkeys(value for value in st.query_params.get_all(name) if value))
