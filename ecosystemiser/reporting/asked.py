"""What a study was asked: its system, what it varies or what is uncertain, and how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ecosystemiser.design_tables import moment
from ecosystemiser.pictures import of_studies
from ecosystemiser.pictures.wording import parameter_label, words
from ecosystemiser.printing import quantity
from ecosystemiser.reporting.parts import Section, Table, facts_table, told
from schema.store.statements import Row

_KINDS = {
    "genetic_algorithm": "genetic search",
    "monte_carlo": "Monte Carlo study",
    "parametric": "parametric sweep",
    "single": "single design",
}


def asked(study: Row) -> Section:
    content = (study["metadata_json"] or {}).get("content") or {}
    reference = of_studies.reference_of(study)
    horizon = reference.get("horizon") or {}
    objectives = {words(name): sense for name, sense in of_studies.objectives_of(study).items()}
    facts = {
        "study": f"{study['study_id']}, a {_KINDS.get(study['study_type'], study['study_type'])}",
        "system": " – ".join(filter(None, (reference.get("system"), reference.get("description")))),
        "horizon": _horizon(horizon),
        "objectives" if study["study_type"] in {"genetic_algorithm", "parametric"} else "outputs": ", ".join(
            f"{name} ({sense})" for name, sense in objectives.items()
        ),
        "constraints": ", ".join(
            _bound(name, bound) for name, bound in (study["optimization_constraints"] or {}).items()
        ),
        "solver": _settings(content.get("solver") or {}),
        "search": _settings(content.get("algorithm") or {}),
        "sampling": _settings(content.get("sampling") or {}),
        "combined as": content.get("combine"),
        "design": content.get("design"),
        "evaluations planned": study["max_evaluations"],
        "time series kept": content.get("timeseries"),
        "begun": moment(study["created_at"]),
    }
    tables = [facts_table(facts)]
    for key, title in (
        ("variables", "What it varies"),
        ("uncertain", "What is uncertain"),
        ("sweep", "What it sweeps"),
    ):
        if content.get(key):
            rows = [
                [parameter_label(path, reference), _possible(entry)] for path, entry in content[key].items()
            ]
            tables.append(Table(["number", "values"], rows, title))
    components = reference.get("components") or {}
    if components:
        rows = [
            [name, str(one.get("type", "")).replace("_", " "), _size(one)] for name, one in components.items()
        ]
        tables.append(Table(["component", "type", "size"], rows, "The system as its file states it"))
    return Section("What was asked", tables=tables)


def _horizon(horizon: Mapping[str, Any]) -> str:
    if not horizon:
        return ""
    zone = horizon.get("timezone", "UTC")
    return f"{horizon['steps']:,} steps of {horizon['step_minutes']} min from {horizon['start']}, {zone}"


def _bound(name: str, bound: Mapping[str, Any]) -> str:
    parts = []
    if bound.get("min") is not None:
        parts.append(f"at least {quantity(name, bound['min'])}")
    if bound.get("max") is not None:
        parts.append(f"at most {quantity(name, bound['max'])}")
    return f"{words(name)} {' and '.join(parts)}"


def _settings(settings: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} {_plain(value)}"
        for name, value in settings.items()
        if value is not None and value not in (False, [])
    )


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else told(value)


def _possible(entry: Any) -> str:
    """The values that a number may take, in words."""
    if isinstance(entry, list):
        return ", ".join(map(_plain, entry))
    if not isinstance(entry, Mapping):
        return _plain(entry)
    match {name: value for name, value in entry.items() if value is not None}:
        case {"choices": choices}:
            words_told = f"one of {_possible(choices)}"
        case {"distribution": kind, **rest}:
            words_told = f"{str(kind).replace('_', ' ')}: " + ", ".join(
                f"{k} {_plain(v)}" for k, v in rest.items()
            )
        case {"scale": scale}:
            words_told = f"times {_possible(scale)}"
        case {"start": start, "stop": stop, "count": count}:
            words_told = f"{count} from {_plain(start)} to {_plain(stop)}"
        case {"min": low, "max": high, **rest}:
            words_told = f"{_plain(low)} to {_plain(high)}" + (
                ", whole numbers" if rest.get("integer") else ""
            )
        case other:
            words_told = told(other)
    return words_told


def _size(component: Mapping[str, Any]) -> str:
    sizes = {
        name: value
        for name, value in component.items()
        if name.startswith(("capacity", "power_kw", "import_limit", "export_limit")) and value is not None
    }
    return ", ".join(f"{name} {_plain(value)}" for name, value in sizes.items())
