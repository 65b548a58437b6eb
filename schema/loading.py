"""From files to checked systems and studies; whatever is wrong with them is told at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from schema.bounds import Series, out_of_bounds, references
from schema.components import COMPONENT_TYPES
from schema.errors import Finding, InputError
from schema.findings import findings_of, known_keys, nearest
from schema.inputs import resolve_profiles
from schema.profiles import PROFILE_KINDS, ProfileRef, kind_of_profile
from schema.studies import STUDY_TYPES, Study
from schema.study import Bound, Choices, Range, SolverSettings
from schema.study_checks import Fitting, entry_findings, undefined_kpis
from schema.system import System, sizing_findings
from schema.yaml_files import Lines, read_yaml

_M = TypeVar("_M", bound=BaseModel)
_ENTRIES: Mapping[str, Mapping[str, type[BaseModel]]] = {
    "constraints": {"": Bound},
    "variables": {"choices": Choices, "": Range},
}
"""What an entry of a section is, by the key that tells."""


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
        stated = self.study.model_dump(mode="json", exclude={"system", "description", "failures", "cache"})
        # How patient a study is changes no result; what it does at the time limit may.
        at_limit = self.study.failures.at_time_limit
        rule = {} if at_limit == "accept" else {"failures": {"at_time_limit": at_limit}}
        return {**stated, **rule, "system_hash": self.system.content_hash}


def _canonical(data: Any) -> bytes:
    return json.dumps(data, sort_keys=True, separators=(",", ":")).encode()


def load_system(path: Path) -> LoadedSystem:
    """Read a system and its profiles.

    Raises:
        InputError: with everything that is wrong.
    """
    findings: list[Finding] = []
    raw, lines = read_yaml(path, findings)
    file = str(path)
    if "study" in raw and "components" not in raw:
        raise InputError(Finding(file, "", "a study", "a system", "this is a study; a system file is needed"))
    try:
        system = _validated(System, raw, file, lines)
    except InputError as error:
        findings += error.findings
        rest = _sound_part(raw, error.findings)
        if rest is not None:
            findings += _profile_findings(rest, path)[0]
        raise InputError(_with_lines(findings, lines)) from None
    told, series = _profile_findings(system, path)
    findings += [*_profile_names(system, file), *_unsupplied(system, file), *told]
    if findings:
        raise InputError(_with_lines(findings, lines))
    return LoadedSystem(system, series, path)


def _profile_findings(system: System, path: Path) -> tuple[list[Finding], Series]:
    """What is wrong with the profiles' numbers, and those that could be worked out."""
    findings: list[Finding] = []
    series: Series = {}
    try:
        series = resolve_profiles(system, path.parent, str(path))
    except InputError as error:
        findings += error.findings
    return [*findings, *_series_out_of_bounds(system, series, str(path))], series


def _sound_part(raw: dict[str, Any], findings: Iterable[Finding]) -> System | None:
    """The system without the components and profiles that are wrong, so that the others are looked at as well."""
    parts = {name: dict(raw[name]) for name in ("components", "profiles") if isinstance(raw.get(name), dict)}
    for finding in findings:
        for section, entries in parts.items():
            for name in [n for n in entries if f"{finding.path}.".startswith(f"{section}.{n}.")]:
                del entries[name]
    try:
        return System.model_validate({k: v for k, v in raw.items() if k in System.model_fields} | parts)
    except ValidationError:
        return None


def load_study(path: Path) -> LoadedStudy:
    """Read a study and the system that it names.

    Raises:
        InputError: with everything that is wrong, in the study or in its system.
    """
    findings: list[Finding] = []
    raw, lines = read_yaml(path, findings)
    file = str(path)
    if "components" in raw and "study" not in raw:
        raise InputError(Finding(file, "", "a system", "a study", "this is a system; a study file is needed"))
    study, system = None, None
    try:
        study = _validated(_study_type(raw, file, lines), raw, file, lines)
    except InputError as error:
        findings += error.findings
    try:
        if isinstance(raw.get("system"), str):
            system = _system_of(raw["system"], path, lines)
    except InputError as error:
        findings += error.findings
    if system is not None:
        solver = SolverSettings() if study is None else study.solver
        fitting = Fitting(system.system, system.series, solver, file)
        findings += _with_lines(entry_findings(raw, fitting), lines)
    if study is not None and system is not None:
        findings += _with_lines(undefined_kpis(study, system.system, file), lines)
        method = study.solver.method
        sizing = sizing_findings(system.system, method, file=file, place="solver.method")
        findings += _with_lines(sizing, lines)
    if findings or study is None or system is None:
        raise InputError(findings)
    return LoadedStudy(study, system, path)


