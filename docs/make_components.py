"""Writes docs/components.md and docs/equations.md from the source: `python docs/make_components.py`."""

import importlib
import inspect
import pkgutil
import re
import sys
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from pydantic_core import PydanticUndefined

import solvers
from schema import profiles as profile_specs
from schema.base import Model
from schema.components import COMPONENT_TYPES, PartLoad
from schema.profiles import ProfileRef, SeriesBound
from schema.study import SolverSettings
from schema.system import Economics, Horizon
from solvers import components

HERE = Path(__file__).parent
HEAD = """# Components, profiles and settings

Written from the source by `python docs/make_components.py`; a test holds it to it.

A number stands as such; where the table says *or profile*, `{profile: NAME}` names a series of the system's
`profiles` (with `scale: 1.1` it is multiplied). Every component also takes `carriers`, such as `{electricity:
electricity@house_2}`, where it sits at other nodes than its type's own.
"""
EQUATIONS_HEAD = """# Equations of the solvers

Written from the source by `python docs/make_components.py`; a test holds it to it. The components' own equations
stand in [components.md](components.md#equations), what all of it means in [dispatch.md](dispatch.md).
"""
_LABELLED = re.compile(r"^ *\([A-Z]\d+\)", re.MULTILINE)
PROFILES = {
    "a number": profile_specs.Constant,
    "a file": profile_specs.FileProfile,
    "time of use": profile_specs.TimeOfUse,
    "PV": profile_specs.PvProfile,
    "wind": profile_specs.WindProfile,
    "heat-pump COP": profile_specs.HeatPumpCop,
    "heat demand": profile_specs.HeatDemandProfile,
    "standard load": profile_specs.StandardLoad,
}


def reference() -> str:
    """The whole page."""
    parts = [HEAD, "## Components"]
    for kind, model in COMPONENT_TYPES.items():
        parts += [f"### `{kind}`", _summary(model), _table(model, leave={"type", "carriers"})]
    parts += ["### Part load", _summary(PartLoad), _table(PartLoad), "## Equations"]
    for found in pkgutil.iter_modules(components.__path__, f"{components.__name__}."):
        module = importlib.import_module(found.name)
        parts.append(f"```text\n{inspect.cleandoc(module.__doc__ or '')}\n```")
    parts.append("## Profiles")
    for name, model in PROFILES.items():
        parts += [f"### {name}", _summary(model), _table(model)]
    for name, model in {"Horizon": Horizon, "Economics": Economics, "Solver": SolverSettings}.items():
        parts += [f"## {name}", _summary(model), _table(model)]
    return "\n\n".join(parts) + "\n"


def _summary(model: type[Model]) -> str:
    return " ".join(inspect.cleandoc(model.__doc__ or "").split())


def _table(model: type[Model], leave: set[str] = frozenset()) -> str:
    rows = ["| key | value | unless told | meaning |", "|---|---|---|---|"]
    # What is needed comes first; Python's sort keeps the source's order otherwise.
    for name, field in sorted(model.model_fields.items(), key=lambda item: not item[1].is_required()):
        if name not in leave:
            meaning = " ".join((field.description or "").split())
            rows.append(
                f"| `{name}` | {_kind(field.annotation, field.metadata)} | {_default(field)} | {meaning} |"
            )
    return "\n".join(rows)


def _default(field: Any) -> str:
    if field.default_factory is not None:
        return "empty"
    if field.default is PydanticUndefined:
        return "**needed**"
    return (
        "–"
        if field.default is None
        else f"`{field.default}`".replace("`True`", "`true`").replace("`False`", "`false`")
    )


def _kind(annotation: Any, metadata: list[Any]) -> str:
    arguments = [a for a in _flat(annotation) if a is not NoneType]
    words = "number" if float in map(_bare, arguments) else ""
    if ProfileRef in map(_bare, arguments):
        words = f"{words} or profile" if words else "profile"
    if not words:
        words = " or ".join(dict.fromkeys(_plain(a) for a in arguments))
    limits = [*metadata, *(m for a in arguments for m in getattr(a, "__metadata__", ()))]
    told = [text for limit in limits if (text := _limit(limit))]
    return ", ".join([words, *dict.fromkeys(told)])


def _flat(annotation: Any) -> list[Any]:
    if get_origin(annotation) in {Union, UnionType}:
        return [part for argument in get_args(annotation) for part in _flat(argument)]
    return [annotation]


def _bare(annotation: Any) -> Any:
    return get_args(annotation)[0] if hasattr(annotation, "__metadata__") else annotation


def _plain(annotation: Any) -> str:
    bare = _bare(annotation)
    if str(bare).startswith("typing.Literal"):
        return " \\| ".join(f"`{value}`" for value in get_args(bare))
    if get_origin(bare) is tuple:
        return "numbers"
    if get_origin(bare) is dict:
        return "numbers by path"
    if bare is PartLoad:
        return "[line](#part-load)"
    names = {int: "whole number", str: "text", bool: "true or false"}
    return names.get(bare, re.sub(r"[^A-Za-z ]", "", getattr(bare, "__name__", str(bare))))


def _limit(limit: Any) -> str:
    if isinstance(limit, SeriesBound):
        return str(limit)
    signs = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    inner = getattr(limit, "metadata", [limit])
    return ", ".join(
        f"{word} {getattr(i, key):g}" for i in inner for key, word in signs.items() if hasattr(i, key)
    )


def equations() -> str:
    """The page of what the solvers do with the components' equations."""
    parts = [EQUATIONS_HEAD]
    for found in pkgutil.walk_packages(solvers.__path__, f"{solvers.__name__}."):
        text = inspect.cleandoc(importlib.import_module(found.name).__doc__ or "")
        if _LABELLED.search(text) and not found.name.startswith(components.__name__):
            parts += [f"## {found.name}", f"```text\n{text}\n```"]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    for name, page in {"components.md": reference, "equations.md": equations}.items():
        (HERE / name).write_text(page(), encoding="utf-8")
        sys.stdout.write(f"{name} is written\n")
