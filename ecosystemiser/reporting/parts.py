"""What a report is made of: sections of sentences, tables and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ecosystemiser.pictures.marks import Picture
from ecosystemiser.printing import number


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Attributes:
        columns: headings.
        rows: each as long as the headings.
        title: above it.
        right: positions of columns of numbers, which stand to the right.
        note: below it.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""
    right: frozenset[int] = frozenset()
    note: str = ""


@dataclass(frozen=True)
class Section:
    """A part of the report with a heading of its own.

    Attributes:
        title: the heading.
        sentences: what it says.
        tables: below the sentences.
        pictures: below the tables.
        folded: heading → text that is shown on request.
    """

    title: str
    sentences: Sequence[str] = ()
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()
    folded: Mapping[str, str] = field(default_factory=dict)

    @property
    def anchor(self) -> str:
        """Its place in the page."""
        return self.title.lower().replace(" ", "-")


@dataclass(frozen=True)
class Report:
    """A whole report.

    Attributes:
        study_id: of the study.
        description: in the study's own words.
        made: when, in words.
        state: the study's status.
        warnings: what to know before anything else: it is unfinished, it failed.
        facts: figures at the top, each with what it is.
        sections: in order.
    """

    study_id: str
    description: str
    made: str
    state: str
    warnings: Sequence[str]
    facts: Sequence[tuple[str, str]]
    sections: Sequence[Section]


def facts_table(facts: Mapping[str, Any], title: str = "") -> Table:
    """What is what, below each other; nothing that is empty."""
    rows = [[name, told(value)] for name, value in facts.items() if value not in (None, "", {}, [])]
    return Table(["", ""], rows, title)


def told(value: Any) -> str:
    """A value of any kind in words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number(value)
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {told(one)}" for name, one in value.items() if one is not None)
    if isinstance(value, list | tuple):
        return ", ".join(map(told, value))
    return "–" if value is None else str(value)