def _system_of(name: str, study: Path, lines: Lines) -> LoadedSystem:
    """The system that a study names, relative to its own file."""
    path = study.parent / name
    if path.is_file():
        return load_system(path)
    message = f"there is no file {name} beside the study; check the path"
    raise InputError(
        Finding(
            str(study),
            "system",
            name,
            "a system file, relative to the study",
            message,
            lines.get(("system",)),
        )
    )


def load(path: Path) -> LoadedSystem | LoadedStudy:
    """Read whatever the file is.

    Raises:
        InputError: with everything that is wrong.
    """
    raw, _ = read_yaml(path)
    return load_study(path) if "study" in raw and "components" not in raw else load_system(path)


def _study_type(raw: dict[str, Any], file: str, lines: Lines) -> type[Study]:
    kind = raw.get("type")
    if isinstance(kind, str) and kind in STUDY_TYPES:
        return STUDY_TYPES[kind]
    known = ", ".join(STUDY_TYPES)
    found = "nothing" if kind is None else str(kind)
    message = "type is missing" if kind is None else f"unknown type of study '{kind}'"
    hint = nearest(found, STUDY_TYPES) or f"; there is {known}"
    raise InputError(Finding(file, "type", found, f"one of {known}", message + hint, lines.get(("type",))))


def _validated(model: type[_M], raw: dict[str, Any], file: str, lines: Lines) -> _M:
    findings: list[Finding] = []
    try:
        valid = model.model_validate(raw)
        findings += _truth_as_number(raw, valid, file)
        if not findings:
            return valid
    except ValidationError as error:
        findings += findings_of(error, raw, file=file, lines=lines)
    raise InputError(_with_lines([_with_hint(finding, raw, model) for finding in findings], lines))


def _truth_as_number(raw: Any, valid: Any, file: str, path: str = "") -> list[Finding]:
    """`true` where a number is meant: pydantic takes it for 1."""
    if isinstance(raw, bool):
        if isinstance(valid, bool) or not isinstance(valid, int | float):
            return []
        word = str(raw).lower()
        name = path.rpartition(".")[2]
        return [Finding(file, path, word, "a number", f"{name} must be a number, not {word}")]
    findings: list[Finding] = []
    items = raw.items() if isinstance(raw, dict) else enumerate(raw) if isinstance(raw, list) else ()
    for key, value in items:
        inner: Any = None
        if isinstance(valid, BaseModel):
            inner = getattr(valid, str(key), None)
        elif isinstance(valid, Mapping):
            inner = valid.get(key)
        elif isinstance(valid, list):
            inner = valid[key]
        findings += _truth_as_number(value, inner, file, f"{path}.{key}".lstrip("."))
    return findings


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
    if way[0] == "components" and len(way) == 3:
        return known_keys(ProfileRef)
    if way[0] in {*_ENTRIES, "profiles"} and len(way) >= 2:
        kind = _kind_of_entry(way[0], raw[way[0]].get(".".join(way[1:]), {}))
        return known_keys(kind) if kind else []
    field = model.model_fields.get(way[0])
    if len(way) == 1 and field is not None and isinstance(field.annotation, type):
        return known_keys(field.annotation) if issubclass(field.annotation, BaseModel) else []
    return []


def _kind_of_entry(section: str, stated: Any) -> type[BaseModel] | None:
    if section == "profiles":
        return PROFILE_KINDS.get(kind_of_profile(stated) or "")
    return next((kind for key, kind in _ENTRIES[section].items() if not key or key in stated), None)


def _with_lines(findings: list[Finding], lines: Lines) -> list[Finding]:
    """Add the line of the nearest key that stands in the file."""
    return [f if f.line else _at_line(f, lines) for f in findings]


def _at_line(finding: Finding, lines: Lines) -> Finding:
    places = {".".join(map(str, place)): line for place, line in lines.items() if place}
    known = [place for place in places if (finding.path + ".").startswith(place + ".")]
    line = places[max(known, key=len)] if known else None
    return Finding(finding.file, finding.path, finding.found, finding.expected, finding.message, line)


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
        for attribute, reference in references(component).items()
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
        for broken in out_of_bounds(component, series):
            at = f"{system.horizon.index[broken.step]:%Y-%m-%d %H:%M}"
            findings.append(
                Finding(
                    file,
                    f"components.{name}.{broken.attribute}",
                    f"{broken.value:g} at {at}",
                    f"{broken.bound} in every step",
                    f"the profile '{broken.reference.profile}' is {broken.value:g} at {at} ({broken.steps} such "
                    f"steps); {broken.attribute} must be {broken.bound} in every step",
                )
            )
    return findings
