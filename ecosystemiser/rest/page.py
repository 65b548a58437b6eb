"""A plain page of what can be asked, made from the OpenAPI description: no script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any, Final

_STYLE: Final = """body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
code{background:#8882;padding:.1em .3em;border-radius:.2em}table{border-collapse:collapse;width:100%}
td,th{text-align:left;vertical-align:top;padding:.2rem .8rem .2rem 0}h2{margin-top:2rem;font-size:1.1rem}
:root{color-scheme:light dark}"""


def described(openapi: Mapping[str, Any]) -> str:
    """The page."""
    info = openapi["info"]
    parts = [_question(path, methods["get"]) for path, methods in openapi["paths"].items()]
    title = escape(f"{info['title']} {info['version']}")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f"<h1>{title}</h1><p>{_text(info['description'])}</p>"
        '<p>For programs: <a href="/openapi.json">openapi.json</a>.</p>'
        f"{''.join(parts)}</html>"
    )


def _question(path: str, question: Mapping[str, Any]) -> str:
    rows = "".join(_parameter(parameter) for parameter in question.get("parameters", []))
    table = f"<table>{rows}</table>" if rows else ""
    words = _text(question.get("description", question["summary"]))
    return f"<h2><code>GET {escape(path)}</code></h2><p>{words}</p>{table}"


def _parameter(parameter: Mapping[str, Any]) -> str:
    schema = parameter["schema"]
    words = " ".join(filter(None, [parameter.get("description", ""), _bounds(schema)]))
    needed = " (needed)" if parameter.get("required") else ""
    return f"<tr><td><code>{escape(parameter['name'])}</code>{needed}</td><td>{_text(words)}</td></tr>"


def _bounds(schema: Mapping[str, Any]) -> str:
    """What a value may be, in words."""
    kind = next((part for part in schema.get("anyOf", []) if part.get("type") != "null"), schema)
    told = []
    if "enum" in kind:
        told.append(f"One of {', '.join(map(str, kind['enum']))}.")
    if "maximum" in kind:
        told.append(f"{kind.get('minimum', 0):,} to {kind['maximum']:,}.")
    if "maxItems" in kind:
        told.append(f"Up to {kind['maxItems']} times.")
    if schema.get("default") not in (None, []):
        told.append(f"{schema['default']} unless told.")
    return " ".join(told)


def _text(words: str) -> str:
    """Words with `code` marked as such."""
    parts = escape(words).split("`")
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))
