"""Filters such as `renewable_fraction>0.8 and battery.capacity_kwh<=10`: parsed, resolved, and bound.

A name becomes SQL only by way of a column that the tables have, or as a bound position in a JSON list or
path in a JSON object; a value is always bound. So no filter can change a statement.
"""
# ruff: noqa: S608

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from schema.errors import Finding, InputError
from schema.store.statements import PARAMETER_NAMES

OPERATORS: Final[Mapping[str, str]] = {
    "<=": "<=",
    ">=": ">=",
    "!=": "<>",
    "==": "=",
    "=": "=",
    "<": "<",
    ">": ">",
}
_TERM: Final = re.compile(
    r"""\s*(?P<name>[A-Za-z_][\w.@\-]*)\s*(?P<operator><=|>=|!=|==|=|<|>)\s*
        (?P<value>"[^"]*"|'[^']*'|[^<>=!"']+?)(?:\s+and\s+|\s*$)""",
    re.VERBOSE | re.IGNORECASE,
)
_LISTED: Final = 60
_EXAMPLE: Final = "NAME OPERATOR VALUE, such as renewable_fraction>0.8, several joined by `and`"


@dataclass(frozen=True)
class Term:
    """One condition; the value is a number where its text reads as one, None for `null`."""

    name: str
    operator: str
    value: float | str | None
    text: str


class Fragment(NamedTuple):
    """A piece of SQL and the values it binds, in order."""

    sql: str
    values: tuple[object, ...] = ()


@dataclass(frozen=True)
class Scope:
    """What a filter can name in the studies it looks at.

    Attributes:
        columns: name → (SQL expression, SQL type).
        layouts: the studies' distinct `parameter_names`, as stored.
        objectives: the studies' objectives.
        other_kpis: the dispatches' KPIs that have no column.
    """

    columns: Mapping[str, tuple[str, str]]
    layouts: Sequence[str]
    objectives: Sequence[str]
    other_kpis: Sequence[str] = ()

    @property
    def parameters(self) -> list[str]:
        return list(dict.fromkeys(name for layout in self.layouts for name in json.loads(layout)))

    @property
    def known(self) -> list[str]:
        """All that can be named."""
        return list(dict.fromkeys([*self.columns, *self.objectives, *self.parameters, *self.other_kpis]))

    def operand(self, name: str, path: str = "where") -> Fragment:
        """The SQL of a column, a parameter, an objective or another KPI; columns come first.

        Raises:
            InputError: there is nothing of this name.
        """
        if name in self.columns:
            return Fragment(self.columns[name][0])
        if name in self.parameters:
            return self._parameter(name)
        if name in self.objectives:
            return objective(name)
        if name in self.other_kpis:
            return _other_kpi(name)
        known = self.known
        raise InputError(unknown_name(path, name, known))

    def _parameter(self, name: str) -> Fragment:
        """Its position is looked up per stored list of names: one comparison instead of a search per row."""
        cases, values = "", []
        for layout in self.layouts:
            names = json.loads(layout)
            if name in names:
                cases += " WHEN ? THEN json_extract(e.parameter_vector, ?)"
                values += [layout, f"$[{names.index(name)}]"]
            else:
                cases += " WHEN ? THEN NULL"
                values += [layout]
        search = (
            f"(SELECT v.value FROM json_each({PARAMETER_NAMES}) n "
            "JOIN json_each(e.parameter_vector) v ON v.key = n.key WHERE n.value = ?)"
        )
        return Fragment(f"CASE {PARAMETER_NAMES}{cases} ELSE {search} END", (*values, name))

    def condition(self, term: Term) -> Fragment:
        """The SQL of a term.

        Raises:
            InputError: there is nothing of its name, or a number is compared with text.
        """
        operand, operator = self.operand(term.name), OPERATORS[term.operator]
        if term.value is None:
            return Fragment(f"{operand.sql} IS {'NOT ' if operator == '<>' else ''}NULL", operand.values)
        value = self._fitting(term)
        parts = [Fragment(f"{operand.sql} {operator} ?", (*operand.values, value))]
        if term.name not in self.columns and operator != "=":
            # JSON values have no column type, and SQLite sorts every number before every text.
            kind = ">= ''" if isinstance(value, str) else "< ''"
            parts.append(Fragment(f"{operand.sql} {kind}", operand.values))
        return joined(parts)

    def _fitting(self, term: Term) -> float | str | None:
        kind = self.columns.get(term.name, ("", ""))[1]
        if kind == "TEXT":
            return term.text
        if kind and isinstance(term.value, str):
            message = f"{term.name} is a number: compare it with one, not with {term.value!r}"
            raise InputError(Finding("", "where", term.value, "a number", message))
        return term.value


def objective(name: str) -> Fragment:
    """An objective's value in its row; the name is bound as a quoted JSON path."""
    return Fragment("json_extract(e.objectives, ?)", (f'$."{name}"',))


def _other_kpi(name: str) -> Fragment:
    return Fragment("json_extract(s.metadata_json, ?)", (f'$.kpis."{name}"',))


def joined(parts: Iterable[Fragment]) -> Fragment:
    """The fragments, joined by AND."""
    kept = list(parts)
    sql = " AND ".join(part.sql for part in kept) or "1"
    return Fragment(sql, tuple(value for part in kept for value in part.values))


def parse_where(texts: Iterable[str]) -> list[Term]:
    """The terms of one or several filters, all of which must hold.

    Raises:
        InputError: a filter cannot be read; one finding for each.
    """
    terms, findings = [], []
    for text in texts:
        position = 0
        while position < len(text) or not text:
            match = _TERM.match(text, position)
            if match is None or (match.end() == len(text) and re.search(r"\band\s*$", text, re.IGNORECASE)):
                message = f"the filter {text!r} cannot be read: write {_EXAMPLE}"
                findings.append(Finding("", "where", text, _EXAMPLE, message))
                break
            value = match["value"]
            terms.append(Term(match["name"], match["operator"], _value(value), value.strip("\"'")))
            position = match.end()
    if findings:
        raise InputError(findings)
    return terms


def unknown_name(path: str, name: str, known: Sequence[str]) -> Finding:
    """What to tell when a name leads nowhere: the nearest one, and all there are."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    more = f" and {len(known) - _LISTED:,} more" if len(known) > _LISTED else ""
    listed = ", ".join(known[:_LISTED]) + more or "nothing yet"
    hint = f"did you mean {near[0]}? " if near else ""
    return Finding("", path, name, f"one of: {listed}", f"there is no {name!r}: {hint}There is {listed}")


def _value(text: str) -> float | str | None:
    if text[0] in "\"'":
        return text[1:-1]
    lowered = text.lower()
    if lowered in {"null", "none"}:
        return None
    if lowered in {"true", "false"}:
        return float(lowered == "true")
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text
