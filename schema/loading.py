"""From files to checked systems and studies; whatever is wrong with them is told at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from schema.components import COMPONENT_TYPES, Component
from schema.errors import Finding, InputError
from schema.findings import findings_of, known_keys, nearest
from schema.inputs import resolve_profiles
from schema.paths import check_path, check_values
from schema.profiles import ProfileRef, SeriesBound
from schema.study import STUDY_TYPES, Choices, GeneticStudy, Study
from schema.system import System
from schema.yaml_files import Lines, read_yaml

Series = Mapping[str, NDArray[np.float64]]
_M = TypeVar("_M", bound=BaseModel)


@dataclass(frozen=True)
class LoadedSystem:
    """A system with its profiles in numbers.

    Attributes:
        system: as the file states it.
        series: its profiles, each (T,).
        path: the file.
    """

    system: System
    series: Series
    path: Path

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of the system and the numbers of its profiles, not of the files' wording."""
        digest = hashlib.sha256(_canonical(self.system.model_dump(mode="json", exclude={"profiles"})))
        for name in sorted(self.series):
            digest.update(name.encode() + np.ascontiguousarray(self.series[name]).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class LoadedStudy:
    """A study with its system."""

    study: Study
    system: LoadedSystem
    path: Path

    @cached_property
    def content(self) -> dict[str, Any]:
        """What makes two studies the same: all but the name of the system's file, whose content counts."""
        stated = self.study.model_dump(mode="json", exclude={"system", "description"})
        return {**stated, "system_hash": self.system.content_hash}


def _canonical(data: Any) -> bytes:
    return json.dumps(data, sort_keys=True, separators=(",", ":")).encode()


def load_system(path: Path) -> LoadedSystem:
    """Read a system and its profiles.

    Raises:
        InputError: with everything that is wrong.
    """
    raw, lines = read_yaml(path)
    file = str(path)
    if "study" in raw and "components" not in raw:
        raise InputError(Finding(file, "", "a study", "a system", "this is a study; a system file is needed"))
    system = _validated(System, raw, file, lines)
    findings = [*_profile_names(system, file), *_unsupplied(system, file)]
    series: Series = {}
    try:
        series = resolve_profiles(system, path.parent, file)
    except InputError as error:
        findings += error.findings
    findings += _series_out_of_bounds(system, series, file)
    if findings:
        raise InputError(_with_lines(findings, lines))
    return LoadedSystem(system, series, path)


def load_study(path: Path) -> LoadedStudy:
    """Read a study and the system that it names.

    Raises:
        InputError: with everything that is wrong, in the study or in its system.
    """
    raw, lines = read_yaml(path)
    file = str(path)
    findings: list[Finding] = []
    study, system = None, None
    try:
        study = _validated(_study_type(raw, file, lines), raw, file, lines)
    except InputError as error:
        findings += error.findings
    try:
        if isinstance(raw.get("system"), str):
            system = load_system(path.parent / raw["system"])
    except InputError as error:
        findings += error.findings
    if study is not None and system is not None:
        findings += _with_lines(_variable_findings(study, system.system, file), lines)
    if findings or study is None or system is None:
        raise InputError(findings)
    return LoadedStudy(study, system, path)


def load(path: Path) -> LoadedSystem | LoadedStudy:
    """Read whatever the file is.

    Raises:
        InputError: with everything that is wrong.
    """
    raw, _ = read_yaml(path)
    return load_study(path) if "study" in raw and "components" not in raw else load_system(path)


def _study_type(raw: dict[str, Any], file: str, lines: Lines) -> type[Study]:
    kind = raw.get("type")
    if kind in STUDY_TYPES:
        return STUDY_TYPES[kind]
    known = ", ".join(STUDY_TYPES)
    found = "nothing" if kind is None else str(kind)
    message = "type is missing" if kind is None else f"unknown type of study '{kind}'"
    hint = nearest(found, STUDY_TYPES) or f"; there is {known}"
    raise InputError(Finding(file, "type", found, f"one of {known}", message + hint, lines.get(("type",))))


def _validated(model: type[_M], raw: dict[str, Any], file: str, lines: Lines) -> _M:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        findings = findings_of(error, raw, file=file, lines=lines)
    raise InputError([_with_hint(finding, raw, model) for finding in findings])


def _with_hint(finding: Finding, raw: dict[str, Any], model: type[BaseModel]) -> Finding:
    """Add what an unknown key may have meant."""
    if not finding.message.startswith("unknown key"):
        return finding
    owner, _, key = finding.path.rpartition(".")
    keys = _keys_at(owner.split(".") if owner else [], raw, model)
    if not keys:
        return finding
    hint = nearest(key, keys) or f"; there are {', '.join(keys)}"
    return Finding(
        finding.file,
        finding.path,
        finding.found,
        f"one of {', '.join(keys)}",
        finding.message + hint,
        finding.line,
    )


def _keys_at(way: list[str], raw: dict[str, Any], model: type[BaseModel]) -> list[str]:
    if not way:
        return known_keys(model)
    if way[0] == "components" and len(way) == 2:
        component = raw["components"].get(way[1], {})
        kind = COMPONENT_TYPES.get(component.get("type"))
        return known_keys(kind) if kind else []
    field = model.model_fields.get(way[0])
    if len(way) == 1 and field is not None and isinstance(field.annotation, type):
        return known_keys(field.annotation) if issubclass(field.annotation, BaseModel) else []
    return []


def _with_lines(findings: list[Finding], lines: Lines) -> list[Finding]:
    """Add the line of the nearest key that stands in the file."""
    return [f if f.line else _at_line(f, lines) for f in findings]


def _at_line(finding: Finding, lines: Lines) -> Finding:
    places = {".".join(map(str, place)): line for place, line in lines.items() if place}
    known = [place for place in places if (finding.path + ".").startswith(place + ".")]
    line = places[max(known, key=len)] if known else None
    return Finding(finding.file, finding.path, finding.found, finding.expected, finding.message, line)


def _references(component: Component) -> dict[str, ProfileRef]:
    values = {name: getattr(component, name) for name in type(component).model_fields}
    return {name: value for name, value in values.items() if isinstance(value, ProfileRef)}


def _profile_names(system: System, file: str) -> list[Finding]:
    known = ", ".join(system.profiles) or "none"
    return [
        Finding(
            file,
            f"components.{name}.{attribute}",
            reference.profile,
            f"one of {known}",
            f"there is no profile '{reference.profile}'"
            + (nearest(reference.profile, system.profiles) or f"; there are {known}"),
        )
        for name, component in system.components.items()
        for attribute, reference in _references(component).items()
        if reference.profile not in system.profiles
    ]


def _unsupplied(system: System, file: str) -> list[Finding]:
    """Nodes from which energy is taken and into which nothing can put any."""
    supplied = {node for c in system.components.values() for node in c.supplied_nodes}
    return [
        Finding(
            file,
            f"components.{name}",
            f"'{node}' without a source",
            f"a component that supplies '{node}'",
            f"'{name}' takes {node}, and no component supplies it",
        )
        for name, component in system.components.items()
        for node in map(component.node, component.own_carriers)
        if node not in supplied
    ]


def _series_out_of_bounds(system: System, series: Series, file: str) -> list[Finding]:
    """Profiles below what an attribute can take, such as a negative demand or a COP of 0."""
    findings = []
    for name, component in system.components.items():
        for attribute, reference in _references(component).items():
            values = series.get(reference.profile)
            bound = _bound_of(type(component), attribute)
            if values is None or bound is None:
                continue
            wrong = np.flatnonzero(~bound.holds(values * reference.scale))
            if wrong.size:
                step = int(wrong[0])
                at = f"{system.horizon.index[step]:%Y-%m-%d %H:%M}"
                number = f"{values[step] * reference.scale:g}"
                findings.append(
                    Finding(
                        file,
                        f"components.{name}.{attribute}",
                        f"{number} at {at}",
                        f"{bound} in every step",
                        f"the profile '{reference.profile}' is {number} at {at} ({wrong.size} such steps); "
                        f"{attribute} must be {bound} in every step",
                    )
                )
    return findings


def _bound_of(component: type[Component], attribute: str) -> SeriesBound | None:
    metadata = component.model_fields[attribute].metadata
    return next((item for item in metadata if isinstance(item, SeriesBound)), None)


def _variable_findings(study: GeneticStudy, system: System, file: str) -> list[Finding]:
    findings: list[Finding] = []
    for path, variable in study.variables.items():
        place = f"variables.{path}"
        wrong = check_path(system, study.solver, path, place=place, file=file)
        if wrong is not None:
            findings.append(wrong)
            continue
        tried = variable.choices if isinstance(variable, Choices) else [variable.min, variable.max]
        told: set[str] = set()
        for value in tried:
            for finding in check_values(system, study.solver, {path: value}, place=place, file=file):
                if finding.message not in told:
                    told.add(finding.message)
                    findings.append(finding)
    return findings
