"""Whether what a study says fits its system: paths, values, names of profiles, KPIs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from schema.base import Value
from schema.bounds import Series, out_of_bounds
from schema.distributions import ScaledBy, Uncertain, distribution_of
from schema.errors import Finding
from schema.kpis import STANDS_WITH, defined_kpis
from schema.paths import check_path, check_scalable, check_values, check_word, owners
from schema.profiles import ProfileRef
from schema.studies import ScaleSteps, Study, Sweep, values_of
from schema.study import Choices, SolverSettings, Variable
from schema.system import System

_VARIABLE: TypeAdapter[Variable] = TypeAdapter(Variable)
_UNCERTAIN: TypeAdapter[Uncertain] = TypeAdapter(Uncertain)
_SWEEP: TypeAdapter[Sweep] = TypeAdapter(Sweep)
_VALUE: TypeAdapter[Value] = TypeAdapter(Value)


@dataclass(frozen=True)
class Fitting:
    """What a study's entries must fit.

    Attributes:
        series: the system's profiles, each (T,).
        file: the study's, for the findings.
    """

    system: System
    series: Series
    solver: SolverSettings
    file: str


def entry_findings(raw: Mapping[str, Any], fitting: Fitting) -> list[Finding]:
    """What is wrong with the entries that begin with a path, whatever else the study says."""
    return [
        *_of_variables(_entries(raw, "variables", _VARIABLE), fitting),
        *design_findings(_entries(raw, "design", _VALUE), fitting),
        *_of_uncertain(_entries(raw, "uncertain", _UNCERTAIN), fitting),
        *_of_sweep(_entries(raw, "sweep", _SWEEP), fitting),
        *clashes(_stated_design(raw), _varied(raw), fitting.file),
    ]


def _entries(raw: Mapping[str, Any], section: str, adapter: TypeAdapter[Any]) -> dict[str, Any]:
    """A section's entries by path, None for what cannot be read: that is told elsewhere."""
    stated = _stated_design(raw) if section == "design" else raw.get(section)
    found: dict[str, Any] = {}
    for path, entry in stated.items() if isinstance(stated, Mapping) else ():
        if isinstance(path, str):
            try:
                found[path] = adapter.validate_python(entry)
            except ValidationError:
                found[path] = None
    return found


