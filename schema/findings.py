"""pydantic's errors as findings in the user's own words, with the place in the user's own file."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ValidationError

from schema.errors import Finding
from schema.kpis import KPI_UNITS
from schema.names import COMPONENT_PATTERN, STUDY_ID_PATTERN
from schema.sizing import CAPACITIES, HOW
from schema.yaml_files import Lines

_NUMBER_TAGS = ("float", "int", "constrained", "function")
_BOUNDS = {
    "greater_than": "above {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "below {lt:g}",
    "less_than_equal": "at most {le:g}",
}


_A_TIME = "a date and time such as 2019-01-01T00:00"
_WANTED = {
    "is above max": "a min that is at most max",
    "there is no KPI": f"one of {', '.join(KPI_UNITS)}",
    "a constraint needs": "a min, a max or both",
    "an integer variable needs": "whole numbers",
    "a choice stands twice": "each choice once",
    "must name each objective": "each objective once",
    "cannot name a component": "another name",
    "is missing": "a value",
    "not an IANA time zone": "an IANA time zone such as UTC or Europe/Berlin",
    "clocks skip it": "a local time that clocks show",
    "clocks pass it twice": "a local time that clocks show once",
    "begin on a full minute": "a full minute",
    "must be below hub_height_m": "less than both heights",
    "needs a heat_pump": "a heat_pump beside it",
}
"""What would be right, by words of our models' own messages; else the message says it."""
_PATH_IN_MESSAGE = re.compile(r"(?:Value error, )?([a-z_]+(?:\.[a-z_]+)+):? ")
_KINDS = {
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
    "dict_type": "a mapping of keys to values",
    "list_type": "a list",
    "tuple_type": "a list",
    "datetime_type": _A_TIME,
    "datetime_parsing": _A_TIME,
    "datetime_from_date_parsing": _A_TIME,
    "datetime_object_invalid": _A_TIME,
}
_PATTERNS = {
    STUDY_ID_PATTERN: "a slug: a letter or digit, then up to 63 letters, digits, - or _",
    COMPONENT_PATTERN: "a name: a letter, then letters, digits or _",
}


