"""Dotted paths: `component.attribute`, `economics.attribute`, `solver.attribute`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_origin

from pydantic import BaseModel, ValidationError

from schema.base import allows
from schema.errors import Finding
from schema.findings import findings_of, nearest, short
from schema.profiles import ProfileRef
from schema.study import SolverSettings
from schema.system import System


def numeric_attributes(model: type[BaseModel]) -> list[str]:
    """The attributes of a model that hold a number."""
    return [name for name, field in model.model_fields.items() if allows(field.annotation, float, int)]


def owners(system: System, solver: SolverSettings) -> dict[str, BaseModel]:
    """What a path may begin with, and what it leads to."""
    return {**system.components, "economics": system.economics, "solver": solver}


def check_path(
    system: System, solver: SolverSettings, path: str, *, place: str, file: str = ""
) -> Finding | None:
    """What is wrong with a dotted path to a number, if anything; `place` is where the path was written."""
    wrong = _leads_nowhere(system, solver, path, place, file) or _not_numeric(
        system, solver, path, place, file
    )
    if wrong is None and isinstance(_standing(system, solver, path), ProfileRef):
        return Finding(
            file,
            place,
            path,
            "an attribute that holds a number",
            f"'{path}' is a profile; a number cannot take its place",
        )
    return wrong


def check_scalable(
    system: System, solver: SolverSettings, path: str, *, place: str, file: str = ""
) -> Finding | None:
    """As `check_path`, for a number or a profile."""
    wrong = _leads_nowhere(system, solver, path, place, file)
    if wrong is None and not isinstance(_standing(system, solver, path), ProfileRef):
        return _not_numeric(system, solver, path, place, file)
    return wrong


def check_word(
    system: System, solver: SolverSettings, path: str, word: str, *, place: str, file: str = ""
) -> Finding | None:
    """What is wrong with a word at a dotted path: a profile's name, or one of an attribute's own words."""
    wrong = _leads_nowhere(system, solver, path, place, file)
    if wrong is not None:
        return wrong
    owner, _, attribute = path.partition(".")
    field = type(owners(system, solver)[owner]).model_fields.get(attribute)
    if field is not None and allows(field.annotation, ProfileRef):
        if word in system.profiles:
            return None
        known = ", ".join(system.profiles) or "none"
        hint = nearest(word, system.profiles) or f"; there are {known}"
        return Finding(file, place, word, f"one of {known}", f"there is no profile '{word}'{hint}")
    if field is not None and get_origin(field.annotation) is Literal:
        wrong_values = check_values(system, solver, {path: word}, place=place, file=file)
        return wrong_values[0] if wrong_values else None
    message = f"'{path}' takes no name such as '{word}'; write a number"
    return check_scalable(system, solver, path, place=place, file=file) or Finding(
        file, place, word, "a number", message
    )


def _leads_nowhere(
    system: System, solver: SolverSettings, path: str, place: str, file: str
) -> Finding | None:
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
    return None


def _not_numeric(system: System, solver: SolverSettings, path: str, place: str, file: str) -> Finding | None:
    owner, _, attribute = path.partition(".")
    kind = type(owners(system, solver)[owner])
    numeric = numeric_attributes(kind)
    if attribute in numeric:
        return None
    hint = nearest(attribute, numeric) or f"; it has {', '.join(numeric)}"
    what = "is not a number" if attribute in kind.model_fields else "does not exist"
    message = f"the attribute '{attribute}' of '{owner}' {what}{hint}"
    return Finding(file, place, path, "a numeric attribute", message)


def _standing(system: System, solver: SolverSettings, path: str) -> Any:
    """What stands at a path whose owner exists; None where there is no such attribute."""
    owner, _, attribute = path.partition(".")
    model = owners(system, solver)[owner]
    return getattr(model, attribute) if attribute in type(model).model_fields else None


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