def _stated_design(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    design = raw.get("design")
    return design if isinstance(design, Mapping) and "from_study" not in design else {}


def _varied(raw: Mapping[str, Any]) -> dict[str, dict[str, bool]]:
    """By section, the paths that the study varies, and whether by a factor."""
    sections = {name: raw[name] for name in ("uncertain", "sweep") if isinstance(raw.get(name), Mapping)}
    return {
        name: {path: isinstance(entry, Mapping) and "scale" in entry for path, entry in entries.items()}
        for name, entries in sections.items()
    }


def clashes(design: Mapping[str, Any], varied: Mapping[str, Mapping[str, bool]], file: str) -> list[Finding]:
    """Paths at which the design states what the study replaces; a factor on a number that it states is none.

    Args:
        design: by dotted path.
        varied: by section, the paths that the study varies, and whether by a factor.
        file: the study's.
    """
    return [
        Finding(
            file,
            f"{section}.{path}",
            "the path in design too",
            "each path once, or a scale",
            f"the design states {path} as well: leave one of them out"
            + ("" if by_factor else ", or write {scale: ...} to vary what it states"),
        )
        for section, paths in varied.items()
        for path, by_factor in paths.items()
        if path in design and not (by_factor and not isinstance(design[path], str))
    ]


def design_findings(
    design: Mapping[str, Value | None], fitting: Fitting, *, recorded: bool = False
) -> list[Finding]:
    """What is wrong with a design's numbers and names, alone and together.

    Args:
        design: by dotted path; None for what could not be read.
        fitting: what it must fit.
        recorded: as an evaluation has it, where a number on a profile is the factor that was tried.
    """
    findings = []
    factors = {path for path in design if recorded and _is_profile(path, fitting)}
    for path, value in design.items():
        place = f"design.{path}"
        if path in factors and isinstance(value, float | int):
            findings += factor_findings(path, [value], place, fitting)
        else:
            findings += value_findings(path, value, place, fitting)
    if findings:
        return findings
    numbers = {
        path: value
        for path, value in design.items()
        if value is not None and not isinstance(value, str) and path not in factors
    }
    return check_values(fitting.system, fitting.solver, numbers, place="design", file=fitting.file)


def _is_profile(path: str, fitting: Fitting) -> bool:
    """Whether it leads to a profile."""
    leads = check_scalable(fitting.system, fitting.solver, path, place="") is None
    return leads and check_path(fitting.system, fitting.solver, path, place="") is not None


def value_findings(path: str, value: Value | None, place: str, fitting: Fitting) -> list[Finding]:
    """What is wrong with a number or a name at a path."""
    system, solver, file = fitting.system, fitting.solver, fitting.file
    if isinstance(value, str):
        wrong = check_word(system, solver, path, value, place=place, file=file)
        return [wrong] if wrong is not None else _beyond_bounds(path, value, place, fitting)
    wrong = check_path(system, solver, path, place=place, file=file)
    if wrong is not None:
        return [_with_scale_hint(wrong) if _is_profile(path, fitting) else wrong]
    return [] if value is None else check_values(system, solver, {path: value}, place=place, file=file)


def factor_findings(path: str, factors: Iterable[float], place: str, fitting: Fitting) -> list[Finding]:
    """What is wrong with factors on what stands at a path."""
    system, solver, file = fitting.system, fitting.solver, fitting.file
    wrong = check_scalable(system, solver, path, place=place, file=file)
    if wrong is not None:
        return [wrong]
    owner, _, attribute = path.partition(".")
    before = getattr(owners(system, solver)[owner], attribute)
    if before is None:
        message = f"'{path}' holds no number that could be multiplied; state one in the system"
        return [Finding(file, place, "nothing", "a number to multiply", message)]
    findings: list[Finding] = []
    for factor in factors:
        if isinstance(before, ProfileRef):
            findings += _beyond_bounds(path, factor, place, fitting)
        else:
            findings += check_values(system, solver, {path: before * factor}, place=place, file=file)
    return findings


def _beyond_bounds(path: str, value: Value, place: str, fitting: Fitting) -> list[Finding]:
    """Whether a profile that is put in place or multiplied leaves what the attribute takes."""
    owner, _, attribute = path.partition(".")
    if owner not in fitting.system.components:
        return []
    component = fitting.system.with_values({path: value}).components[owner]
    return [
        Finding(
            fitting.file,
            place,
            f"{value}",
            f"{broken.bound} in every step",
            f"with {value} the profile '{broken.reference.profile}' becomes {broken.value:g} in {broken.steps} "
            f"steps; {attribute} must be {broken.bound} in every step",
        )
        for broken in out_of_bounds(component, fitting.series)
        if broken.attribute == attribute
    ]


def _with_scale_hint(wrong: Finding) -> Finding:
    message = (
        f"'{wrong.found}' is a profile, whose place no number can take; write {{scale: ...}} to multiply it"
    )
    return replace(wrong, message=message, expected="{scale: ...}")


def _of_variables(variables: Mapping[str, Variable | None], fitting: Fitting) -> list[Finding]:
    findings: list[Finding] = []
    for path, variable in variables.items():
        place = f"variables.{path}"
        wrong = check_path(fitting.system, fitting.solver, path, place=place, file=fitting.file)
        if wrong is not None:
            findings.append(wrong)
        elif variable is not None:
            tried = variable.choices if isinstance(variable, Choices) else [variable.min, variable.max]
            findings += _each_once(
                check_values(fitting.system, fitting.solver, {path: value}, place=place, file=fitting.file)
                for value in tried
            )
    return findings


def _of_uncertain(uncertain: Mapping[str, Uncertain | None], fitting: Fitting) -> list[Finding]:
    findings: list[Finding] = []
    for path, entry in uncertain.items():
        place = f"uncertain.{path}"
        if entry is None:
            findings += _lost(path, place, fitting)
        elif isinstance(entry, ScaledBy):
            findings += _each_once([factor_findings(path, entry.scale.likely, place, fitting)])
        else:
            likely = distribution_of(entry).likely
            findings += _each_once(value_findings(path, value, place, fitting) for value in likely)
    return findings


def _of_sweep(sweep: Mapping[str, Sweep | None], fitting: Fitting) -> list[Finding]:
    findings: list[Finding] = []
    for path, entry in sweep.items():
        place = f"sweep.{path}"
        if entry is None:
            findings += _lost(path, place, fitting)
            continue
        values = values_of(entry)
        if isinstance(entry, ScaleSteps):
            words = [value for value in values if isinstance(value, str)]
            findings += [
                Finding(fitting.file, place, word, "numbers", f"scale multiplies: '{word}' is no number")
                for word in words
            ]
            factors = [value for value in values if not isinstance(value, str)]
            findings += _each_once([factor_findings(path, factors, place, fitting)])
        else:
            findings += _each_once(value_findings(path, value, place, fitting) for value in values)
    return findings


def _lost(path: str, place: str, fitting: Fitting) -> list[Finding]:
    """Whether the path leads nowhere, where what stands beside it could not be read."""
    wrong = check_scalable(fitting.system, fitting.solver, path, place=place, file=fitting.file)
    return [] if wrong is None else [wrong]


def _each_once(findings: Iterable[list[Finding]]) -> list[Finding]:
    """Several values at one path may break the same rule."""
    told: dict[str, Finding] = {}
    for several in findings:
        for finding in several:
            told.setdefault(finding.message, finding)
    return list(told.values())


def undefined_kpis(study: Study, system: System, file: str) -> list[Finding]:
    """KPIs that are sought, bounded or looked at and that not every design of the system has."""
    defined = defined_kpis(system)
    named = {"outputs": getattr(study, "outputs", [])}
    if not named["outputs"]:
        named = {"objectives": list(study.objectives), "constraints": list(study.constraints)}
    return [
        Finding(
            file,
            f"{section}.{name}",
            name,
            "a KPI that every design of the system has",
            f"not every design of this system has {name}: it stands only with {STANDS_WITH[name]}",
        )
        for section, names in named.items()
        for name in names
        if name not in defined
    ]
