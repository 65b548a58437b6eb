"""A report as one page that needs nothing else, nor a network: styles, figures and their program stand in it."""

from __future__ import annotations

import io
import re
from importlib.util import find_spec
from typing import Any

from ecosystemiser.pictures.marks import Picture
from ecosystemiser.reporting.parts import Report

_TEMPLATE = "report.html.j2"


def page(report: Report) -> str:
    """The report as HTML; whatever users called things is text in it and nothing else."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup, escape

    environment = Environment(
        loader=PackageLoader("ecosystemiser.reporting", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    drawn = _Drawn()

    def code(text: str) -> Any:
        """Text with what stands between backquotes as code."""
        parts = str(text).split("`")
        odd = [
            escape(part) if i % 2 == 0 else Markup("<code>{}</code>").format(part)
            for i, part in enumerate(parts)
        ]
        return Markup("").join(odd)

    environment.filters["code"] = code
    environment.globals["drawn"] = lambda picture: Markup(drawn.html(picture))  # noqa: S704 - our own drawers escape
    return environment.get_template(_TEMPLATE).render(report=report)


class _Drawn:
    """Pictures as parts of one page: interactive where plotly is there, else as SVG."""

    def __init__(self) -> None:
        self._count = 0
        self._interactive = find_spec("plotly") is not None

    def html(self, picture: Picture) -> str:
        """The picture's element; the first one brings the program that all of them need."""
        self._count += 1
        if self._interactive:
            from ecosystemiser.pictures.by_plotly import fragment

            return fragment(picture, f"picture-{self._count}", library=self._count == 1)
        return _svg(picture)


def _svg(picture: Picture) -> str:
    from ecosystemiser.pictures.by_matplotlib import write_svg

    text = io.BytesIO()
    write_svg(picture, text)
    # Without what only a file of its own has before its root.
    found = re.search(r"<svg.*", text.getvalue().decode(), re.DOTALL)
    assert found is not None
    return found.group(0)
