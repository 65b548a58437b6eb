"""The reference is written from the source, and every number says its unit."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from schema.components import COMPONENT_TYPES
from schema.paths import numeric_attributes
from schema.study import SolverSettings
from schema.system import Economics

ROOT = Path(__file__).parents[2]
SUFFIX_OF_UNIT = {
    "kW": ("_kw",),
    "kWh": ("_kwh",),
    "€/kW": ("_eur_per_kw",),
    "€/kWh": ("_eur_per_kwh",),
    "€/kW/a": ("_eur_per_kw_year",),
    "€/kWh/a": ("_eur_per_kwh_year",),
    "€/kWh/h": ("_eur_per_kwh_hour",),
    "€/kW/month": ("_eur_per_kw_month",),
    "m³": ("_m3",),
    "m³/h": ("_m3_per_hour",),
    "m²": ("_m2",),
    "€": ("_eur",),
    "€/m³": ("_eur_per_m3",),
    "€/m³/a": ("_eur_per_m3_year",),
    "€/(m³/h)": ("_eur_per_m3_per_hour",),
    "€/(m³/h)/a": ("_eur_per_m3_per_hour_year",),
    "kg/m³": ("_kg_per_m3",),
    "kWh/m³": ("_kwh_per_m3",),
    "€/kg": ("_eur_per_kg",),
    "kg/kWh": ("_kg_per_kwh",),
    "a": ("_years",),
    "1/a": ("_rate",),
    "1/h": ("_fraction_per_hour",),
    "h": ("_hours",),
    "s": ("_seconds",),
    "-": ("_fraction", "scale", "cop", "_per_input", "_coefficient"),
}
MODELS = [*COMPONENT_TYPES.values(), Economics, SolverSettings]


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_components", ROOT / "docs" / "make_components.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_components_is_what_the_source_says(generator: ModuleType) -> None:
    assert (ROOT / "docs" / "components.md").read_text(encoding="utf-8") == generator.reference()


def test_the_page_of_equations_is_what_the_source_says(generator: ModuleType) -> None:
    assert (ROOT / "docs" / "equations.md").read_text(encoding="utf-8") == generator.equations()


def test_every_label_that_a_page_names_is_among_the_equations(generator: ModuleType) -> None:
    labels = set(
        re.findall(r"^ *\(([A-Z]\d+)\)", generator.reference() + generator.equations(), re.MULTILINE)
    )
    page = (ROOT / "docs" / "dispatch.md").read_text(encoding="utf-8")
    named = {end for ends in re.findall(r"\b([A-Z]\d+)(?:–([A-Z]\d+))?\b", page) for end in ends if end}
    assert named - {"B1", "O1"} <= labels


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_number_has_its_unit_in_its_name_and_in_its_docstring(model) -> None:
    for name in numeric_attributes(model):
        meaning = model.model_fields[name].description or ""
        units = re.findall(r"\[([^\]]+)\]", meaning)
        assert units, f"{name} says no unit: {meaning}"
        assert name.endswith(SUFFIX_OF_UNIT[units[-1]]), f"{name} is told in {units[-1]}"