def findings_of(
    error: ValidationError, raw: Any, *, file: str = "", lines: Lines | None = None, prefix: str = ""
) -> list[Finding]:
    """Every error of a validation, each once.

    Args:
        error: what pydantic found.
        raw: the data that it looked at, by which places are told from tags.
        file: where the data came from.
        lines: the lines of its keys.
        prefix: dotted path of `raw` in the file.
    """
    findings: dict[tuple[str, str], Finding] = {}
    for detail in error.errors(include_url=False):
        reading = _read(raw, detail["loc"], missing=detail["type"] == "missing")
        if reading.is_of_other_branch or _counts_only_the_good(detail, reading.value):
            continue
        finding = _finding(detail, _named_in(detail, raw, reading), file, lines, prefix)
        findings.setdefault((finding.path, finding.message), finding)
    return list(findings.values())


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` where something known looks like the word, else nothing."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


def short(value: Any) -> str:
    """A value as it may stand in a message."""
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


@dataclass(frozen=True)
class _Reading:
    """A way through the data that pydantic's location may mean.

    Attributes:
        value: what stands there.
        way: keys and positions.
        ends: whether the location's last element is the way's last.
        tags: names of unions' branches that were passed over, each with the value that was tried.
    """

    value: Any
    way: tuple[int | str, ...] = ()
    ends: bool = False
    tags: tuple[tuple[str, Any], ...] = ()

    @property
    def is_of_other_branch(self) -> bool:
        """Whether the error is of a union's branch that the user did not mean."""
        return any(_is_other_branch(tag, value) for tag, value in self.tags)


def _read(data: Any, loc: tuple[int | str, ...], *, missing: bool) -> _Reading:
    """What a location means: a tag of a union may be spelled as a key, so the longest way that ends is taken."""
    if not loc:
        return _Reading(data)
    first, rest = loc[0], loc[1:]
    readings = []
    key = _key_in(data, first)
    if key is not None and rest == ("[key]",):
        readings.append(_Reading(key, (key,), ends=True))
    elif key is not None:
        inner = _read(data[key], rest, missing=missing)
        readings.append(replace(inner, way=(key, *inner.way), ends=inner.ends or not rest))
    elif missing and not rest and isinstance(data, dict):
        readings.append(_Reading(None, (first,), ends=True))
    inner = _read(data, rest, missing=missing)
    readings.append(replace(inner, tags=((str(first), data), *inner.tags)))
    return max(readings, key=lambda reading: (reading.ends, len(reading.way)))


def _key_in(container: Any, element: int | str) -> Any:
    if isinstance(container, list) and isinstance(element, int) and element < len(container):
        return element
    if isinstance(container, dict):
        return next((key for key in container if key == element or str(key) == str(element)), None)
    return None


def _is_other_branch(tag: str, value: Any) -> bool:
    """Whether a number was tried where a mapping stands, or the other way round."""
    if tag == "ProfileRef":
        return not isinstance(value, dict)
    return tag.startswith(_NUMBER_TAGS) and isinstance(value, dict)


def _counts_only_the_good(detail: Any, value: Any) -> bool:
    """Whether a list is too short only because pydantic leaves out values that are wrong; those are told."""
    return bool(detail["type"] == "too_short" and len(value) >= detail["ctx"]["min_length"])


def _named_in(detail: Any, raw: Any, reading: _Reading) -> _Reading:
    """The value to blame where an error of a whole names it: a type, or the path with which the message begins."""
    if detail["type"] in {"union_tag_invalid", "union_tag_not_found"} and isinstance(reading.value, dict):
        return replace(reading, value=reading.value.get("type"), way=(*reading.way, "type"))
    named = _PATH_IN_MESSAGE.match(str(detail["msg"]))
    own = ".".join(map(str, reading.way))
    if named and named[1].startswith(f"{own}." if own else ""):
        inner = _read(raw, tuple(named[1].split(".")), missing=False)
        return inner if inner.ends else reading
    return reading


def _finding(detail: Any, reading: _Reading, file: str, lines: Lines | None, prefix: str) -> Finding:
    way, value = reading.way, reading.value
    path = ".".join(part for part in (prefix, *map(str, way)) if part)
    expected, message = _words(detail, reading)
    place = tuple(str(part) if not isinstance(part, int) else part for part in way)
    line = None
    for end in range(len(place), 0, -1):
        line = (lines or {}).get(place[:end]) or (lines or {}).get(tuple(map(str, place[:end])))
        if line:
            break
    found = "nothing" if detail["type"] == "missing" else short(value)
    return Finding(file, path, found, expected, message, line)


def _words(detail: Any, reading: _Reading) -> tuple[str, str]:
    """What was expected, and the sentence that says so."""
    way, value = reading.way, reading.value
    kind, context = detail["type"], detail.get("ctx", {})
    name = _name(way)
    if kind == "extra_forbidden":
        return "a known key", f"unknown key '{name}'"
    if kind == "missing":
        return "a value", f"{name} is missing"
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        return _tag_words(context, value)
    expected = _expected(kind, context)
    if expected == "a number" and any(tag.startswith(_NUMBER_TAGS) for tag, _ in reading.tags):
        expected = "a number or {profile: NAME}"
    if kind == "too_short":
        least = f"at least {context['min_length']}"
        return least, f"{name} must have {least}, and has {len(value)}"
    if expected is not None:
        wanted, message = _value_words(name, value, expected)
        known = re.findall(r"'([^']*)'", expected) if kind == "literal_error" else []
        return wanted, message + nearest(str(value), known)
    message = str(detail["msg"]).removeprefix("Value error, ")
    wanted = next((right for wrong, right in _WANTED.items() if wrong in message), message)
    return wanted, f"{name}: {message}" if way and name not in message.split()[0] else message


def _name(way: tuple[int | str, ...]) -> str:
    """What stands there in words: its key, or which one of a list's values."""
    if not way:
        return "the file"
    if len(way) > 1 and isinstance(way[-1], int):
        return f"{way[-2]}, value {way[-1] + 1},"
    return str(way[-1])


def _value_words(name: str, value: Any, expected: str) -> tuple[str, str]:
    if not (isinstance(value, dict) and "optimise" in value):
        return expected, f"{name} must be {expected}, not {short(value)}"
    if name not in CAPACITIES:
        return "a number", f"{name} cannot be left to the solver; these can: {', '.join(CAPACITIES)}"
    return HOW, f"{name} must be {HOW}, with 0 ≤ min ≤ max and max above 0, not {short(value)}"


def _expected(kind: str, context: Any) -> str | None:
    """What was expected, for the kinds of error that are about one value."""
    if kind in _BOUNDS:
        return _BOUNDS[kind].format(**context)
    if kind == "literal_error":
        return str(context["expected"])
    if kind == "string_pattern_mismatch":
        return _PATTERNS.get(context["pattern"], f"text like {context['pattern']}")
    return _KINDS.get(kind)


def _tag_words(context: Any, value: Any) -> tuple[str, str]:
    expected = str(context.get("expected_tags", "")).replace("'", "")
    if value is None:
        return "a type", "type is missing; it says what kind of component this is"
    hint = nearest(str(value), expected.split(", "))
    return f"one of {expected}", f"unknown type '{short(value)}'{hint or f'; there are {expected}'}"


def known_keys(model: type[BaseModel]) -> list[str]:
    """The keys that a model takes."""
    return list(model.model_fields)
