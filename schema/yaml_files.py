"""YAML as users write it: safe, no key twice, numbers such as 1e-4 read as numbers, lines remembered."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import yaml

from schema.errors import Finding, InputError

_MAX_NODES = 1_000_000
_YAML12_FLOAT = re.compile(
    r"^[-+]?(?:[0-9][0-9_]*\.?[0-9_]*(?:[eE][-+]?[0-9]+)|[0-9][0-9_]*\.[0-9_]*|\.[0-9]+(?:[eE][-+]?[0-9]+)?"
    r"|\.(?:inf|Inf|INF|nan|NaN|NAN))$"
)
_YAML12_INT = re.compile(r"^(?:[-+]?(?:0|[1-9][0-9_]*)|0x[0-9a-fA-F]+)$")
_YAML12_BOOL = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
_FLOAT_TAG, _INT_TAG, _BOOL_TAG = (f"tag:yaml.org,2002:{kind}" for kind in ("float", "int", "bool"))
_REPLACED = {"tag:yaml.org,2002:timestamp", _FLOAT_TAG, _INT_TAG, _BOOL_TAG}


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with YAML 1.2's numbers and true and false: `1:30`, `010`, `no` and dates are text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _REPLACED]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_INT_TAG, _YAML12_INT, list("-+0123456789"))
_Loader.add_implicit_resolver(_FLOAT_TAG, _YAML12_FLOAT, list("-+.0123456789"))
_Loader.add_implicit_resolver(_BOOL_TAG, _YAML12_BOOL, list("tTfF"))

Lines = dict[tuple[str | int, ...], int]
"""Line number (from 1) by the way to a value."""


def read_yaml(path: Path, repeated: list[Finding] | None = None) -> tuple[dict[str, Any], Lines]:
    """Read one mapping from a YAML file.

    Args:
        path: the file.
        repeated: takes up keys that stand twice, so that they can be told with what else is wrong.

    Raises:
        InputError: the file is missing, unreadable, not YAML, not a mapping, or has a key twice (unless these
            are taken up).
    """
    name = str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(
            Finding(name, "", "no such file", "a YAML file", "there is no such file; check the path")
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        message = f"cannot be read: {_why_unreadable(error)}"
        raise InputError(Finding(name, "", str(error), "a readable UTF-8 text file", message)) from None
    return parse_yaml(text, name, repeated)


def _why_unreadable(error: OSError | UnicodeDecodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start + 1} is no UTF-8 text; name a YAML file, saved as UTF-8"
    if isinstance(error, IsADirectoryError):
        return "this is a folder; name a YAML file in it"
    return f"{error.strerror or error}"


def parse_yaml(
    text: str, name: str = "", repeated: list[Finding] | None = None
) -> tuple[dict[str, Any], Lines]:
    """Read one mapping from YAML text; `name` stands for the file in messages.

    Raises:
        InputError: not YAML, not a mapping, or a key twice (unless `repeated` takes these up).
    """
    try:
        data, lines, twice = _parsed(text, name)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InputError(_syntax_finding(name, error)) from None
    if twice and repeated is None:
        raise InputError(twice)
    if repeated is not None:
        repeated += twice
    if not isinstance(data, dict):
        found = "nothing" if data is None else "a list" if isinstance(data, list) else "a single value"
        raise InputError(
            Finding(name, "", found, "a mapping of keys to values", "the file must hold `key: value` lines")
        )
    return data, lines


def _parsed(text: str, name: str) -> tuple[Any, Lines, list[Finding]]:
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        lines, repeated = _walk(node, name)
        return (loader.construct_document(node) if node is not None else None), lines, repeated
    finally:
        loader.dispose()


def _syntax_finding(name: str, error: Exception) -> Finding:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    if isinstance(error, RecursionError):
        problem = "it is nested too deeply (does an alias hold itself?)"
    line = mark.line + 1 if mark is not None else None
    return Finding(name, "", str(problem), "valid YAML", f"this is not valid YAML: {problem}", line)


def _walk(root: yaml.Node | None, name: str) -> tuple[Lines, list[Finding]]:
    """Lines of all keys, and every key that stands twice in one mapping."""
    lines: Lines = {}
    repeated: list[Finding] = []
    visits = 0

    def visit(node: yaml.Node, way: tuple[str | int, ...]) -> None:
        nonlocal visits
        visits += 1
        if visits > _MAX_NODES:
            raise ValueError("more than a million values (are aliases nested?)")
        lines.setdefault(way, node.start_mark.line + 1)
        if isinstance(node, yaml.SequenceNode):
            for position, child in enumerate(node.value):
                visit(child, (*way, position))
        elif isinstance(node, yaml.MappingNode):
            seen: dict[Any, int] = {}
            for key, child in node.value:
                place = (*way, key.value if isinstance(key, yaml.ScalarNode) else str(key.value))
                line = key.start_mark.line + 1
                if place[-1] in seen and place[-1] != "<<":
                    dotted = ".".join(map(str, place))
                    first = seen[place[-1]]
                    repeated.append(
                        Finding(
                            name,
                            dotted,
                            f"the key twice, first in line {first}",
                            "each key once",
                            f"the key '{place[-1]}' stands twice (first in line {first}); keep one",
                            line,
                        )
                    )
                seen.setdefault(place[-1], line)
                lines[place] = line
                visit(child, place)

    if root is not None:
        visit(root, ())
    return lines, repeated


def is_number(value: Any) -> bool:
    """Whether a raw value is a finite number (a yes/no is none)."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
