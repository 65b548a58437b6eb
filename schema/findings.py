"""pydantic's errors as findings in the user's own words, with the place in the user's own file."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ValidationError

from schema.errors import Finding
from schema.names import COMPONENT_PATTERN, STUDY_ID_PATTERN
from schema.yaml_files import Lines

_NUMBER_TAGS = ("float", "int", "constrained", "function")
_BOUNDS = {
    "greater_than": "above {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "below {lt:g}",
    "less_than_equal": "at most {le:g}",
}


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
        way, value, foreign = _walk(raw, detail["loc"], missing=detail["type"] == "missing")
        if foreign:
            continue
        finding = _finding(detail, way, value, file, lines, prefix)
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


def _walk(raw: Any, loc: tuple[int | str, ...], *, missing: bool) -> tuple[list[int | str], Any, bool]:
    """Follow pydantic's location through the data, past the tags of unions.

    Returns:
        The way, the value there, and whether the error is of a union's branch that the user did not mean.
    """
    way: list[int | str] = []
    foreign = False
    value = raw
    for position, element in enumerate(loc):
        last = position == len(loc) - 1
        key = _key_in(value, element)
        child = value[key] if key is not None else None
        is_key = not last and loc[position + 1] == "[key]"
        if key is not None and (last or is_key or isinstance(child, dict | list)):
            way.append(key)
            value = key if is_key else child
        elif last and missing:
            way.append(element)
            value = None
        else:
            foreign = foreign or _is_other_branch(str(element), value)
    return way, value, foreign


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


def _finding(
    detail: Any, way: list[int | str], value: Any, file: str, lines: Lines | None, prefix: str
) -> Finding:
    path = ".".join(part for part in (prefix, *map(str, way)) if part)
    expected, message = _words(detail, way, value)
    place = tuple(str(part) if not isinstance(part, int) else part for part in way)
    line = None
    for end in range(len(place), 0, -1):
        line = (lines or {}).get(place[:end]) or (lines or {}).get(tuple(map(str, place[:end])))
        if line:
            break
    found = "nothing" if detail["type"] == "missing" else short(value)
    return Finding(file, path, found, expected, message, line)


def _words(detail: Any, way: list[int | str], value: Any) -> tuple[str, str]:
    """What was expected, and the sentence that says so."""
    kind, context = detail["type"], detail.get("ctx", {})
    name = str(way[-1]) if way else "the file"
    if kind == "extra_forbidden":
        return "a known key", f"unknown key '{name}'"
    if kind == "missing":
        return "a value", f"{name} is missing"
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        return _tag_words(context, value)
    expected = _expected(kind, context)
    if expected is not None:
        return expected, f"{name} must be {expected}, not {short(value)}"
    message = str(detail["msg"]).removeprefix("Value error, ")
    return message, f"{name}: {message}" if way else message


def _expected(kind: str, context: Any) -> str | None:
    """What was expected, for the kinds of error that are about one value."""
    if kind in _BOUNDS:
        return _BOUNDS[kind].format(**context)
    if kind == "literal_error":
        return str(context["expected"])
    if kind == "string_pattern_mismatch":
        return _PATTERNS.get(context["pattern"], f"text like {context['pattern']}")
    if kind == "too_short":
        return f"at least {context['min_length']} of them"
    return _KINDS.get(kind)


def _tag_words(context: Any, value: Any) -> tuple[str, str]:
    expected = str(context.get("expected_tags", "")).replace("'", "")
    given = value.get("type") if isinstance(value, dict) else None
    if given is None:
        return "a type", "type is missing; it says what kind of component this is"
    hint = nearest(str(given), expected.split(", "))
    return f"one of {expected}", f"unknown type '{given}'{hint or f'; there are {expected}'}"


def known_keys(model: type[BaseModel]) -> list[str]:
    """The keys that a model takes."""
    return list(model.model_fields)
