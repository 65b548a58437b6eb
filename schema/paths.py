"""Dotted paths: `component.attribute`, `economics.attribute`, `solver.attribute`."""

from __future__ import annotations

from collections.abc import Mapping
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from schema.errors import Finding
from schema.findings import findings_of, nearest, short
from schema.profiles import ProfileRef
from schema.study import SolverSettings
from schema.system import System


def numeric_attributes(model: type[BaseModel]) -> list[str]:
    """The attributes of a model that hold a number."""
    return [name for name, field in model.model_fields.items() if _is_number(field.annotation)]


def _is_number(annotation: Any) -> bool:
    if get_origin(annotation) in {Union, UnionType}:
        return any(_is_number(argument) for argument in get_args(annotation))
    if hasattr(annotation, "__metadata__"):
        return _is_number(get_args(annotation)[0])
    return annotation in {float, int}


def owners(system: System, solver: SolverSettings) -> dict[str, BaseModel]:
    """What a path may begin with, and what it leads to."""
    return {**system.components, "economics": system.economics, "solver": solver}


def check_path(
    system: System, solver: SolverSettings, path: str, *, place: str, file: str = ""
) -> Finding | None:
    """What is wrong with a dotted path, if anything; `place` is where the path was written."""
    roots = owners(system, solver)
    owner, _, attribute = path.partition(".")
    if not attribute:
        return Finding(
            file,
            place,
            path,
            "component.attribute",
            f"'{path}' is no path; write component.attribute, such as pv.capacity_kw",
        )
    if owner not in roots:
        known = ", ".join(roots)
        hint = nearest(owner, roots) or f"; there are {known}"
        return Finding(file, place, path, f"one of {known}", f"the system has no component '{owner}'{hint}")
    numeric = numeric_attributes(type(roots[owner]))
    if attribute not in numeric:
        hint = nearest(attribute, numeric) or f"; it has {', '.join(numeric)}"
        what = "is not a number" if attribute in type(roots[owner]).model_fields else "does not exist"
        return Finding(
            file, place, path, "a numeric attribute", f"the attribute '{attribute}' of '{owner}' {what}{hint}"
        )
    if isinstance(getattr(roots[owner], attribute), ProfileRef):
        return Finding(
            file,
            place,
            path,
            "an attribute that holds a number",
            f"'{path}' is a profile; a number cannot take its place",
        )
    return None


def check_values(
    system: System, solver: SolverSettings, values: Mapping[str, Any], *, place: str, file: str = ""
) -> list[Finding]:
    """What is wrong with values at (existing) paths: too large, too small, or in conflict with each other."""
    findings: list[Finding] = []
    roots = owners(system, solver)
    changes: dict[str, dict[str, Any]] = {}
    for path, value in values.items():
        owner, _, attribute = path.partition(".")
        changes.setdefault(owner, {})[attribute] = value
    for owner, attributes in changes.items():
        try:
            roots[owner].with_changes(**attributes)  # type: ignore[attr-defined]
        except ValidationError as error:
            findings += [
                Finding(file, place, f.found or short(attributes), f.expected, f"{owner}: {f.message}")
                for f in findings_of(error, attributes)
            ]
    return findings
